"""ID tokens: only Google's signature for our audience and our sender opens the door. Real RSA keys, a loopback key server."""

import base64
import datetime as dt
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from werkzeug.wrappers import Response

from downwind.adapters.identity import ASK_AGAIN, BACK_OFF, KEEP, STALE, IdTokens
from downwind.errors import TransientError, Unauthorized
from downwind.local.http import HttpPart, json_response

AUDIENCE = "https://on-push.example/"
EMAIL = "pusher@p.iam.gserviceaccount.com"


class KeyServer(HttpPart):
    """What https://www.googleapis.com/oauth2/v1/certs is: PEM by key id. `answer` replaces its answer."""

    name = "keys"

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.answer: Response | None = None
        self.asked = 0
        super().__init__()

    def routes(self) -> Any:
        return [(("GET",), "/certs", self._certs)]

    def _certs(self, _request: Any) -> Response:
        self.asked += 1
        return self.answer or json_response(self.keys)


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def server(key: rsa.RSAPrivateKey) -> Iterator[KeyServer]:
    part = KeyServer()
    part.keys = {"one": pem(key)}
    part.start()
    yield part
    part.stop()


@pytest.fixture
def tokens(server: KeyServer) -> IdTokens:
    return IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs")


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**change: Any) -> dict[str, Any]:
    """As Pub/Sub sends them; a claim changed to `...` is left out."""
    now = int(time.time())
    sent = {"aud": AUDIENCE, "azp": "1", "email": EMAIL, "email_verified": True, "exp": now + 3600, "iat": now}
    sent |= {"iss": "https://accounts.google.com", "sub": "1", **change}
    return {name: value for name, value in sent.items() if value is not ...}


def token(key: rsa.RSAPrivateKey, body: Any, **header: Any) -> str:
    head = {"alg": "RS256", "kid": "one", "typ": "JWT", **header}
    head = {name: value for name, value in head.items() if value is not ...}
    signed = f"{part(head)}.{part(body)}"
    return f"{signed}.{part(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


Claims = dict[str, Any]


GOOD_CLAIMS: dict[str, Callable[[float], Claims]] = {
    "as sent": lambda _now: {},
    "the other issuer": lambda _now: {"iss": "accounts.google.com"},
    "expired within the leeway": lambda now: {"exp": now - 20, "iat": now - 3600},
    "early within the leeway": lambda now: {"iat": now + 20},
}


@pytest.mark.parametrize("name", GOOD_CLAIMS)
def test_googles_token_for_us_is_accepted(tokens: IdTokens, key: rsa.RSAPrivateKey, name: str) -> None:
    tokens.verify(f"Bearer {token(key, claims(**GOOD_CLAIMS[name](time.time())))}")


BAD_CLAIMS: dict[str, Claims] = {
    "other audience": {"aud": "https://on-push.example"},
    "a longer audience": {"aud": AUDIENCE + "x"},
    "a list with the audience": {"aud": [AUDIENCE]},
    "no audience": {"aud": ...},
    "null audience": {"aud": None},
    "other issuer": {"iss": "https://accounts.google.com.evil.example"},
    "an issuer in a list": {"iss": ["https://accounts.google.com"]},
    "no issuer": {"iss": ...},
    "a Gmail user": {"email": "somebody@gmail.com"},
    "another project's account": {"email": "pusher@q.iam.gserviceaccount.com"},
    "e-mail in capitals": {"email": EMAIL.upper()},
    "no e-mail": {"email": ...},
    "a list of e-mails": {"email": [EMAIL]},
    "not verified": {"email_verified": False},
    "verified in words": {"email_verified": "true"},
    "verified as a number": {"email_verified": 1},
    "verified left out": {"email_verified": ...},
    "expired": {"exp": 1_700_000_000, "iat": 1_699_996_400},
    "expired beyond the leeway": {"exp": int(time.time()) - 90, "iat": int(time.time()) - 3600},
    "of the future": {"iat": 99_999_999_999, "exp": 99_999_999_999},
    "no expiry": {"exp": ...},
    "no time of issue": {"iat": ...},
    "expiry in words": {"exp": "9999999999"},
    "expiry that is no number": {"exp": float("nan")},
    "endless": {"exp": float("inf")},
    "expiry that is true": {"exp": True, "iat": True},
    "null times": {"exp": None, "iat": None},
}


@pytest.mark.parametrize("name", BAD_CLAIMS)
def test_a_token_with_bad_claims_is_unauthorized(tokens: IdTokens, key: rsa.RSAPrivateKey, name: str) -> None:
    """Signed with Google's own key, so that nothing but the claims decides."""
    with pytest.raises(Unauthorized):
        tokens.verify(f"Bearer {token(key, claims(**BAD_CLAIMS[name]))}")


def unsigned(key: rsa.RSAPrivateKey, **header: Any) -> str:
    return f"{part({'alg': 'none', 'kid': 'one', **header})}.{part(claims())}."


