"""What a body from outside may cost: capped before it is parsed, a hostile one is refused for the price of a scan."""

import json
import math
import re
from itertools import accumulate
from typing import Any

from downwind.errors import Refused

PUBSUB_LIMIT = 14 * 1024 * 1024  # a message of 10 MB in base64, and its envelope
WEBHOOK_LIMIT = 4 * 1024 * 1024
VALUES = 500_000  # in one document: 500,000 empty objects are 36 MB of memory
DIGITS = 64  # int() of many digits takes quadratic time

# The closing quote is optional, so that an unfinished string ends the scan instead of starting it again at each escape.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(","): 0}
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def check_size(length: int, limit: int) -> None:
    """Refused when `length` bytes are more than `limit`. For a Content-Length as well as for a body."""
    if length > limit:
        raise Refused(f"the body has more than {limit} bytes")


def load_json(data: bytes, *, limit: int, depth: int = 64) -> Any:
    """Parse one JSON document of at most `limit` bytes, `depth` levels and 500,000 values; any defect is Refused.

    Refused too, though Python would take them: NaN and infinities, numbers over 64 digits, text that is not UTF-8, half
    a surrogate pair. Of a repeated key the last one counts. The reasons never quote the document.
    """
    check_size(len(data), limit)
    if not data:
        raise Refused("the body is empty")
    _check_shape(data, depth)
    try:
        value = json.loads(data.decode("utf-8-sig"), parse_int=_integer, parse_float=_float, parse_constant=_constant)
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise Refused(f"the body is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise Refused("the body holds half of a surrogate pair, which is not text") from None
    except json.JSONDecodeError as error:
        raise Refused(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    return value


def _check_shape(data: bytes, depth: int) -> None:
    """Depth and number of values, read from brackets and commas outside strings, before a parser would recurse."""
    structure = _STRING.sub(b"", data).translate(None, _NOT_STRUCTURE)
    if len(structure) > 2 * VALUES:
        raise Refused(f"the body holds more than {VALUES} values")
    if max(accumulate(_STEP[byte] for byte in structure), default=0) > depth:
        raise Refused(f"the body is nested deeper than {depth} levels")


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise Refused(f"the body holds a number of more than {DIGITS} digits")
    return int(text)


def _float(text: str) -> float:
    if len(text) > DIGITS:
        raise Refused(f"the body holds a number of more than {DIGITS} digits")
    value = float(text)
    if math.isinf(value):
        raise Refused("the body holds a number that is too large")
    return value


def _constant(name: str) -> float:
    raise Refused(f"the body holds {name}, which is not JSON")
