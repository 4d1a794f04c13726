"""HTTP as OCI registries speak it: token challenges, redirects to storage, a deadline and a size for every answer."""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from downwind.errors import DownwindError, Misconfigured, Refused, TransientError

_REDIRECTS = {301, 302, 303, 307, 308}
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class OciSession:
    """One connection pool and its tokens. `token(host)`: our access token for that registry, or None (anonymous)."""

    def __init__(self, plain_http: Callable[[str], bool], token: Callable[[str], str | None], timeout: float) -> None:
        import requests

        self._session = requests.Session()
        self._plain_http = plain_http
        self._token = token
        self._timeout = timeout
        self._granted: dict[tuple[str, str], tuple[str, float]] = {}
        self._mutex = threading.Lock()

    def close(self) -> None:
        self._session.close()

    def ask(self, method: str, host: str, repository: str, path: str, *, accept: str, limit: int) -> Answer:
        """`path` is below /v2/REPOSITORY/. TransientError if the status means "later", Refused over `limit` bytes."""
        deadline = time.monotonic() + self._timeout
        url = f"{'http' if self._plain_http(host) else 'https'}://{host}/v2/{repository}/{path}"
        headers = {"Accept": accept}
        authorization = self._authorization(host, repository)
        answer = self._follow(method, url, headers, authorization, limit, deadline)
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status == 401 and challenge.lower().startswith("bearer "):
            granted = self._grant(host, repository, challenge, deadline)
            answer = self._follow(method, url, headers, f"Bearer {granted}", limit, deadline)
        if answer.status in {408, 425, 429} or answer.status >= 500:
            raise TransientError(f"{host} answered {answer.status}")
        return answer

    def _authorization(self, host: str, repository: str) -> str | None:
        with self._mutex:
            granted, until = self._granted.get((host, repository), ("", 0.0))
        if until > time.monotonic():
            return f"Bearer {granted}"
        own = self._token(host)
        return f"Bearer {own}" if own else None

    def _grant(self, host: str, repository: str, challenge: str, deadline: float) -> str:
        """The token that the registry's own service gives for the challenge, without any credentials of ours."""
        asked = dict(_PARAMETER.findall(challenge))
        realm = asked.get("realm", "")
        self._check_scheme(realm)
        query = {key: asked[key] for key in ("service", "scope") if key in asked}
        answer = self._follow("GET", realm, {}, None, 1 << 20, deadline, query)
        if answer.status in {408, 425, 429} or answer.status >= 500:
            raise TransientError(f"{urlsplit(realm).hostname} answered {answer.status}")
        if answer.status in {401, 403}:
            fix = "check that it exists and that it may be read without credentials"
            raise Misconfigured(f"{host} gives no token for {repository} ({answer.status})", fix=fix)
        try:
            body = json.loads(answer.body)
            token = body.get("token") or body["access_token"]
            lives = float(body.get("expires_in", 60))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Refused(f"{host} gives no token for {repository} ({answer.status})", field="image") from None
        with self._mutex:
            self._granted[host, repository] = (str(token), time.monotonic() + lives - 10)
        return str(token)

    def _follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        authorization: str | None,
        limit: int,
        deadline: float,
        query: dict[str, str] | None = None,
    ) -> Answer:
        """Registries send readers of blobs to their storage; our token goes to the registry's own host only."""
        first = urlsplit(url).netloc
        for _ in range(5):
            own = {"Authorization": authorization} if authorization and urlsplit(url).netloc == first else {}
            answer = self._once(method, url, headers | own, limit, deadline, query)
            if answer.status not in _REDIRECTS:
                return answer
            url, query = urljoin(url, answer.headers.get("location", "")), None
            self._check_scheme(url)
        raise TransientError(f"{first} redirects without end")

    def _once(
        self, method: str, url: str, headers: dict[str, str], limit: int, deadline: float, query: dict[str, str] | None
    ) -> Answer:
        import requests

        host = urlsplit(url).netloc
        arguments: dict[str, Any] = {"headers": headers, "params": query, "stream": True, "allow_redirects": False}
        try:
            with self._session.request(method, url, timeout=_left(deadline, host), **arguments) as response:
                body = bytearray()
                for chunk in response.iter_content(1 << 16):
                    _left(deadline, host)
                    body += chunk
                    if len(body) > limit:
                        raise Refused(f"{host} sent more than {limit >> 20} MiB", field="image")
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(status=response.status_code, headers=found, body=bytes(body))
        except DownwindError:
            raise
        except requests.RequestException as error:
            raise TransientError(f"{host} did not answer: {type(error).__name__}") from error

    def _check_scheme(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._plain_http(parts.netloc)):
            raise Refused(f"the registry points to {parts.scheme}://{parts.netloc}, which is not https", field="image")


def _left(deadline: float, host: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TransientError(f"{host} did not answer in time")
    return left
