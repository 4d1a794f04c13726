"""Who calls a function: Google's OIDC ID tokens, as Pub/Sub, Cloud Scheduler and people send them in `Authorization`.

Source of the form: "Authentication for push subscriptions". The signature is checked by google-auth; keys come from the
endpoint that `google.oauth2.id_token` uses, and are kept, since that module asks for them again with every token.
"""

import json
import math
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from downwind.errors import TransientError, Unauthorized

ISSUERS = frozenset({"accounts.google.com", "https://accounts.google.com"})
GOOGLE_CERTS = "https://www.googleapis.com/oauth2/v1/certs"
TOKEN_LIMIT = 16 * 1024
LEEWAY = 60  # seconds, for clocks that differ
KEEP = 3600  # seconds; Google publishes a key a day before it signs with it
STALE = 24 * 3600  # seconds; how old keys may be while no newer ones can be had
BACK_OFF = 60  # seconds after a failed fetch, while older keys serve
ASK_AGAIN = 60  # seconds at least between two fetches that only an unknown key id caused
_REMOVED = ".SIGNATURE_REMOVED_BY_GOOGLE"
_BEARER = re.compile(r"Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_=-]+)", re.ASCII)


GCLOUD = "32555940559.apps.googleusercontent.com"
"""gcloud's own client id: the audience of a person's `gcloud auth print-identity-token`, which can't name another."""


class IdTokens:
    """Checks tokens for one audience from one service account. Safe in many threads; one fetch of keys an hour."""

    def __init__(
        self,
        audience: str,
        email: str,
        certs_url: str | None = None,
        *,
        checked: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not audience or not email:
            raise ValueError("an empty audience or e-mail would let anybody in")
        self._email = email
        self._callers = Callers([audience], certs_url, checked=checked, clock=clock)

    def verify(self, authorization: str | None) -> None:
        """Returns if the header holds a valid token of the expected sender.

        Unauthorized for everything else (the text names the check that failed, never the token); TransientError when
        the keys can't be had.
        """
        if self._callers.email(authorization) != self._email:
            raise Unauthorized("the ID token's email is not the expected one")


class Callers:
    """Tells whose token it is, of all who can have one for one of these audiences. Safe in many threads.

    `checked`: IAM guards this service, so Cloud Run has checked the token's signature, and may have taken it away.
    """

    def __init__(
        self,
        audiences: Collection[str],
        certs_url: str | None = None,
        *,
        checked: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from google.auth import jwt
        from google.auth.exceptions import GoogleAuthError

        if not audiences or not all(audiences):
            raise ValueError("an empty audience would let anybody in")
        self._jwt: Any = jwt  # it has no type hints
        self._auth_error = GoogleAuthError
        self._audiences = frozenset(audiences)
        self._checked = checked
        self._keys = _Keys(certs_url or GOOGLE_CERTS, clock)

    def email(self, authorization: str | None) -> str:
        """The verified e-mail of the caller, as the token spells it. Raises as `IdTokens.verify` does."""
        if authorization is None:
            raise Unauthorized("there is no Authorization header")
        match = _BEARER.fullmatch(authorization) if len(authorization) <= TOKEN_LIMIT else None
        if match is None:
            raise Unauthorized("Authorization is not Bearer and one ID token")
        token = match[1]
        if not token.endswith(_REMOVED):
            claims = self._claims(token)
        elif self._checked:
            claims = self._checked_claims(token)
        else:
            raise Unauthorized(
                "Cloud Run has removed this token's signature: set DOWNWIND_SENDERS_CHECKED_BY=cloud-run where IAM guards it"
            )
        email = claims.get("email")
        for name, holds in {
            "iss": _one_of(claims.get("iss"), ISSUERS),
            "aud": _one_of(claims.get("aud"), self._audiences),
            "email": isinstance(email, str) and bool(email),
            "email_verified": claims.get("email_verified") is True,
            "exp": _is_time(claims.get("exp")),
            "iat": _is_time(claims.get("iat")),
        }.items():
            if not holds:
                raise Unauthorized(f"the ID token's {name} is not the expected one")
        return str(email)

    def _claims(self, token: str) -> Mapping[str, Any]:
        """Claims of a token whose signature and times hold. Texts of google-auth quote the token, so they end here."""
        try:
            header = self._jwt.decode_header(token)
        except (ValueError, TypeError, RecursionError, self._auth_error):
            raise Unauthorized("Authorization holds no ID token") from None
        key_id = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(key_id, str):
            raise Unauthorized("the ID token is not signed with RS256 and a named key")
        key = self._keys.get(key_id)
        if key is None:
            raise Unauthorized("the ID token is signed with a key that Google does not list")
        try:
            claims: Mapping[str, Any] = self._jwt.decode(token, certs={key_id: key}, clock_skew_in_seconds=LEEWAY)
        except (ValueError, TypeError, RecursionError, self._auth_error):
            raise Unauthorized("the ID token's signature, exp or iat does not hold") from None
        return claims

    def _checked_claims(self, token: str) -> Mapping[str, Any]:
        """Of a token whose signature Cloud Run has checked and replaced. Its times are looked at once more."""
        try:
            claims: Mapping[str, Any] = self._jwt.decode(token, verify=False)
        except (ValueError, TypeError, RecursionError, self._auth_error):
            raise Unauthorized("Authorization holds no ID token") from None
        begins: Any = claims.get("iat")
        ends: Any = claims.get("exp")
        holds = _is_time(begins) and _is_time(ends) and begins - LEEWAY <= time.time() <= ends + LEEWAY
        if not holds:
            raise Unauthorized("the ID token's exp or iat does not hold")
        return claims


class _Keys:
    """Certificates by key id, as PEM: fetched once an hour, and once more for a key id that is not among them."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, str] = {}
        self._fetched = -math.inf
        self._asked_again = -math.inf
        self._not_before = -math.inf

    def get(self, key_id: str) -> str | None:
        with self._lock:
            now = self._clock()
            if now - self._fetched > KEEP:
                self._renew(now, key_id)
            elif key_id not in self._keys and now - self._asked_again > ASK_AGAIN:
                self._asked_again = now
                self._fetch(now)
            return self._keys.get(key_id)

    def _renew(self, now: float, key_id: str) -> None:
        """Fetches; while that fails, keys of less than a day serve on, but say nothing about a key they do not hold."""
        serves = key_id in self._keys and now - self._fetched <= STALE
        if now < self._not_before and self._keys:
            if serves:
                return
            raise TransientError("the keys of ID tokens could not be fetched a moment ago")
        try:
            self._fetch(now)
        except TransientError:
            self._not_before = now + BACK_OFF
            if not serves:
                raise

    def _fetch(self, now: float) -> None:
        # urllib3 alone: `requests` on top of it would double what an instance's first message waits for.
        import certifi
        import urllib3

        try:
            with urllib3.PoolManager(ca_certs=certifi.where(), retries=False) as pool:
                answer = pool.request("GET", self._url, timeout=5, redirect=False)
            keys = json.loads(answer.data) if answer.status == 200 else None
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            keys = None
        if not isinstance(keys, dict) or not all(isinstance(pem, str) for pem in keys.values()):
            raise TransientError("the keys of ID tokens could not be fetched")
        self._keys, self._fetched = keys, now


def _one_of(value: Any, allowed: frozenset[str]) -> bool:
    return isinstance(value, str) and value in allowed


def _is_time(value: Any) -> bool:
    """A finite number: NaN would pass every comparison."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
