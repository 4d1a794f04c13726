r"""One JSON document an object, each after a line `---`: YAML that no reader can misread.

Measured on Orca 2026.2.3 (SnakeYAML): raw U+007F, tabs as indentation and the escape `\/` fail there, nulls in objects
are dropped, raw UTF-8 is read right, and one document may have 3,145,728 code points. Measured on kubectl 1.32.4: what
begins with `{` is read as JSON alone, and fails at the first `---`; surrogate pairs fail, as they do in libyaml.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import Any

from downwind.errors import Refused
from downwind.render.limits import LIMITS

_SEPARATOR = b"---\n"
# YAML gives up on a key in `{…}` whose colon is more than 1,024 characters away.
_KEY_CHARACTERS = 1_000
_ASCII, _UTF_8 = (
    json.JSONEncoder(sort_keys=True, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":"))
    for ascii_only in (True, False)
)
_TO_ESCAPE = re.compile("[\x80-\uffff]")


def clean(value: Any, place: str) -> Any:
    """A deep copy without nulls in objects, so that nothing is shared and nothing is there that Orca would drop.

    `place` names the object in errors. Refused: a key that is no text or too long, and a value that JSON does not have.
    """
    if isinstance(value, dict):
        copy = {}
        for key, inner in value.items():
            if not isinstance(key, str):
                raise Refused(f"{place}: the key {key!r} is not a text", fix="put it in quotes")
            if len(key) > 80 and len(json.dumps(key)) > _KEY_CHARACTERS:
                raise Refused(f"{place}: the key {key[:40]!r}… is too long", fix="use at most 80 characters")
            if inner is not None:
                copy[key] = clean(inner, place)
        return copy
    if isinstance(value, list):
        return [clean(inner, place) for inner in value]
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        # As Go writes it: `replicas: 3.0` and `1e3` are whole numbers for Kubernetes.
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    raise Refused(f"{place}: {value!r} is not a value that JSON has", fix="write it as a text, in quotes")


def document(value: dict[str, Any], place: str) -> bytes:
    """One object as a line, keys sorted, ASCII but for characters beyond U+FFFF: JSON has only surrogate pairs for those, which
    most readers of YAML refuse. Refused: more than 3,000,000 characters."""
    text = _ASCII.encode(value)
    if "\\ud" in text:  # half of a pair, or a text that looks like one: then it costs time, and nothing else
        text = _TO_ESCAPE.sub(lambda match: f"\\u{ord(match[0]):04x}", _UTF_8.encode(value))
    text = text.replace("\x7f", "\\u007f")
    if len(text) > LIMITS.document_characters:
        raise Refused(
            f"{place}: {len(text)} characters are more than Spinnaker reads in one document",
            fix=f"split it: at most {LIMITS.document_characters} characters an object",
        )
    return text.encode() + b"\n"


def join(documents: Iterable[bytes]) -> bytes:
    return b"".join(_SEPARATOR + each for each in documents)


def split(documents: bytes) -> list[dict[str, Any]]:
    """The objects of `join`'s bytes, and of older ones without a first `---`. A document is one line, so no object can hold the
    separator."""
    return [json.loads(line) for line in documents.removeprefix(_SEPARATOR).split(_SEPARATOR)]
