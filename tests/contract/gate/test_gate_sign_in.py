"""Every way of signing in, on a Gate that keeps what it was sent; a client certificate over real TLS."""

import ssl
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from downwind.adapters.gate import GatePipelines
from downwind.adapters.gate_sign_in import SignIn
from downwind.adapters.secrets import FolderSecrets
from downwind.errors import Misconfigured, TransientError
from downwind.settings import Settings, SettingsError, read_settings
from downwind.wiring import RecentSecrets

LEAST = {
    "DOWNWIND_PROJECT": "acme",
    **{f"DOWNWIND_{name}_BUCKET": name.lower() for name in ("LEDGER", "WORK", "CATALOG", "BUNDLES")},
    "DOWNWIND_GATE_URL": "https://gate.acme.example",
}


class Tokens:
    """Google's side: a new token after each `forget`."""

    def __init__(self) -> None:
        self.generation = 1

    def access(self) -> str:
        return f"ya29.{self.generation}"

    def identity(self, audience: str) -> str:
        return f"eyJ.{audience}.{self.generation}"

    def forget(self) -> None:
        self.generation += 1


def settings(**given: str) -> Settings:
    return read_settings(
        {**LEAST, **{f"DOWNWIND_{name.upper()}": value for name, value in given.items()}}, receives=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gate").write_text("spk_1\n")
    (tmp_path / "pair").write_text("ci:swordfish:2\n")
    (tmp_path / "pinned" / "versions").mkdir(parents=True)
    (tmp_path / "pinned" / "versions" / "3").write_text("spk_3\n")
    (tmp_path / "broken").write_text("spk_1\nX-Spinnaker-User: admin\n")
    return tmp_path


def signed(folder: Path, **given: str) -> SignIn:
    return SignIn(settings(**given), RecentSecrets(FolderSecrets(str(folder))), Tokens())


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({}, {}),
        ({"gate_sign_in": "none"}, {}),
        ({"gate_sign_in": "token", "gate_secret": "gate"}, {"X-Spinnaker-Token": "spk_1"}),
        ({"gate_sign_in": "token", "gate_secret": "pinned/versions/3"}, {"X-Spinnaker-Token": "spk_3"}),
        ({"gate_sign_in": "bearer", "gate_secret": "gate"}, {"Authorization": "Bearer spk_1"}),
        ({"gate_token_secret": "gate"}, {"Authorization": "Bearer spk_1"}),
        ({"gate_sign_in": "google"}, {"Authorization": "Bearer ya29.1"}),
        ({"gate_audience": "iap.acme"}, {"Authorization": "Bearer eyJ.iap.acme.1"}),
        (
            {"gate_audience": "iap.acme", "gate_sign_in": "token", "gate_secret": "gate"},
            {"Authorization": "Bearer eyJ.iap.acme.1", "X-Spinnaker-Token": "spk_1"},
        ),
        (
            {"gate_audience": "iap.acme", "gate_sign_in": "bearer", "gate_secret": "gate"},
            {"Proxy-Authorization": "Bearer eyJ.iap.acme.1", "Authorization": "Bearer spk_1"},
        ),
    ],
)
def test_each_way_sends_its_own_header(folder: Path, given: dict[str, str], sent: Mapping[str, str]) -> None:
    assert signed(folder, **given).headers() == sent


