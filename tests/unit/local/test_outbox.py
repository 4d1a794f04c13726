"""What a part has promised to send arrives: after broken answers, and past an item that the receiver refuses for good."""

import logging
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from downwind.local.outbox import REFUSALS, Outbox

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NO = OK.replace(b"200 OK", b"404 Not Found")


class Receiver(socketserver.ThreadingTCPServer):
    """Answers each request with the bytes that `answer` gives for its body; `taken` holds what was answered with OK."""

    daemon_threads = True

    def __init__(self, answer: Callable[[bytes, int], bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handle)
        self.answer = answer
        self.calls = 0
        self.taken: list[bytes] = []
        self.changed = threading.Semaphore(0)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class Handle(socketserver.StreamRequestHandler):
    server: Receiver

    def handle(self) -> None:
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = self.rfile.read(length)
        self.server.calls += 1
        answer = self.server.answer(body, self.server.calls)
        if answer == OK:
            self.server.taken.append(body)
            self.server.changed.release()
        self.wfile.write(answer)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Callable[[bytes, int], bytes]], tuple[Receiver, Outbox]]]:
    ending: list[Callable[[], None]] = []

    def make(answer: Callable[[bytes, int], bytes]) -> tuple[Receiver, Outbox]:
        receiver = Receiver(answer)
        threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        outbox = Outbox(tmp_path / "outbox.sqlite", pause=0.001)
        ending.extend([outbox.stop, receiver.shutdown, receiver.server_close])
        return receiver, outbox

    yield make
    for each in ending:
        each()


@pytest.mark.parametrize("broken", [b"what?\r\n\r\n", b"", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"])
def test_a_broken_answer_is_followed_by_another_try(
    start: Callable[..., tuple[Receiver, Outbox]], broken: bytes
) -> None:
    receiver, outbox = start(lambda _body, calls: broken if calls < 3 else OK)
    outbox.post(receiver.url, {"n": 1})
    assert receiver.changed.acquire(timeout=20)
    assert receiver.calls == 3


def test_what_is_refused_for_good_makes_way_and_is_told(
    start: Callable[..., tuple[Receiver, Outbox]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    receiver, outbox = start(lambda body, _calls: NO if b"bad" in body else OK)
    outbox.post(receiver.url, "bad")
    outbox.post(receiver.url, "good")
    assert receiver.changed.acquire(timeout=20)
    assert (receiver.taken, receiver.calls) == ([b'"good"'], REFUSALS + 1)
    assert "it is dropped" in caplog.text


@pytest.mark.parametrize("patience", [b"408 Request Timeout", b"429 Too Many Requests", b"500 Oops"])
def test_who_asks_for_patience_gets_it(start: Callable[..., tuple[Receiver, Outbox]], patience: bytes) -> None:
    receiver, outbox = start(
        lambda _body, calls: NO.replace(b"404 Not Found", patience) if calls <= REFUSALS + 5 else OK
    )
    outbox.post(receiver.url, {})
    assert receiver.changed.acquire(timeout=20)
    assert receiver.calls == REFUSALS + 6
