"""One request to a part of the local world, and its answer back."""

import http.client
from urllib.parse import urlsplit

from tests.bootstrap.edge.proxy import Answered, Asked

_OURS = frozenset({"host", "connection", "proxy-connection", "content-length", "transfer-encoding", "keep-alive"})
_SECONDS = 120


def forward(asked: Asked, base: str, path: str, *, without: tuple[str, ...] = ()) -> Answered:
    """`path`: instead of the asked one. `without`: headers that stay here."""
    headers = {name: value for name, value in asked.headers.items() if name.lower() not in {*_OURS, *without}}
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=_SECONDS)
    try:
        connection.request(asked.method, path, asked.body or None, headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _OURS}
        return Answered(status=answer.status, body=body, headers=kept)
    except OSError:
        return Answered(status=503)
    finally:
        connection.close()
