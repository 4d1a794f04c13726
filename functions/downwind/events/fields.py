"""Typed reads from a parsed document. A wrong type or form is Refused with the name of the field, never its value."""

import re
from collections.abc import Mapping
from typing import Any

from downwind.errors import Refused

COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
WORD = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
REF_LIMIT = 255  # bytes; so that a percent-encoded ref fits the name of an object in the ledger

# git check-ref-format, for names below refs/heads/ and refs/tags/.
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def obj(value: Any, field: str) -> Mapping[str, Any]:
    """A JSON object; absent (None) is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"{field} is not an object", field=field)
    return value


def items(value: Any, field: str) -> list[Any]:
    """A JSON array; absent (None) is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(f"{field} is not an array", field=field)
    return value


def text(value: Any, field: str, *, limit: int = 1024) -> str | None:
    """One line of text; absent, null and "" are None."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Refused(f"{field} is not text", field=field)
    if len(value) > limit:
        raise Refused(f"{field} has more than {limit} characters", field=field)
    if _CONTROL.search(value):
        raise Refused(f"{field} holds control characters", field=field)
    return value


def required(value: Any, field: str, *, limit: int = 1024) -> str:
    found = text(value, field, limit=limit)
    if found is None:
        raise Refused(f"{field} is missing", field=field)
    return found


def word(value: Any, field: str) -> str | None:
    """An identifier or a word of an enumeration, kept as it came; absent is None."""
    found = text(value, field)
    if found is not None and not WORD.fullmatch(found):
        raise Refused(f"{field} is not a word of letters, digits and _.:-, at most 128", field=field)
    return found


def flag(value: Any, field: str) -> bool:
    """True or false; absent is false."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Refused(f"{field} is neither true nor false", field=field)
    return value


def object_id(value: Any, field: str) -> str | None:
    """A git object id; absent and all zeros are None."""
    found = text(value, field)
    if found is None:
        return None
    if not COMMIT.fullmatch(found):
        raise Refused(f"{field} is not a git object id of 40 or 64 lower case hex digits", field=field)
    return found if found.strip("0") else None


def is_branch_or_tag(ref: str) -> bool:
    return ref.startswith(("refs/heads/", "refs/tags/"))


def is_ref(ref: str) -> bool:
    """The full name of a branch or tag as git allows it, at most 255 bytes."""
    return is_branch_or_tag(ref) and not _BAD_REF.search(ref) and len(ref.encode()) <= REF_LIMIT


def ref_name(value: Any, field: str) -> str:
    found = required(value, field)
    if is_branch_or_tag(found) and not is_ref(found):
        raise Refused(f"{field} is not a name that git allows, or has more than {REF_LIMIT} bytes", field=field)
    return found


def shown(name: str) -> str:
    """A name from outside, safe to stand in a reason: printable ASCII, cut to 40 characters."""
    return re.sub(r"[^\x21-\x7e]", "?", name[:40])
