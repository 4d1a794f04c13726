"""The language of builds.list, as far as it is used: comparisons joined by AND. What is not known is refused."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from downwind.local.builds.api_error import ApiError

_TERM = re.compile(r'\s*([A-Za-z_][\w.]*)\s*(!=|=)\s*(?:"([^"]*)"|([\w.:/-]+))\s*')
_FIELDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "status": lambda build: build.get("status"),
    "id": lambda build: build.get("id"),
    "build_id": lambda build: build.get("id"),
    "trigger_id": lambda build: build.get("buildTriggerId"),
    "build_trigger_id": lambda build: build.get("buildTriggerId"),
    "buildTriggerId": lambda build: build.get("buildTriggerId"),
}


def read_filter(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A predicate over Build JSON. ApiError 400 names what is not understood."""
    tests: list[tuple[Callable[[Mapping[str, Any]], Any], str, bool]] = []
    rest = text.strip()
    while rest:
        match = _TERM.match(rest)
        if match is None:
            raise ApiError(400, f'filter: can\'t read {rest!r}; the local world knows NAME="value" joined by AND')
        field, operator, quoted, bare = match.groups()
        tests.append((_reader(field), quoted if quoted is not None else bare, operator == "="))
        rest = rest[match.end() :]
        if rest and not rest.startswith("AND "):
            raise ApiError(400, f"filter: can't read {rest!r}; only AND joins conditions in the local world")
        rest = rest.removeprefix("AND ")
    return lambda build: all((read(build) == value) is equal for read, value, equal in tests)


def _reader(field: str) -> Callable[[Mapping[str, Any]], Any]:
    if field.startswith("substitutions."):
        name = field.removeprefix("substitutions.")
        return lambda build: (build.get("substitutions") or {}).get(name)
    if field not in _FIELDS:
        raise ApiError(400, f"filter: {field} is not part of the local world")
    return _FIELDS[field]
