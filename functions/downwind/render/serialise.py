r"""One JSON document an object, `---` between: YAML that no reader can misread.

Measured on Orca 2026.2.3 (SnakeYAML): raw U+007F, tabs as indentation and the escape `\/` fail there, nulls in objects
are dropped, and one document may have 3,145,728 code points.
"""

import json
import math
from collections.abc import Iterable
from typing import Any

from downwind.errors import Refused
from downwind.render.limits import LIMITS

_SEPARATOR = b"---\n"
# YAML gives up on a key in `{…}` whose colon is more than 1,024 characters away.
_KEY_CHARACTERS = 1_000


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
    """One object as a line of ASCII, keys sorted. Refused: more than 3,000,000 characters."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    text = text.replace("\x7f", "\\u007f")
    if len(text) > LIMITS.document_characters:
        raise Refused(
            f"{place}: {len(text)} characters are more than Spinnaker reads in one document",
            fix=f"split it: at most {LIMITS.document_characters} characters an object",
        )
    return text.encode("ascii") + b"\n"


def join(documents: Iterable[bytes]) -> bytes:
    return _SEPARATOR.join(documents)


def split(documents: bytes) -> list[dict[str, Any]]:
    """The objects of `join`'s bytes. A document is one line, so no object can hold the separator."""
    return [json.loads(line) for line in documents.split(_SEPARATOR)]
