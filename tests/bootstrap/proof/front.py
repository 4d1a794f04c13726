"""The door of a function, as a caller sees it: it answers what a test says, and keeps what it was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

from tests.bootstrap.loopback import Loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    path: str
    headers: Mapping[str, str]
    body: bytes


class Front(Loopback):
    """A context manager. `status` by path; what is not in it is answered with `otherwise`."""

    def __init__(self, otherwise: int = 401) -> None:
        self.status: dict[str, int] = {}
        self.headers: dict[str, str] = {}
        self.otherwise = otherwise
        self.sent: list[Sent] = []
        super().__init__(_handler(self))


def _handler(front: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            front.sent.append(Sent(path=self.path, headers={**self.headers}, body=body))
            self.send_response(front.status.get(self.path, front.otherwise))
            for name, value in front.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

    return Handler
