"""What the ends of executions mean (design.md section 4, Outcome): one row a rule."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from downwind.model.execution import Execution
from downwind.reconcile.facts import Fact
from downwind.reconcile.rollouts import ATTEMPTS, Again, Outcome, Rollout, Run, decide, end_of

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PURGE = "Pipeline was queued but then canceled because a newer queued execution superceded it"
DEPLOYED: dict[str, Any] = {"status": "SUCCEEDED", "fence": "passed", "deploying": True, "deployed": True}
FENCED: dict[str, Any] = {"status": "TERMINAL", "fence": "refused", "fence_message": "sequence 4 is below 5"}
PURGED: dict[str, Any] = {"status": "CANCELED", "reason": PURGE, "began": False}
NOT_STARTED: dict[str, Any] = {"status": "TERMINAL", "began": False, "message": "no such account"}


def rollout(*ends: dict[str, Any], attempt: int = 0, cancel: str | None = None) -> Rollout:
    """Attempts 0 to `attempt` were claimed; the newest one's executions, e0, e1 …, ended as given."""
    return Rollout(
        n=5,
        claims={(each, 1): Fact(name="claim", body={}, created=NOW) for each in range(attempt + 1)},
        runs=tuple(
            Run(
                execution=f"e{index}",
                attempt=attempt,
                started=NOW + timedelta(seconds=index),
                end={"fence": "open", "began": True, **end},
            )
            for index, end in enumerate(ends)
        ),
        cancels={attempt: {"reason": cancel}} if cancel else {},
    )


ROWS: list[tuple[str, dict[str, Any], str | None, bool, str, str]] = [
    # name, end of the run, our cancel, newer entry claimed, status ("again": a new attempt), a word of the reason
    ("every deploying stage succeeded", DEPLOYED, None, False, "succeeded", "every deploying stage"),
    ("a success counts although a newer entry was claimed", DEPLOYED, None, True, "succeeded", "every deploying"),
    ("a success counts although our cancel came too late", DEPLOYED, "superseded by 6", True, "succeeded", "every"),
    (
        "a run that succeeded over a failed deploying stage failed",
        {"status": "SUCCEEDED", "deploying": True, "deployed": False, "message": "quota"},
        None,
        False,
        "failed",
        "quota",
    ),
    (
        "a run that succeeded and deployed nothing failed",
        {"status": "SUCCEEDED", "deploying": False},
        None,
        False,
        "failed",
        "not every deploying stage",
    ),
    (
        "a run that succeeded after a judgment and deployed nothing was not stopped by it",
        {"status": "SUCCEEDED", "deploying": False, "judged": True},
        None,
        False,
        "failed",
        "not every deploying stage",
    ),
    (
        "a deploying stage failed: no new attempt",
        {"status": "TERMINAL", "deploying": True, "message": "timed out"},
        None,
        False,
        "failed",
        "timed out",
    ),
    (
        "a deploying stage failed after a judgment: it is the stage's failure",
        {"status": "TERMINAL", "deploying": True, "judged": True, "message": "timed out"},
        None,
        True,
        "failed",
        "timed out",
    ),
    ("Spinnaker purged it from its queue", PURGED, None, False, "again", "purged"),
    ("purged for a newer one of ours", PURGED, None, True, "superseded", "newer"),
    (
        "a purge after it had begun to deploy gives no new attempt",
        {**PURGED, "deploying": True, "canceled_by": "spinnaker"},
        None,
        False,
        "cancelled",
        "spinnaker cancelled it after it had begun to deploy",
    ),
    ("Spinnaker could not start it", NOT_STARTED, None, False, "again", "no such account"),
    ("not started, and a newer one goes", NOT_STARTED, None, True, "superseded", "no such account"),
    (
        "a run that began and failed before deploying is not repeated",
        {"status": "TERMINAL", "message": "bake failed"},
        None,
        False,
        "failed",
        "bake failed",
    ),
    (
        "a person's cancel before it deployed",
        {"status": "CANCELED", "canceled_by": "ann", "reason": "not today"},
        None,
        False,
        "cancelled",
        "ann cancelled it: not today",
    ),
    (
        "a person's cancel before it began is no start-up failure",
        {"status": "CANCELED", "canceled_by": "ann", "reason": "not today", "began": False},
        None,
        False,
        "cancelled",
        "ann",
    ),
    (
        "a person's cancel while it deployed",
        {"status": "CANCELED", "canceled_by": "ann", "deploying": True},
        None,
        False,
        "cancelled",
        "ann cancelled it after it had begun to deploy",
    ),
    (
        "our cancel for a newer one",
        {"status": "CANCELED", "canceled_by": "downwind"},
        "superseded by 6",
        True,
        "superseded",
        "superseded by 6",
    ),
    (
        "the judgment said stop",
        {"status": "TERMINAL", "judged": True, "stopped": True},
        None,
        False,
        "cancelled",
        "judgment said stop",
    ),
    (
        "the judgment said continue, and a later stage failed before any deploying one: no new attempt",
        {"status": "TERMINAL", "judged": True, "message": "bake failed"},
        None,
        False,
        "failed",
        "bake failed",
    ),
    ("the fence refused it", FENCED, None, False, "failed", "the fence refused it: sequence 4 is below 5"),
    ("the fence refused it for a newer one", FENCED, None, True, "superseded", "the fence refused it"),
    (
        "the fence refused without a word: the execution's own is given",
        {"status": "TERMINAL", "fence": "refused"},
        None,
        False,
        "failed",
        "the fence refused it: the execution ended TERMINAL",
    ),
    (
        "a precondition refused it: no new attempt, although no stage began",
        {"status": "TERMINAL", "precondition_failed": True, "message": "use downwind deploy", "began": False},
        None,
        False,
        "failed",
        "a precondition refused it: use downwind deploy",
    ),
    (
        "Spinnaker has it no more: that is no evidence for a new attempt",
        {"status": "GONE", "reason": "Spinnaker no longer has this execution"},
        None,
        False,
        "failed",
        "no longer has",
    ),
]


