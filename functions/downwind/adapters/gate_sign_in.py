"""How Gate learns who calls: one of its ways of signing in, or two of them where a proxy stands before it.

| way | what is sent | where it comes from |
| --- | --- | --- |
| none | nothing | |
| token | `X-Spinnaker-Token: spk_…` (Gate 2026.2 and later) | a secret |
| bearer | `Authorization: Bearer …` (an OAuth2 access token, an API token) | a secret |
| basic | `Authorization: Basic …` | a secret, `user:password` |
| google | `Authorization: Bearer …` for a Gate with OAuth2 of Google | the function's own identity |
| id token | `Authorization: Bearer …` for IAP or Cloud Run | the function's own identity |
| certificate | a TLS client certificate, to Gate's x509 port | a secret: PEM, certificate and key |

Where id token and another Authorization meet, the id token goes into `Proxy-Authorization`, which IAP reads first.
Gate opens a session and answers by a redirect where basic is wrong; so no cookie is kept, and every call signs in by itself.
"""

import base64
import ssl
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from downwind.adapters.secrets import forget
from downwind.errors import Misconfigured, TransientError
from downwind.ports import Secrets
from downwind.settings import Settings

_SCOPES = (
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/userinfo.profile",
)


class Tokens(Protocol):
    """Google's tokens for this program's own identity; kept until shortly before they end."""

    def access(self) -> str: ...

    def identity(self, audience: str) -> str: ...

    def forget(self) -> None: ...


class SignIn:
    """What `GateClient` asks for: `headers` before each request, `renew` when they were not taken, `tls` once."""

    def __init__(self, settings: Settings, secrets: Secrets, tokens: Tokens) -> None:
        self._way = settings.gate_sign_in or ("bearer" if settings.gate_token_secret else "none")
        self._secret = settings.gate_secret or settings.gate_token_secret
        self._audience = settings.gate_audience
        self._certificate = settings.gate_certificate_secret
        self._authorities = settings.gate_authorities_secret
        self._secrets = secrets
        self._tokens = tokens

    @property
    def ways(self) -> str:
        """For people: how it signs in, without a word of what it sends."""
        found = [
            "a client certificate" if self._certificate else "",
            f"an id token for {self._audience}" if self._audience else "",
            "" if self._way == "none" else self._way,
        ]
        return " and ".join(each for each in found if each) or "nothing"

    def headers(self) -> Mapping[str, str]:
        """Misconfigured where a secret or an identity is missing."""
        found: dict[str, str] = {}
        if self._way == "token":
            found["X-Spinnaker-Token"] = _line(self._read())
        elif self._way == "bearer":
            found["Authorization"] = f"Bearer {_line(self._read())}"
        elif self._way == "basic":
            found["Authorization"] = f"Basic {base64.b64encode(_pair(self._read()).encode()).decode()}"
        elif self._way == "google":
            found["Authorization"] = f"Bearer {self._tokens.access()}"
        if self._audience is not None:
            name = "Proxy-Authorization" if "Authorization" in found else "Authorization"
            found[name] = f"Bearer {self._tokens.identity(self._audience)}"
        return found

    def renew(self) -> None:
        if self._secret is not None:
            forget(self._secrets, self._secret)
        self._tokens.forget()

    def tls(self) -> ssl.SSLContext | None:
        if self._certificate is None and self._authorities is None:
            return None
        context = ssl.create_default_context()
        if self._authorities is not None:
            pem = self._secrets.read(self._authorities)
            _load(self._authorities, lambda: context.load_verify_locations(cadata=pem))
        if self._certificate is not None:
            pair = self._secrets.read(self._certificate)
            _load(self._certificate, lambda: _load_pair(context, pair))
        return context

    def _read(self) -> str:
        if self._secret is None:
            raise Misconfigured(
                f"nothing says which secret opens Gate by {self._way}", fix="set DOWNWIND_GATE_SECRET to its name"
            )
        return self._secrets.read(self._secret)


class GoogleTokens:
    """By the application default credentials; vendor libraries are loaded at the first call."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def access(self) -> str:
        import google.auth

        return self._token("access", lambda: google.auth.default(scopes=_SCOPES)[0])

    def identity(self, audience: str) -> str:
        from google.auth.transport.requests import Request
        from google.oauth2 import id_token

        return self._token(audience, lambda: id_token.fetch_id_token_credentials(audience, Request()))

    def forget(self) -> None:
        self._kept.clear()

    def _token(self, name: str, make: Callable[[], Any]) -> str:
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
        from google.auth.transport.requests import Request

        try:
            credentials = self._kept.get(name)
            if credentials is None:
                credentials = self._kept[name] = make()
            if not credentials.valid:
                credentials.refresh(Request())
            return str(credentials.token)
        except DefaultCredentialsError as error:
            fix = "run as a service account; on a laptop, GOOGLE_APPLICATION_CREDENTIALS names the key file of one"
            raise Misconfigured("there is no identity of Google to sign in to Gate with", fix=fix) from error
        except GoogleAuthError as error:
            raise TransientError(f"Google gave no token to sign in to Gate with: {type(error).__name__}") from error


def _line(text: str) -> str:
    """A header's value: a line break in it would be a header of its own."""
    if not text or not text.isascii() or not text.isprintable():
        raise Misconfigured(
            "the secret that opens Gate is empty or more than one line", fix="store the bare token as its next version"
        )
    return text


def _pair(text: str) -> str:
    if ":" not in text or not text.isprintable():
        raise Misconfigured(
            "the secret that opens Gate by basic is not user:password", fix="store user:password as its next version"
        )
    return text


def _load_pair(context: ssl.SSLContext, pem: str) -> None:
    """The ssl module reads certificates from files only; this one is ours alone and gone at once."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_text(pem)
        context.load_cert_chain(file, password=lambda: "")  # never asks the terminal


def _load(name: str, load: Callable[[], None]) -> None:
    try:
        load()
    except (ssl.SSLError, ValueError) as error:
        raise Misconfigured(
            f"secret {name} holds no usable PEM", fix="store certificate and unencrypted key, one after the other"
        ) from error
