"""OCI registries, read over HTTP (distribution-spec 1.1): which digest a tag has, whether it is there, its labels."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from downwind.adapters.bounded_http import Answer
from downwind.adapters.oci_http import OciSession
from downwind.errors import Misconfigured, Refused, TransientError

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_ACCEPT = ", ".join((*_INDEXES, *_IMAGES))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX = 4 << 20


def loopback(host: str) -> bool:
    """The default of `plain_http`: a registry on this machine."""
    return host.rpartition(":")[0] in {"127.0.0.1", "localhost", "[::1]"} or host == "localhost"


class OciRegistry:
    """Implements `ports.Registry`: anonymous, but with this service account's token at Google's registries.

    `plain_http(host)` says where http is spoken instead of https. `mirror`: the one host that answers for every registry,
    by whole name (the local world).
    """

    def __init__(
        self, *, plain_http: Callable[[str], bool] = loopback, timeout: float = 20, mirror: str | None = None
    ) -> None:
        self._mirror = mirror
        self._google: Any = None
        self._mutex = threading.Lock()
        self._session = OciSession(plain_http, self._token, timeout)

    def close(self) -> None:
        self._session.close()

    def digest(self, name: str, tag: str) -> str | None:
        answer = self._manifest("HEAD", name, tag)
        if answer is None:
            return None
        said = answer.headers.get("docker-content-digest", "")
        if _DIGEST.fullmatch(said):
            return said
        whole = self._manifest("GET", name, tag)
        return None if whole is None else _sha256(whole.body)

    def exists(self, name: str, digest: str) -> bool:
        return self._manifest("HEAD", name, _checked(digest)) is not None

    def labels(self, name: str, digest: str) -> Mapping[str, str]:
        answer = self._manifest("GET", name, _checked(digest))
        if answer is None:
            raise Refused(f"no image {name}@{digest}", field="image")
        inner = self._config(name, digest, _json(_verified(answer.body, digest, name), name)).get("config")
        labels = inner.get("Labels") if isinstance(inner, dict) else None
        return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}

    def platforms(self, name: str, digest: str) -> Sequence[str]:
        answer = self._manifest("GET", name, _checked(digest))
        if answer is None:
            raise Refused(f"no image {name}@{digest}", field="image")
        manifest = _json(_verified(answer.body, digest, name), name)
        listed = manifest.get("manifests")
        if not isinstance(listed, list):
            return tuple(_platform(self._config(name, digest, manifest)))
        held = [each.get("platform") for each in listed if isinstance(each, dict)]
        return tuple(sorted(text for each in held if isinstance(each, dict) for text in _platform(each)))

    def _config(self, name: str, digest: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """The config of an image; empty for an index, or for what is no image."""
        config = manifest.get("config")
        if not isinstance(config, dict) or config.get("mediaType") not in _CONFIGS:
            return {}
        host, repository = self._place(name)
        blob = _checked(str(config.get("digest")))
        found = self._session.ask("GET", host, repository, f"blobs/{blob}", accept="*/*", limit=_MAX)
        if found.status in {401, 403}:
            raise _closed(host, name, found.status)
        if found.status != 200:
            raise Refused(f"the config of {name}@{digest} can't be read ({found.status})", field="image")
        return _json(_verified(found.body, blob, name), name)

    def _place(self, name: str) -> tuple[str, str]:
        host, repository = split_name(name)
        if self._mirror is None or loopback(host):
            return host, repository
        return self._mirror, name

    def _manifest(self, method: str, name: str, reference: str) -> Answer | None:
        """None: there is none (or no such repository)."""
        host, repository = self._place(name)
        path = f"manifests/{quote(reference, safe=':')}"
        answer = self._session.ask(method, host, repository, path, accept=_ACCEPT, limit=_MAX)
        if answer.status == 404:
            return None
        if answer.status in {401, 403}:
            raise _closed(host, name, answer.status)
        if answer.status != 200:
            raise Refused(f"{host} answered {answer.status} for {name}", field="image")
        return answer

    def _token(self, host: str) -> str | None:
        """This service account's access token, for Google's hosts only; None where there is no account (a laptop)."""
        if host != "gcr.io" and not host.endswith((".gcr.io", ".pkg.dev")):
            return None
        import google.auth
        import google.auth.exceptions
        import google.auth.transport.requests

        with self._mutex:
            try:
                if self._google is None:
                    self._google, _project = google.auth.default(
                        scopes=["https://www.googleapis.com/auth/cloud-platform.read-only"]
                    )
                if not self._google.valid:
                    self._google.refresh(google.auth.transport.requests.Request())
            except google.auth.exceptions.DefaultCredentialsError:
                return None
            except google.auth.exceptions.GoogleAuthError as error:
                raise TransientError(f"no access token for {host}: {type(error).__name__}") from error
            return str(self._google.token)


def split_name(name: str) -> tuple[str, str]:
    """(host to ask, repository) of an image's whole name; Docker Hub's names as docker itself reads them."""
    host, slash, repository = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost") or not repository:
        raise Refused(
            f"{name} names no registry", field="image", fix="write it with its host, as in docker.io/acme/shop"
        )
    if host == "docker.io":
        return "registry-1.docker.io", repository if "/" in repository else f"library/{repository}"
    return host, repository


def _platform(about: Mapping[str, Any]) -> Iterator[str]:
    """None for the attestations that builders put into an index as `unknown/unknown`."""
    system, architecture, variant = (about.get(key) for key in ("os", "architecture", "variant"))
    if isinstance(system, str) and isinstance(architecture, str) and system != "unknown":
        yield "/".join(str(each) for each in (system, architecture, variant) if each)


def _closed(host: str, name: str, status: int) -> Misconfigured:
    fix = "check that it exists and that this service's account may read it (others' registries are read anonymously)"
    return Misconfigured(f"{host} does not show us {name} ({status})", fix=fix)


def _checked(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise Refused(f"{digest} is no sha256 digest", field="image")
    return digest


def _sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _verified(body: bytes, digest: str, name: str) -> bytes:
    if _sha256(body) != digest:
        raise TransientError(f"what came for {name} is not {digest}")
    return body


def _json(body: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Refused(f"{name} has a manifest or config that is not JSON", field="image") from error
    if not isinstance(found, dict):
        raise Refused(f"{name} has a manifest or config that is no object", field="image")
    return found
