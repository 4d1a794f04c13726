"""Every fault that a start can meet, on a real socket: each ends as started, refused for good, or unknown: look first.

What was unknown is then looked for; the table says too what the look must find, so that no fault starts a second run.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from downwind.adapters.gate import GatePipelines
from downwind.errors import Refused, TransientError
from downwind.ports import PipelineConfig

CONFIG = PipelineConfig(id="c1", name="deploy", application="shop", document={})
ID = "downwind-0123456789abcdef0123-7-0"
EXECUTION = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
TRIGGER = {"correlationId": ID}
TIMEOUT = 0.5


class WireGate:
    """Answers by the byte. `start` is called with the connection for each POST; executions that exist are in `runs`."""

    def __init__(self, start: Callable[["WireGate", socket.socket], None]) -> None:
        self.runs: list[dict[str, Any]] = []
        self.posts = 0
        self.over = threading.Event()
        self._start = start
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self.over.set()
        with socket.create_connection(self._listening.getsockname()):
            pass
        self._thread.join()
        self._listening.close()

    def run(self, status: str = "RUNNING", correlation: str = ID) -> None:
        document = {"id": EXECUTION, "application": "shop", "status": status, "stages": []}
        self.runs.append({**document, "trigger": {"correlationId": correlation}})

    def _serve(self) -> None:
        while True:
            connection = self._listening.accept()[0]
            with connection:
                if self.over.is_set():
                    return
                try:
                    self._answer(connection)
                except OSError:
                    continue

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        line = head.split(b"\r\n")[0].decode()
        if line.startswith("POST"):
            self.posts += 1
            self._start(self, connection)
        elif "/executions/search?" in line:
            say(connection, 200, json.dumps(self.runs))
        else:
            say(connection, 200, json.dumps(self.runs[0]))


def say(connection: socket.socket, status: int, body: str = "", kind: str = "application/json", more: str = "") -> None:
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\nConnection: close\r\n"
    )
    connection.sendall(f"{head}{more}\r\n{body}".encode())


def ref(connection: socket.socket) -> None:
    say(connection, 202, json.dumps({"ref": f"/pipelines/{EXECUTION}"}))


def accepted(gate: WireGate, connection: socket.socket) -> None:
    gate.run()
    ref(connection)


def accepted_and_lost(gate: WireGate, _connection: socket.socket) -> None:
    gate.run()


def never_accepted(_gate: WireGate, _connection: socket.socket) -> None:
    pass


def accepted_late(gate: WireGate, _connection: socket.socket) -> None:
    gate.over.wait(TIMEOUT * 1.5)
    gate.run()


def red_execution(gate: WireGate, connection: socket.socket) -> None:
    gate.run("TERMINAL")
    say(connection, 400, '{"status": 400, "error": "Bad Request", "message": "Unmatched expected artifact"}')


def duplicate_id(gate: WireGate, connection: socket.socket) -> None:
    gate.run()
    ref(connection)


def finished_id(gate: WireGate, connection: socket.socket) -> None:
    gate.run("SUCCEEDED")
    ref(connection)


def redirect_to_login(_gate: WireGate, connection: socket.socket) -> None:
    say(connection, 302, more="Location: /login\r\n")


def html(_gate: WireGate, connection: socket.socket) -> None:
    say(connection, 200, "<html>sign in</html>", "text/html; charset=UTF-8")


def html_404(_gate: WireGate, connection: socket.socket) -> None:
    say(connection, 404, "<html>no backend</html>", "text/html")


def html_accepted(gate: WireGate, connection: socket.socket) -> None:
    gate.run()
    say(connection, 202, "<html>", "text/html")


def empty(gate: WireGate, connection: socket.socket) -> None:
    gate.run()
    say(connection, 202)


def slow(gate: WireGate, connection: socket.socket) -> None:
    gate.run()
    connection.sendall(b"HTTP/1.1 202 X\r\nContent-Length: 999\r\n\r\n")
    while not gate.over.wait(0.05):
        connection.sendall(b" ")


def cut_off(gate: WireGate, connection: socket.socket) -> None:
    gate.run()
    connection.sendall(b'HTTP/1.1 202 X\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n{"ref": "/pipe')


def cut_off_without_a_length(gate: WireGate, connection: socket.socket) -> None:
    gate.run()
    connection.sendall(b'HTTP/1.1 202 X\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{"ref": "/pipe')


def status(code: int, body: str, kind: str = "application/json") -> Callable[[WireGate, socket.socket], None]:
    return lambda _gate, connection: say(connection, code, body, kind)


OWN = '{"status": %d, "error": "x", "message": "m"}'
PROBLEM = '{"type": "about:blank", "title": "t", "status": %d, "detail": "d", "instance": "/pipelines/shop/c1"}'
CONTAINER = '{"timestamp": 1, "status": %d, "error": "Invalid URI: [The encoded slash character is not allowed]"}'
STARTED, REFUSED, UNKNOWN = "started", "refused for good", "unknown: look first"
TABLE: list[tuple[Callable[[WireGate, socket.socket], None], str, int]] = [
    # the fault, the outcome, how many runs of this id the look must find
    (accepted, STARTED, 1),
    (accepted_and_lost, UNKNOWN, 1),
    (never_accepted, UNKNOWN, 0),
    (accepted_late, UNKNOWN, 1),
    (red_execution, REFUSED, 1),
    (duplicate_id, STARTED, 1),
    (finished_id, STARTED, 1),
    (redirect_to_login, UNKNOWN, 0),
    (html, UNKNOWN, 0),
    (html_404, UNKNOWN, 0),
    (html_accepted, UNKNOWN, 1),
    (empty, UNKNOWN, 1),
    (slow, UNKNOWN, 1),
    (cut_off, UNKNOWN, 1),
    (cut_off_without_a_length, UNKNOWN, 1),
    (status(400, OWN % 400), REFUSED, 0),
    (status(404, OWN % 404), REFUSED, 0),
    (status(400, PROBLEM % 400, "application/problem+json"), REFUSED, 0),
    (status(415, PROBLEM % 415, "application/problem+json"), REFUSED, 0),
    (status(400, CONTAINER % 400), REFUSED, 0),
    (status(404, PROBLEM.replace('"d"', '"No static resource api."') % 404), UNKNOWN, 0),
    (status(401, OWN % 401), UNKNOWN, 0),
    (status(403, OWN % 403), UNKNOWN, 0),
    (status(408, ""), UNKNOWN, 0),
    (status(429, ""), UNKNOWN, 0),
    (status(500, OWN % 500), UNKNOWN, 0),
    (status(502, "<html>", "text/html"), UNKNOWN, 0),
    (status(503, ""), UNKNOWN, 0),
    (status(504, ""), UNKNOWN, 0),
    (status(200, "[]"), UNKNOWN, 0),
    (status(202, '{"ref": "/tasks/01X"}'), UNKNOWN, 0),
]


def outcome_of(start: Callable[[], str]) -> tuple[str, str]:
    try:
        return STARTED, start()
    except Refused as error:
        return REFUSED, error.reason
    except TransientError as error:
        return UNKNOWN, str(error)


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[WireGate]:
    found = WireGate(request.param)
    yield found
    found.stop()


def name_of(value: Any) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("wire", "outcome", "runs"), TABLE, indirect=["wire"], ids=name_of)
def test_each_fault_ends_in_the_right_one_of_three(wire: WireGate, outcome: str, runs: int) -> None:
    gate = GatePipelines(wire.url, timeout=TIMEOUT)
    found, said = outcome_of(lambda: gate.start(CONFIG, TRIGGER))
    assert found == outcome, said
    assert said == EXECUTION or found != STARTED
    assert wire.posts == 1, "a start is never repeated by itself"
    gate.close()
    looking = GatePipelines(wire.url, timeout=20)
    assert len(looking.search("shop", ID, datetime.fromtimestamp(0, UTC))) == runs
    looking.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    gate = GatePipelines(url, timeout=TIMEOUT)
    assert outcome_of(lambda: gate.start(CONFIG, TRIGGER))[0] == UNKNOWN
    gate.close()


@pytest.mark.parametrize("wire", [accepted], indirect=True)
def test_a_search_that_lost_its_filter_finds_nothing_that_is_not_ours(wire: WireGate) -> None:
    """A real Gate drops a filter that it cannot decode, and answers with any runs."""
    wire.run(correlation=ID.upper())
    wire.run(correlation=f"{ID}0")
    gate = GatePipelines(wire.url, timeout=20)
    assert gate.search("shop", ID, datetime.fromtimestamp(0, UTC)) == []
    gate.close()
