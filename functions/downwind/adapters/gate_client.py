"""HTTP with Gate: one deadline a call, redirects never followed, credentials renewed where they were not taken."""

import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from downwind.adapters.gate_answers import Answer, bounded, check_change, read_body
from downwind.adapters.gate_http import Call, timed_session
from downwind.errors import Refused, TransientError, UnknownOutcome


class GateClient:
    """`url`: Gate's address, a base path is kept. `headers`: called before each request; `renew`: called when Gate does not
    take them, so that they may be newer the next time. `tls`: the client's certificate; None: the usual rules.
    `timeout`: seconds for one call, connecting and the whole answer included."""

    def __init__(
        self,
        url: str,
        *,
        headers: Callable[[], Mapping[str, str]] | None = None,
        renew: Callable[[], None] | None = None,
        tls: Callable[[], ssl.SSLContext | None] | None = None,
        timeout: float = 20,
    ) -> None:
        import requests

        self._url = url.rstrip("/")
        self._headers = headers or dict
        self._renew = renew
        self.timeout = timeout
        self._requests = requests
        self._session = timed_session(tls() if tls is not None else None)
        self._session.auth = _keep  # else a .netrc file would replace the Authorization header

    def close(self) -> None:
        self._session.close()

    def read(self, path: Sequence[str], query: Mapping[str, str] | None = None, *, missing: str | None = None) -> Any:
        """JSON of a GET; None for the 404 whose text has `missing` in it (any other 404 is a wrong address). `path`: its
        parts, as they are."""
        return read_body(self.look(path, query), missing)

    def look(self, path: Sequence[str], query: Mapping[str, str] | None = None) -> Answer:
        """A GET's answer as it is, whatever it says. TransientError: there was none."""
        answer = self._get(path, query)
        return self._get(path, query) if answer.closed and self._renewed() else answer

    def change(
        self,
        method: str,
        path: Sequence[str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
    ) -> Answer:
        """Sends once. With credentials that Gate did not take nothing has happened, and the next call has newer ones.
        `deadline`: of time.monotonic, where the caller's time began before this call."""
        answer = self._send(method, path, body, query, deadline)
        if answer.closed and self._renew is not None:
            self._renew()
        check_change(answer)
        return answer

    def _get(self, path: Sequence[str], query: Mapping[str, str] | None) -> Answer:
        try:
            return self._send("GET", path, None, query)
        except UnknownOutcome as error:
            raise TransientError(str(error)) from error

    def _renewed(self) -> bool:
        """Whether there are other credentials now than a moment ago."""
        before = self._headers()
        if self._renew is not None:
            self._renew()
        return self._headers() != before

    def _send(
        self,
        method: str,
        path: Sequence[str],
        body: Any,
        query: Mapping[str, str] | None,
        deadline: float | None = None,
    ) -> Answer:
        """TransientError: nothing was sent. UnknownOutcome: it was, and the answer did not come whole."""
        from urllib3.util import Timeout

        deadline = time.monotonic() + self.timeout if deadline is None else deadline
        data = None if body is None else json.dumps(body).encode()
        if not {"", ".", ".."}.isdisjoint(path):
            # Taken for folders on the way, they would ask another route of Gate.
            raise Refused(f"Gate has no address for {'/'.join(path)!r}", fix="choose another name")
        headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if data else {})}
        headers |= self._headers()  # may ask for a secret, so before the time that is left is taken
        left = deadline - time.monotonic()
        if left <= 0:
            raise TransientError("the time for this call was up before it was sent")
        try:
            with (
                Call(left) as call,
                self._session.request(
                    method,
                    self._url + "".join(f"/{quote(part, safe='')}" for part in path),
                    params=query,
                    data=data,
                    headers=headers,
                    timeout=Timeout(total=left),  # type: ignore[arg-type]  # requests takes urllib3's own too
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                html = response.headers.get("Content-Type", "").startswith("text/html")
                found = Answer(response.status_code, html, bounded(response.iter_content(65536)))
            if call.over:  # a body without a length looks whole when it is cut
                raise UnknownOutcome("Gate's answer took too long")
            return found
        except self._requests.exceptions.RequestException as error:
            if self._never_sent(error):
                raise TransientError(f"Gate could not be reached: {type(error).__name__}") from error
            raise UnknownOutcome(f"Gate did not answer: {type(error).__name__}") from error

    def _never_sent(self, error: Exception) -> bool:
        """No connection was made, or its certificate did not hold. Any other error of TLS may come after the request: a server
        says no to a client's certificate only then."""
        from urllib3.exceptions import NewConnectionError

        if isinstance(error, self._requests.exceptions.ConnectTimeout):
            return True
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError | NewConnectionError):
                return True
            inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
            cause = inner if isinstance(inner, BaseException) else cause.__cause__
        return False


def _keep(request: Any) -> Any:
    return request
