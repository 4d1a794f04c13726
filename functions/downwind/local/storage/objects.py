"""Objects one at a time: get, download, patch, update, delete."""

import gzip
import json
import re
from sqlite3 import Row

from werkzeug.http import http_date
from werkzeug.wrappers import Response

from downwind.local.http import json_response
from downwind.local.storage import preconditions
from downwind.local.storage.buckets import Buckets, retention
from downwind.local.storage.call import PRECONDITIONS, Call
from downwind.local.storage.database import Database
from downwind.local.storage.errors import StorageError
from downwind.local.storage.resources import etag_of, merge, object_fields, object_resource
from downwind.local.storage.versions import Versions

_ONE = ("generation", *PRECONDITIONS)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Objects:
    def __init__(self, database: Database, buckets: Buckets, versions: Versions) -> None:
        self._database = database
        self._buckets = buckets
        self._versions = versions

    def get(self, call: Call, bucket: str, name: str) -> Response:
        with self._database.reading():
            return self._answer(call, self._checked(call, bucket, name))

    def download(self, call: Call, bucket: str, name: str) -> Response:
        with self._database.reading():
            row = self._checked(call, bucket, name)
            data = self._versions.data(row)
        fields = json.loads(row["fields"])
        headers = {
            "Content-Type": fields.get("contentType", "application/octet-stream"),
            "ETag": etag_of(row["generation"], row["metageneration"]),
            "Last-Modified": http_date(row["updated"] / 1_000_000),
            "X-Goog-Generation": str(row["generation"]),
            "X-Goog-Metageneration": str(row["metageneration"]),
            "X-Goog-Hash": f"crc32c={row['crc32c']}" + (f",md5={row['md5']}" if row["md5"] else ""),
            "X-Goog-Storage-Class": fields.get("storageClass", "STANDARD"),
            "X-Goog-Stored-Content-Encoding": fields.get("contentEncoding", "identity"),
            "X-Goog-Stored-Content-Length": str(row["size"]),
            "Accept-Ranges": "bytes",
        }
        for field, header in (
            ("contentDisposition", "Content-Disposition"),
            ("contentLanguage", "Content-Language"),
            ("cacheControl", "Cache-Control"),
        ):
            if field in fields:
                headers[header] = fields[field]
        if fields.get("contentEncoding") == "gzip":
            if "gzip" not in call.headers.get("accept-encoding", ""):
                return Response(gzip.decompress(data), 200, {**headers, "Warning": "214 UploadServer gunzipped"})
            headers["Content-Encoding"] = "gzip"
        return _ranged(data, call.headers.get("range", ""), headers)

    def change(self, call: Call, bucket: str, name: str) -> Response:
        """PATCH merges, metadata too; PUT replaces all that can be set."""
        fields = object_fields(call.json())
        with self._database.transaction():
            row = self._checked(call, bucket, name)
            new = merge(json.loads(row["fields"]) if call.method == "PATCH" else {}, fields)
            return self._answer(call, self._versions.change(row, new))

    def delete(self, call: Call, bucket: str, name: str) -> Response:
        with self._database.transaction():
            row = self._checked(call, bucket, name)
            self._versions.delete(row, for_good=call.number("generation") is not None)
        return Response(b"", 204)

    def _checked(self, call: Call, bucket: str, name: str) -> Row:
        call.allow(*_ONE)
        row = self._versions.choose(bucket, name, call.number("generation"))
        preconditions.check(preconditions.of(call), row["generation"], row["metageneration"])
        preconditions.check_etag(call, etag_of(row["generation"], row["metageneration"]))
        return row

    def _answer(self, call: Call, row: Row) -> Response:
        return json_response(object_resource(row, call.base, retention(self._buckets.row(row["bucket"]))))


def _ranged(data: bytes, asked: str, headers: dict[str, str]) -> Response:
    """The whole, or the one range asked for (206, or 416 where nothing of it exists); other forms of Range mean the whole."""
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match.groups() == ("", ""):
        return Response(data, 200, headers)
    first, last = match.groups()
    start = int(first) if first else max(len(data) - int(last), 0)
    end = min(int(last), len(data) - 1) if first and last else len(data) - 1
    if start > end:
        raise StorageError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
    part = {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"}
    return Response(data[start : end + 1], 206, part)