@pytest.mark.parametrize(
    ("end", "cancel", "newer", "status", "reason"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)
def test_one_run_decides(end: dict[str, Any], cancel: str | None, newer: bool, status: str, reason: str) -> None:
    found = decide(rollout(end, cancel=cancel), newer_claimed=newer)
    assert ("again" if isinstance(found, Again) else found.status) == status
    assert reason in found.reason
    if isinstance(found, Outcome):
        assert found.execution == "e0"


@pytest.mark.parametrize("end", [PURGED, NOT_STARTED], ids=["purged", "not started"])
def test_three_attempts_are_all_that_come_by_themselves(end: dict[str, Any]) -> None:
    found = [decide(rollout(end, attempt=attempt), newer_claimed=False) for attempt in range(ATTEMPTS)]
    assert [type(each) for each in found] == [Again, Again, Outcome]
    assert isinstance(found[-1], Outcome)
    assert found[-1].status == "failed"
    assert found[-1].reason.endswith("; 3 attempts were made")


def test_a_spare_run_decides_nothing_whichever_is_read_first() -> None:
    for ends in permutations([FENCED, DEPLOYED, NOT_STARTED]):
        found = decide(rollout(*ends), newer_claimed=False)
        assert isinstance(found, Outcome)
        assert (found.status, found.execution) == ("succeeded", f"e{ends.index(DEPLOYED)}")


def test_the_run_that_passed_the_fence_decides_though_it_failed_and_the_spare_could_be_repeated() -> None:
    failed = {"status": "TERMINAL", "fence": "passed", "deploying": True, "message": "timed out"}
    for ends in permutations([PURGED, failed]):
        found = decide(rollout(*ends), newer_claimed=False)
        assert found == Outcome(status="failed", reason="timed out", execution=f"e{ends.index(failed)}")


@pytest.mark.parametrize("last_word", [FENCED, {"status": "CANCELED", "canceled_by": "ann"}, {"status": "GONE"}])
def test_where_no_fence_passed_one_run_that_forbids_a_repeat_is_enough(last_word: dict[str, Any]) -> None:
    for ends in permutations([PURGED, last_word, NOT_STARTED]):
        found = decide(rollout(*ends), newer_claimed=False)
        assert isinstance(found, Outcome), found
        assert found.execution == f"e{ends.index(last_word)}"


def test_runs_of_an_earlier_attempt_decide_nothing() -> None:
    first = rollout(FENCED).runs
    second = rollout(DEPLOYED, attempt=1)
    both = Rollout(n=5, claims=second.claims, runs=(*second.runs, *first))
    found = decide(both, newer_claimed=False)
    assert isinstance(found, Outcome)
    assert found.status == "succeeded"


def test_what_is_recorded_of_an_end_is_all_that_decide_reads() -> None:
    execution = Execution(
        id="e0",
        application="shop",
        status="TERMINAL",
        sequence=5,
        attempt=0,
        fence="refused",
        fence_message="no",
        started=None,
        judged=True,
        stopped=True,
    )
    end = end_of(execution)
    assert (end["began"], end["judged"], end["stopped"], end["fence_message"]) == (False, True, True, "no")
    assert {
        "status",
        "fence",
        "deployed",
        "deploying",
        "precondition_failed",
        "canceled_by",
        "reason",
        "message",
    } < set(end)
