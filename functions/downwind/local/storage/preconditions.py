"""Google's four preconditions and the two of HTTP, on whatever has a generation or a metageneration.

https://cloud.google.com/storage/docs/request-preconditions
"""

from collections.abc import Mapping

from downwind.local.storage.call import PRECONDITIONS, Call
from downwind.local.storage.errors import condition_failed, invalid, not_modified


def check(conditions: Mapping[str, int | None], generation: int, metageneration: int, *, reading: bool = False) -> None:
    """`generation` 0: no such object. A `…NotMatch` that fails is 304 on a read, all else 412."""
    values = (generation, generation, metageneration, metageneration)
    for name, actual in zip(PRECONDITIONS, values, strict=True):
        wanted = conditions.get(name)
        if wanted is None or (wanted == actual) != name.endswith("NotMatch"):
            continue
        raise not_modified() if reading and name.endswith("NotMatch") else condition_failed()


def of(call: Call, prefix: str = "if") -> dict[str, int | None]:
    """The four as sent; `prefix` ifSource: those on the source of a copy."""
    return {name: call.number(name.replace("if", prefix, 1)) for name in PRECONDITIONS}


def of_document(document: Mapping[str, object]) -> dict[str, int | None]:
    """The four out of JSON (compose's objectPreconditions), where int64 may be text or number."""
    found: dict[str, int | None] = {}
    for name, value in document.items():
        if name not in PRECONDITIONS or not str(value).isdecimal():
            raise invalid(f"Invalid value for field objectPreconditions.{name}: {value}")
        found[name] = int(str(value))
    return found


def check_etag(call: Call, etag: str, *, reading: bool = False) -> None:
    """If-Match and If-None-Match, with etags quoted or bare."""

    def holds(header: str) -> bool:
        return header.strip() == "*" or etag in [one.strip().strip('"') for one in header.split(",")]

    wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
    if wanted is not None and not holds(wanted):
        raise condition_failed()
    if unwanted is not None and holds(unwanted):
        raise not_modified() if reading else condition_failed("If-None-Match")
