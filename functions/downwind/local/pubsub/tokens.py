"""The OIDC tokens that Google signs for push requests, signed here with a key of our own."""

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

from downwind.local.pubsub.state import State

# google-auth is typed in part only.
_crypt: Any = crypt
_jwt: Any = jwt

ISSUER = "https://accounts.google.com"
_LIFE = 3600
_RENEW = 1800


class Tokens:
    """RS256 JWTs with Google's claims; the key is made at first use and kept with the broker's data."""

    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._clock = clock
        self._lock = threading.Lock()
        self._pem: bytes | None = None
        self._issued: dict[tuple[str, str], tuple[float, str]] = {}

    def issue(self, audience: str, email: str) -> str:
        """Valid for an hour; one token serves a receiver for half of that."""
        with self._lock:
            now = self._clock()
            made, token = self._issued.get((audience, email), (0.0, ""))
            if now - made > _RENEW:
                token = self._sign(audience, email, int(now))
                self._issued[audience, email] = (now, token)
            return token

    def certificates(self) -> dict[str, str]:
        """Key id to X.509 certificate in PEM: the form that google.oauth2.id_token.verify_token fetches."""
        with self._lock:
            key = self._key()
            return {_key_id(key): _certificate(key)}

    def _sign(self, audience: str, email: str, now: int) -> str:
        key = self._key()
        # Google's unique id of a service account: 21 digits, the same in azp and sub.
        number = str(10**20 + int.from_bytes(hashlib.sha256(email.encode()).digest()[:8], "big"))
        claims: dict[str, Any] = {"aud": audience, "azp": number, "email": email, "email_verified": True}
        claims |= {"exp": now + _LIFE, "iat": now, "iss": ISSUER, "sub": number}
        signer = _crypt.RSASigner(key, _key_id(key))
        return bytes(_jwt.encode(signer, claims)).decode()

    def _key(self) -> rsa.RSAPrivateKey:
        if self._pem is None:
            with self._state.transaction() as db:
                row = db.execute("SELECT value FROM secret WHERE name = 'signing-key'").fetchone()
                self._pem = row[0] if row else _new_key()
                db.execute("REPLACE INTO secret (name, value) VALUES ('signing-key', ?)", (self._pem,))
        key = serialization.load_pem_private_key(self._pem, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the kept signing key is no RSA key")
        return key


def _new_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _key_id(key: rsa.RSAPrivateKey) -> str:
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()[:40]


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "downwind local pubsub")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=36_500))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
