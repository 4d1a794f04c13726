"""One call of Google's REST APIs, and the line of gcloud that does the same; what of a body differs from another."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

Body = Mapping[str, Any]
MADE_AT_APPLY = "<32 random bytes, made at apply>"
"""Stands in a request where a secret goes; only the sender puts one in its place."""
PAIR_MADE_AT_APPLY = "<downwind, a colon, and 32 random bytes, made at apply>"
"""The same for a user with its password, as basic sign-in takes them."""
NEWEST = "<newest>"
"""Stands where the number of a secret's newest version goes, which a plan reads."""
COPIED_AT_APPLY = "<the text of the secret in Secret Manager, read at apply>"
"""The same for a secret that is there already; `Request.copies` names it."""
PASSWORD_COPIED_AT_APPLY = "<the password of the pair in Secret Manager, read at apply>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`path` begins with the API's version. `upload`: the bytes of the package are the body. `base`: where it goes, if not to
    Google. `copies`: the secret, by its path in Secret Manager, whose newest text goes where COPIED_AT_APPLY stands. `accept`:
    another form of answer. `seen`: what was read of it before, to be written over and over nothing else."""

    api: str
    path: str
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    upload: bool = False
    base: str | None = None
    copies: str | None = None
    accept: str | None = None
    seen: Any = None

    def url(self, endpoint: str) -> str:
        """`endpoint` without a final slash."""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"{self.base or endpoint}/{quote(self.path, safe='/:@%-._~')}{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One step's effect. `command` is None where no program can do it safely; then `request` is what is sent. Of Helm's
    lines the request (api `helm`) is a name only. `empties`: the bucket's objects go with it."""

    request: Request
    command: tuple[str, ...] | None = None
    empties: bool = False


def differences(wanted: Body, live: Body, exact: frozenset[str] = frozenset(), path: str = "") -> Iterator[str]:
    """Paths at which `live` is not what `wanted` says. What `wanted` does not name may be anything, except under `exact`."""
    if path in exact and set(live) - set(wanted):
        yield path
        return
    for key, value in wanted.items():
        here = f"{path}.{key}" if path else key
        found = live.get(key)
        if isinstance(value, Mapping) and value and (found is None or isinstance(found, Mapping)):
            yield from differences(value, found or {}, exact, here)
        elif here in exact and isinstance(value, Mapping):
            if found != value:
                yield here
        elif not _same(value, found):
            yield here


def _same(wanted: Any, found: Any) -> bool:
    """JSON of Google's APIs leaves out what is false, 0 or empty, and writes 64-bit numbers as texts."""
    if isinstance(wanted, bool) or wanted in ({}, [], "", None):
        return bool(wanted) == bool(found)
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(
            not list(differences(one, other))
            if isinstance(one, Mapping) and isinstance(other, Mapping)
            else _same(one, other)
            for one, other in zip(wanted, found, strict=True)
        )
    if isinstance(wanted, Mapping) or isinstance(found, Mapping | list):
        return False
    return found is not None and str(wanted) == str(found)
