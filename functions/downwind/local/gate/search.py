"""GET /applications/{app}/executions/search: what fits, as Orca decides it (facts: real-spinnaker.md 3.3). Pure."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

# What Java's regex says where Python's says something else; Orca passes Java's sentence on.
_UNCLOSED = "missing ), unterminated subpattern"


class SearchError(Exception):
    """`status` as Orca answers it: 400 for a bad regular expression, 500 for a trigger that is no base64 of JSON."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_query(query: str) -> dict[str, str]:
    """Tomcat's reading of a query string: a value whose percent-encoding is broken is dropped, name and all."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name and not re.search("%(?![0-9A-Fa-f]{2})", value):
            found[unquote_plus(name)] = unquote_plus(value)
    return found


def read_trigger(encoded: str | None) -> Mapping[str, Any]:
    if not encoded:
        return {}
    try:
        wanted = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        raise SearchError(500, "Failed to parse encoded trigger") from error
    if not isinstance(wanted, dict):
        raise SearchError(500, "Failed to parse encoded trigger")
    return wanted


def fits(wanted: Any, actual: Any) -> bool:
    """Objects as subsets, lists item by item, strings equal or as a full-match regex, both case-insensitive."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(fits(value, actual.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(actual, list) and all(any(fits(item, other) for other in actual) for item in wanted)
    if isinstance(wanted, str):
        return isinstance(actual, str) and (wanted.lower() == actual.lower() or _matches(wanted, actual))
    return type(wanted) is type(actual) and bool(wanted == actual)


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.fullmatch(pattern, text, re.IGNORECASE) is not None
    except re.error as error:
        message = f"Unclosed group near index {len(pattern)}" if error.msg == _UNCLOSED else str(error)
        raise SearchError(400, f"{message}\n{pattern}") from error
