"""What `ports_of_artifacts.Attestations` promises, on the twin and on the adapter in front of Container Analysis' REST shapes.

The shapes are from its reference (v1 projects.occurrences.list), SLSA 1.0 and 0.1 and DSSE; none was asked.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from werkzeug.wrappers import Request

from downwind.adapters.artifact_analysis import ArtifactAnalysis
from downwind.adapters.memory_attestations import MemoryAttestations
from downwind.adapters.recent_attestations import RecentAttestations
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.http import HttpPart, json_response
from downwind.model.policy import SigningKey
from downwind.ports_of_artifacts import Provenance

NAME = "us-central1-docker.pkg.dev/acme/apps/shop"
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
COMMIT = "c" * 40
TYPE = "application/vnd.in-toto+json"
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


def occurrence(build: Any, digest: str = DIGEST, kind: str = "BUILD", envelope: Any = None) -> dict[str, Any]:
    return {"kind": kind, "resourceUri": f"https://{NAME}@{digest}", "build": build, "envelope": envelope}


class Signer:
    """A key as Cloud KMS keeps one, and what it signs in a DSSE envelope."""

    def __init__(self, key: str = "keys/1", curve: ec.EllipticCurve | None = None) -> None:
        self._private = ec.generate_private_key(curve or ec.SECP256R1())
        pem = self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.key = SigningKey(id=key, pem=pem.decode())

    def sign(self, statement: Any, kind: str = TYPE) -> dict[str, Any]:
        payload = json.dumps(statement).encode()
        hashed = hashes.SHA256() if self._private.curve.key_size == 256 else hashes.SHA384()
        signature = self._private.sign(
            b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload), ec.ECDSA(hashed)
        )
        return {
            "payload": base64.urlsafe_b64encode(payload).decode().rstrip("="),
            "payloadType": kind,
            "signatures": [{"keyid": "keys/0", "sig": "AAAA"}, {"keyid": self.key.id, "sig": text(signature)}],
        }


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


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


@pytest.fixture(params=["twin", "adapter"])
def signed(request: pytest.FixtureRequest, service: Analysis, adapter: ArtifactAnalysis) -> tuple[Any, SigningKey]:
    """Of DIGEST one statement, signed by a key."""
    signer = Signer()
    if request.param == "adapter":
        service.pages = [[occurrence({}, envelope=signer.sign(slsa_1(DIGEST)))]]
        return adapter, signer.key
    twin = MemoryAttestations()
    twin.attest(NAME, DIGEST, BUILDER, (ADDRESS, COMMIT), signed_by=signer.key.id)
    return twin, signer.key


def test_builder_and_sources_of_exactly_this_image(attested: Any) -> None:
    assert list(attested.provenance(NAME, DIGEST)) == [Provenance(builder=BUILDER, sources=((ADDRESS, COMMIT),))]


def test_another_digest_has_none(attested: Any) -> None:
    assert list(attested.provenance(NAME, OTHER)) == []


SIGNED = Provenance(builder=BUILDER, sources=((ADDRESS, COMMIT),), signed_by="keys/1")
TOLD = Provenance(builder=BUILDER, sources=((ADDRESS, COMMIT),))


def test_a_signature_of_a_key_that_was_asked_for_is_told(signed: tuple[Any, SigningKey]) -> None:
    attestations, key = signed
    assert list(attestations.provenance(NAME, DIGEST, [Signer("keys/2").key, key])) == [SIGNED]


def test_without_keys_nothing_counts_as_signed(signed: tuple[Any, SigningKey]) -> None:
    attestations, _ = signed
    assert [each.signed_by for each in attestations.provenance(NAME, DIGEST)] in ([], [None])


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_what_is_signed_goes_before_what_is_only_told(
    service: Analysis, adapter: ArtifactAnalysis, curve: ec.EllipticCurve
) -> None:
    """The text beside the envelope is whose who may write occurrences."""
    signer = Signer(curve=curve)
    lie = slsa_1(DIGEST, builder="https://evil.example")
    service.pages = [[occurrence({"inTotoSlsaProvenanceV1": lie}, envelope=signer.sign(slsa_1(DIGEST)))]]
    assert list(adapter.provenance(NAME, DIGEST, [signer.key])) == [SIGNED]


def test_the_older_form_is_read_out_of_an_envelope_too(service: Analysis, adapter: ArtifactAnalysis) -> None:
    old = slsa_0(DIGEST)
    statement = {"subject": old["subject"], "predicate": old["slsaProvenance"], "predicateType": f"{SLSA}v0.1"}
    signer = Signer()
    service.pages = [[occurrence({}, envelope=signer.sign(statement))]]
    assert list(adapter.provenance(NAME, DIGEST, [signer.key])) == [SIGNED]


SLSA = "https://slsa.dev/provenance/"
SIGNER = Signer()
GOOD = SIGNER.sign(slsa_1(DIGEST))


def changed(**more: Any) -> dict[str, Any]:
    return {**GOOD, **more}


@pytest.mark.parametrize(
    "envelope",
    [
        changed(payload=text(json.dumps(slsa_1(DIGEST, builder="x")).encode())),
        changed(payloadType="application/json"),
        SIGNER.sign(slsa_1(DIGEST), "application/json"),
        changed(signatures=[{"keyid": "keys/2", "sig": GOOD["signatures"][1]["sig"]}]),
        changed(signatures=Signer().sign(slsa_1(DIGEST))["signatures"]),
        changed(signatures=[{"keyid": "keys/1", "sig": text(b"no signature")}]),
        changed(signatures=[{"keyid": "keys/1", "sig": "?"}, {"keyid": "keys/1"}, "x", None]),
        changed(signatures={}),
        changed(payload=5),
        SIGNER.sign([1]),
        "x",
        None,
    ],
    ids=[
        "payload",
        "type",
        "other type",
        "key",
        "other key",
        "no signature",
        "odd",
        "none",
        "no text",
        "list",
        "x",
        "null",
    ],
)
def test_an_envelope_that_does_not_hold_leaves_what_is_told(
    service: Analysis, adapter: ArtifactAnalysis, envelope: Any
) -> None:
    service.pages = [[occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST)}, envelope=envelope)]]
    assert list(adapter.provenance(NAME, DIGEST, [SIGNER.key])) == [TOLD]


@pytest.mark.parametrize(
    "statement", [slsa_1(OTHER), {**slsa_1(DIGEST), "predicateType": "https://spdx.dev/Document"}, {}], ids=str
)
def test_a_signature_under_something_else_says_nothing(
    service: Analysis, adapter: ArtifactAnalysis, statement: Any
) -> None:
    service.pages = [
        [occurrence({"inTotoSlsaProvenanceV1": slsa_1(DIGEST)}, envelope=SIGNER.sign(statement))],
    ]
    assert list(adapter.provenance(NAME, DIGEST, [SIGNER.key])) == []


def pem(public: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(public.public_bytes(serialization.Encoding.PEM, form).decode())


@pytest.mark.parametrize(
    "key",
    [
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYH\n-----END PUBLIC KEY-----\n",
        pem(ed25519.Ed25519PrivateKey.generate().public_key()),
        pem(ec.generate_private_key(ec.SECP521R1()).public_key()),
    ],
    ids=["cut", "another kind", "another curve"],
)
def test_a_key_that_is_none_is_an_error_of_the_catalog(service: Analysis, adapter: ArtifactAnalysis, key: str) -> None:
    service.pages = [[occurrence({}, envelope=GOOD)]]
    with pytest.raises(Refused, match=r"keys/1 is no public ECDSA key") as caught:
        adapter.provenance(NAME, DIGEST, [SigningKey(id="keys/1", pem=key)])
    assert caught.value.field == "verify.keys"


@pytest.mark.parametrize("answer", [["found"], [], TransientError("silent")], ids=["found", "nothing", "silent"])
def test_whoever_looks_often_asks_twice_a_minute(answer: Any) -> None:
    asked: list[str] = []
    now = [0.0]

    class Asked:
        def provenance(self, name: str, digest: str, keys: Sequence[SigningKey] = ()) -> Any:
            asked.append(f"{name}@{digest} {len(keys)}")
            if isinstance(answer, Exception):
                raise answer
            return answer

    recent = RecentAttestations(Asked(), lambda: now[0])

    def look(digest: str = DIGEST) -> Any:
        try:
            return recent.provenance(NAME, digest)
        except TransientError as error:
            return error

    for now[0] in (0.0, 1.0, 29.0):
        assert look() == answer
    assert len(asked) == 1
    now[0] = 31.0
    look()
    recent.provenance(NAME, DIGEST, [SIGNER.key]) if answer == ["found"] else look(OTHER)
    assert len(asked) == 3


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
