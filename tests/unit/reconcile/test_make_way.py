"""What becomes of an older run when a newer entry is due."""

from dataclasses import replace
from typing import Any

import pytest

from downwind.reconcile import names
from downwind.reconcile.steps import CancelRollout, Observe, TriggerRollout

A, B, C = "a" * 40, "b" * 40, "c" * 40
CANCEL = CancelRollout(
    environment="staging", n=5, attempt=0, execution="e1", reason="superseded by 6", newer=(6, "push")
)
TRIGGER = TriggerRollout(
    environment="staging",
    n=6,
    attempt=0,
    epoch=1,
    commit=B,
    bundle="content-b",
    parts=("manifests",),
    namespace="shop-staging",
    pipeline=("shop", "deploy-staging"),
    search=False,
    by="push",
)


@pytest.fixture
def newer(running: Any) -> Any:
    """Entry 6 is ready while 5 runs."""
    running.ready(6, B)
    return running


def test_before_a_newer_one_starts_spinnaker_is_asked_what_the_older_does(newer: Any) -> None:
    assert newer.steps() == [Observe(execution="e1")]


def test_an_older_one_that_waits_in_a_judgment_is_cancelled_first(newer: Any) -> None:
    newer.execution("e1", 5, judgment="stage-1")
    assert newer.steps() == [CANCEL, TRIGGER]


@pytest.mark.parametrize(
    "about",
    [{}, {"judgment": "stage-1", "deploying": True}, {"deploying": True}],
    ids=["runs on", "waits after it has deployed", "deploys"],
)
def test_an_older_one_that_does_not_wait_before_its_first_deploying_stage_is_left_to_end(
    newer: Any, about: dict[str, Any]
) -> None:
    newer.execution("e1", 5, **about)
    assert newer.steps() == [TRIGGER]


def test_with_queue_nobody_is_asked_and_nothing_cancelled(newer: Any) -> None:
    newer.change_environment("staging", on_newer="queue")
    assert newer.steps() == [TRIGGER]
    newer.execution("e1", 5, judgment="stage-1")
    assert newer.steps() == [TRIGGER]


def test_one_cancel_in_a_call_is_enough(newer: Any) -> None:
    newer.execution("e1", 5, judgment="stage-1")
    newer.snapshot.cancelled.add("e1")
    assert newer.steps() == [TRIGGER]


def test_one_that_spinnaker_has_no_more_stops_nobody(newer: Any) -> None:
    newer.snapshot.gone.add("e1")
    assert TRIGGER in newer.steps()


def test_an_older_one_that_has_ended_or_was_never_posted_stops_nobody(newer: Any) -> None:
    newer.ended(5, "e1", status="SUCCEEDED", fence="passed", deployed=True)
    newer.claim(4, C, ago=1)
    newer.rollout(3, "claim.0.1", kind="claim", attempt=0, epoch=1, commit=C, bundle="x", parts=[], ago=1)
    newer.outcome(3, "failed")
    assert TRIGGER in newer.steps()


def test_an_older_one_that_begins_to_wait_after_the_newer_was_claimed_is_cancelled_too(running: Any) -> None:
    running.claim(6, B)
    running.execution("e1", 5, judgment="stage-1")
    assert CANCEL in running.steps()
    running.change_environment("staging", on_newer="queue")
    assert CANCEL not in running.steps()


def test_under_a_hold_no_way_is_made_for_what_the_hold_stops(running: Any) -> None:
    running.claim(6, B)
    running.execution("e1", 5, judgment="stage-1")
    running.entry(7, A, by="operator", verb="hold", hold={"n": 7, "by": "operator", "who": "ann", "why": None})
    assert CANCEL not in running.steps()
    claim = {"attempt": 0, "epoch": 1, "commit": C, "bundle": "x", "parts": [], "by": "operator"}
    running.rollout(8, "claim.0.1", kind="claim", **claim)
    cancel = replace(CANCEL, reason="superseded by 8", newer=(8, "operator"))
    assert cancel in running.steps(), "an order passes the hold"


def test_the_newest_is_never_cancelled_for_itself(running: Any) -> None:
    running.execution("e1", 5, judgment="stage-1")
    assert running.steps() == []


def test_our_cancel_ends_as_superseded_by_the_newer(newer: Any) -> None:
    newer.claim(6, B)
    newer.rollout(5, "cancel.0", kind="cancel", attempt=0, execution="e1", reason=CANCEL.reason)
    newer.ended(5, "e1", status="CANCELED", canceled_by="downwind", reason=CANCEL.reason, fence="passed")
    outcome = newer.recorded()[names.rollout("shop", "staging", 5) + "outcome"]
    assert (outcome["status"], outcome["reason"], outcome["execution"]) == ("superseded", "superseded by 6", "e1")
