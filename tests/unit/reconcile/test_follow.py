"""What a rollout that was claimed needs next, until its outcome stands."""

from datetime import timedelta
from typing import Any

import pytest

from downwind.model.catalog import Freeze
from downwind.model.execution import Execution
from downwind.reconcile import names
from downwind.reconcile.steps import Observe, SearchRollout, TriggerRollout
from downwind.timing import CLOUD_TIMING

A, B = "a" * 40, "b" * 40
LEASE = CLOUD_TIMING.lease


def leaf(given: Any, n: int, name: str) -> str:
    return names.rollout("shop", "staging", n) + name


def recorded_outcome(given: Any, n: int) -> tuple[str, str, str | None]:
    body = given.recorded()[leaf(given, n, "outcome")]
    assert (body["kind"], body["environment"], body["n"], body["commit"]) == ("outcome", "staging", n, A)
    return body["status"], body["reason"], body["execution"]


# Nobody knows of an execution yet.


def test_a_claim_is_left_to_its_worker_for_the_lease_and_to_the_tick_after_it(given: Any) -> None:
    for ago, tick in ((1, None), (LEASE + 1, None), (LEASE, 7)):
        given.claim(5, A, ago=ago)
        given.snapshot.tick = tick
        assert given.steps() == []
        assert given.waits() == ["the worker that claimed it, or the tick that takes over"]


def test_the_tick_takes_over_the_same_attempt_in_the_next_epoch_and_looks_first(given: Any) -> None:
    given.claim(5, A, epoch=1, ago=LEASE * 3)
    given.claim(5, A, epoch=2, ago=LEASE + 1)
    given.snapshot.tick = 7
    assert given.steps() == [
        TriggerRollout(
            environment="staging",
            n=5,
            attempt=0,
            epoch=3,
            commit=A,
            bundle="content-a",
            parts=("manifests",),
            namespace="shop-staging",
            pipeline=("shop", "deploy-staging"),
            search=True,
            by="push",
            claimed=given.now - timedelta(seconds=LEASE * 3),
        )
    ]


def test_a_take_over_posts_what_was_claimed_whatever_the_catalog_says_by_now(given: Any) -> None:
    given.claim(5, A, ago=LEASE + 1)
    given.snapshot.tick = 7
    (first,) = given.steps()
    claimed = {"namespace": first.namespace, "pipeline": list(first.pipeline), "inputs": first.inputs}
    body = given.snapshot.facts[leaf(given, 5, "claim.0.1")].body
    given.fact(leaf(given, 5, "claim.0.1"), ago=LEASE + 1, **{**body, **claimed})
    given.change_environment("staging", namespace="elsewhere", pipeline_application="other", pipeline="another")
    assert given.steps() == [first]


def test_a_take_over_that_cannot_know_the_inputs_looks_and_then_says_what_to_do(given: Any) -> None:
    """As a later version's claim looks to an earlier one."""
    given.claim(5, A, ago=LEASE + 1)
    body = given.snapshot.facts[leaf(given, 5, "claim.0.1")].body
    given.fact(leaf(given, 5, "claim.0.1"), ago=LEASE + 1, **{**body, "inputs": "of something else"})
    given.snapshot.tick = 7
    (search,) = given.steps()
    assert (type(search), search.application) == (SearchRollout, "shop")
    given.snapshot.searched.add(("staging", 5, 0))
    reason = "another version of Downwind claimed it with inputs that this one does not know; order it again"
    assert recorded_outcome(given, 5) == ("failed", reason, None)


def test_a_claim_that_came_to_nothing_is_not_taken_over_once_a_higher_one_stands(given: Any) -> None:
    given.claim(5, A, ago=LEASE + 1)
    given.claim(6, B, ago=1)
    given.snapshot.tick = 7
    assert not [step for step in given.steps() if isinstance(step, TriggerRollout)]
    (search,) = [step for step in given.steps() if isinstance(step, SearchRollout)]
    assert (search.n, search.attempt) == (5, 0)
    given.snapshot.searched.add(("staging", 5, 0))
    assert not [step for step in given.steps() if isinstance(step, TriggerRollout | SearchRollout)]
    assert recorded_outcome(given, 5) == ("superseded", "superseded by 6 before it was triggered", None)


