"""What `ports.Attestations` promises, on the twin and on the adapter in front of Container Analysis' REST shapes.

The shapes are from its reference (v1 projects.occurrences.list) and SLSA 1.0 and 0.1; none was asked.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request

from downwind.adapters.artifact_analysis import ArtifactAnalysis
from downwind.adapters.memory_attestations import MemoryAttestations
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.http import HttpPart, json_response
from downwind.ports import Provenance

NAME = "us-central1-docker.pkg.dev/acme/apps/shop"
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
COMMIT = "c" * 40
BUILDER = "https://cloudbuild.googleapis.com/GoogleHostedWorker"
ADDRESS = "https://github.com/acme/shop"


def slsa_1(digest: str, uri: str = f"git+{ADDRESS}@refs/heads/main", builder: Any = BUILDER) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": f"https://{NAME}", "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {"resolvedDependencies": [{"uri": uri, "digest": {"gitCommit": COMMIT}}, {"uri": "x"}]},
            "runDetails": {"builder": {"id": builder}},
        },
    }


def slsa_0(digest: str) -> dict[str, Any]:
    return {
        "subject": [{"name": NAME, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "slsaProvenance": {"builder": {"id": BUILDER}, "materials": [{"uri": ADDRESS, "digest": {"sha1": COMMIT}}]},
    }


def occurrence(build: Any, digest: str = DIGEST, kind: str = "BUILD") -> dict[str, Any]:
    return {"kind": kind, "resourceUri": f"https://{NAME}@{digest}", "build": build}


class Analysis(HttpPart):
    """Gives `pages` one after another, whatever the filter says; `status` answers everything with an error."""

    name = "container-analysis"

    def __init__(self) -> None:
        self.status: int | None = None
        self.pages: list[list[Any]] = [[]]
        self.asked: list[str] = []
        super().__init__()

    def routes(self) -> Any:
        yield ("GET",), "/v1/projects/<project>/occurrences", self._list

    def _list(self, request: Request, project: str) -> Any:
        assert project == "acme"
        if self.status:
            return json_response({"error": {"code": self.status}}, self.status)
        self.asked.append(request.args["filter"])
        page = int(request.args.get("pageToken", "0"))
        more = {"nextPageToken": str(page + 1)} if page + 1 < len(self.pages) else {}
        return json_response({"occurrences": self.pages[page], **more})


@pytest.fixture
def service() -> Iterator[Analysis]:
    part = Analysis()
    part.start()
    yield part
    part.stop()


@pytest.fixture
def adapter(service: Analysis) -> ArtifactAnalysis:
    return ArtifactAnalysis(session=requests.Session(), url=f"{service.url}/v1/")


@pytest.fixture(params=["twin", "adapter"])
def attested(request: pytest.FixtureRequest, service: Analysis, adapter: ArtifactAnalysis) -> Any:
    """Of DIGEST one statement, of OTHER none."""
    if request.param == "adapter":
        service.pages = [[occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST)})]]
        return adapter
    twin = MemoryAttestations()
    twin.attest(NAME, DIGEST, BUILDER, (ADDRESS, COMMIT))
    return twin


def test_builder_and_sources_of_exactly_this_image(attested: Any) -> None:
    assert list(attested.provenance(NAME, DIGEST)) == [Provenance(builder=BUILDER, sources=((ADDRESS, COMMIT),))]


def test_another_digest_has_none(attested: Any) -> None:
    assert list(attested.provenance(NAME, OTHER)) == []


def test_the_older_form_and_further_pages_are_read(service: Analysis, adapter: ArtifactAnalysis) -> None:
    service.pages = [
        [occurrence({"intotoStatement": slsa_0(DIGEST)})],
        [occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST)})],
    ]
    assert list(adapter.provenance(NAME, DIGEST)) == [Provenance(builder=BUILDER, sources=((ADDRESS, COMMIT),))] * 2
    assert service.asked == [f'kind="BUILD" AND resourceUrl="https://{NAME}@{DIGEST}"'] * 2


@pytest.mark.parametrize(
    "found",
    [
        occurrence({"inTotoSlsaProvenanceV1": slsa_1(OTHER)}),
        occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST)}, digest=OTHER),
        occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST)}, kind="ATTESTATION"),
        occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST, builder=5)}),
        occurrence({}),
        occurrence(None),
        "x",
    ],
    ids=["another subject", "another resource", "another kind", "no builder", "no statement", "no build", "no object"],
)
def test_what_does_not_speak_of_this_image_does_not_count(
    service: Analysis, adapter: ArtifactAnalysis, found: Any
) -> None:
    service.pages = [[found]]
    assert list(adapter.provenance(NAME, DIGEST)) == []


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        (f"git+{ADDRESS}.git@refs/tags/v1", f"{ADDRESS}.git"),
        (f"git+{ADDRESS}@{COMMIT}", ADDRESS),
        (f"{ADDRESS}/evil@refs", f"{ADDRESS}/evil@refs"),
        ("https://user@host/acme/shop", "https://user@host/acme/shop"),
    ],
)
def test_the_address_is_what_stands_before_the_ref(
    service: Analysis, adapter: ArtifactAnalysis, uri: str, address: str
) -> None:
    service.pages = [[occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST, uri)})]]
    (found,) = adapter.provenance(NAME, DIGEST)
    assert found.sources == ((address, COMMIT),)


@pytest.mark.parametrize(("status", "error"), [(500, TransientError), (429, TransientError), (403, Misconfigured)])
def test_an_answer_that_is_none_is_an_error(
    service: Analysis, adapter: ArtifactAnalysis, status: int, error: type[Exception]
) -> None:
    service.status = status
    with pytest.raises(error):
        adapter.provenance(NAME, DIGEST)


def test_pages_without_end_are_given_up(service: Analysis, adapter: ArtifactAnalysis) -> None:
    service.pages = [[]] * 9
    with pytest.raises(TransientError, match="more than 5 pages"):
        adapter.provenance(NAME, DIGEST)


def test_nobody_answering_is_transient() -> None:
    with pytest.raises(TransientError, match="did not answer"):
        ArtifactAnalysis(session=requests.Session(), url="http://127.0.0.1:1/v1/").provenance(NAME, DIGEST)


@pytest.mark.parametrize("name", ["docker.io/acme/shop", 'us-docker.pkg.dev/acme/a" OR "b', "gcr.io/acme"])
def test_what_is_in_no_registry_of_google_is_refused_and_nobody_is_asked(name: str) -> None:
    with pytest.raises(Refused, match="knows nothing"):
        ArtifactAnalysis(session=object(), url="http://127.0.0.1:1/").provenance(name, DIGEST)
