"""What a server can say that the servers of our other tests refuse to send."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from downwind.adapters.bounded_http import BoundedHttp
from downwind.adapters.gate_client import GateClient
from downwind.adapters.notify_http import NoticeHttp
from downwind.errors import Misconfigured, TransientError


@pytest.fixture
def leads_to() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and the Location that it answers with."""
    location: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", location[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", location
        server.shutdown()
        thread.join()


LOCATIONS = pytest.mark.parametrize("location", ["http://[::1/x", "https://h:port/x", "https://h:99999/x", "//[x]/"])


@LOCATIONS
def test_a_redirect_to_what_is_no_address_is_left_for_later(leads_to: tuple[str, list[str]], location: str) -> None:
    url, said = leads_to
    said.append(location)
    client = BoundedHttp(requests.Session(), lambda _: None, field="image")
    with pytest.raises(TransientError, match="redirects to what is no address"):
        client.follow("GET", url, {}, None, 1 << 20, time.monotonic() + 5)
    client.close()


@LOCATIONS
def test_gate_and_receivers_follow_nothing_and_need_no_address(leads_to: tuple[str, list[str]], location: str) -> None:
    url, said = leads_to
    said.append(location)
    gate = GateClient(url)
    with pytest.raises(Misconfigured, match="redirected to a login page"):
        gate.read(["applications", "shop"])
    gate.close()
    notices = NoticeHttp(5, plain=True)
    answer = notices.call("GET", url, deadline=time.monotonic() + 5)
    assert answer.status == 302
    notices.close()
