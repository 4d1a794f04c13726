"""HTTP as notices need it: https only, no redirects, one deadline for all calls of a send, answers up to 1 MiB.

Addresses and headers may hold secrets: no error here names more than the host.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from downwind.adapters.gate_http import Call, timed_session
from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome

LIMIT = 1024 * 1024
LOOPBACK = ("127.0.0.1", "localhost")
_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    host: str
    status: int
    data: bytes = field(repr=False)

    def json(self) -> Any:
        """None where the body is no JSON."""
        try:
            return json.loads(self.data)
        except ValueError:
            return None

    def checked(self, *, credentials: str) -> Any:
        """The body of a 2xx; else the error that the status means. `credentials`: what people must do about a 401 or 403."""
        if 200 <= self.status < 300:
            return self.json()
        if self.status in {401, 403}:
            raise Misconfigured(f"{self.host} answered {self.status}", fix=credentials)
        if self.status in {408, 425, 429, 503}:
            raise TransientError(f"{self.host} answered {self.status}")
        if self.status >= 500:
            raise UnknownOutcome(f"{self.host} answered {self.status}")
        if 300 <= self.status < 400:
            raise Refused(f"{self.host} redirects, which is not followed", fix="give the address it redirects to")
        raise Refused(f"{self.host} answered {self.status}{self._word()}")

    def _word(self) -> str:
        """The receiver's own reason, where it gives one in a known place."""
        body = self.json()
        found: Any = (
            next((body[key] for key in ("message", "error", "detail") if body.get(key)), "") if is_object(body) else ""
        )
        if is_object(found):
            found = found.get("message", "")
        return f": {str(found)[:_REASON]}" if found else ""


class NoticeHttp:
    """`plain`: http on this machine is taken too (the local world). `timeout`: seconds for all calls of one send."""

    def __init__(self, timeout: float = 20, *, plain: bool = False) -> None:
        import requests

        self._requests = requests
        self._session = timed_session()
        self._session.auth = lambda request: request  # else a .netrc file would replace the Authorization header
        self._plain = plain
        self.timeout = timeout

    def close(self) -> None:
        self._session.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """`body` is sent as JSON, `data` as it is. TransientError when nothing was sent, UnknownOutcome when it may have been."""
        from urllib3.util import Timeout

        host = self.check(url)
        left = deadline - time.monotonic()
        if left <= 0:
            raise TransientError(f"no time was left to ask {host}")
        sent = json.dumps(body).encode() if body is not None else data
        about = {"Content-Type": "application/json; charset=utf-8"} if body is not None else {}
        try:
            with (
                Call(left) as call,
                self._session.request(
                    method,
                    url,
                    params=query,
                    data=sent,
                    headers={**about, **(headers or {})},
                    timeout=Timeout(total=left),  # type: ignore[arg-type]  # requests takes urllib3's own too
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                found = _bounded(host, response.iter_content(65536))
            if call.over:  # a body without a length looks whole when it is cut
                raise UnknownOutcome(f"{host} took too long to answer")
            return Answer(host=host, status=response.status_code, data=found)
        except self._requests.exceptions.RequestException as error:
            kind = type(error).__name__
            if self._never_sent(error):
                raise TransientError(f"{host} could not be reached: {kind}") from None
            raise UnknownOutcome(f"{host} did not answer: {kind}") from None

    def deadline(self) -> float:
        return time.monotonic() + self.timeout

    def check(self, url: str) -> str:
        """The host. Refused for an address that is not https."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            raise Refused("the address cannot be read", fix="give an https address") from None
        if not host or not (parts.scheme == "https" or (self._plain and parts.scheme == "http" and host in LOOPBACK)):
            raise Refused(f"the address of {host or 'the receiver'} is not https", fix="give an https address")
        return host

    def _never_sent(self, error: Exception) -> bool:
        from urllib3.exceptions import NewConnectionError

        kinds = self._requests.exceptions
        if isinstance(error, kinds.ConnectTimeout | kinds.SSLError | kinds.InvalidURL | kinds.InvalidHeader):
            return True
        reason = getattr(error.args[0], "reason", None) if error.args else None
        return isinstance(reason, NewConnectionError)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _bounded(host: str, chunks: Any) -> bytes:
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) > LIMIT:
            raise UnknownOutcome(f"the answer of {host} is larger than {LIMIT // 1024 // 1024} MiB")
    return bytes(found)
