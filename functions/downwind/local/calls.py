"""Small JSON calls between the parts of the local world, over the standard library."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from downwind.errors import Refused, TransientError

T = TypeVar("T")
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Past every proxy: a part is on loopback."""


def call(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 20) -> Any:
    """The JSON answer, None for an empty one. Refused for 4xx with the answer's text, TransientError for everything else."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with _direct.open(request, timeout=timeout) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            text = error.read()[:500].decode(errors="replace")
        if 400 <= error.code < 500:
            raise Refused(f"{method} {url} answered {error.code}: {text}", field=str(error.code)) from None
        raise TransientError(f"{method} {url} answered {error.code}: {text}") from None
    except OSError as error:
        raise TransientError(f"{method} {url}: {error}") from None


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def patiently(work: Callable[[], T], *, seconds: float = 30.0) -> T:
    """`work`, again and again while a part of the world does not answer; it must bear being repeated."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except TransientError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
