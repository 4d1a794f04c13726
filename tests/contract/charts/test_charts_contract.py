"""What `ports_of_artifacts.Charts` promises, on the twin and on the real client in front of a repository and a registry of this
machine; and what only the client can be told: redirects, bodies and addresses that mean harm.
"""

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from tests.charts import packed_chart
from werkzeug.wrappers import Request, Response

from downwind.adapters.chart_archives import PublicCharts
from downwind.adapters.memory_charts import MemoryCharts
from downwind.adapters.public_http import is_public
from downwind.errors import Refused, TransientError
from downwind.local.http import Handler, HttpPart, json_response
from downwind.model.engines import PinnedChart

REDIS = packed_chart("redis")
SHA256 = hashlib.sha256(REDIS).hexdigest()


class Repository(HttpPart):
    """`/charts/redis-1.0.0.tgz` is the chart; the other addresses lie. Below `/v2/` an OCI registry that wants a token of its
    own service, and keeps its blobs at `localhost`."""

    name = "charts"

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.encodes = False
        self.seen: list[tuple[str, dict[str, str]]] = []

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("GET",), "/<path:path>", self._any)]

    def _any(self, request: Request, path: str) -> Response:
        self.seen.append((path, {name.lower(): value for name, value in request.headers}))
        here, other = f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port}"
        if path.startswith("to-"):
            places = {
                "to-itself": f"{here}/to-itself",
                "to-charts": f"{here}/charts/redis-1.0.0.tgz",
                "to-another": f"{other}/charts/redis-1.0.0.tgz",
                "to-metadata": "http://169.254.169.254/computeMetadata/v1/",
                "to-a-file": "file:///etc/hostname",
                "to-nonsense": "http://[",
            }
            return Response(status=302, headers={"Location": places[path], "Set-Cookie": "a=b"})
        answers: dict[str, Any] = {
            "charts/redis-1.0.0.tgz": lambda: Response(REDIS),
            "encoded": lambda: Response(REDIS, headers={"Content-Encoding": "gzip"}),
            "forbidden": lambda: Response("no", 403),
            "busy": lambda: Response("later", 503),
            "wrong": lambda: Response(b"x"),
            "endless": lambda: Response(self._endless()),
            "slow": lambda: Response(self._slow()),
            "short": lambda: Response(iter([REDIS[:10]]), headers={"Content-Length": str(len(REDIS))}),
            "token": lambda: json_response({"token": "granted"}),
        }
        if path in answers:
            found: Response = answers[path]()
            return found
        if path == f"v2/acme/redis/blobs/sha256:{SHA256}":
            if request.headers.get("Authorization") == "Bearer granted" and self.encodes:
                return Response(REDIS, headers={"Content-Encoding": "gzip"})
            if request.headers.get("Authorization") != "Bearer granted":
                challenge = f'Bearer realm="{here}/token",service="charts",scope="repository:acme/redis:pull"'
                return Response("{}", 401, {"WWW-Authenticate": challenge})
            return Response(status=307, headers={"Location": f"{other}/charts/redis-1.0.0.tgz"})
        return Response("nothing here", 404)

    def _endless(self) -> Iterator[bytes]:
        while not self.over.is_set():
            yield bytes(1 << 20)

    def _slow(self) -> Iterator[bytes]:
        while not self.over.wait(0.02):
            yield b"x"


@pytest.fixture
def repository() -> Iterator[Repository]:
    part = Repository()
    part.start()
    yield part
    part.over.set()
    part.stop()


@pytest.fixture
def client() -> PublicCharts:
    return PublicCharts(5, loopback=True)


def pin(repository: Repository, path: str = "charts/redis-1.0.0.tgz", sha256: str = SHA256) -> PinnedChart:
    url = f"{repository.url}/{path}"
    return PinnedChart(repository=f"{repository.url}/x", name="redis", version="1.0.0", sha256=sha256, url=url)


def oci(repository: Repository, sha256: str = SHA256) -> PinnedChart:
    address = f"oci://127.0.0.1:{repository.port}/acme"
    return PinnedChart(repository=address, name="redis", version="1.0.0", sha256=sha256)


def another(repository: Repository) -> str:
    return f"localhost:{repository.port}"


