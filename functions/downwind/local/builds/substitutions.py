"""`$NAME` and `${NAME}` in a build config, as Cloud Build replaces them before anything runs; `$$` is a dollar."""

import re
from collections.abc import Mapping
from typing import Any

from downwind.local.builds.failure import BuildFailure

_TOKEN = re.compile(r"\$(?:\$|\{([^}]*)\}|([A-Z_][A-Z0-9_]*))")
_NAME = re.compile(r"_[A-Z0-9_]+|[A-Z][A-Z0-9_]*")
_BUILT_IN = {
    "PROJECT_ID", "PROJECT_NUMBER", "BUILD_ID", "LOCATION", "TRIGGER_NAME", "COMMIT_SHA", "REVISION_ID", "SHORT_SHA",
    "REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME", "REF_NAME", "TRIGGER_BUILD_CONFIG_PATH",
    "SERVICE_ACCOUNT", "SERVICE_ACCOUNT_EMAIL",
}  # fmt: skip
_LITERAL = {"script", "substitutions"}  # Cloud Build leaves scripts alone; use automapSubstitutions


def substitute(config: Any, values: Mapping[str, str], *, loose: bool) -> Any:
    """Every string below `config` but scripts. Raises BuildFailure for a name that Cloud Build does not know.

    `loose` (ALLOW_LOOSE, what triggers use): a user's `_NAME` without a value is empty; else it is a failure.
    """
    if isinstance(config, str):
        return _replace(config, values, loose=loose)
    if isinstance(config, list):
        return [substitute(part, values, loose=loose) for part in config]
    if isinstance(config, dict):
        return {key: part if key in _LITERAL else substitute(part, values, loose=loose) for key, part in config.items()}
    return config


def resolve(values: Mapping[str, str]) -> dict[str, str]:
    """Values that name other values (dynamicSubstitutions, always on in triggers), replaced until nothing changes."""
    found = dict(values)
    for _ in range(len(found) + 1):
        fresh = {key: _replace(value, found, loose=True) if "$" in value else value for key, value in found.items()}
        if fresh == found:
            return found
        found = fresh
    raise BuildFailure("substitutions name each other in a circle")


def check_names(values: Mapping[str, Any]) -> None:
    """What a person may set: names that begin with an underscore, and strings."""
    for name, value in values.items():
        if not re.fullmatch(r"_[A-Z0-9_]+", name) or not isinstance(value, str):
            raise BuildFailure(f"substitution {name}: names are _UPPER_CASE and values strings")


def _replace(text: str, values: Mapping[str, str], *, loose: bool) -> str:
    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        name = match.group(1) if match.group(1) is not None else match.group(2)
        if not _NAME.fullmatch(name):
            raise BuildFailure(f"${{{name}}}: the local builder replaces names only, no expressions")
        if name in values:
            return values[name]
        if name in _BUILT_IN or (loose and name.startswith("_")):
            return ""
        fix = "write $$ for a dollar of the shell" if not name.startswith("_") else "give it a value"
        raise BuildFailure(f"${name} is no valid substitution: {fix}")

    return _TOKEN.sub(value, text)
