"""Objects out of objects: compose, copy, rewrite."""

import json
from sqlite3 import Row
from typing import Any

from werkzeug.wrappers import Response

from downwind.local.http import json_response
from downwind.local.storage import preconditions
from downwind.local.storage.buckets import Buckets, retention
from downwind.local.storage.call import PRECONDITIONS, Call
from downwind.local.storage.database import Database
from downwind.local.storage.errors import StorageError, invalid
from downwind.local.storage.resources import object_fields, object_resource
from downwind.local.storage.versions import Versions

_SOURCE = ("sourceGeneration", *(name.replace("if", "ifSource", 1) for name in PRECONDITIONS))
_SOURCES = 32


class Copies:
    def __init__(self, database: Database, buckets: Buckets, versions: Versions) -> None:
        self._database = database
        self._buckets = buckets
        self._versions = versions

    def compose(self, call: Call, bucket: str, name: str) -> Response:
        call.allow(*PRECONDITIONS)
        document = call.json()
        sources = document.get("sourceObjects")
        if not isinstance(sources, list) or not 1 <= len(sources) <= _SOURCES:
            raise invalid(f"The number of source components provided must be from 1 to {_SOURCES}.")
        fields = object_fields(document.get("destination") or {})
        with self._database.transaction():
            rows = [self._source(bucket, source) for source in sources]
            data = b"".join(self._versions.data(row) for row in rows)
            components = sum(row["components"] or 1 for row in rows)
            if "contentType" not in fields:
                fields["contentType"] = json.loads(rows[0]["fields"]).get("contentType", "application/octet-stream")
            row = self._versions.write(bucket, name, data, fields, preconditions.of(call), components=components)
            return json_response(self._resource(call, row))

    def copy(self, call: Call, source: tuple[str, str], target: tuple[str, str]) -> Response:
        call.allow(*PRECONDITIONS, *_SOURCE)
        with self._database.transaction():
            return json_response(self._resource(call, self._copy(call, source, target)))

    def rewrite(self, call: Call, source: tuple[str, str], target: tuple[str, str]) -> Response:
        """Always done in one call, whatever the size; so no token is ever given out or taken."""
        call.allow(*PRECONDITIONS, *_SOURCE)
        with self._database.transaction():
            row = self._copy(call, source, target)
            size = str(row["size"])
            answer = {"kind": "storage#rewriteResponse", "totalBytesRewritten": size, "objectSize": size, "done": True}
            return json_response({**answer, "resource": self._resource(call, row)})

    def _copy(self, call: Call, source: tuple[str, str], target: tuple[str, str]) -> Row:
        row = self._versions.choose(*source, call.number("sourceGeneration"))
        conditions = preconditions.of(call, "ifSource")
        preconditions.check(conditions, row["generation"], row["metageneration"])
        # A body replaces all of the source's fields, an empty one keeps them.
        fields = object_fields(call.json()) or json.loads(row["fields"])
        data = self._versions.data(row)
        return self._versions.write(*target, data, fields, preconditions.of(call), components=row["components"])

    def _source(self, bucket: str, source: Any) -> Row:
        name = source.get("name") if isinstance(source, dict) else None
        if not isinstance(name, str) or not name:
            raise StorageError(400, "required", "Required")
        generation = source.get("generation")
        if generation is not None and not str(generation).isdecimal():
            raise invalid(f"Invalid value for field generation: {generation}")
        row = self._versions.choose(bucket, name, None if generation is None else int(generation))
        conditions = preconditions.of_document(source.get("objectPreconditions") or {})
        preconditions.check(conditions, row["generation"], row["metageneration"])
        return row

    def _resource(self, call: Call, row: Row) -> dict[str, Any]:
        return object_resource(row, call.base, retention(self._buckets.row(row["bucket"])))
