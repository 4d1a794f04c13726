"""Lists of objects: names in the order of their UTF-8 bytes, common prefixes, pages, globs."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from sqlite3 import Row
from typing import Any

from werkzeug.wrappers import Response

from downwind.local.http import json_response
from downwind.local.storage.buckets import Buckets, retention
from downwind.local.storage.call import Call
from downwind.local.storage.database import Database
from downwind.local.storage.errors import invalid
from downwind.local.storage.globs import glob_pattern
from downwind.local.storage.resources import object_resource

_BATCH = 200
# After every name that begins with what stands before it.
_LAST = "\U0010ffff"


_ALL = """
    SELECT * FROM versions_without_data WHERE bucket = ? AND (name, generation) >= (?, ?)
    ORDER BY name, generation LIMIT ?"""
_LIVE = """
    SELECT * FROM versions_without_data WHERE bucket = ? AND (name, generation) >= (?, ?) AND live
    ORDER BY name, generation LIMIT ?"""


class _Walk:
    """All versions from one place on; `skip_to` moves on without reading what lies between."""

    def __init__(self, database: Database, bucket: str, place: tuple[str, int], *, noncurrent: bool) -> None:
        self._database = database
        self._bucket = bucket
        self._place = place
        self._statement = _ALL if noncurrent else _LIVE
        self._moved = False

    def skip_to(self, name: str) -> None:
        self._place = (name, 0)
        self._moved = True

    def __iter__(self) -> Iterator[Row]:
        while rows := self._database.all(self._statement, (self._bucket, *self._place, _BATCH)):
            for row in rows:
                self._place = (row["name"], row["generation"] + 1)
                yield row
                if self._moved:
                    self._moved = False
                    break


class Listing:
    def __init__(self, database: Database, buckets: Buckets) -> None:
        self._database = database
        self._buckets = buckets

    def list(self, call: Call, bucket: str) -> Response:
        call.allow(
            "prefix", "delimiter", "startOffset", "endOffset", "pageToken", "maxResults", "matchGlob", "versions"
        )
        limit = call.number("maxResults")
        if limit is not None and limit < 0:
            raise invalid(f"Invalid value for field maxResults: {limit}")
        limit = min(limit or 1000, 1000)
        delimiter, prefix, end = (call.query.get(name, "") for name in ("delimiter", "prefix", "endOffset"))
        glob = call.query.get("matchGlob")
        matches = glob_pattern(glob).fullmatch if glob is not None else None
        items: list[Row] = []
        prefixes: list[str] = []
        more, place = "", ("", 0)
        with self._database.reading():
            policy = retention(self._buckets.row(bucket))
            walk = _Walk(self._database, bucket, _start(call, prefix), noncurrent=call.flag("versions"))
            for row in walk:
                name = row["name"]
                if not name.startswith(prefix) or (end and name >= end):
                    break
                group = _group(name, prefix, delimiter)
                if (matches and not matches(name)) or (group is not None and group in prefixes[-1:]):
                    continue
                if len(items) + len(prefixes) == limit:
                    more = _token(*place)
                    break
                if group is None:
                    items.append(row)
                    place = (name, row["generation"] + 1)
                else:
                    prefixes.append(group)
                    place = (group + _LAST, 0)
                    walk.skip_to(group + _LAST)
        answer: dict[str, Any] = {"kind": "storage#objects"}
        if items:
            answer["items"] = [object_resource(row, call.base, policy) for row in items]
        if prefixes:
            answer["prefixes"] = prefixes
        if more:
            answer["nextPageToken"] = more
        return json_response(answer)


def _start(call: Call, prefix: str) -> tuple[str, int]:
    """The first (name, generation) that may be listed."""
    first = (max(prefix, call.query.get("startOffset", "")), 0)
    token = call.query.get("pageToken")
    if not token:
        return first
    try:
        generation, _, name = urlsafe_b64decode(token).decode().partition(" ")
        return max(first, (name, int(generation)))
    except ValueError as error:
        raise invalid(f"Invalid value for field pageToken: {token}") from error


def _token(name: str, generation: int) -> str:
    return urlsafe_b64encode(f"{generation} {name}".encode()).decode()


def _group(name: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix under which the delimiter hides a name."""
    at = name.find(delimiter, len(prefix)) if delimiter else -1
    return None if at < 0 else name[: at + len(delimiter)]
