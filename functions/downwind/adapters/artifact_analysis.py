"""Artifact Analysis (Container Analysis API v1): the SLSA provenance that Cloud Build writes of an image (BUILD occurrences).

Route: projects.occurrences.list. SLSA 1.0 stands in `build.inTotoSlsaProvenanceV1`, 0.1 in `build.intotoStatement`. Who may write
occurrences of the project is that project's to say; signatures are not checked here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.errors import Misconfigured, Refused, TransientError
from downwind.ports import Provenance

_URL = "https://containeranalysis.googleapis.com/v1/"
_FIX = "enable containeranalysis.googleapis.com, and give the functions' account roles/containeranalysis.occurrences.viewer"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"(gcr\.io|[a-z0-9-]+\.gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)/([a-z0-9-]+)(/[a-z0-9._-]+)+")
_PAGES = 5


class ArtifactAnalysis:
    """Implements `ports.Attestations`, for images in Google's registries."""

    def __init__(self, timeout: float = 20, session: Any = None, url: str = _URL) -> None:
        self._session = session if session is not None else _google_session()
        self._timeout = timeout
        self._url = url

    def provenance(self, name: str, digest: str) -> Sequence[Provenance]:
        match = _NAME.fullmatch(name)
        if match is None or not _DIGEST.fullmatch(digest):
            raise Refused(
                f"Artifact Analysis knows nothing of {name}@{digest}", field="policy", fix="use provenance: build"
            )
        resource = f"https://{name}@{digest}"
        query = {"filter": f'kind="BUILD" AND resourceUrl="{resource}"', "pageSize": "100"}
        found: list[Provenance] = []
        for _ in range(_PAGES):
            page = self._get(f"projects/{match[2]}/occurrences", query, name)
            # The filter is only to spare pages: what it let through is compared here.
            for each in _mappings(page.get("occurrences")):
                if (each.get("kind"), each.get("resourceUri")) == ("BUILD", resource):
                    found += _read(_mapping(each.get("build")), digest)
            if not page.get("nextPageToken"):
                return found
            query = {**query, "pageToken": str(page["nextPageToken"])}
        raise TransientError(f"more than {_PAGES} pages of attestations of {name}@{digest}")

    def _get(self, path: str, query: dict[str, str], name: str) -> dict[str, Any]:
        from google.auth.exceptions import GoogleAuthError

        try:
            answer = self._session.get(self._url + path, params=query, timeout=self._timeout)
        except OSError as error:  # requests' errors are OSErrors
            raise TransientError("Artifact Analysis did not answer") from error
        except GoogleAuthError as error:
            raise TransientError(f"no token to ask Artifact Analysis with: {type(error).__name__}") from error
        if 400 <= answer.status_code < 500 and answer.status_code not in {408, 429}:
            raise Misconfigured(f"attestations of {name} can't be read ({answer.status_code})", fix=_FIX)
        if answer.status_code != 200:
            raise TransientError(f"Artifact Analysis answered {answer.status_code}")
        try:
            return dict(_mapping(answer.json()))
        except ValueError as error:
            raise TransientError("Artifact Analysis answered what is no JSON") from error


def _read(build: Mapping[str, Any], digest: str) -> Iterator[Provenance]:
    """A statement counts only where its own subject is this digest."""
    for key in ("inTotoSlsaProvenanceV1", "intotoStatement"):
        statement = _mapping(build.get(key))
        subjects = (_mapping(each.get("digest")).get("sha256") for each in _mappings(statement.get("subject")))
        if digest.removeprefix("sha256:") not in subjects:
            continue
        if key == "intotoStatement":
            predicate = _mapping(statement.get("slsaProvenance"))
            builder, materials = _mapping(predicate.get("builder")), predicate.get("materials")
        else:
            predicate = _mapping(statement.get("predicate"))
            builder = _mapping(_mapping(predicate.get("runDetails")).get("builder"))
            materials = _mapping(predicate.get("buildDefinition")).get("resolvedDependencies")
        if isinstance(builder.get("id"), str):
            yield Provenance(builder=builder["id"], sources=tuple(_sources(materials)))


def _sources(materials: Any) -> Iterator[tuple[str, str]]:
    """`git+https://github.com/acme/shop@refs/heads/main` with its commit: the address without `git+` and ref."""
    for each in _mappings(materials):
        uri, digests = each.get("uri"), _mapping(each.get("digest"))
        commit = digests.get("gitCommit") or digests.get("sha1")
        if isinstance(uri, str) and isinstance(commit, str):
            address = uri.removeprefix("git+")
            head, at, tail = address.rpartition("@")
            yield (head if at and "://" in head and (tail.startswith("refs/") or tail == commit) else address), commit


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _google_session() -> Any:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.auth.transport.requests import AuthorizedSession

    try:
        credentials, _project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform.read-only"])
    except DefaultCredentialsError as error:
        raise Misconfigured("there are no credentials for Artifact Analysis", fix=_FIX) from error
    return AuthorizedSession(credentials)
