"""An OCI registry on loopback (distribution-spec 1.1, all but referrers) that tells Pub/Sub what Google's tells.

Topic `gcr`, data {action: INSERT | DELETE, digest?, tag?}, both full references with this registry's host and port, and
no attributes: a push by tag names both, a push by digest and the removal of a version the digest, the removal of a tag
the tag.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response

from downwind.local.http import Handler, HttpPart, json_response
from downwind.local.outbox import Outbox
from downwind.local.registry_store import RegistryStore

_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_MANIFEST = 4 << 20
_INDEXES = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
}
_MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}


class RegistryServer(HttpPart):
    """Serves `data` at `http://127.0.0.1:PORT/v2/`; image names are `127.0.0.1:PORT/NAME`. No login."""

    name = "registry"

    def __init__(self, data: Path, *, port: int = 0, outbox: Outbox, pubsub_url: str, project: str) -> None:
        super().__init__(port)
        self._store = RegistryStore(data)
        self._outbox = outbox
        self._pubsub_url = pubsub_url
        self._project = project
        self._mutex = threading.RLock()

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [
            (("GET",), "/v2/", self._base),
            (("GET",), "/v2/_catalog", self._catalog),
            (("GET",), "/v2/<path:name>/tags/list", self._tags),
            (("GET",), "/v2/<path:name>/manifests/<reference>", self._get_manifest),
            (("PUT",), "/v2/<path:name>/manifests/<reference>", self._put_manifest),
            (("DELETE",), "/v2/<path:name>/manifests/<reference>", self._delete_manifest),
            (("POST",), "/v2/<path:name>/blobs/uploads/", self._start_upload),
            (("GET", "PATCH", "PUT", "DELETE"), "/v2/<path:name>/blobs/uploads/<upload>", self._upload),
            (("GET",), "/v2/<path:name>/blobs/<digest>", self._get_blob),
            (("DELETE",), "/v2/<path:name>/blobs/<digest>", self._delete_blob),
        ]

    def unknown(self, request: Request) -> Response:
        return _error(501, "UNSUPPORTED", f"{request.method} {request.path} is not part of the local world")

    def _base(self, _request: Request) -> Response:
        return json_response({}, headers={"Docker-Distribution-Api-Version": "registry/2.0"})

    # -- blobs ----------------------------------------------------------------------------------------------------

    def _start_upload(self, request: Request, name: str) -> Response:
        if not _NAME.fullmatch(name):
            return _error(400, "NAME_INVALID", f"{name} is no name for a repository")
        digest, mount = request.args.get("digest"), request.args.get("mount")
        if mount and _DIGEST.fullmatch(mount) and self._store.mount(name, request.args.get("from", ""), mount):
            return _created(f"/v2/{name}/blobs/{mount}", mount)
        upload = self._store.start_upload()
        if digest is not None:
            return self._upload(request, name, upload)
        return _accepted(name, upload, 0)

    def _upload(self, request: Request, name: str, upload: str) -> Response:
        path = self._store.upload(upload)
        if path is None:
            return _error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload; start again")
        size = path.stat().st_size
        if request.method == "GET":
            return _accepted(name, upload, size, 204)
        if request.method == "DELETE":
            path.unlink()
            return Response(status=204)
        begin = request.headers.get("Content-Range", "").partition("-")[0]
        if begin and begin != str(size):
            return Response(status=416, headers=_accepted(name, upload, size).headers)
        with path.open("ab") as file:
            while chunk := request.stream.read(1 << 16):
                file.write(chunk)
        if request.method == "PATCH":
            return _accepted(name, upload, path.stat().st_size)
        digest = request.args.get("digest", "")
        if not _DIGEST.fullmatch(digest):
            return _error(
                400, "DIGEST_INVALID", "give ?digest=sha256:…; other algorithms are not part of the local world"
            )
        if not self._store.finish_upload(name, path, digest):
            return _error(400, "DIGEST_INVALID", f"what was uploaded is not {digest}")
        return _created(f"/v2/{name}/blobs/{digest}", digest)

    def _get_blob(self, request: Request, name: str, digest: str) -> Response:
        path = self._store.blob(name, digest) if _known(name, digest) else None
        if path is None:
            return _error(404, "BLOB_UNKNOWN", f"no blob {digest} in {name}")
        response = send_file(path, request.environ, mimetype="application/octet-stream", etag=digest)
        response.headers["Docker-Content-Digest"] = digest
        return response

    def _delete_blob(self, _request: Request, name: str, digest: str) -> Response:
        if not _known(name, digest) or not self._store.delete_blob(name, digest):
            return _error(404, "BLOB_UNKNOWN", f"no blob {digest} in {name}")
        return Response(status=202)

    # -- manifests ------------------------------------------------------------------------------------------------

    def _get_manifest(self, _request: Request, name: str, reference: str) -> Response:
        digest = self._resolve(name, reference)
        found = self._store.manifest(name, digest) if digest else None
        if digest is None or found is None:
            return _error(404, "MANIFEST_UNKNOWN", f"no manifest {reference} in {name}")
        headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"', "Content-Type": found[1]}
        return Response(found[0], 200, headers)

    def _put_manifest(self, request: Request, name: str, reference: str) -> Response:
        by_digest = bool(_DIGEST.fullmatch(reference))
        if not _NAME.fullmatch(name) or not (by_digest or _TAG.fullmatch(reference)):
            return _error(400, "NAME_INVALID", f"{name}:{reference} is no reference")
        content = request.stream.read(_MAX_MANIFEST + 1)
        if len(content) > _MAX_MANIFEST:
            return _error(413, "SIZE_INVALID", "a manifest has at most 4 MiB")
        if (fault := self._check(name, content, request.mimetype)) is not None:
            return fault
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if by_digest and digest != reference:
            return _error(400, "DIGEST_INVALID", f"the manifest's digest is {digest}")
        with self._mutex:
            self._store.put_manifest(name, digest, content, request.mimetype, None if by_digest else reference)
            self._publish("INSERT", name, digest, None if by_digest else reference)
        return _created(f"/v2/{name}/manifests/{digest}", digest)

    def _check(self, name: str, content: bytes, media_type: str) -> Response | None:
        """A manifest names only what is there."""
        try:
            manifest = json.loads(content)
            parts = manifest["manifests"] if media_type in _INDEXES else [manifest["config"], *manifest["layers"]]
            wanted = [part["digest"] for part in parts if not part.get("urls")]
        except (ValueError, KeyError, TypeError):
            return _error(400, "MANIFEST_INVALID", "not an image manifest or index")
        if media_type not in _INDEXES | _MANIFESTS or manifest.get("mediaType", media_type) != media_type:
            return _error(400, "MANIFEST_INVALID", f"the media type {media_type} is unknown or not the manifest's own")
        look = self._store.manifest if media_type in _INDEXES else self._store.blob
        for digest in wanted:
            if not _known(name, digest) or look(name, digest) is None:
                return _error(404, "MANIFEST_BLOB_UNKNOWN", f"{digest} is not in {name}", {"digest": digest})
        return None

    def _delete_manifest(self, _request: Request, name: str, reference: str) -> Response:
        with self._mutex:
            digest = self._resolve(name, reference)
            if digest is None or self._store.manifest(name, digest) is None:
                return _error(404, "MANIFEST_UNKNOWN", f"no manifest {reference} in {name}")
            by_digest = digest == reference
            tags = [tag for tag in self._store.tags(name) or [] if self._store.tag(name, tag) == digest]
            for tag in tags if by_digest else [reference]:
                self._store.delete_tag(name, tag)
                self._publish("DELETE", name, None, tag)
            if by_digest:
                self._store.delete_manifest(name, digest)
                self._publish("DELETE", name, digest, None)
        return Response(status=202)

    def _resolve(self, name: str, reference: str) -> str | None:
        if not _NAME.fullmatch(name):
            return None
        if _DIGEST.fullmatch(reference):
            return reference
        return self._store.tag(name, reference) if _TAG.fullmatch(reference) else None

    def _publish(self, action: str, name: str, digest: str | None, tag: str | None) -> None:
        """Before the answer: who pushed and got no answer pushes again."""
        # A name that begins with a host was pushed here in that registry's place.
        full = name if "." in name.partition("/")[0] else f"127.0.0.1:{self.port}/{name}"
        event = {"action": action}
        event |= {"digest": f"{full}@{digest}"} if digest else {}
        event |= {"tag": f"{full}:{tag}"} if tag else {}
        self._outbox.publish(self._pubsub_url, self._project, "gcr", json.dumps(event).encode(), {})

    # -- lists ----------------------------------------------------------------------------------------------------

    def _catalog(self, request: Request) -> Response:
        return _page(request, "repositories", self._store.names(), {})

    def _tags(self, request: Request, name: str) -> Response:
        tags = self._store.tags(name) if _NAME.fullmatch(name) else None
        if tags is None:
            return _error(404, "NAME_UNKNOWN", f"no repository {name}")
        return _page(request, "tags", tags, {"name": name})


def _page(request: Request, key: str, values: list[str], body: dict[str, Any]) -> Response:
    last = request.args.get("last", "")
    rest = [value for value in values if value > last]
    count = request.args.get("n", len(rest), type=int)
    headers = {}
    if 0 < count < len(rest):
        headers["Link"] = f'<{request.path}?n={count}&last={rest[count - 1]}>; rel="next"'
    return json_response(body | {key: rest[:count]}, headers=headers)


def _known(name: str, digest: Any) -> bool:
    return bool(_NAME.fullmatch(name)) and isinstance(digest, str) and bool(_DIGEST.fullmatch(digest))


def _accepted(name: str, upload: str, size: int, status: int = 202) -> Response:
    headers = {"Range": f"0-{max(0, size - 1)}", "Docker-Upload-UUID": upload}
    return Response(status=status, headers=headers | {"Location": f"/v2/{name}/blobs/uploads/{upload}"})


def _created(location: str, digest: str) -> Response:
    return Response(status=201, headers={"Location": location, "Docker-Content-Digest": digest})


def _error(status: int, code: str, message: str, detail: Any = None) -> Response:
    return json_response({"errors": [{"code": code, "message": message, "detail": detail}]}, status)