def test_what_gate_found_of_a_claim_without_execution_is_written_down(given: Any) -> None:
    given.claim(5, A, ago=LEASE + 1)
    given.snapshot.tick = 7
    given.execution("e1", 5)
    recorded = given.recorded()
    started = recorded[leaf(given, 5, "started.0.e1")]
    assert (started["kind"], started["attempt"], started["execution"], started["commit"]) == ("started", 0, "e1", A)
    assert names.execution_pointer("e1") + "shop/staging/5" in recorded
    assert leaf(given, 5, "ended.0.e1") not in recorded
    assert not [step for step in given.steps() if isinstance(step, TriggerRollout)]


# An execution is known.


def test_a_running_execution_is_waited_for(running: Any) -> None:
    running.execution("e1", 5)
    assert (running.steps(), running.waits()) == ([], ["execution e1 to end"])


def test_a_judgment_is_waited_for_by_its_name(running: Any) -> None:
    running.execution("e1", 5, judgment="stage-1")
    assert (running.steps(), running.waits()) == ([], ["a manual judgment"])


def test_an_end_is_written_down_once(running: Any) -> None:
    running.execution("e1", 5, status="TERMINAL", fence="passed", deploying=True, message="quota")
    recorded = running.recorded()
    end = recorded[leaf(running, 5, "ended.0.e1")]
    assert (end["kind"], end["status"], end["fence"], end["message"]) == ("ended", "TERMINAL", "passed", "quota")
    assert leaf(running, 5, "started.0.e1") not in recorded
    assert leaf(running, 5, "outcome") not in recorded, "the outcome is decided from what is written"
    running.ended(5, "e1", status="TERMINAL", fence="passed", deploying=True, message="quota")
    assert recorded_outcome(running, 5) == ("failed", "quota", "e1")
    assert len(running.recorded()) == 1


@pytest.mark.parametrize(
    "about",
    [
        {"downwind_application": "other"},
        {"downwind_environment": "production"},
        {"sequence": 6},
        {"sequence": None},
        {"attempt": None},
    ],
    ids=str,
)
def test_an_execution_that_is_not_wholly_ours_is_none_of_this_rollout(running: Any, about: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        "downwind_application": "shop",
        "downwind_environment": "staging",
        "sequence": 5,
        "attempt": 0,
    }
    running.snapshot.executions["x"] = Execution(id="x", application="shop", status="SUCCEEDED", **{**whole, **about})
    assert running.recorded() == {}


def test_a_second_execution_of_the_attempt_is_waited_for_before_the_outcome(running: Any) -> None:
    running.started(5, "e2")
    running.ended(5, "e1", status="TERMINAL", fence="refused")
    assert (running.recorded(), running.waits()) == ({}, ["execution e2 to end"])
    running.ended(5, "e2", status="SUCCEEDED", fence="passed", deployed=True)
    assert recorded_outcome(running, 5) == ("succeeded", "every deploying stage succeeded", "e2")


def test_a_rollout_with_an_outcome_is_left_alone(running: Any) -> None:
    running.outcome(5, "failed")
    running.snapshot.tick = 7
    running.execution("e1", 5, status="SUCCEEDED", deployed=True)
    assert running.due().steps == running.due().waits == ()


# Looking.


def looks(given: Any, seconds: float) -> bool:
    """Is the execution asked for, that many seconds after its start?"""
    now = given.now - timedelta(seconds=900) + timedelta(seconds=seconds)
    return bool(given.steps(now) == [Observe(execution="e1")])


def test_an_execution_of_which_nobody_heard_is_looked_up_after_two_minutes_and_then_every_ten(running: Any) -> None:
    running.snapshot.tick = 7
    period = CLOUD_TIMING.tick
    found = [seconds for seconds in range(0, 3600, period) if looks(running, seconds)]
    assert found[0] == CLOUD_TIMING.look_first
    moments = {CLOUD_TIMING.look_first + CLOUD_TIMING.look_every * each for each in range(6)}
    assert {max(moment for moment in moments if moment <= each) for each in found} == moments, "each moment is used"
    assert len(found) <= 2 * len(moments)


