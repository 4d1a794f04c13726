"""A pipeline as a file in `pipelines/`: Spinnaker's own fields, with `{{…}}` where one environment differs from the next."""

import re
from collections.abc import Mapping
from typing import Any

from downwind.errors import Refused
from downwind.model.fields import Path

PLACEHOLDERS = (
    "application",
    "environment",
    "namespace",
    "pipeline_application",
    "pipeline",
    "account",
    "artifact_account",
    "bundles",
)
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]+)\s*\}\}")
"""A single word: what else stands in double braces is some other program's template."""


def fill(
    document: Mapping[str, Any],
    *,
    application: str,
    environment: str,
    bundles_bucket: str,
    namespace: str,
    account: str,
    artifact_account: str = "gcs",
    pipeline_application: str = "",
    pipeline: str = "",
    file: str = "the pipeline",
) -> dict[str, Any]:
    """A copy with every `{{name}}` in its strings (keys stay) replaced; `{{bundles}}` is the bucket's bare name,
    `{{account}}` Spinnaker's Kubernetes account, `{{artifact_account}}` the one that reads from Cloud Storage;
    `{{pipeline_application}}` and `{{pipeline}}` are Spinnaker's names, by default the application's own and `deploy-…`.
    Refused: a placeholder that nobody knows; the error names `file` and the field's path."""
    values = {
        "application": application,
        "environment": environment,
        "bundles": bundles_bucket,
        "namespace": namespace,
        "account": account,
        "artifact_account": artifact_account,
        "pipeline_application": pipeline_application or application,
        "pipeline": pipeline or f"deploy-{environment}",
    }
    return {key: _fill(value, values, file, key) for key, value in document.items()}


def placeholders(value: Any, path: Path = ()) -> list[tuple[Path, str]]:
    """(path, name) of every `{{name}}` in it, known or not."""
    if isinstance(value, Mapping):
        return [each for key, item in value.items() for each in placeholders(item, (*path, str(key)))]
    if isinstance(value, list):
        return [each for number, item in enumerate(value) for each in placeholders(item, (*path, number))]
    return [(path, name) for name in _PLACEHOLDER.findall(value)] if isinstance(value, str) else []


def _fill(value: Any, values: Mapping[str, str], file: str, field: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _fill(item, values, file, f"{field}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, values, file, f"{field}[{number}]") for number, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            raise Refused(
                f"{file}: {field}: unknown placeholder {found[0]}",
                field=field,
                fix="use one of " + ", ".join(f"{{{{{known}}}}}" for known in PLACEHOLDERS),
            )
        return values[name]

    return _PLACEHOLDER.sub(replace, value)
