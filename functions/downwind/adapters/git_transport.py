"""How git goes over HTTP for us: one deadline a call, no other host, every status turned into our errors.

dulwich speaks git; this stands where it takes a urllib3 pool, so that a host which is slow, lies, or points elsewhere
is stopped at the wire.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from downwind.errors import Misconfigured, Refused, TransientError

if TYPE_CHECKING:
    import urllib3
    from dulwich.client import AuthCallbackPoolManager

_REDIRECTS = {301, 302, 303, 307, 308}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class GuardedPool:
    """A `urllib3.PoolManager` for one call to one address. Redirects are followed on the same origin only."""

    def __init__(
        self,
        pool: "urllib3.PoolManager | AuthCallbackPoolManager",
        address: str,
        timeout: float,
        credentials: str | None = None,
    ) -> None:
        self._pool = pool
        self._address = address
        self._credentials = credentials
        self._deadline = time.monotonic() + timeout
        self.headers: Mapping[str, str] = pool.headers
        self.answer: GuardedResponse | None = None

    def request(self, method: str, url: str, **arguments: Any) -> "GuardedResponse":
        from urllib3.exceptions import HTTPError

        for _ in range(4):
            if origin(url) != origin(self._address):
                raise Refused(
                    f"{self._address} points to {origin(url)}", field="repository", fix="write the final address"
                )
            try:
                raw = self._pool.request(
                    method, url, **arguments | {"timeout": self.left(), "retries": False, "redirect": False}
                )
            except HTTPError as error:
                raise TransientError(f"{origin(url)} did not answer: {type(error).__name__}") from error
            self.answer = GuardedResponse(raw, url, self)
            if raw.status not in _REDIRECTS or method != "GET":
                self._check(self.answer, url)
                return self.answer
            self.answer.close()
            url = urljoin(url, raw.headers.get("Location", ""))
        raise Refused(f"{self._address} redirects without end", field="repository")

    def left(self) -> float:
        """Seconds until the call has to end."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TransientError(f"{origin(self._address)} did not answer in time")
        return left

    def close(self) -> None:
        if self.answer is not None:
            self.answer.close()
        self._pool.clear()

    def _fix(self) -> str:
        if self._credentials is None:
            return "check the address, and name a secret with credentials if the repository is not public"
        return f"check the address, and that secret {self._credentials} holds a token that is valid and may read it"

    def _check(self, answer: "GuardedResponse", url: str) -> None:
        status = answer.status
        kind = answer.headers.get("Content-Type", "")
        if status == 200 and kind.startswith("application/x-git-"):
            return
        answer.close()
        if status in {408, 425, 429} or status >= 500:
            raise TransientError(f"{origin(url)} answered {status}")
        if status == 403 and (answer.headers.get("Retry-After") or answer.headers.get("X-RateLimit-Remaining") == "0"):
            raise TransientError(f"{origin(url)} asks for patience ({status})")
        if status in {401, 403} or (
            status == 404 and self._credentials is not None
        ):  # GitHub hides what we may not read
            raise Misconfigured(f"credentials do not open {self._address} ({status})", fix=self._fix())
        if status == 404:
            raise Refused(f"no repository at {self._address} ({status})", field="repository")
        raise Refused(f"{self._address} does not speak git over HTTP ({status}, {kind[:60]})", field="repository")


class GuardedResponse:
    """What dulwich reads of a urllib3 response. `head` keeps the first bytes: a server says there why it refused."""

    def __init__(self, raw: "urllib3.BaseHTTPResponse", url: str, pool: GuardedPool) -> None:
        self._raw = raw
        self._url = url
        self._pool = pool
        self.status = raw.status
        self.headers = raw.headers
        self.head = b""
        # dulwich sets these two on the response.
        self.content_type: str | None = None
        self.redirect_location = ""

    def geturl(self) -> str:
        return self._url

    def read(self, size: int | None = None) -> bytes:
        from urllib3.exceptions import HTTPError

        self._pool.left()
        try:
            data = self._raw.read(size)
        except HTTPError as error:
            raise TransientError(f"{origin(self._url)} broke off: {type(error).__name__}") from error
        if len(self.head) < 1_000:
            self.head += data[:1_000]
        return data

    def close(self) -> None:
        self._raw.close()


def origin(url: str) -> str:
    """Scheme, host and port; Refused for what is not http(s)."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refused(f"{url} is not an http(s) address", field="repository")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def check_address(address: str, *, secret: bool) -> None:
    """No user in the address, and no secret over plain HTTP (loopback may)."""
    origin(address)
    parts = urlsplit(address)
    if parts.username or parts.password:
        raise Refused("the address holds credentials", field="repository.address", fix="name a secret instead")
    if secret and parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise Refused(f"{address} would carry credentials unencrypted", field="repository.address", fix="use https")