@pytest.fixture(params=["twin", "https", "oci"])
def kept(request: pytest.FixtureRequest, repository: Repository, client: PublicCharts) -> tuple[Any, PinnedChart]:
    """Somebody who fetches, and a chart that is there. `https`: without the s, on this machine."""
    if request.param == "twin":
        twin = MemoryCharts()
        return twin, twin.keep("https://charts.acme.example", "redis", "1.0.0", REDIS)
    return client, pin(repository) if request.param == "https" else oci(repository)


def test_the_bytes_of_the_archive(kept: tuple[Any, PinnedChart], repository: Repository) -> None:
    charts, chart = kept
    assert charts.archive(chart, [another(repository)]) == REDIS
    assert charts.archive(chart, [another(repository)]) == REDIS


def test_what_is_not_there_is_refused(kept: tuple[Any, PinnedChart], repository: Repository) -> None:
    charts, chart = kept
    gone = replace(chart, name="gone", url=chart.url and f"{repository.url}/gone.tgz")
    with pytest.raises(Refused, match=r"gone.*: it can't be read without credentials \(404\)"):
        charts.archive(gone, [])


def test_bytes_with_another_hash_are_refused(kept: tuple[Any, PinnedChart], repository: Repository) -> None:
    charts, chart = kept
    if chart.oci:
        chart = pin(repository, "wrong")
    with pytest.raises(Refused, match="SHA-256"):
        charts.archive(replace(chart, sha256="0" * 64), [another(repository)])


def test_without_a_url_it_lies_where_charts_usually_lie(repository: Repository, client: PublicCharts) -> None:
    plain = replace(pin(repository), repository=f"{repository.url}/charts", url=None)
    # The form of a catalog wants https; this machine is spoken to without.
    assert plain.address == f"{repository.url}/charts/redis-1.0.0.tgz"
    assert client.archive(plain, []) == REDIS


def test_the_last_archives_are_kept(repository: Repository, client: PublicCharts) -> None:
    client.archive(pin(repository), [])
    client.archive(pin(repository), [])
    assert len(repository.seen) == 1


def test_a_redirect_on_the_same_host_is_followed_and_to_another_only_where_it_is_allowed(
    repository: Repository, client: PublicCharts
) -> None:
    assert client.archive(pin(repository, "to-charts"), []) == REDIS
    fresh = PublicCharts(5, loopback=True)
    with pytest.raises(Refused, match=r"leads on to localhost:\d+") as caught:
        fresh.archive(pin(repository, "to-another"), [])
    assert f"add {another(repository)} to manifests.helm.redirects" in str(caught.value.fix)
    assert fresh.archive(pin(repository, "to-another"), [another(repository)]) == REDIS


def test_nothing_of_ours_goes_along(
    repository: Repository, client: PublicCharts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    client.archive(pin(repository, "to-another"), [another(repository)])
    assert len(repository.seen) == 2
    for _, headers in repository.seen:
        assert not headers.keys() & {"authorization", "cookie", "proxy-authorization"}


def test_the_registrys_token_stays_with_the_registry(repository: Repository, client: PublicCharts) -> None:
    client.archive(oci(repository), [another(repository)])
    tokens = {path: headers.get("authorization") for path, headers in repository.seen}
    assert tokens == {
        f"v2/acme/redis/blobs/sha256:{SHA256}": "Bearer granted",
        "token": None,
        "charts/redis-1.0.0.tgz": None,
    }


def test_a_registry_may_keep_what_a_repository_by_https_lists(repository: Repository, client: PublicCharts) -> None:
    chart = replace(pin(repository), url=f"oci://127.0.0.1:{repository.port}/acme/redis")
    assert client.archive(chart, [another(repository)]) == REDIS


def test_a_registrys_storage_has_to_be_allowed_too(repository: Repository, client: PublicCharts) -> None:
    with pytest.raises(Refused, match="leads on to localhost"):
        client.archive(oci(repository), [])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("to-metadata", r"leads on to http://169\.254\.169\.254, which is not https"),
        ("to-a-file", "leads on to file://, which is not https"),
        ("forbidden", r"can't be read without credentials \(403\)"),
        ("endless", "sent more than 10 MiB"),
        (
            "wrong",
            "has the SHA-256 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881, and the catalog pins",
        ),
    ],
)
def test_what_leads_away_or_is_not_the_archive_is_refused_with_the_entry_to_correct(
    repository: Repository, client: PublicCharts, path: str, said: str
) -> None:
    with pytest.raises(Refused, match=said) as caught:
        client.archive(pin(repository, path), [])
    assert str(caught.value).startswith(f"{repository.url}/{path}")
    assert "manifests.helm." in str(caught.value.fix)


