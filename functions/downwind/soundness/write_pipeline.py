"""A pipeline as the text of a file: the fields that people look for first stand first, and it reads back as it was."""

from collections.abc import Mapping
from typing import Any

from downwind.render.scalars import resolve
from downwind.soundness import shapes

_TOP = tuple(shapes.PIPELINE)
_STAGE = ("type", "name", "refId", "requisiteStageRefIds", "comments", "failPipeline", "continuePipeline")
_ARTIFACT = tuple(shapes.EXPECTED_ARTIFACT)
_NOT_IN_A_FILE = (*shapes.OF_THE_SERVER, "id", "index")
_BY_DEFAULT: Mapping[str, Any] = {
    "schema": "1",
    "triggers": [],
    "parameterConfig": [],
    "notifications": [],
    "expectedArtifacts": [],
    "disabled": False,
    "keepWaitingPipelines": False,
    "limitConcurrent": False,
}
"""What Front50 writes, or Orca takes, where a pipeline does not say it."""


def of_file(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Spinnaker writes itself (id, times, who), in the order of a file."""
    kept = {
        key: _ordered(key, value) for key, value in document.items() if key not in _NOT_IN_A_FILE and value is not None
    }
    return _by(kept, _TOP)


def comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """Two pipelines that Spinnaker treats alike are equal: what a pipeline leaves out has Spinnaker's default, and a field
    without value is none."""
    kept = {
        key: value for key, value in of_file(document).items() if key not in _BY_DEFAULT or value != _BY_DEFAULT[key]
    }
    return {key: _without_nulls(value) for key, value in kept.items()}


def write_pipeline(document: Mapping[str, Any]) -> str:
    """YAML, with quotes where YAML as Kubernetes reads it would see something else than this text."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's signature
            super().increase_indent(flow, indentless=False)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        plain = resolve(value) == value
        style = "|" if "\n" in value and value.strip() == value and value.isprintable() else None if plain else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return str(yaml.dump(dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120))


def _ordered(key: str, value: Any) -> Any:
    if key == "stages" and isinstance(value, list):
        return [_by(each, _STAGE) if isinstance(each, Mapping) else each for each in value]
    if key == "expectedArtifacts" and isinstance(value, list):
        return [_by(each, _ARTIFACT) if isinstance(each, Mapping) else each for each in value]
    return value


def _by(document: Mapping[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    last = len(first)
    place = {name: index for index, name in enumerate(first)}
    return dict(
        sorted(document.items(), key=lambda item: (place.get(item[0], last), item[0] if item[0] not in place else ""))
    )


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
