"""The door of a function, as a caller sees it: it answers what a test says, and keeps what it was sent."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    path: str
    headers: Mapping[str, str]
    body: bytes


class Front:
    """A context manager. `status` by path; what is not in it is answered with `otherwise`."""

    def __init__(self, otherwise: int = 401) -> None:
        self.status: dict[str, int] = {}
        self.headers: dict[str, str] = {}
        self.otherwise = otherwise
        self.sent: list[Sent] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


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