@pytest.mark.parametrize("path", ["busy", "to-itself", "short", "to-nonsense"])
def test_what_may_pass_is_tried_again_later(repository: Repository, client: PublicCharts, path: str) -> None:
    with pytest.raises(TransientError):
        client.archive(pin(repository, path), [])


def test_a_body_that_comes_byte_by_byte_is_given_up(repository: Repository) -> None:
    with pytest.raises(TransientError, match="did not answer"):
        PublicCharts(0.5, loopback=True).archive(pin(repository, "slow"), [])


def test_headers_that_come_byte_by_byte_are_given_up() -> None:
    """Each byte would begin a socket's time-out anew."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            caller, _ = server.accept()
            with caller:
                try:
                    caller.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                    while not over.wait(0.02):
                        caller.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.tgz"
        chart = PinnedChart(repository="https://x", name="redis", version="1.0.0", sha256=SHA256, url=url)
        try:
            with pytest.raises(TransientError, match="did not answer"):
                PublicCharts(0.5, loopback=True).archive(chart, [])
        finally:
            over.set()
            thread.join()


def test_a_name_of_many_addresses_has_one_time_out_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the name says how many they are; where nobody takes a call, the next one would begin the time-out anew."""
    asked = socket.getaddrinfo
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as callers:
        for _ in range(3):  # its queue is full, so that the next call waits
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        with socket.create_server(("127.0.0.1", 0)) as next_one:
            next_one.setblocking(False)

            def both(_host: str, _port: int, **more: Any) -> Any:
                return [found for each in (deaf, next_one) for found in asked(*each.getsockname(), **more)]

            monkeypatch.setattr(socket, "getaddrinfo", both)
            url = "http://localhost:1/x.tgz"
            chart = PinnedChart(repository="https://x", name="redis", version="1.0.0", sha256=SHA256, url=url)
            with pytest.raises(TransientError, match="did not answer"):
                PublicCharts(0.3, loopback=True).archive(chart, [])
            with pytest.raises(BlockingIOError):
                next_one.accept()


def test_an_encoding_of_the_way_is_not_taken_off(repository: Repository, client: PublicCharts) -> None:
    """Servers that say `Content-Encoding: gzip` of a .tgz mean the file itself."""
    assert client.archive(pin(repository, "encoded"), []) == REDIS
    repository.encodes = True
    assert PublicCharts(5, loopback=True).archive(oci(repository), []) == REDIS
    assert {headers["accept-encoding"] for _, headers in repository.seen} == {"identity"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "[::1]",
        "[fd20:ce::254]",
        "0.0.0.0",
        "0x7f.1",
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_not_spoken_to(host: str) -> None:
    url = f"https://{host}/redis-1.0.0.tgz"
    chart = PinnedChart(repository="https://x", name="redis", version="1.0.0", sha256=SHA256, url=url)
    with pytest.raises(Refused, match="is not an address of the public internet"):
        PublicCharts(5).archive(chart, [])


def test_a_name_of_this_machine_is_none_either(repository: Repository) -> None:
    chart = replace(pin(repository), url=f"https://localhost:{repository.port}/charts/redis-1.0.0.tgz")
    with pytest.raises(Refused, match="is not an address of the public internet"):
        PublicCharts(5).archive(chart, [])
    assert repository.seen == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("::ffff:169.254.169.254", False),
        ("64:ff9b::808:808", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a9fe:a9fe::1", False),
        ("fe80::1%eth0", False),
        ("224.0.0.1", False),
        ("ff0e::1", False),
        ("240.0.0.1", False),
        ("::", False),
    ],
)
def test_wrapped_addresses_count_as_what_they_are(address: str, public: bool) -> None:
    assert is_public(address) is public


def certificate(folder: Path) -> Path:
    """Of 127.0.0.1, signed by itself: key and certificate in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "charts")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "both.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_by_tls_from_whoever_can_prove_its_name(repository: Repository, tmp_path: Path) -> None:
    own = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    assert repository._server is not None
    repository._server.socket = context.wrap_socket(repository._server.socket, server_side=True)
    chart = replace(pin(repository), url=f"https://127.0.0.1:{repository.port}/charts/redis-1.0.0.tgz")
    assert PublicCharts(5, loopback=True, trusted=str(own)).archive(chart, []) == REDIS
    with pytest.raises(TransientError, match="SSLError"):
        PublicCharts(5, loopback=True).archive(chart, [])
