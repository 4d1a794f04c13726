"""The JSON Schema of a pipeline file, made of the same tables as its check: for editors, and for who reads what there is."""

from collections.abc import Mapping
from typing import Any

from downwind.soundness import shapes
from downwind.soundness.stages import STRATEGIES

_EXPRESSION = {"type": "string", "pattern": r"\$\{"}
_KINDS: Mapping[str, dict[str, Any]] = {
    shapes.TEXT: {"type": ["string", "null"]},
    shapes.FLAG: {"anyOf": [{"type": ["boolean", "null"]}, {"enum": ["true", "false"]}, _EXPRESSION]},
    shapes.NUMBER: {"anyOf": [{"type": ["number", "null"]}, {"type": "string", "pattern": r"^-?[0-9]+$|\$\{"}]},
    shapes.TEXTS: {"type": ["array", "null"], "items": {"type": "string"}},
    shapes.LIST: {"anyOf": [{"type": ["array", "null"]}, _EXPRESSION]},
    shapes.OBJECT: {"anyOf": [{"type": ["object", "null"]}, _EXPRESSION]},
    shapes.ANY: {},
}


def schema() -> dict[str, Any]:
    """Draft 2020-12. What a schema can't say (the graph, artifacts, expressions, fence) `downwind pipelines check` does."""
    stages = {name: _stage(name, shape) for name, shape in shapes.STAGES.items()}
    properties = _properties(shapes.PIPELINE)
    properties |= {
        "application": {"type": "string", "minLength": 1, "description": "Spinnaker's application."},
        "name": {
            "type": "string",
            "pattern": "^[^/]+$",
            "description": "The pipeline's name, once in the application.",
        },
        "spelEvaluator": {"enum": ["v3", "v4"], "description": "v4, or skipExpressionEvaluation protects no manifest."},
        "expectedArtifacts": {
            "type": ["array", "null"],
            "items": _object(shapes.EXPECTED_ARTIFACT, ("id", "matchArtifact")),
        },
        "parameterConfig": {"type": ["array", "null"], "items": _object(shapes.PARAMETER, ("name",))},
        "stages": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/stage"}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://downwind.dev/schemas/pipeline.schema.json",
        "title": "One Spinnaker pipeline, as a file of Downwind",
        "type": "object",
        "required": ["application", "name", "stages"],
        "additionalProperties": False,
        "properties": properties,
        "$defs": {
            "stage": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"type": "string", "examples": sorted(stages)}},
                "allOf": [
                    {
                        "if": {"properties": {"type": {"const": name}}},
                        "then": {"$ref": f"#/$defs/{name}"},
                    }
                    for name in sorted(stages)
                ],
            },
            **{name: stages[name] for name in sorted(stages)},
        },
    }


def _stage(name: str, shape: shapes.Stage) -> dict[str, Any]:
    found = _object({**shapes.COMMON, **shape.fields}, shape.needed, others=shape.others)
    if name == "deployManifest":
        found["properties"]["trafficManagement"] = {
            "type": ["object", "null"],
            "properties": {"options": {"type": "object", "properties": {"strategy": {"enum": list(STRATEGIES)}}}},
        }
    return found


def _object(fields: Mapping[str, str], needed: tuple[str, ...], *, others: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": _properties(fields)}
    if needed:
        found["required"] = list(needed)
    return found if others else {**found, "additionalProperties": False}


def _properties(fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: dict(_KINDS[kind]) for name, kind in fields.items()}
