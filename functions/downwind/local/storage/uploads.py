"""objects.insert: multipart, media and resumable. https://cloud.google.com/storage/docs/uploads-downloads"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from sqlite3 import Row
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from downwind.local.http import json_response
from downwind.local.storage import preconditions
from downwind.local.storage.buckets import Buckets, retention
from downwind.local.storage.call import PRECONDITIONS, Call, read_json
from downwind.local.storage.database import Database
from downwind.local.storage.errors import StorageError, invalid
from downwind.local.storage.multipart import related_parts
from downwind.local.storage.resources import object_fields, object_resource
from downwind.local.storage.versions import Versions, check_name, check_sums

_QUERY = ("uploadType", "name", "contentEncoding", *PRECONDITIONS)
_QUANTUM = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


class Uploads:
    def __init__(self, database: Database, buckets: Buckets, versions: Versions) -> None:
        self._database = database
        self._buckets = buckets
        self._versions = versions

    def insert(self, call: Call, bucket: str) -> Response:
        call.allow(*_QUERY)
        kinds: Mapping[str | None, Callable[[Call, str], Response]] = {
            "multipart": self._multipart,
            "media": self._media,
            "resumable": self._start,
        }
        kind = kinds.get(call.query.get("uploadType"))
        if kind is None:
            raise invalid(f"Invalid upload type: {call.query.get('uploadType')}")
        return kind(call, bucket)

    def resume(self, call: Call, bucket: str) -> Response:
        """PUT: a chunk, or `bytes */…`, which asks how far the upload is. DELETE: gives it up (499)."""
        call.allow(*_QUERY, "upload_id")
        with self._database.transaction():
            found = self._database.one("SELECT * FROM uploads WHERE id = ?", (call.query.get("upload_id"),))
            if found is None or found["bucket"] != bucket:
                raise StorageError(404, "notFound", "Not Found")
            if call.method == "DELETE":
                self._forget(found["id"])
                return Response(b"", 499)
            if found["generation"] is not None:
                row = self._versions.choose(bucket, found["name"], found["generation"])
                return self._answer(call, row)
            return self._chunk(call, found)

    def _multipart(self, call: Call, bucket: str) -> Response:
        (metadata, _), (data, content_type) = related_parts(call.headers.get("content-type", ""), call.body)
        return self._insert(call, bucket, read_json(metadata), data, content_type)

    def _media(self, call: Call, bucket: str) -> Response:
        sent = _hashes(call)
        if "content-md5" in call.headers:
            sent["md5Hash"] = call.headers["content-md5"]
        return self._insert(call, bucket, sent, call.body, call.headers.get("content-type"))

    def _insert(
        self, call: Call, bucket: str, document: dict[str, Any], data: bytes, content_type: str | None
    ) -> Response:
        fields = _fields(call.query, document, content_type)
        check_sums(data, document)
        with self._database.transaction():
            name = _name(call, document)
            row = self._versions.write(bucket, name, data, fields, preconditions.of(call))
            return self._answer(call, row)

    def _start(self, call: Call, bucket: str) -> Response:
        document = read_json(call.body)
        name = _name(call, document)
        check_name(name)
        fields = {**_fields(call.query, document, call.headers.get("x-upload-content-type")), **_sums(document)}
        conditions = {key: value for key, value in preconditions.of(call).items() if value is not None}
        upload = uuid.uuid4().hex
        with self._database.transaction():
            self._versions.check(bucket, name, conditions)
            self._database.run(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, NULL)",
                (upload, bucket, name, json.dumps(conditions), json.dumps(fields)),
            )
        where = f"{call.base}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={quote(name, safe='')}"
        headers = {"Location": f"{where}&upload_id={upload}", "X-GUploader-UploadID": upload}
        return Response(b"", 200, headers)

    def _chunk(self, call: Call, upload: Row) -> Response:
        kept = self._size(upload["id"])
        header = call.headers.get("content-range")
        match = _CONTENT_RANGE.fullmatch(header or f"bytes */{len(call.body)}")
        if match is None:
            raise invalid("Failed to parse Content-Range header.")
        total = None if match[3] == "*" else int(match[3])
        start = 0 if header is None else kept
        if match[1] is not None:
            start = int(match[1])
            if int(match[2]) - start + 1 != len(call.body):
                raise invalid(f"Content-Range {header} does not agree with the {len(call.body)} bytes sent.")
        if start > kept:
            raise StorageError(
                503,
                "backendError",
                f"Invalid request.  According to the Content-Range header, the upload offset is {start} byte(s), "
                f"which exceeds already uploaded size of {kept} byte(s).",
            )
        fresh = call.body[kept - start :]
        last = total is not None and kept + len(fresh) == total
        if not last:
            # Only the last chunk may have any size; of others the real service keeps whole multiples.
            fresh = fresh[: len(fresh) // _QUANTUM * _QUANTUM]
        if fresh:
            self._database.run("INSERT INTO chunks VALUES (?, ?, ?)", (upload["id"], kept, fresh))
        if not last:
            size = kept + len(fresh)
            return Response(b"", 308, {"Range": f"bytes=0-{size - 1}"} if size else {})
        return self._finish(call, upload)

    def _finish(self, call: Call, upload: Row) -> Response:
        rows = self._database.all("SELECT data FROM chunks WHERE upload = ? ORDER BY start", (upload["id"],))
        data = b"".join(row["data"] for row in rows)
        fields = json.loads(upload["fields"])
        check_sums(data, {name: fields.pop(name) for name in ("crc32c", "md5Hash") if name in fields})
        check_sums(data, _hashes(call))
        row = self._versions.write(upload["bucket"], upload["name"], data, fields, json.loads(upload["conditions"]))
        # The upload stays known, so that a client that lost this answer can ask again.
        self._database.run("UPDATE uploads SET generation = ? WHERE id = ?", (row["generation"], upload["id"]))
        self._database.run("DELETE FROM chunks WHERE upload = ?", (upload["id"],))
        return self._answer(call, row)

    def _size(self, upload: str) -> int:
        found = self._database.one("SELECT sum(length(data)) AS size FROM chunks WHERE upload = ?", (upload,))
        return int(found["size"] or 0) if found else 0

    def _forget(self, upload: str) -> None:
        self._database.run("DELETE FROM chunks WHERE upload = ?", (upload,))
        self._database.run("DELETE FROM uploads WHERE id = ?", (upload,))

    def _answer(self, call: Call, row: Row) -> Response:
        return json_response(object_resource(row, call.base, retention(self._buckets.row(row["bucket"]))))


def _name(call: Call, document: Mapping[str, Any]) -> str:
    name = document.get("name") or call.query.get("name") or ""
    if not isinstance(name, str) or not name:
        raise StorageError(400, "required", "Required")
    return name


def _fields(query: Mapping[str, str], document: Mapping[str, Any], content_type: str | None) -> dict[str, Any]:
    fields = object_fields(document)
    fields.setdefault("contentType", content_type or "application/octet-stream")
    if "contentEncoding" in query:
        fields["contentEncoding"] = query["contentEncoding"]
    return fields


def _sums(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in ("crc32c", "md5Hash") if document.get(name) is not None}


def _hashes(call: Call) -> dict[str, Any]:
    """X-Goog-Hash: `crc32c=…,md5=…`."""
    pairs = (one.strip().partition("=") for one in call.headers.get("x-goog-hash", "").split(",") if one.strip())
    names = {"crc32c": "crc32c", "md5": "md5Hash"}
    return {names[name]: value for name, _, value in pairs if name in names}
