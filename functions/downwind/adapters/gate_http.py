"""One deadline for a whole call over requests: connecting, the answer's headers and its body.

A time-out of requests counts between two packets, so a server that drips would hold a call for ever. Here a timer shuts
the call's socket down when its time is up; whoever reads from it sees the connection end.
"""

import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import requests


class Call:
    """One call that is under way in this thread: `with Call(seconds) as call`, then `call.over` says if it was cut."""

    _current = threading.local()

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self.over = False

    def __enter__(self) -> Self:
        Call._current.call = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None  # it goes back to the pool: no longer ours to cut
        Call._current.call = None

    @classmethod
    def uses(cls, connected: socket.socket | None) -> None:
        call: Call | None = getattr(cls._current, "call", None)
        if call is not None:
            with call._lock:
                call._socket = connected
            if call.over:
                call._cut()

    def _cut(self) -> None:
        self.over = True
        with self._lock:
            if self._socket is not None:
                try:
                    # Past TLS, which would try to say goodbye.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                except OSError:
                    self._socket = None  # it has ended by itself


def timed_session(tls: ssl.SSLContext | None = None) -> "requests.Session":
    """A session whose connections tell the `Call` of their thread which socket it uses. `tls`: what https goes by; None: the
    usual certificates."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Connection(HTTPConnection):
        def getresponse(self) -> Any:
            Call.uses(self.sock)
            return super().getresponse()

    class SafeConnection(HTTPSConnection):
        def getresponse(self) -> Any:
            Call.uses(self.sock)
            return super().getresponse()

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class SafePool(HTTPSConnectionPool):
        ConnectionCls = SafeConnection

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            if tls is not None:
                options["ssl_context"] = tls
            super().init_poolmanager(*arguments, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": SafePool}

    class Session(requests.Session):
        """Follows nothing. Even where it is told not to, requests reads where a redirect leads, and raises ValueError of what is
        no address."""

        def get_redirect_target(self, resp: Any) -> None:  # noqa: ARG002 - its name is that of requests
            return None

    session = Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter())
    return session
