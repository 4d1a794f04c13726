"""Expected artifacts, as Orca resolves them at a start (facts: spinnaker.md 4.2). Pure.

Only those named in `trigger.expectedArtifactIds`, or with a default, are looked at; the others stay unbound in silence.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_FIELDS = ("type", "name", "version", "location", "reference")
_KEYS = (*_FIELDS, "artifactAccount", "provenance", "uuid")

Artifact = dict[str, Any]


class ArtifactError(Exception):
    """Orca's sentence; Gate answers 400 with it and Orca keeps a TERMINAL execution."""


def read_artifact(given: Mapping[str, Any]) -> Artifact:
    """Orca's form of an artifact: known keys, the rest under metadata, nothing that is null."""
    found: Artifact = {key: given[key] for key in _KEYS if given.get(key) is not None}
    found["customKind"] = bool(given.get("customKind", False))
    other = {key: value for key, value in given.items() if key not in {*_KEYS, "customKind", "metadata", "kind"}}
    found["metadata"] = {**other, **(given.get("metadata") or {})}
    return found


def resolve(expected: Sequence[Mapping[str, Any]], ids: Sequence[str], received: Sequence[Artifact]) -> list[Artifact]:
    """The expected artifacts with their `boundArtifact`. ArtifactError: one fits none, or several."""
    return [
        _resolve_one(item, received)
        for item in expected
        if item.get("id") in ids or item.get("useDefaultArtifact") or item.get("usePriorArtifact")
    ]


def _resolve_one(expected: Mapping[str, Any], received: Sequence[Artifact]) -> Artifact:
    wanted = read_artifact(expected.get("matchArtifact") or {})
    fitting: list[Artifact] = []
    for artifact in received:
        if _fits(wanted, artifact) and artifact not in fitting:
            fitting.append(artifact)
    if len(fitting) > 1:
        listed = ", ".join(_java(item) for item in fitting)
        raise ArtifactError(f"Expected artifact {_java_expected(expected)} matches multiple artifacts [{listed}]")
    if not fitting and expected.get("useDefaultArtifact"):
        fitting = [read_artifact(expected.get("defaultArtifact") or {})]
    if not fitting:
        raise ArtifactError(f"Unmatched expected artifact {_java_expected(expected)} could not be resolved.")
    bound = dict(fitting[0])
    if "artifactAccount" not in bound and "artifactAccount" in wanted:
        bound["artifactAccount"] = wanted["artifactAccount"]
    shown = {
        "id": expected.get("id"),
        "matchArtifact": wanted,
        "boundArtifact": bound,
        "usePriorArtifact": bool(expected.get("usePriorArtifact")),
        "useDefaultArtifact": bool(expected.get("useDefaultArtifact")),
    }
    if "defaultArtifact" in expected:
        shown["defaultArtifact"] = read_artifact(expected["defaultArtifact"] or {})
    return shown


def _fits(wanted: Artifact, artifact: Artifact) -> bool:
    """Every field that is asked for is equal, or a regular expression for the whole value."""
    return all(_field_fits(str(wanted[key]), artifact.get(key)) for key in _FIELDS if wanted.get(key))


def _field_fits(pattern: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return pattern == value or re.fullmatch(pattern, value) is not None
    except re.error:
        return False


def _java(artifact: Mapping[str, Any]) -> str:
    def text(key: str) -> str:
        return str(artifact[key]) if artifact.get(key) is not None else "null"

    custom = str(bool(artifact.get("customKind"))).lower()
    metadata = ", ".join(f"{key}={value}" for key, value in (artifact.get("metadata") or {}).items())
    fields = (
        f"name={text('name')}, version={text('version')}, location={text('location')}, reference={text('reference')}"
    )
    return (
        f"Artifact(type={text('type')}, customKind={custom}, {fields}, metadata={{{metadata}}}, "
        f"artifactAccount={text('artifactAccount')}, provenance={text('provenance')}, uuid={text('uuid')})"
    )


def _java_expected(expected: Mapping[str, Any]) -> str:
    default = expected.get("defaultArtifact")
    return (
        f"ExpectedArtifact(matchArtifact={_java(read_artifact(expected.get('matchArtifact') or {}))}, "
        f"usePriorArtifact={str(bool(expected.get('usePriorArtifact'))).lower()}, "
        f"useDefaultArtifact={str(bool(expected.get('useDefaultArtifact'))).lower()}, "
        f"defaultArtifact={_java(read_artifact(default)) if default else 'null'}, id={expected.get('id')}, "
        "boundArtifact=null)"
    )
