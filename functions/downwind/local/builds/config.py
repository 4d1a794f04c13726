"""cloudbuild.yaml (or its JSON), checked before it runs: what the local builder does not have is refused by name."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from downwind.local.builds.failure import BuildFailure

_BUILD = {"steps", "timeout", "queueTtl", "images", "substitutions", "tags", "options", "logsBucket", "serviceAccount"}
_STEP = {
    "name", "args", "env", "dir", "id", "waitFor", "entrypoint", "timeout", "script", "allowFailure",
    "allowExitCodes", "automapSubstitutions",
}  # fmt: skip
_OPTIONS = {
    "env", "automapSubstitutions", "substitutionOption", "dynamicSubstitutions", "logging", "logStreamingOption",
    "machineType", "diskSizeGb", "requestedVerifyOption", "sourceProvenanceHash", "defaultLogsBucketBehavior",
}  # fmt: skip
_ENUMS = {  # google-cloud-build sends numbers
    "substitutionOption": ("MUST_MATCH", "ALLOW_LOOSE"),
    "logging": ("LOGGING_UNSPECIFIED", "LEGACY", "GCS_ONLY", "STACKDRIVER_ONLY", "NONE", "CLOUD_LOGGING_ONLY"),
}
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")


def read_config(text: str, name: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildFailure(f"{name} is not YAML: {error}") from error
    return check_config(found, name)


def check_config(found: Any, name: str) -> dict[str, Any]:
    """The config itself, once its shape is known to be right; REST's camelCase names (YAML has the same)."""
    if not isinstance(found, dict):
        raise BuildFailure(f"{name} is no build config")
    _only(found, _BUILD, name)
    _only(found.get("options") or {}, _OPTIONS, f"{name}: options")
    _strings(found, {"images", "tags"}, name)
    _strings(found.get("options") or {}, {"env"}, f"{name}: options")
    _enums(found.get("options") or {}, f"{name}: options")
    steps = found.get("steps")
    if not isinstance(steps, list) or not steps:
        raise BuildFailure(f"{name} has no steps")
    known: set[str] = {"-"}
    for number, step in enumerate(steps):
        where = f"{name}: step {number}"
        if not isinstance(step, dict) or not isinstance(step.get("name"), str):
            raise BuildFailure(f"{where} has no name (the image that runs it)")
        _only(step, _STEP, where)
        _strings(step, {"args", "env", "waitFor"}, where)
        if step.get("script") and (step.get("args") or step.get("entrypoint")):
            raise BuildFailure(f"{where} has script beside args or entrypoint")
        for wanted in step.get("waitFor") or []:
            if wanted not in known:
                raise BuildFailure(f"{where} waits for {wanted}, which is no step before it")
        known |= {step["id"]} if step.get("id") else set()
    for duration in (found.get("timeout"), *(step.get("timeout") for step in steps)):
        seconds(duration, 0)
    return found


def seconds(text: Any, default: float) -> float:
    """A duration as `600s`."""
    if text is None:
        return default
    match = _SECONDS.fullmatch(str(text))
    if match is None:
        raise BuildFailure(f"{text} is no duration: write 600s")
    return float(match.group(1))


def _only(found: Any, known: set[str], where: str) -> None:
    if not isinstance(found, Mapping):
        raise BuildFailure(f"{where} is no mapping")
    if unknown := sorted(str(key) for key in found if key not in known):
        raise BuildFailure(f"{where}: {', '.join(unknown)}: unknown, or not part of the local builder")


def _enums(options: dict[str, Any], where: str) -> None:
    """Numbers become the names that notifications carry."""
    for key, value in options.items():
        names = _ENUMS.get(key, ())
        if isinstance(value, int) and not isinstance(value, bool) and key != "diskSizeGb":
            if not 0 <= value < len(names):
                raise BuildFailure(f"{where}: {key}: write the name, not {value}")
            options[key] = names[value]


def _strings(found: Mapping[str, Any], keys: set[str], where: str) -> None:
    for key in keys:
        value = found.get(key) or []
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise BuildFailure(f"{where}: {key} must be a list of strings; put numbers in quotes")
