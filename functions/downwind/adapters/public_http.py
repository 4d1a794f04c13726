"""A way out to the public internet and to nothing else: no address of a private network, of this machine or of a cloud's
metadata is spoken to, whatever a name resolves to; and nothing of ours goes along: no proxy, no `.netrc`, no cookie.
"""

import contextlib
import ipaddress
import socket
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from downwind.errors import Refused

if TYPE_CHECKING:
    import requests

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PublicOnly:
    """One fetch's connections. `session` is made by `requests`. `loopback`: this machine may be asked too, as tests do.
    `trusted`: a file of certificates instead of those that everybody trusts."""

    def __init__(self, *, loopback: bool = False, trusted: str | None = None) -> None:
        self._loopback = loopback
        self._opened: list[socket.socket] = []
        self.stopped = False
        self.session = self._make(trusted)

    def stop(self) -> None:
        """Ends what is still going on, from any thread. Whoever reads there gets an error, or what looks like the end."""
        self.stopped = True
        for each in self._opened:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.session.close()
        for each in self._opened:
            each.close()

    def _make(self, trusted: str | None) -> "requests.Session":
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPConnection, HTTPSConnection
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

        connect = self._connect

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connect(self)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        class Guarded(HTTPAdapter):
            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, **kwargs)
                self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

        session = requests.Session()
        session.trust_env = False
        session.verify = trusted or True
        session.headers["Accept-Encoding"] = "identity"  # bytes are pinned as they are kept
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, Guarded(max_retries=0))
        return session

    def _connect(self, connection: Any) -> socket.socket:
        """To an address that was looked at: the name is not resolved again after that."""
        found = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
        for *_, address in found:
            if not is_public(str(address[0])) and not (self._loopback and ipaddress.ip_address(address[0]).is_loopback):
                raise Refused(f"{connection.host} is {address[0]}, which is not an address of the public internet")
        problem: OSError = TimeoutError()
        until = time.monotonic() + connection.timeout
        for family, kind, protocol, _, address in found:
            left = until - time.monotonic()
            if left <= 0:  # a name may have any number of addresses at which nobody answers
                raise problem
            opened = socket.socket(family, kind, protocol)
            try:
                opened.settimeout(left)
                opened.connect(address)
                opened.settimeout(connection.timeout)
            except OSError as error:
                opened.close()
                problem = error
                continue
            self._opened.append(opened.dup())  # TLS takes the socket itself over
            if self.stopped:  # a moment ago, when this one was not in the list yet
                self.stop()
            return opened
        raise problem


def is_public(address: str) -> bool:
    """An IP address; one of version 4 that is wrapped into one of version 6 counts as what it is."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        wrapped = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if wrapped is None and found in _NAT64:
            wrapped = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
    return found.is_global and not found.is_multicast and not found.is_reserved
