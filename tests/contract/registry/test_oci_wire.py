"""What only the real adapter can show: token challenges, redirects to storage, lies, sizes, errors."""

import hashlib
import json
from collections.abc import Iterable, Iterator

import pytest
from werkzeug.wrappers import Request, Response

from downwind.adapters.registry import OciRegistry, loopback, split_name
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.http import Handler, HttpPart, json_response

IMAGE = "application/vnd.oci.image.manifest.v1+json"
CONFIG = json.dumps({"config": {"Labels": {"a": "b"}}}).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


MANIFEST = json.dumps(
    {
        "mediaType": IMAGE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": _digest(CONFIG)},
        "layers": [],
    }
).encode()


class OddRegistry(HttpPart):
    """A registry with a token service and a storage of its own; `broken` replaces an answer by its path's beginning."""

    name = "odd"

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, Response] = {}
        self.tokens = 0
        self.storage_saw: list[str | None] = []

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("GET",), "/<path:rest>", self._any)]

    def _any(self, request: Request, rest: str) -> Response:
        for beginning, answer in self.broken.items():
            if rest.startswith(beginning):
                return answer
        if rest == "token":
            self.tokens += 1
            assert request.args["scope"] == "repository:shop:pull"
            return json_response({"token": "granted", "expires_in": 300})
        if rest == "storage":
            self.storage_saw.append(request.headers.get("Authorization"))
            return Response(CONFIG)
        if request.headers.get("Authorization") != "Bearer granted":
            challenge = f'Bearer realm="{self.url}/token",service="odd",scope="repository:shop:pull"'
            return Response("{}", 401, {"WWW-Authenticate": challenge})
        if "/blobs/" in rest:
            return Response(status=307, headers={"Location": f"http://localhost:{self.port}/storage"})
        return Response(MANIFEST, 200, {"Content-Type": IMAGE})


@pytest.fixture
def odd() -> Iterator[OddRegistry]:
    part = OddRegistry()
    part.start()
    yield part
    part.stop()


@pytest.fixture
def registry() -> Iterator[OciRegistry]:
    found = OciRegistry(timeout=5)
    yield found
    found.close()


def _name(odd: OddRegistry) -> str:
    return f"127.0.0.1:{odd.port}/shop"


def test_a_token_challenge_is_answered_once_and_the_token_kept(odd: OddRegistry, registry: OciRegistry) -> None:
    assert registry.exists(_name(odd), _digest(MANIFEST))
    assert registry.labels(_name(odd), _digest(MANIFEST)) == {"a": "b"}
    assert odd.tokens == 1


def test_the_token_is_not_sent_to_the_storage_of_another_host(odd: OddRegistry, registry: OciRegistry) -> None:
    registry.labels(_name(odd), _digest(MANIFEST))
    assert odd.storage_saw == [None]


def test_without_a_digest_header_the_content_is_asked(odd: OddRegistry, registry: OciRegistry) -> None:
    assert registry.digest(_name(odd), "v1") == _digest(MANIFEST)


def test_a_manifest_or_config_that_is_not_its_digest_is_not_believed(odd: OddRegistry, registry: OciRegistry) -> None:
    with pytest.raises(TransientError, match="is not sha256"):
        registry.labels(_name(odd), f"sha256:{'0' * 64}")
    odd.broken["storage"] = Response(b"{}")
    with pytest.raises(TransientError, match="is not sha256"):
        registry.labels(_name(odd), _digest(MANIFEST))


@pytest.mark.parametrize(
    ("status", "error"), [(401, Misconfigured), (403, Misconfigured), (418, Refused), (429, TransientError)]
)
def test_each_status_is_refused_or_left_for_later(
    odd: OddRegistry, registry: OciRegistry, status: int, error: type[Exception]
) -> None:
    odd.broken["v2/"] = Response("no", status)
    with pytest.raises(error):
        registry.digest(_name(odd), "v1")


@pytest.mark.parametrize(
    "body", [b"[]", b"no json", b'{"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}']
)
def test_manifests_that_are_no_image_give_no_labels(odd: OddRegistry, registry: OciRegistry, body: bytes) -> None:
    odd.broken["v2/"] = Response(body, 200, {"Content-Type": IMAGE})
    if body.startswith(b"{"):
        assert registry.labels(_name(odd), _digest(body)) == {}
    else:
        with pytest.raises(Refused, match="manifest or config"):
            registry.labels(_name(odd), _digest(body))


def test_a_longer_answer_than_4_mib_is_refused(odd: OddRegistry, registry: OciRegistry) -> None:
    odd.broken["v2/"] = Response(bytes((4 << 20) + 1), 200, {"Content-Type": IMAGE})
    with pytest.raises(Refused, match="4 MiB"):
        registry.labels(_name(odd), _digest(MANIFEST))


def test_a_token_service_that_gives_none_is_refused(odd: OddRegistry, registry: OciRegistry) -> None:
    odd.broken["token"] = Response("{}")
    with pytest.raises(Refused, match="gives no token"):
        registry.digest(_name(odd), "v1")
    odd.broken["token"] = Response("{}", 503)
    with pytest.raises(TransientError):
        registry.digest(_name(odd), "v1")


def test_a_challenge_or_redirect_to_plain_http_elsewhere_is_refused(odd: OddRegistry, registry: OciRegistry) -> None:
    odd.broken["v2/"] = Response("", 401, {"WWW-Authenticate": 'Bearer realm="http://evil.example/token"'})
    with pytest.raises(Refused, match="not https"):
        registry.digest(_name(odd), "v1")
    odd.broken["v2/"] = Response("", 302, {"Location": "http://evil.example/x"})
    with pytest.raises(Refused, match="not https"):
        registry.digest(_name(odd), "v1")


def test_redirects_without_end_and_a_registry_that_is_down_are_left_for_later(
    odd: OddRegistry, registry: OciRegistry
) -> None:
    odd.broken["v2/"] = Response("", 302, {"Location": f"{odd.url}/v2/again"})
    with pytest.raises(TransientError, match="without end"):
        registry.digest(_name(odd), "v1")
    odd.stop()
    with pytest.raises(TransientError, match="did not answer"):
        registry.digest(_name(odd), "v1")
    odd.start()


def test_a_digest_that_is_none_is_refused(registry: OciRegistry) -> None:
    with pytest.raises(Refused, match="no sha256 digest"):
        registry.exists("registry.test/shop", "sha256:../../x")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("docker.io/nginx", ("registry-1.docker.io", "library/nginx")),
        ("docker.io/acme/shop", ("registry-1.docker.io", "acme/shop")),
        ("localhost/shop", ("localhost", "shop")),
        ("us-central1-docker.pkg.dev/p/r/shop", ("us-central1-docker.pkg.dev", "p/r/shop")),
    ],
)
def test_names_are_read_as_docker_reads_them(name: str, found: tuple[str, str]) -> None:
    assert split_name(name) == found


@pytest.mark.parametrize("name", ["shop", "acme/shop", "gcr.io/"])
def test_a_name_without_its_registry_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="names no registry"):
        split_name(name)


def test_plain_http_is_for_this_machine_only() -> None:
    assert [loopback(host) for host in ("127.0.0.1:5000", "localhost", "localhost:1", "[::1]:5")] == [True] * 4
    assert [loopback(host) for host in ("gcr.io", "127.0.0.1.example.com", "10.0.0.1:5000")] == [False] * 3
