"""An HTTP proxy that answers https itself: HTTPS_PROXY and REQUESTS_CA_BUNDLE point a program at it, so that it keeps the very
addresses that it uses in the cloud."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.bootstrap.edge.certificates import Authority
from tests.bootstrap.loopback import Loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`path`: with its query."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Proxy(Loopback):
    """A context manager. `escaped` are the hosts that somebody wanted and `answer` does not know (None); they get 502."""

    def __init__(
        self, authority: Authority, answer: Callable[[Asked], Answered | None], knows: Callable[[str], bool]
    ) -> None:
        self.authority = authority
        self.answer = answer
        self.knows = knows
        self.escaped: list[str] = []
        super().__init__(_handler(self))


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        inside = ""
        """The host of the tunnel."""

        def log_message(self, *_: object) -> None:
            pass

        def do_CONNECT(self) -> None:
            host = self.path.rpartition(":")[0]
            if not proxy.knows(host):
                proxy.escaped.append(host)
                self.send_error(502)
                return
            self.send_response(200, "Connection established")
            self.end_headers()
            self.wfile.flush()
            self.connection = proxy.authority.context(host).wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb")
            self.inside = host
            self.close_connection = False

        def handle_any(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            host = self.inside or url.hostname or ""
            path = f"{url.path}?{url.query}" if url.query else url.path
            asked = Asked(method=self.command, host=host, path=path, headers={**self.headers}, body=body)
            answered = proxy.answer(asked)
            if answered is None:
                proxy.escaped.append(host)
                answered = Answered(status=502)
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answered.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answered.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815 - http.server's names

        def finish(self) -> None:
            super().finish()
            self.connection.close()

    return Handler
