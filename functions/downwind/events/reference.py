"""Image references as registries and builds write them: `host[:port]/path[:tag][@sha256:…]`."""

import re
from typing import Any

from downwind.errors import Refused
from downwind.events.fields import DIGEST, required
from downwind.model.event import ImageReference

_NAME = re.compile(r"[a-z0-9](?:[A-Za-z0-9.:_/-]*[A-Za-z0-9])?", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)


def split(value: Any, field: str) -> ImageReference:
    """Name, digest and tag of a reference; the last two may be absent. A host's port is no tag."""
    whole = required(value, field)
    rest, at, digest = whole.partition("@")
    slash = rest.rfind("/")
    colon = rest.rfind(":")
    name, tag = (rest[:colon], rest[colon + 1 :]) if colon > slash else (rest, None)
    if not _NAME.fullmatch(name) or "//" in name:
        raise Refused(f"{field} is not an image reference", field=field)
    if tag is not None and not _TAG.fullmatch(tag):
        raise Refused(f"{field} holds a tag that no registry allows", field=field)
    if at and not DIGEST.fullmatch(digest):
        raise Refused(f"{field} holds a digest that is not sha256 and 64 lower case hex digits", field=field)
    return ImageReference(name=name, digest=digest or None, tag=tag)


def with_digest(name: Any, digest: Any, field: str) -> ImageReference:
    """A reference whose digest is told beside it, as Cloud Build does; told twice, it must be the same."""
    found = split(name, field)
    said = split(f"{found.name}@{required(digest, field)}", field).digest if digest else None
    if said and found.digest not in {None, said}:
        raise Refused(f"{field} names two different digests", field=field)
    return ImageReference(name=found.name, digest=said or found.digest, tag=found.tag)
