"""Who leaves in the middle of a body: the connection ends, and no part fails of it."""

import socket

import pytest
from tests.unit.local.test_local_http import Echoes


@pytest.mark.parametrize(("path", "status"), [("/read", b"400"), ("/unread", b"200")])
def test_a_body_that_breaks_off_ends_its_connection(
    path: str, status: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    part = Echoes()
    part.start()
    with socket.create_connection(("127.0.0.1", part.port), timeout=20) as wire:
        wire.sendall(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nhalf".encode())
        wire.shutdown(socket.SHUT_WR)
        said = b""
        while more := wire.recv(65536):
            said += more
    part.stop()
    assert said.startswith(b"HTTP/1.1 " + status)
    assert said.count(b"HTTP/1.1 ") == 1
    head, _, body = said.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head, said
    assert "Traceback" not in capfd.readouterr().err + caplog.text
