"""The server: the raw address of a call to its handler.

Object names may hold any character, and a slash in one is sent as %2F; WSGI's decoded path can't tell it from the slashes
of the address. So calls are told apart on the raw address, here and not in werkzeug's map.
"""

import json
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from downwind.local.http import Handler, HttpPart, from_a_web_page, json_response
from downwind.local.storage import selection
from downwind.local.storage.batch import answer_batch
from downwind.local.storage.buckets import Buckets
from downwind.local.storage.call import Call, read_json
from downwind.local.storage.copies import Copies
from downwind.local.storage.database import Database
from downwind.local.storage.errors import StorageError, not_here
from downwind.local.storage.faults import Faults
from downwind.local.storage.listing import Listing
from downwind.local.storage.objects import Objects
from downwind.local.storage.uploads import Uploads
from downwind.local.storage.versions import Versions

log = logging.getLogger("downwind.local.storage")
Route = tuple[str, Callable[[], Response]]


class StorageServer(HttpPart):
    """Cloud Storage's JSON API for google-cloud-storage with STORAGE_EMULATOR_HOST=<url>; what it keeps is under `data`."""

    name = "storage"

    def __init__(self, data: Path, *, port: int = 0) -> None:
        super().__init__(port)
        self._database = Database(data)
        self._buckets = Buckets(self._database)
        versions = Versions(self._database, self._buckets)
        self._objects = Objects(self._database, self._buckets, versions)
        self._listing = Listing(self._database, self._buckets)
        self._uploads = Uploads(self._database, self._buckets, versions)
        self._copies = Copies(self._database, self._buckets, versions)
        self._faults = Faults()

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("GET", "POST", "DELETE"), "/-/faults", self._order_faults)]

    def stop(self) -> None:
        super().stop()
        self._database.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith("/-/") or from_a_web_page(environ) is not None:
            return super().__call__(environ, start_response)
        uri = environ.get("REQUEST_URI") or environ["RAW_URI"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.get_data(cache=False)
        try:
            call = Call.read(request.method, uri, f"http://{request.host}", headers, body)
            response = answer_batch(call, self.answer) if call.path[0] == "batch" else self.answer(call)
        except StorageError as error:
            response = error.response()
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = StorageError(500, "backendError", "storage failed; see its log").response()
        return response(environ, start_response)

    def answer(self, call: Call) -> Response:
        media = call.query.get("alt") == "media" or call.path[0] not in {"storage", "upload"}
        try:
            method, handle = self._route(call)
            mask = selection.parse(call.query["fields"]) if call.query.get("fields") else None
            self._faults.meet(method, after=False)
            response = handle()
            self._faults.meet(method, after=True)
        except StorageError as error:
            if error.status == 501:
                log.warning(error.message)
            return error.response(media=media and error.status != 501)
        if mask and response.mimetype == "application/json":
            kept = selection.keep(json.loads(response.get_data()), mask)
            return json_response(kept, response.status_code)
        return response

    def _route(self, call: Call) -> Route:
        """The method's name in Google's discovery document (of objects without `objects.`), and what to call."""
        objects, copies, uploads, buckets = self._objects, self._copies, self._uploads, self._buckets
        match (call.method, *call.path):
            case ("GET", "storage", "v1", "b", bucket, "o", name):
                media = call.query.get("alt") == "media"
                return "get", partial(objects.download if media else objects.get, call, bucket, name)
            case ("GET", "download", "storage", "v1", "b", bucket, "o", name) if call.query.get("alt") == "media":
                return "get", partial(objects.download, call, bucket, name)
            case ("POST", "upload", "storage", "v1", "b", bucket, "o"):
                return "insert", partial(uploads.insert, call, bucket)
            case ("PUT" | "DELETE", "upload", "storage", "v1", "b", bucket, "o"):
                return "insert", partial(uploads.resume, call, bucket)
            case ("GET", "storage", "v1", "b", bucket, "o"):
                return "list", partial(self._listing.list, call, bucket)
            case ("PATCH" | "PUT", "storage", "v1", "b", bucket, "o", name):
                return "patch" if call.method == "PATCH" else "update", partial(objects.change, call, bucket, name)
            case ("DELETE", "storage", "v1", "b", bucket, "o", name):
                return "delete", partial(objects.delete, call, bucket, name)
            case ("POST", "storage", "v1", "b", bucket, "o", name, "compose"):
                return "compose", partial(copies.compose, call, bucket, name)
            case ("POST", "storage", "v1", "b", bucket, "o", name, "copyTo", "b", to, "o", copy):
                return "copy", partial(copies.copy, call, (bucket, name), (to, copy))
            case ("POST", "storage", "v1", "b", bucket, "o", name, "rewriteTo", "b", to, "o", copy):
                return "rewrite", partial(copies.rewrite, call, (bucket, name), (to, copy))
            case ("POST", "storage", "v1", "b"):
                return "buckets.insert", partial(buckets.insert, call)
            case ("GET", "storage", "v1", "b"):
                return "buckets.list", partial(buckets.list, call)
            case ("GET", "storage", "v1", "b", bucket):
                return "buckets.get", partial(buckets.get, call, bucket)
            case ("PATCH" | "PUT", "storage", "v1", "b", bucket):
                return "buckets.change", partial(buckets.change, call, bucket)
            case ("DELETE", "storage", "v1", "b", bucket):
                return "buckets.delete", partial(buckets.delete, call, bucket)
            case ("GET" | "HEAD", bucket, first, *rest) if bucket not in {"storage", "upload", "download"}:
                # The XML API's plain read, which is what an object's public URL is.
                return "get", partial(objects.download, call, bucket, "/".join([first, *rest]))
        raise not_here(f"{call.method} /{'/'.join(call.path)}")

    def _order_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            try:
                self._faults.add(read_json(request.get_data()))
            except StorageError as error:
                return error.response()
        return json_response({"faults": self._faults.listed()})
