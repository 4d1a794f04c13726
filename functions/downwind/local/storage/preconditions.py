"""Google's four preconditions and the two of HTTP, on whatever has a generation or a metageneration.

https://cloud.google.com/storage/docs/request-preconditions
"""

from collections.abc import Mapping

from downwind.local.storage.call import PRECONDITIONS, Call
from downwind.local.storage.errors import condition_failed, invalid, not_here, not_modified


def check(conditions: Mapping[str, int | None], generation: int, metageneration: int) -> None:
    """`generation` 0: no such object. 412 for a match that fails; 304 for a `…NotMatch`, on writes too."""
    values = (generation, generation, metageneration, metageneration)
    for name, actual in zip(PRECONDITIONS, values, strict=True):
        wanted = conditions.get(name)
        if wanted is None:
            continue
        if name.endswith("NotMatch"):
            # "If no live object exists, the precondition fails."
            if wanted == actual or (name == "ifGenerationNotMatch" and not generation):
                raise not_modified()
        elif wanted != actual:
            raise condition_failed()


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


def check_etag(call: Call, etag: str) -> None:
    """If-Match and If-None-Match, with etags quoted or bare: for reads, as Google documents them."""

    def holds(header: str) -> bool:
        return header.strip() == "*" or etag in [one.strip().strip('"') for one in header.split(",")]

    wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
    if call.method not in {"GET", "HEAD"} and (wanted or unwanted):
        raise not_here(f"If-Match or If-None-Match on {call.method}")
    if wanted is not None and not holds(wanted):
        raise condition_failed()
    if unwanted is not None and holds(unwanted):
        raise not_modified()