def test_basic_sends_the_pair_whole(folder: Path) -> None:
    scheme, _, pair = signed(folder, gate_sign_in="basic", gate_secret="pair").headers()["Authorization"].partition(" ")
    assert (scheme, b64decode(pair)) == ("Basic", b"ci:swordfish:2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gate_sign_in": "token", "gate_secret": "broken"}, "more than one line"),
        ({"gate_sign_in": "basic", "gate_secret": "gate"}, "not user:password"),
        ({"gate_sign_in": "bearer", "gate_secret": "nothing"}, "no secret nothing"),
    ],
)
def test_a_secret_that_opens_nothing_says_what_to_store(folder: Path, given: dict[str, str], message: str) -> None:
    with pytest.raises(Misconfigured, match=message) as error:
        signed(folder, **given).headers()
    assert "spk_1" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"gate_sign_in": "magic"}, "DOWNWIND_GATE_SIGN_IN is not one of none, token, bearer, basic, google"),
        ({"gate_sign_in": "token"}, "DOWNWIND_GATE_SECRET is missing"),
        ({"gate_secret": "gate"}, "DOWNWIND_GATE_SIGN_IN has to say how DOWNWIND_GATE_SECRET is sent"),
        ({"gate_secret": "gate", "gate_sign_in": "google"}, "DOWNWIND_GATE_SIGN_IN has to say how"),
    ],
)
def test_settings_that_do_not_go_together_are_named_at_the_start(given: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        settings(**given)


def test_what_was_not_taken_is_asked_for_anew(folder: Path) -> None:
    sign_in = signed(folder, gate_sign_in="token", gate_secret="gate", gate_audience="iap.acme")
    first = sign_in.headers()
    (folder / "gate").write_text("spk_2\n")
    assert sign_in.headers() == first
    sign_in.renew()
    assert sign_in.headers() == {"Authorization": "Bearer eyJ.iap.acme.2", "X-Spinnaker-Token": "spk_2"}


def test_how_it_signs_in_can_be_told_without_what_it_sends(folder: Path) -> None:
    found = signed(
        folder, gate_sign_in="token", gate_secret="gate", gate_audience="iap.acme", gate_certificate_secret="x"
    )
    assert found.ways == "a client certificate and an id token for iap.acme and token"
    assert signed(folder).ways == "nothing"


def test_a_certificate_that_is_none_says_what_to_store(folder: Path) -> None:
    for given in ({"gate_certificate_secret": "gate"}, {"gate_authorities_secret": "gate"}):
        with pytest.raises(Misconfigured, match="holds no usable PEM"):
            signed(folder, **given).tls()
    assert signed(folder).tls() is None


def openssl(*words: str) -> None:
    subprocess.run(("openssl", *words), check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, Gate's certificate and a client's, and a stranger's of another authority."""
    folder = tmp_path_factory.mktemp("tls")
    make = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "other"):
        key, certificate = str(folder / f"{name}.key"), str(folder / f"{name}.pem")
        openssl(*make, "-x509", "-days", "2", "-keyout", key, "-out", certificate, "-subj", f"/CN={name}")
    for name, signer in (("gate", "ca"), ("client", "ca"), ("stranger", "other")):
        key, request = str(folder / f"{name}.key"), str(folder / f"{name}.csr")
        openssl(*make, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        sign = ("x509", "-req", "-in", request, "-days", "2", "-CAcreateserial", "-extfile", str(folder / "names"))
        ca = ("-CA", str(folder / f"{signer}.pem"), "-CAkey", str(folder / f"{signer}.key"))
        openssl(*sign, *ca, "-out", str(folder / f"{name}.crt"))
        (folder / name).write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())
    (folder / "authorities").write_text((folder / "ca.pem").read_text())
    return folder


@pytest.fixture
def x509(authority: Path) -> Iterator[str]:
    """The address of a Gate that wants a client certificate of our authority."""
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "gate")
    context.load_verify_locations(authority / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    def answer(environ: Any, start: Any) -> Any:
        Request(environ)
        return Response('{"ref": "/pipelines/01X"}', 202, {"Content-Type": "application/json"})(environ, start)

    server = make_server("127.0.0.1", 0, answer, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({"gate_certificate_secret": "client", "gate_authorities_secret": "authorities"}, "01X"),
        ({"gate_certificate_secret": "stranger", "gate_authorities_secret": "authorities"}, "look first"),
        ({"gate_authorities_secret": "authorities"}, "look first"),
        ({"gate_certificate_secret": "client"}, "look first"),  # Gate's own certificate is one that nobody vouches for
    ],
)
def test_a_client_certificate_opens_gate_and_no_other(
    authority: Path, x509: str, given: dict[str, str], outcome: str
) -> None:
    from downwind.ports import PipelineConfig

    sign_in = signed(authority, **given)
    gate = GatePipelines(x509, headers=sign_in.headers, tls=sign_in.tls, timeout=5)
    config = PipelineConfig(id="c1", name="deploy", application="shop", document={})
    try:
        assert gate.start(config, {}) == outcome
    except TransientError:
        assert outcome == "look first"
    finally:
        gate.close()
