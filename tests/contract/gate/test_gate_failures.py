"""What the adapter makes of a Gate that says no, says nothing, or says it too late: refused, later, or look first."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from downwind.adapters.gate import GatePipelines
from downwind.adapters.memory_pipelines import MemoryPipelines
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.local.http import Handler, HttpPart
from downwind.ports import PipelineConfig

CONFIG = PipelineConfig(id="c1", name="deploy", application="shop", document={})
OWN = '{"status": 400, "error": "Bad Request", "message": "Unmatched expected artifact"}'
PROBLEM = '{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "Failed to read request"}'
CONTAINER = '{"error": "Invalid URI: [no]", "timestamp": 1, "status": 400}'


class OddGate(HttpPart):
    """Answers everything as it is told; what it was asked stays in `asked`."""

    name = "odd gate"

    def __init__(self) -> None:
        self.answer: Callable[[], Response] = Response
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        super().__init__()

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("GET", "POST", "PUT", "PATCH"), "/<path:_path>", self._any)]

    def _any(self, request: Request, _path: str) -> Response:
        self.asked.append((request.method, request.full_path, dict(request.headers)))
        return self.answer()

    def say(self, status: int, body: str = "", **headers: str) -> None:
        kept = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        self.answer = lambda: Response(body, status, kept)


@pytest.fixture
def odd() -> Iterator[OddGate]:
    part = OddGate()
    part.start()
    yield part
    part.stop()


@pytest.fixture
def gate(odd: OddGate) -> Iterator[GatePipelines]:
    adapter = GatePipelines(odd.url, headers=lambda: {"X-Spinnaker-Token": "spk_1"}, timeout=5)
    yield adapter
    adapter.close()


def kind_of(call: Callable[[], Any]) -> tuple[type[DownwindError], str]:
    with pytest.raises(DownwindError) as found:
        call()
    return type(found.value), str(found.value)


@pytest.mark.parametrize("status", [400, 404, 409, 415, 422])
def test_a_start_that_gate_says_no_to_is_refused_for_good(odd: OddGate, gate: GatePipelines, status: int) -> None:
    odd.say(status, OWN)
    assert kind_of(lambda: gate.start(CONFIG, {})) == (Refused, "Gate: Unmatched expected artifact")


@pytest.mark.parametrize("status", [301, 302, 401, 403])
def test_credentials_that_gate_does_not_take_are_no_verdict(odd: OddGate, gate: GatePipelines, status: int) -> None:
    odd.say(status, OWN)
    for call in (lambda: gate.start(CONFIG, {}), lambda: gate.execution("01X"), lambda: gate.cancel("01X", "why")):
        kind, text = kind_of(call)
        assert kind is Misconfigured
        assert "credentials that Gate accepts" in text
    assert len(odd.asked) == 3


def test_a_token_that_was_replaced_is_taken_up_by_a_read_at_once_and_by_a_start_the_next_time(odd: OddGate) -> None:
    def renew() -> None:
        tokens["held"] = tokens["newest"]

    def check() -> Response:
        good = odd.asked[-1][2]["X-Spinnaker-Token"] == tokens["newest"]
        return Response('{"ref": "/pipelines/01X"}' if odd.asked[-1][0] == "POST" else "[]", 202 if good else 401)

    tokens = {"held": "old", "newest": "new"}
    odd.answer = check
    gate = GatePipelines(odd.url, headers=lambda: {"X-Spinnaker-Token": tokens["held"]}, renew=renew, timeout=5)
    assert gate.search("shop", "c", datetime.now(UTC)) == []
    tokens["newest"] = "newer"
    assert kind_of(lambda: gate.start(CONFIG, {}))[0] is Misconfigured
    assert [method for method, _, _ in odd.asked] == ["GET", "GET", "POST"]
    assert gate.start(CONFIG, {}) == "01X"
    gate.close()


@pytest.mark.parametrize("status", [408, 500, 502, 504])
def test_a_start_that_may_have_happened_is_to_be_looked_up(odd: OddGate, gate: GatePipelines, status: int) -> None:
    odd.say(status, OWN)
    assert kind_of(lambda: gate.start(CONFIG, {}))[0] is UnknownOutcome
    assert len(odd.asked) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_start_that_nobody_took_comes_again_later(odd: OddGate, gate: GatePipelines, status: int) -> None:
    odd.say(status, OWN)
    assert kind_of(lambda: gate.start(CONFIG, {}))[0] is TransientError


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"ref": "/tasks/1"}', "<html>"])
def test_a_start_whose_answer_names_no_execution_is_to_be_looked_up(
    odd: OddGate, gate: GatePipelines, body: str
) -> None:
    odd.say(202, body)
    assert kind_of(lambda: gate.start(CONFIG, {}))[0] is UnknownOutcome


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (OWN, "Unmatched expected artifact"),
        (PROBLEM, "Failed to read request"),
        (CONTAINER, "Invalid URI: [no]"),
        ("oops", "HTTP status 400"),
        ("[]", "HTTP status 400"),
        ('{"message": "%s"}' % ("x" * 900), "x" * 500),
    ],
)
def test_gates_own_word_is_in_the_refusal(odd: OddGate, gate: GatePipelines, body: str, text: str) -> None:
    odd.say(400, body)
    assert kind_of(lambda: gate.start(CONFIG, {})) == (Refused, f"Gate: {text}")


@pytest.mark.parametrize("call", ["start", "execution", "config"])
def test_a_redirect_is_never_followed_and_says_what_to_do(odd: OddGate, gate: GatePipelines, call: str) -> None:
    odd.say(302, Location=f"{odd.url}/login")
    calls: dict[str, Callable[[], Any]] = {
        "start": lambda: gate.start(CONFIG, {}),
        "execution": lambda: gate.execution("01X"),
        "config": lambda: gate.config("shop", "deploy"),
    }
    with pytest.raises(Misconfigured, match="redirected to a login page") as refusal:
        calls[call]()
    assert "X-Spinnaker-Token" in refusal.value.fix
    assert len(odd.asked) == 1


def test_a_web_page_is_a_wrong_address_or_a_login(odd: OddGate, gate: GatePipelines) -> None:
    odd.say(200, "<html>sign in</html>", Content_Type="text/html; charset=utf-8")
    kind, text = kind_of(lambda: gate.execution("01X"))
    assert kind is Misconfigured
    assert "answered with a web page, not with JSON" in text


@pytest.mark.parametrize(("status", "body"), [(200, ""), (200, "oops"), (500, OWN), (503, ""), (429, "")])
def test_a_read_without_an_answer_comes_again_later(odd: OddGate, gate: GatePipelines, status: int, body: str) -> None:
    odd.say(status, body)
    assert kind_of(lambda: gate.execution("01X"))[0] is TransientError
    assert kind_of(lambda: gate.search("shop", "c", datetime.now(UTC)))[0] is TransientError


def test_a_search_that_is_no_list_comes_again_later(odd: OddGate, gate: GatePipelines) -> None:
    odd.say(200, "{}")
    assert kind_of(lambda: gate.search("shop", "c", datetime.now(UTC)))[0] is TransientError


def test_a_404_that_is_not_spinnakers_own_is_a_wrong_address_not_an_absent_execution(
    odd: OddGate, gate: GatePipelines
) -> None:
    odd.say(404, '{"detail": "No static resource pipelines/01X."}')
    assert kind_of(lambda: gate.execution("01X"))[0] is Misconfigured
    odd.say(404, '{"message": "Pipeline not found (id: 01X)"}')
    assert gate.execution("01X") is None


def test_nobody_at_the_address_means_that_nothing_was_sent(odd: OddGate) -> None:
    port = odd.port
    odd.stop()
    gate = GatePipelines(f"http://127.0.0.1:{port}")
    assert kind_of(lambda: gate.start(CONFIG, {}))[0] is TransientError
    gate.close()


def test_an_answer_that_does_not_come_in_time_is_to_be_looked_up(odd: OddGate) -> None:
    released = threading.Event()

    def late() -> Response:
        released.wait(20)
        return Response("{}", 202)

    odd.answer = late
    gate = GatePipelines(odd.url, timeout=0.5)  # a start on a busy machine may take a fifth of it to begin
    assert kind_of(lambda: gate.start(CONFIG, {}))[0] is UnknownOutcome
    assert kind_of(lambda: gate.execution("01X"))[0] is TransientError
    released.set()
    gate.close()


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b""])
@pytest.mark.parametrize("length", ["known", "unknown"])
def test_an_answer_that_drips_is_cut_at_the_deadline(head: bytes, length: str) -> None:
    """Bytes come more often than any time-out between two of them: only one deadline for all ends the call."""
    head = head.replace(b"Content-Length: 99\r\n", b"") if length == "unknown" else head
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            for _ in range(2):
                with listening.accept()[0] as connection:
                    connection.recv(65536)
                    try:
                        connection.sendall(head)
                        while not stopped.wait(0.02):
                            connection.sendall(b"X")
                    except OSError:
                        continue

        server = threading.Thread(target=drip)
        server.start()
        gate = GatePipelines(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.5)
        assert kind_of(lambda: gate.start(CONFIG, {}))[0] is UnknownOutcome
        assert kind_of(lambda: gate.execution("01X"))[0] is TransientError
        gate.close()
        stopped.set()
        server.join()


def test_a_start_that_waited_too_long_for_its_turn_posts_nothing(odd: OddGate) -> None:
    at_work, released = threading.Event(), threading.Event()

    def busy() -> Response:
        at_work.set()
        released.wait(20)
        return Response('{"ref": "/pipelines/01X"}', 202)

    odd.answer = busy
    gate = GatePipelines(odd.url, timeout=5)  # the first has its turn for so long, the second waits a fifth of it

    def start() -> None:
        with suppress(UnknownOutcome):
            gate.start(CONFIG, {})

    first = threading.Thread(target=start)
    first.start()
    assert at_work.wait(20)
    assert kind_of(lambda: gate.start(CONFIG, {}))[0] is TransientError
    assert len(odd.asked) == 1
    released.set()
    first.join()
    gate.close()


def test_an_answer_without_end_is_cut_off(odd: OddGate, gate: GatePipelines) -> None:
    odd.answer = lambda: Response((b" " * 1024 * 1024 for _ in range(70)), 200)
    assert kind_of(lambda: gate.execution("01X")) == (TransientError, "Gate's answer is larger than 64 MiB")


def test_credentials_go_with_every_call_and_nothing_replaces_them(odd: OddGate, gate: GatePipelines) -> None:
    odd.say(202, '{"ref": "/pipelines/01X"}')
    assert gate.start(CONFIG, {"a": 1}) == "01X"
    method, path, headers = odd.asked[0]
    assert (method, path) == ("POST", "/pipelines/shop/c1?")
    assert (headers["X-Spinnaker-Token"], headers["Content-Type"]) == ("spk_1", "application/json")
    assert "Authorization" not in headers


def test_one_instance_posts_one_start_at_a_time(odd: OddGate, gate: GatePipelines) -> None:
    at_work: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def busy() -> Response:
        with lock:
            at_work.append(1)
            most.append(len(at_work))
        threading.Event().wait(0.01)
        with lock:
            at_work.pop()
        return Response('{"ref": "/pipelines/01X"}', 202)

    odd.answer = busy
    threads = [threading.Thread(target=gate.start, args=(CONFIG, {})) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1, 1]


def test_the_twin_loses_answers_and_posts_on_demand() -> None:
    twin = MemoryPipelines()
    twin.save({"application": "shop", "name": "deploy", "stages": []})
    config = twin.config("shop", "deploy")
    assert config is not None
    twin.lose_answers()
    assert kind_of(lambda: twin.start(config, {"correlationId": "c"}))[0] is UnknownOutcome
    assert len(twin.search("shop", "c", datetime.fromtimestamp(0, UTC))) == 1
    twin.fail(UnknownOutcome("never sent"), verb="start")
    assert kind_of(lambda: twin.start(config, {"correlationId": "d"}))[0] is UnknownOutcome
    assert twin.search("shop", "d", datetime.fromtimestamp(0, UTC)) == []
    assert twin.posts == 2
