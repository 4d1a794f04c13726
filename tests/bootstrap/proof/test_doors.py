"""Every call that has to be refused, before doors that refuse it, let it in, are broken, or do not answer."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.bootstrap.proof.front import Front
from tests.bootstrap.proof.sites import PUSH, GivenDoors, door, site

from downwind.bootstrap.proof import doors
from downwind.bootstrap.proof.asking import ask
from downwind.bootstrap.proof.result import Result, exit_code
from downwind.bootstrap.proof.site import Token
from downwind.errors import Misconfigured, TransientError
from downwind.events.envelope import read_message
from downwind.events.order import read_order
from downwind.events.sources import PARSERS
from downwind.events.webhook import unproved
from downwind.model.event import Ignored

TRIED = 8


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as made:
        yield made


def run(memory: Any, front: Front, **more: Any) -> list[Result]:
    return [check() for check in doors.checks(site(memory.world, front.url, **more))]


def test_doors_that_refuse_are_sound(memory: Any, front: Front) -> None:
    front.status["/on-push"] = 403
    found = run(memory, front)
    assert [each.state for each in found] == ["ok"] * TRIED
    assert exit_code(found) == 0
    assert "on-push answered 403" in found[0].why


def test_each_open_door_fails(memory: Any, front: Front) -> None:
    front.otherwise = 204
    found = run(memory, front)
    assert [each.state for each in found] == ["failed"] * TRIED, found
    assert all("let in" in each.why and each.fix for each in found)
    assert exit_code(found) == 1


@pytest.mark.parametrize("status", [200, 400, 409, 302, 404, 413])
def test_what_is_no_refusal_for_want_of_a_proof_fails(memory: Any, front: Front, status: int) -> None:
    """400: the function has read the body; 404 of a function that is open to the internet: another's, or none."""
    front.otherwise = status
    assert {each.state for each in run(memory, front)} == {"failed"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_door_that_is_broken_has_refused_nothing(memory: Any, front: Front, status: int) -> None:
    front.otherwise = status
    found = run(memory, front)
    assert {each.state for each in found} == {"unreachable"}
    assert exit_code(found) == 3


def test_nobody_there_has_refused_nothing(memory: Any) -> None:
    with Front() as gone:
        pass
    found = run(memory, gone)
    assert {each.state for each in found} == {"unreachable"}
    assert all("does not answer from here" in each.why for each in found)


def test_404_is_a_refusal_where_ingress_was_read_as_internal(memory: Any, front: Front) -> None:
    front.otherwise = 404
    closed = GivenDoors(otherwise=door(internal=True))
    found = run(memory, front, doors=closed)
    assert {each.state for each in found} == {"ok"}
    assert all("ingress, read now, is internal" in each.why for each in found)


def test_a_function_that_is_not_there_fails_instead_of_being_closed(memory: Any, front: Front) -> None:
    front.otherwise = 404
    found = run(memory, front, doors=GivenDoors(otherwise=None))
    assert {each.state for each in found} == {"failed"}
    assert front.sent == []


@pytest.mark.parametrize("everybody", ["allUsers", "allAuthenticatedUsers"])
def test_everybody_as_invoker_fails_whatever_is_answered(memory: Any, front: Front, everybody: str) -> None:
    """From inside the network it would let everybody in, and ingress may change. On receive the plan wants it so."""
    front.otherwise = 404
    found = run(memory, front, doors=GivenDoors(otherwise=door(everybody, internal=True)))
    by_door = {each.what: each.state for each in found}
    assert {state for what, state in by_door.items() if "webhook" in what or "Echo" in what} == {"ok"}
    assert {state for what, state in by_door.items() if "push" in what or "operate" in what} == {"failed"}


def test_what_is_not_heard_is_not_checked(memory: Any, front: Front) -> None:
    found = run(memory, front, functions=(), webhooks=False, spinnaker=False)
    assert [each.state for each in found] == ["ok"] * 3 + ["not applicable"] * 5
    assert exit_code(found) == 0


def test_a_token_that_is_no_strangers_proves_nothing(memory: Any, front: Front) -> None:
    mine = run(memory, front, stranger=lambda _: Token(email=PUSH, text="a.b.c"))
    assert next(each for each in mine if "another account" in each.what).state == "not applicable"
    caller = run(memory, front, callers=("user:ann@acme.example",))
    assert next(each for each in caller if "stranger" in each.what).state == "not applicable"
    front.sent.clear()

    def none(_audience: str) -> Token:
        raise Misconfigured("gcloud gave no ID token", fix="gcloud auth login")

    without = [
        each for each in run(memory, front, stranger=none) if "another account" in each.what or "stranger" in each.what
    ]
    assert [each.state for each in without] == ["unreachable"] * 2


def test_what_is_sent_would_do_nothing_if_it_were_let_in(memory: Any, front: Front) -> None:
    run(memory, front)
    assert len(front.sent) == TRIED
    for each in front.sent:
        if each.path == "/on-push":
            message = read_message(each.headers, each.body)
            assert isinstance(PARSERS["push"](message), Ignored)
        elif each.path == "/operate":
            assert read_order(each.body, "x").dry_run
        elif "X-GitHub-Event" in each.headers:
            outgoing = unproved(each.headers, each.body)
            assert not isinstance(outgoing, Ignored)
            assert outgoing.attributes["event"] == "ping"
        else:
            assert json.loads(each.body) == {}


def test_on_a_laptop_a_call_by_hand_needs_no_token(memory: Any, front: Front) -> None:
    found = run(memory, front, doors=None)
    assert [each.state for each in found] == ["not applicable", *["ok"] * (TRIED - 1)]


@pytest.mark.parametrize(
    "said",
    [b"Content-Length: 100\r\n\r\nx", b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxyz"],
    ids=["broken off", "no gzip"],
)
def test_a_body_that_cannot_be_read_is_no_answer(said: bytes) -> None:
    """Of another type than ours it would end a deployment without its way back."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n" + said)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            with pytest.raises(TransientError, match="does not answer from here"):
                ask("GET", f"http://127.0.0.1:{listening.getsockname()[1]}/")
        finally:
            thread.join()
