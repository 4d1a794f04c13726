"""HTTP as OCI registries speak it: token challenges, redirects to storage, a deadline and a size for every answer."""

import json
import re
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from downwind.adapters.bounded_http import Answer, BoundedHttp
from downwind.errors import Misconfigured, Refused

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class OciSession:
    """One connection pool and its tokens. `token(host)`: our access token for that registry, or None (anonymous). `http`: what
    it asks by, instead of one of its own that may go to any https address."""

    def __init__(
        self,
        plain_http: Callable[[str], bool],
        token: Callable[[str], str | None],
        timeout: float,
        http: BoundedHttp | None = None,
    ) -> None:
        import requests

        self._http = http or BoundedHttp(requests.Session(), self._check_scheme, field="image")
        self._plain_http = plain_http
        self._token = token
        self._timeout = timeout
        self._granted: dict[tuple[str, str], tuple[str, float]] = {}
        self._mutex = threading.Lock()

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, host: str, repository: str, path: str, *, accept: str, limit: int) -> Answer:
        """`path` is below /v2/REPOSITORY/. TransientError if the status means "later", Refused over `limit` bytes."""
        deadline = time.monotonic() + self._timeout
        url = f"{'http' if self._plain_http(host) else 'https'}://{host}/v2/{repository}/{path}"
        headers = {"Accept": accept}
        authorization = self._authorization(host, repository)
        answer = self._http.follow(method, url, headers, authorization, limit, deadline)
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status == 401 and challenge.lower().startswith("bearer "):
            granted = self._grant(host, repository, challenge, deadline)
            answer = self._http.follow(method, url, headers, f"Bearer {granted}", limit, deadline)
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
        query = {key: asked[key] for key in ("service", "scope") if key in asked}
        answer = self._http.follow("GET", realm, {}, None, 1 << 20, deadline, query)
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

    def _check_scheme(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._plain_http(parts.netloc)):
            raise Refused(f"the registry points to {parts.scheme}://{parts.netloc}, which is not https", field="image")
