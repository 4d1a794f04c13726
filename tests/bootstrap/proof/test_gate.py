"""Gate without signing in: what counts as a refusal, and what says nothing."""

import pytest
from tests.bootstrap.proof.front import Front

from downwind.bootstrap.proof.asking import Answer, ask
from downwind.bootstrap.proof.gate import check

URL = "https://gate.acme.example"


@pytest.mark.parametrize(
    ("status", "location", "state"),
    [
        (401, None, "ok"),
        (403, None, "ok"),
        (302, "https://accounts.google.com/o/oauth2/v2/auth", "ok"),
        (302, "https://gate.acme.example/applications/", "failed"),
        (302, None, "failed"),
        (200, None, "failed"),
        (404, None, "failed"),
    ],
)
def test_what_gate_answers(status: int, location: str | None, state: str) -> None:
    headers = {"Location": location} if location else {}
    found = check(URL, local=False, asked=lambda _method, _url: Answer(status=status, headers=headers))
    assert found.state == state
    assert (found.fix is None) == (state == "ok")


def test_who_does_not_answer_has_not_refused() -> None:
    """A loopback address would be one inside the network, so the name is another's."""
    with Front() as gone:
        pass
    found = check(URL, local=False, asked=lambda method, _url: ask(method, f"{gone.url}/applications"))
    assert found.state == "unreachable"


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("http://spin-gate.spinnaker:8084", "spin-gate.spinnaker is a name inside the cluster's network"),
        ("http://spin-gate:8084", "spin-gate is a name inside the cluster's network"),
        ("http://10.1.2.3:8084", "10.1.2.3 is an address of a private network"),
    ],
)
def test_what_is_inside_the_network_can_not_be_asked_from_outside(gate: str, said: str) -> None:
    found = check(gate, local=False, asked=lambda _method, _url: Answer(status=200))
    assert (found.state, found.why) == ("not applicable", f"{said}: nobody outside can ask for it")


def test_a_local_gate_asks_nobody() -> None:
    assert check(URL, local=True).state == "not applicable"
