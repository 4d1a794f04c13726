"""Buckets: insert, get, list, patch, update, delete."""

import json
import re
from sqlite3 import Row
from typing import Any

from werkzeug.wrappers import Response

from downwind.local.http import json_response
from downwind.local.storage import preconditions
from downwind.local.storage.call import Call
from downwind.local.storage.database import Database, now
from downwind.local.storage.errors import StorageError, invalid, no_bucket
from downwind.local.storage.resources import bucket_fields, bucket_resource, etag_of, merge, time_text

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_DEFAULTS = {"location": "US", "locationType": "multi-region", "storageClass": "STANDARD"}
_CONDITIONS = ("ifMetagenerationMatch", "ifMetagenerationNotMatch")


class Buckets:
    def __init__(self, database: Database) -> None:
        self._database = database

    def row(self, name: str) -> Row:
        found = self._database.one("SELECT * FROM buckets WHERE name = ?", (name,))
        if found is None:
            raise no_bucket()
        return found

    def insert(self, call: Call) -> Response:
        call.allow("project", "enableObjectRetention")
        document = call.json()
        name = document.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise invalid(f"Invalid bucket name: '{name}'")
        moment = now()
        fields = {**_DEFAULTS, **_with_effective_time(merge({}, bucket_fields(document)), {}, moment)}
        with self._database.transaction():
            if self._database.one("SELECT 1 FROM buckets WHERE name = ?", (name,)):
                text = "Your previous request to create the named bucket succeeded and you already own it."
                raise StorageError(409, "conflict", text)
            values = (name, moment, moment, 1, json.dumps(fields))
            self._database.run("INSERT INTO buckets VALUES (?, ?, ?, ?, ?)", values)
            return json_response(bucket_resource(self.row(name), call.base))

    def get(self, call: Call, name: str) -> Response:
        call.allow(*_CONDITIONS)
        row = self.row(name)
        self._check(call, row)
        return json_response(bucket_resource(row, call.base))

    def list(self, call: Call) -> Response:
        call.allow("project", "prefix", "maxResults", "pageToken")
        prefix, limit = call.query.get("prefix", ""), min(call.number("maxResults") or 1000, 1000)
        rows = self._database.all(
            "SELECT * FROM buckets WHERE name > ? ORDER BY name", (call.query.get("pageToken", ""),)
        )
        found = [row for row in rows if row["name"].startswith(prefix)]
        answer: dict[str, Any] = {"kind": "storage#buckets"}
        if found:
            answer["items"] = [bucket_resource(row, call.base) for row in found[:limit]]
        if len(found) > limit:
            answer["nextPageToken"] = found[limit - 1]["name"]
        return json_response(answer)

    def change(self, call: Call, name: str) -> Response:
        """PATCH merges, PUT replaces."""
        call.allow(*_CONDITIONS)
        fields = bucket_fields(call.json())
        with self._database.transaction():
            row = self.row(name)
            self._check(call, row)
            old = json.loads(row["fields"])
            new = merge(old, fields) if call.method == "PATCH" else {**_DEFAULTS, **merge({}, fields)}
            moment = now()
            new = _with_effective_time(new, old, moment)
            self._database.run(
                "UPDATE buckets SET fields = ?, metageneration = metageneration + 1, updated = ? WHERE name = ?",
                (json.dumps(new), moment, name),
            )
            return json_response(bucket_resource(self.row(name), call.base))

    def delete(self, call: Call, name: str) -> Response:
        call.allow(*_CONDITIONS)
        with self._database.transaction():
            self._check(call, self.row(name))
            if self._database.one("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (name,)):
                raise StorageError(409, "conflict", "The bucket you tried to delete is not empty.")
            self._database.run("DELETE FROM buckets WHERE name = ?", (name,))
        return Response(b"", 204)

    @staticmethod
    def _check(call: Call, row: Row) -> None:
        preconditions.check(preconditions.of(call), row["created"], row["metageneration"])
        preconditions.check_etag(call, etag_of(row["created"], row["metageneration"]))


def is_versioned(bucket: Row) -> bool:
    return bool(json.loads(bucket["fields"]).get("versioning", {}).get("enabled"))


def retention(bucket: Row) -> int:
    """Seconds for which an object can be neither deleted nor overwritten; 0: no policy."""
    return int(json.loads(bucket["fields"]).get("retentionPolicy", {}).get("retentionPeriod", 0))


def _with_effective_time(new: dict[str, Any], old: dict[str, Any], moment: int) -> dict[str, Any]:
    policy = new.get("retentionPolicy")
    if policy is None:
        return new
    period = str(policy.get("retentionPeriod", ""))
    if not period.isdecimal() or int(period) == 0:
        raise invalid("The retention period must be greater than zero.")
    kept = old.get("retentionPolicy", {}).get("effectiveTime")
    policy = {"retentionPeriod": period, "effectiveTime": kept or time_text(moment)}
    return {**new, "retentionPolicy": policy}
