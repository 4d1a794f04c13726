"""Reads a .json file as strictly as a .yaml one. JSON with tabs or surrogate pairs is no YAML for most readers."""

import json
from typing import Any

from downwind.errors import Refused
from downwind.render.limits import Limits

_LONGEST_NUMBER = 400


def read_json(name: str, text: str, limits: Limits) -> Any:
    """The one value of the file. Refused: not JSON, a key twice, NaN, numbers or nesting beyond reason."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
            raise Refused(f"{name}: the key {twice!r} is there twice", fix="take one of them out")
        return value

    def constant(text: str) -> Any:
        raise Refused(f"{name}: {text} is not JSON", fix="write it as a text, in quotes")

    def integer(digits: str) -> int:
        if len(digits) > _LONGEST_NUMBER:
            raise Refused(f"{name}: a number of {len(digits)} digits", fix="write it as a text, in quotes")
        return int(digits)

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant, parse_int=integer)
    except json.JSONDecodeError as error:
        raise Refused(
            f"{name}:{error.lineno}: not JSON: {error.msg}", fix="write one JSON object in the file"
        ) from None
    except RecursionError:
        raise _too_deep(name, limits) from None
    left = _check(name, value, limits.depth, limits.values, limits)
    if left < 0:
        raise Refused(f"{name}: more than {limits.values} values", fix="split the file")
    return value


def _check(name: str, value: Any, levels: int, left: int, limits: Limits) -> int:
    """How many values may still come; below 0 it stopped."""
    left -= 1
    if isinstance(value, dict | list):
        if levels == 0:
            raise _too_deep(name, limits)
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            left = _check(name, inner, levels - 1, left, limits)
            if left < 0:
                break
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Refused(f"{name}: half a surrogate pair is no character", fix="write the character itself") from None
    return left


def _too_deep(name: str, limits: Limits) -> Refused:
    return Refused(f"{name}: nested deeper than {limits.depth} levels", fix="flatten it")
