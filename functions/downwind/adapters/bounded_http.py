"""Answers over HTTP that end: each within a deadline and a size, and no address is asked that was not looked at first."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from downwind.errors import DownwindError, Refused, TransientError

if TYPE_CHECKING:
    import requests

_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class BoundedHttp:
    """`check(url)` raises for an address that may not be asked; `field` is for errors. `as_sent`: bodies are not unpacked."""

    def __init__(
        self, session: "requests.Session", check: Callable[[str], None], *, field: str, as_sent: bool = False
    ) -> None:
        self._session = session
        self._check = check
        self._field = field
        self._as_sent = as_sent

    def close(self) -> None:
        self._session.close()

    def follow(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        authorization: str | None,
        limit: int,
        deadline: float,
        query: dict[str, str] | None = None,
    ) -> Answer:
        """The last of at most five answers; `authorization` goes to the first host only. TransientError if the status means
        "later", Refused over `limit` bytes."""
        first = urlsplit(url).netloc
        for _ in range(5):
            self._check(url)
            own = {"Authorization": authorization} if authorization and urlsplit(url).netloc == first else {}
            answer = self._once(method, url, headers | own, limit, deadline, query)
            if answer.status not in _REDIRECTS:
                if answer.status in {408, 425, 429} or answer.status >= 500:
                    raise TransientError(f"{urlsplit(url).hostname} answered {answer.status}")
                return answer
            url, query = _led_to(url, answer.headers.get("location", ""), first), None
        raise TransientError(f"{first} redirects without end")

    def _once(
        self, method: str, url: str, headers: dict[str, str], limit: int, deadline: float, query: dict[str, str] | None
    ) -> Answer:
        import requests
        from urllib3.exceptions import HTTPError

        host = urlsplit(url).netloc
        arguments: dict[str, Any] = {"headers": headers, "params": query, "stream": True, "allow_redirects": False}
        try:
            with self._session.request(method, url, timeout=left(deadline, host), **arguments) as response:
                body = bytearray()
                # As it comes: to wait for a whole chunk would be to wait for each of its bytes anew.
                while data := response.raw.read1(_CHUNK, decode_content=not self._as_sent):
                    left(deadline, host)
                    body += data
                    if len(body) > limit:
                        raise Refused(f"{host} sent more than {limit >> 20} MiB", field=self._field)
                left(deadline, host)  # one that was broken off then looks like one that has ended
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(status=response.status_code, headers=found, body=bytes(body))
        except DownwindError:
            raise
        except (requests.RequestException, HTTPError, OSError) as error:
            raise TransientError(f"{host} did not answer: {type(error).__name__}") from error
        except ValueError as error:  # requests reads Location even where it is told not to follow it
            raise TransientError(f"{host} redirects to what is no address") from error


def _led_to(url: str, location: str, first: str) -> str:
    """An absolute address, host and port of which can be read."""
    try:
        found = urljoin(url, location)
        _ = urlsplit(found).port
    except ValueError as error:
        raise TransientError(f"{first} redirects to what is no address") from error
    return found


def left(deadline: float, host: str) -> float:
    """Seconds."""
    found = deadline - time.monotonic()
    if found <= 0:
        raise TransientError(f"{host} did not answer in time")
    return found
