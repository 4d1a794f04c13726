"""One call as the handlers see it, whether it came alone or as a part of a batch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from downwind.local.storage.errors import invalid, not_here

PRECONDITIONS = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch")
# Taken by every method and without effect here: there are no rights, no money and one form of answer.
_WITHOUT_EFFECT = frozenset(
    {"alt", "fields", "prettyPrint", "projection", "userProject", "quotaUser", "key", "predefinedAcl"}
    | {"predefinedDefaultObjectAcl", "destinationPredefinedAcl"}
)
# google-cloud-storage 3.17 sends this misspelling in uploads.
_SPELLING = {"ifMetaGenerationNotMatch": "ifMetagenerationNotMatch"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`path` is split at the slashes before it is decoded, so a %2F stays inside its segment; `headers` are lower case."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def read(cls, method: str, uri: str, base: str, headers: Mapping[str, str], body: bytes) -> "Call":
        parts = urlsplit(uri)
        try:
            path = tuple(unquote(segment, errors="strict") for segment in parts.path.lstrip("/").split("/"))
            pairs = parse_qsl(parts.query, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError as error:
            raise invalid("The request's address is not UTF-8.") from error
        query = {_SPELLING.get(key, key): value for key, value in pairs}
        return cls(method=method, path=path, query=query, base=base, headers=headers, body=body)

    def allow(self, *names: str) -> None:
        """Refuses every query parameter that is neither named nor without effect."""
        for name in self.query:
            if name not in names and name not in _WITHOUT_EFFECT:
                raise not_here(f"the parameter {name} of {self.method} /{'/'.join(self.path)}")

    def number(self, name: str) -> int | None:
        """An int64 parameter; None when it was not sent."""
        text = self.query.get(name)
        if text is None:
            return None
        if not text.removeprefix("-").isdecimal():
            raise invalid(f"Invalid value for field {name}: {text}")
        return int(text)

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"

    def json(self) -> dict[str, Any]:
        return read_json(self.body)


def read_json(body: bytes) -> dict[str, Any]:
    """A JSON object; nothing at all is an empty one."""
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise invalid("Parse Error") from error
    if not isinstance(document, dict):
        raise invalid("Parse Error")
    return document