def with_public_key(key: rsa.RSAPrivateKey) -> str:
    signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(claims())}"
    return f"{signed}.{part(hmac.new(pem(key).encode(), signed.encode(), 'sha256').digest())}"


def with_curve(_key: rsa.RSAPrivateKey) -> str:
    signed = f"{part({'alg': 'ES256', 'kid': 'one'})}.{part(claims())}"
    own = ec.generate_private_key(ec.SECP256R1())
    return f"{signed}.{part(own.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"


def changed_after(key: rsa.RSAPrivateKey) -> str:
    head, _, signature = token(key, claims(email="x")).split(".")
    return f"{head}.{part(claims())}.{signature}"


BAD_TOKENS: dict[str, Callable[[rsa.RSAPrivateKey], str]] = {
    "algorithm none": unsigned,
    "algorithm none with a signature": lambda key: unsigned(key) + part(b"x"),
    "HS256 with the public key": with_public_key,
    "ES256 with a key of its own": with_curve,
    "RS256 of a list": lambda key: token(key, claims(), alg=["RS256"]),
    "no algorithm": lambda key: token(key, claims(), alg=...),
    "algorithm in small letters": lambda key: token(key, claims(), alg="rs256"),
    "unknown key id": lambda key: token(key, claims(), kid="two"),
    "no key id": lambda key: token(key, claims(), kid=...),
    "a key id that is a list": lambda key: token(key, claims(), kid=["one"]),
    "claims changed after signing": changed_after,
    "no claims": lambda key: token(key, {}),
    "claims that are a list": lambda key: token(key, [claims()]),
    "claims that are no JSON": lambda key: token(key, b"{"),
    "claims that are not UTF-8": lambda key: token(key, b"\xff"),
    "claims nested a thousandfold": lambda key: token(key, b"[" * 5000),
    "signature removed": lambda key: ".".join([*token(key, claims()).split(".")[:2], "SIGNATURE_REMOVED_BY_GOOGLE"]),
    "signature cut": lambda key: token(key, claims())[:-8],
    "no signature": lambda key: token(key, claims()).rpartition(".")[0],
    "a fourth part": lambda key: token(key, claims()) + ".x",
    "two tokens": lambda key: f"{token(key, claims())} {token(key, claims())}",
    "two headers": lambda key: f"{token(key, claims())}, Bearer {token(key, claims())}",
    "17 KiB": lambda key: token(key, claims(more="x" * 17_000)),
    "nothing": lambda _key: "",
    "garbage": lambda _key: "a.b.c",
    "a word": lambda _key: "secret",
    "a new line at the end": lambda key: token(key, claims()) + "\n",
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_a_bad_token_is_unauthorized_and_not_quoted(tokens: IdTokens, key: rsa.RSAPrivateKey, name: str) -> None:
    text = BAD_TOKENS[name](key)
    with pytest.raises(Unauthorized) as caught:
        tokens.verify(f"Bearer {text}")
    assert text == "" or text not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_token_of_another_key_is_unauthorized(tokens: IdTokens, other_key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(Unauthorized):
        tokens.verify(f"Bearer {token(other_key, claims())}")


@pytest.mark.parametrize("scheme", ["bearer ", "Basic ", "", "Bearer  ", " Bearer ", "Bearer\t"])
def test_any_other_scheme_is_unauthorized(tokens: IdTokens, key: rsa.RSAPrivateKey, scheme: str) -> None:
    with pytest.raises(Unauthorized):
        tokens.verify(scheme + token(key, claims()))


def test_no_header_is_unauthorized_and_asks_for_no_keys(tokens: IdTokens, server: KeyServer) -> None:
    with pytest.raises(Unauthorized):
        tokens.verify(None)
    assert server.asked == 0


@pytest.mark.parametrize(("audience", "email"), [("", EMAIL), (AUDIENCE, "")])
def test_an_empty_expectation_is_an_error_at_start(audience: str, email: str) -> None:
    with pytest.raises(ValueError, match="anybody"):
        IdTokens(audience, email)


def test_keys_are_fetched_once_an_hour(server: KeyServer, key: rsa.RSAPrivateKey) -> None:
    now = [1000.0]
    tokens = IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs", clock=lambda: now[0])
    for _ in range(5):
        tokens.verify(f"Bearer {token(key, claims())}")
    assert server.asked == 1
    now[0] += KEEP + 1
    tokens.verify(f"Bearer {token(key, claims())}")
    assert server.asked == 2


def test_a_new_key_is_fetched_at_once(server: KeyServer, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey) -> None:
    tokens = IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs", clock=lambda: 1000.0)
    tokens.verify(f"Bearer {token(key, claims())}")
    server.keys["two"] = pem(other_key)
    tokens.verify(f"Bearer {token(other_key, claims(), kid='two')}")
    assert server.asked == 2


def test_unknown_key_ids_cannot_make_us_ask_without_end(server: KeyServer, key: rsa.RSAPrivateKey) -> None:
    now = [1000.0]
    tokens = IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs", clock=lambda: now[0])
    for number in range(10):
        with pytest.raises(Unauthorized):
            tokens.verify(f"Bearer {token(key, claims(), kid=f'guess-{number}')}")
    assert server.asked == 2
    now[0] += ASK_AGAIN + 1
    with pytest.raises(Unauthorized):
        tokens.verify(f"Bearer {token(key, claims(), kid='guess')}")
    assert server.asked == 3


ANSWERS = {
    "503": lambda: Response(b"down", 503),
    "redirect": lambda: Response(b"", 302, {"Location": "/elsewhere"}),
    "not JSON": lambda: Response(b"not JSON", 200),
    "a list": lambda: json_response([]),
    "no PEM": lambda: json_response({"one": 7}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_without_keys_the_sender_may_come_back(server: KeyServer, key: rsa.RSAPrivateKey, name: str) -> None:
    tokens = IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs")
    server.answer = ANSWERS[name]()
    with pytest.raises(TransientError):
        tokens.verify(f"Bearer {token(key, claims())}")
    server.answer = None
    tokens.verify(f"Bearer {token(key, claims())}")


def test_while_no_newer_keys_can_be_had_those_of_a_day_serve(
    server: KeyServer, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    now = [1000.0]
    tokens = IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs", clock=lambda: now[0])
    tokens.verify(f"Bearer {token(key, claims())}")
    server.answer = ANSWERS["503"]()
    now[0] += KEEP + 1
    for _ in range(3):
        tokens.verify(f"Bearer {token(key, claims())}")
    assert server.asked == 2
    with pytest.raises(TransientError):
        tokens.verify(f"Bearer {token(other_key, claims(), kid='two')}")
    assert server.asked == 2
    now[0] += BACK_OFF + 1
    tokens.verify(f"Bearer {token(key, claims())}")
    assert server.asked == 3
    now[0] = 1000.0 + STALE + 1
    with pytest.raises(TransientError):
        tokens.verify(f"Bearer {token(key, claims())}")


def test_an_unreachable_key_server_is_transient(server: KeyServer, key: rsa.RSAPrivateKey) -> None:
    tokens = IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs")
    server.stop()
    with pytest.raises(TransientError):
        tokens.verify(f"Bearer {token(key, claims())}")


def test_what_google_lists_as_a_certificate_is_read(server: KeyServer, key: rsa.RSAPrivateKey) -> None:
    """Google's endpoint gives X.509 certificates; PEM public keys, as above, are read too."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    server.keys = {"one": builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()}
    IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs").verify(f"Bearer {token(key, claims())}")


def stripped(key: rsa.RSAPrivateKey, **change: Any) -> str:
    return ".".join([*token(key, claims(**change)).split(".")[:2], "SIGNATURE_REMOVED_BY_GOOGLE"])


@pytest.fixture
def behind_iam(server: KeyServer) -> IdTokens:
    return IdTokens(AUDIENCE, EMAIL, f"{server.url}/certs", checked=True)


def test_behind_iam_a_token_that_cloud_run_has_checked_is_accepted_without_its_signature(
    behind_iam: IdTokens, server: KeyServer, key: rsa.RSAPrivateKey
) -> None:
    behind_iam.verify(f"Bearer {stripped(key)}")
    assert server.asked == 0


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://other.example/"},
        {"email": "other@p.iam.gserviceaccount.com"},
        {"email_verified": False},
        {"iss": "https://accounts.example.com"},
        {"exp": 1_700_000_000},
        {"exp": ...},
        {"iat": 9_000_000_000},
        {"iat": "now"},
    ],
)
def test_behind_iam_its_claims_are_checked_all_the_same(
    behind_iam: IdTokens, key: rsa.RSAPrivateKey, change: dict[str, Any]
) -> None:
    with pytest.raises(Unauthorized):
        behind_iam.verify(f"Bearer {stripped(key, **change)}")


@pytest.mark.parametrize("name", [name for name in BAD_TOKENS if name != "signature removed"])
def test_behind_iam_every_other_token_has_to_hold_as_before(
    behind_iam: IdTokens, key: rsa.RSAPrivateKey, name: str
) -> None:
    with pytest.raises(Unauthorized):
        behind_iam.verify(f"Bearer {BAD_TOKENS[name](key)}")


def test_claims_that_are_none_say_nothing_even_behind_iam(behind_iam: IdTokens) -> None:
    with pytest.raises(Unauthorized):
        behind_iam.verify(f"Bearer {part({})}.{part(b'{')}.SIGNATURE_REMOVED_BY_GOOGLE")
    with pytest.raises(Unauthorized):
        behind_iam.verify(f"Bearer {part({'alg': 'RS256'})}.{part([1])}.SIGNATURE_REMOVED_BY_GOOGLE")
