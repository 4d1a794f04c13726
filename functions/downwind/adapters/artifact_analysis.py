"""Artifact Analysis (Container Analysis API v1): the SLSA provenance that Cloud Build writes of an image (BUILD occurrences).

Route: projects.occurrences.list. SLSA 1.0 stands in `build.inTotoSlsaProvenanceV1`, 0.1 in `build.intotoStatement`: texts for
people, which whoever may write occurrences of the project can write. `envelope` holds the statement that the builder signed; with
keys it is read from there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.adapters.dsse import signed_statement
from downwind.adapters.google_rest import GoogleApi
from downwind.errors import Refused, TransientError
from downwind.model.policy import SigningKey
from downwind.ports_of_artifacts import Provenance

_URL = "https://containeranalysis.googleapis.com/v1/"
_FIX = "enable containeranalysis.googleapis.com, and give the functions' account roles/containeranalysis.occurrences.viewer"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"(gcr\.io|[a-z0-9-]+\.gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)/([a-z0-9-]+)(/[a-z0-9._-]+)+")
_SLSA = "https://slsa.dev/provenance/"
_PAGES = 5


class ArtifactAnalysis:
    """Implements `ports_of_artifacts.Attestations`, for images in Google's registries."""

    def __init__(self, timeout: float = 20, session: Any = None, url: str = _URL) -> None:
        self._api = GoogleApi("Artifact Analysis", url, "cloud-platform.read-only", _FIX, timeout, session)

    def provenance(self, name: str, digest: str, keys: Sequence[SigningKey] = ()) -> Sequence[Provenance]:
        match = _NAME.fullmatch(name)
        if match is None or not _DIGEST.fullmatch(digest):
            raise Refused(
                f"Artifact Analysis knows nothing of {name}@{digest}", field="policy", fix="use provenance: build"
            )
        resource = f"https://{name}@{digest}"
        query = {"filter": f'kind="BUILD" AND resourceUrl="{resource}"', "pageSize": "100"}
        found: list[Provenance] = []
        for _ in range(_PAGES):
            page = self._api.get(f"projects/{match[2]}/occurrences", query, f"attestations of {name}")
            # The filter is only to spare pages: what it let through is compared here.
            for each in _mappings(page.get("occurrences")):
                if (each.get("kind"), each.get("resourceUri")) == ("BUILD", resource):
                    signed = signed_statement(each.get("envelope"), keys)
                    if signed is None:
                        found += _told(_mapping(each.get("build")), digest)
                    elif str(signed[1].get("predicateType")).startswith(_SLSA):
                        found += _read(signed[1], digest, signed[0])
            if not page.get("nextPageToken"):
                return found
            query = {**query, "pageToken": str(page["nextPageToken"])}
        raise TransientError(f"more than {_PAGES} pages of attestations of {name}@{digest}")


def _told(build: Mapping[str, Any], digest: str) -> Iterator[Provenance]:
    for key in ("inTotoSlsaProvenanceV1", "intotoStatement"):
        statement = _mapping(build.get(key))
        yield from _read({"predicate": statement.get("slsaProvenance"), **statement}, digest, None)


def _read(statement: Mapping[str, Any], digest: str, signed_by: str | None) -> Iterator[Provenance]:
    """Of SLSA 1.0 or 0.1. A statement counts only where its own subject is this digest."""
    subjects = (_mapping(each.get("digest")).get("sha256") for each in _mappings(statement.get("subject")))
    if digest.removeprefix("sha256:") not in subjects:
        return
    predicate = _mapping(statement.get("predicate"))
    if "runDetails" in predicate:
        builder = _mapping(_mapping(predicate["runDetails"]).get("builder"))
        materials = _mapping(predicate.get("buildDefinition")).get("resolvedDependencies")
    else:
        builder, materials = _mapping(predicate.get("builder")), predicate.get("materials")
    if isinstance(builder.get("id"), str):
        yield Provenance(builder=builder["id"], sources=tuple(_sources(materials)), signed_by=signed_by)


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
