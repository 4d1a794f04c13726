"""What the HTTP parts of the local world share: a threaded loopback server over werkzeug, routes, JSON answers.

A call that a part does not know is answered loudly (501 with the method and path), never plausibly.
"""

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import LimitedStream

log = logging.getLogger("downwind.local")

LOOPBACK = ("127.0.0.1", "localhost", "::1")
Handler = Callable[..., Response]


class _Body(LimitedStream):
    """A request's body by its length. Where the caller leaves in the middle it ends there: werkzeug's own stream, which the part
    reads, says so, and what only reads on to the next request has nobody to say it to."""

    left = False

    def on_disconnect(self, error: Exception | None = None) -> None:  # noqa: ARG002 - the base's signature
        self.left = True


class _Handler(WSGIRequestHandler):
    """HTTP/1.1, for chunked bodies and ranges. One debug line a request.

    werkzeug closes the connection after each answer, since it does not know where a request's body ends. Here that is known
    where the request says its length, and the connection stays open: a release is some 1,400 calls on loopback, and a connection
    and a thread for each of them was about a fifth of the processor's work.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _stays = False
    _body: _Body | None = None

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)  # type: ignore[attr-defined]  # HttpPart.start makes it

    def finish(self) -> None:
        self.server.connections.discard(self.connection)  # type: ignore[attr-defined]
        super().finish()

    def run_wsgi(self) -> None:
        length = self.headers.get("Content-Length", "0").strip()
        self._stays = length.isdecimal() and "Transfer-Encoding" not in self.headers and not self.close_connection
        if not self._stays:
            super().run_wsgi()
            return
        wire = self.rfile
        self._body = body = _Body(wire, int(length))  # type: ignore[arg-type]  # any reader will do
        # Nobody reads on into the next request now, not even werkzeug, which reads what is left once it has answered.
        self.rfile = body  # type: ignore[assignment]
        try:
            super().run_wsgi()
            body.exhaust()
            self.close_connection = self.close_connection or body.left
        finally:
            self.rfile = wire

    def send_header(self, keyword: str, value: str) -> None:
        stays = self._stays and not (self._body is not None and self._body.left)
        if not (stays and (keyword, value) == ("Connection", "close")):
            super().send_header(keyword, value)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002 - the base's signature
        # What is not HTTP (a client that tries TLS first) has neither command nor path.
        log.debug("%s %s %s", getattr(self, "command", "-"), getattr(self, "path", "-"), code)


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        json.dumps(body, separators=(",", ":")).encode() if body is not None else b"",
        status,
        {"Content-Type": "application/json; charset=UTF-8", **(headers or {})},
    )


def from_a_web_page(environ: Mapping[str, Any]) -> Response | None:
    """403 for a call that a browser makes for some page: it carries an Origin, or (DNS rebinding) another machine's name.

    No part of the local world asks who calls, so loopback must mean a program of this machine.
    """
    try:
        name = urlsplit("//" + environ.get("HTTP_HOST", "127.0.0.1")).hostname
    except ValueError:
        name = None
    if "HTTP_ORIGIN" not in environ and name in LOOPBACK:
        return None
    return json_response(
        {"error": {"code": 403, "message": "the local world answers programs of this machine only"}}, 403
    )


class HttpPart:
    """A WSGI server on 127.0.0.1. Subclasses give `routes`: (methods, rule, handler(request, **parts))."""

    name = "part"

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None
        self._connections: set[socket.socket] = set()
        rules = [
            Rule(rule, methods=list(methods), endpoint=handler, strict_slashes=False, merge_slashes=False)
            for methods, rule, handler in [(("GET",), "/-/health", self._health), *self.routes()]
        ]
        self._map = Map(rules, merge_slashes=False)

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        raise NotImplementedError(f"{type(self).__name__} has no routes")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self, threaded=True, request_handler=_Handler)
        self._server.daemon_threads = True  # type: ignore[attr-defined]  # ThreadedWSGIServer has it; the base class does not say so
        self._server.connections = self._connections  # type: ignore[attr-defined]
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None
            for connection in list(self._connections):  # as a process that ends does
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def unknown(self, request: Request) -> Response:
        """The answer to a call that this part does not have; a part may give it the shape of its real service."""
        text = f"{self.name}: {request.method} {request.path} is not part of the local world"
        log.warning(text)
        return json_response({"error": {"code": 501, "message": text, "status": "UNIMPLEMENTED"}}, 501)

    def _health(self, _request: Request) -> Response:
        return json_response({"part": self.name})

    def _answer(self, request: Request) -> Response:
        handler, parts = self._map.bind_to_environ(request.environ).match()
        answer: Response = handler(request, **parts)
        return answer

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            response = from_a_web_page(environ) or self._answer(request)
        except (NotFound, MethodNotAllowed):
            response = self.unknown(request)
        except HTTPException as error:
            response = error.get_response(environ)
        except RecursionError:
            response = json_response({"error": {"code": 400, "message": "the body is nested too deeply"}}, 400)
        except Exception:
            log.exception("%s: %s %s failed", self.name, request.method, request.path)
            response = json_response({"error": {"code": 500, "message": f"{self.name} failed; see its log"}}, 500)
        answer: Iterable[bytes] = response(environ, start_response)
        return answer
