"""The `fields` parameter: https://cloud.google.com/storage/docs/json_api#partial-response

A reader that asks for too few fields must find out here, not in the cloud.
"""

import re
from typing import Any

from downwind.local.storage.errors import invalid

Mask = dict[str, "Mask"]
_TOKEN = re.compile(r"[\w*-]+|[(),/]")


def parse(text: str) -> Mask:
    """`items(name,metadata/sha),nextPageToken` as nested names; an empty mask below a name keeps all of it."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text) or not tokens:
        raise invalid(f"Invalid field selection {text}")
    mask, rest = _list(tokens, text)
    if rest:
        raise invalid(f"Invalid field selection {text}")
    return mask


def keep(document: Any, mask: Mask) -> Any:
    """What the mask names, in lists for each element."""
    if not mask:
        return document
    if isinstance(document, list):
        return [keep(element, mask) for element in document]
    if not isinstance(document, dict):
        return document
    return {
        name: keep(value, mask[name] if name in mask else mask["*"])
        for name, value in document.items()
        if name in mask or "*" in mask
    }


def _list(tokens: list[str], text: str) -> tuple[Mask, list[str]]:
    mask: Mask = {}
    while True:
        name, tokens = _name(tokens, text)
        below = mask.setdefault(name, {})
        while tokens[:1] == ["/"]:
            name, tokens = _name(tokens[1:], text)
            below = below.setdefault(name, {})
        if tokens[:1] == ["("]:
            inner, tokens = _list(tokens[1:], text)
            if tokens[:1] != [")"]:
                raise invalid(f"Invalid field selection {text}")
            below.update(inner)
            tokens = tokens[1:]
        if tokens[:1] != [","]:
            return mask, tokens
        tokens = tokens[1:]


def _name(tokens: list[str], text: str) -> tuple[str, list[str]]:
    if not tokens or tokens[0] in "(),/":
        raise invalid(f"Invalid field selection {text}")
    return tokens[0], tokens[1:]