def test_a_handler_looks_nothing_up_by_itself(running: Any) -> None:
    assert not looks(running, CLOUD_TIMING.look_first)


def test_an_execution_that_was_asked_to_end_is_looked_up_on_each_tick(running: Any) -> None:
    running.snapshot.tick = 7
    running.rollout(5, "cancel.0", kind="cancel", attempt=0, execution="e1", reason="superseded by 6")
    assert all(looks(running, seconds) for seconds in range(60, 600, 60))


def test_an_execution_that_spinnaker_has_no_more_ends_without_a_new_attempt(running: Any) -> None:
    running.snapshot.gone.add("e1")
    end = running.recorded()[leaf(running, 5, "ended.0.e1")]
    assert (end["status"], end["reason"]) == ("GONE", "Spinnaker no longer has this execution")
    running.fact(leaf(running, 5, "ended.0.e1"), **end)
    assert recorded_outcome(running, 5) == ("failed", "Spinnaker no longer has this execution", "e1")


def test_an_execution_that_has_just_been_started_may_not_be_visible_yet(given: Any) -> None:
    given.claim(5, A, ago=10)
    given.started(5, "e1", ago=5)
    given.snapshot.gone.add("e1")
    assert (given.recorded(), given.waits()) == ({}, ["execution e1 to end"])


# The next attempt.


def test_a_run_that_spinnaker_ended_itself_is_followed_by_the_next_attempt_once_gate_knows_of_no_other(
    running: Any,
) -> None:
    running.ended(5, "e1", status="TERMINAL", began=False)
    (search,) = running.steps()
    assert isinstance(search, SearchRollout)
    assert (search.n, search.attempt) == (5, 0)
    running.snapshot.searched.add(("staging", 5, 0))
    assert running.steps() == [
        TriggerRollout(
            environment="staging",
            n=5,
            attempt=1,
            epoch=1,
            commit=A,
            bundle="content-a",
            parts=("manifests",),
            namespace="shop-staging",
            pipeline=("shop", "deploy-staging"),
            search=False,
            by="push",
            claimed=running.now - timedelta(seconds=1000),
        )
    ]


def test_it_is_superseded_instead_where_a_higher_one_was_claimed(running: Any) -> None:
    running.ended(5, "e1", status="TERMINAL", began=False)
    running.claim(6, B)
    assert not [step for step in running.steps() if isinstance(step, TriggerRollout)]
    assert recorded_outcome(running, 5)[0] == "superseded"


def test_an_execution_of_a_former_attempt_does_not_hold_up_the_newest(running: Any) -> None:
    running.ended(5, "e1", status="TERMINAL", began=False)
    running.claim(5, A, attempt=1)
    running.started(5, "e2", attempt=1)
    running.ended(5, "e2", attempt=1, status="SUCCEEDED", fence="passed", deployed=True)
    assert recorded_outcome(running, 5) == ("succeeded", "every deploying stage succeeded", "e2")
    assert running.recorded()[leaf(running, 5, "outcome")]["attempt"] == 1


def test_a_claim_that_started_nothing_waits_for_the_end_of_a_freeze_window(given: Any) -> None:
    """Found by the simulator: a worker that stalled into the window left the claim, and the tick took it over there."""
    given.change_environment("staging", freeze=(Freeze(cron="0 11 * * *", lasts=7200),))
    given.claim(5, A, ago=LEASE + 1)
    given.snapshot.tick = 7
    (search,) = given.steps()
    assert isinstance(search, SearchRollout)
    given.snapshot.searched.add(("staging", 5, 0))
    assert given.steps() == []
    assert given.waits() == ["the freeze window to end at 2026-11-24 13:00 UTC"]
    (trigger,) = given.steps(given.now + timedelta(hours=2))
    assert isinstance(trigger, TriggerRollout)
