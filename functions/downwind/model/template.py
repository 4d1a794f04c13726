"""Texts with `{field}` from a fixed list, as users write them in the catalog: filled in, never run. `{{` and `}}` are braces."""

import re
from collections.abc import Callable, Mapping, Sequence

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def unknown(template: str, fields: Sequence[str]) -> str | None:
    """What of the template is neither text nor one of the fields; None when all is well."""
    for found in _PIECE.finditer(template):
        if found[0] not in {"{{", "}}"} and found[1] not in fields:
            return found[0]
    return None


def fill(template: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> str:
    """Each field once, by `escape` of its value: what stands in a value is not looked at again. KeyError for a field that
    `unknown` would have named."""

    def replace(found: re.Match[str]) -> str:
        return found[0][0] if found[1] is None else escape(values[found[1]])

    return _PIECE.sub(replace, template)
