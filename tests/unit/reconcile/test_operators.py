"""Orders in the log: what each brings or why not, what a hold stops, and what a failure brings by itself."""

from datetime import timedelta
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.model.catalog import Freeze
from downwind.model.cron import length
from downwind.reconcile import names
from downwind.reconcile.orders import resolve
from downwind.reconcile.steps import Append, CancelRollout, SearchRollout, TriggerRollout, Verify
from downwind.reconcile.wanted import wanted

A, B, C = "a" * 40, "b" * 40, "c" * 40
HOLD = {"n": 9, "by": "operator", "who": "ann", "why": "fire"}
WAITS = "an operator to resume: hold 9 by ann, because: fire"


def appended(given: Any) -> list[dict[str, Any]]:
    return [dict(step.entry.body) for step in given.steps() if isinstance(step, Append)]


def triggered(given: Any) -> list[int]:
    return [step.n for step in given.steps() if isinstance(step, TriggerRollout)]


def order(given: Any, verb: str, **more: Any) -> str:
    """An operator's, in staging; its prefix."""
    return str(given.order("o1", environment="staging", verb=verb, by="operator", who="ann", **more))


def refused(given: Any, verb: str, **more: Any) -> str:
    prefix = order(given, verb, **more)
    return str(given.recorded()[prefix + "refused"]["reason"])


def meant(given: Any, verb: str, **more: Any) -> Any:
    body = {"id": "o1", "verb": verb, "who": "ann", "target": None, "commit": None, "stage": None, **more}
    return resolve(given.registered, given.environment(), body, given.snapshot)


def hold(given: Any, n: int, **more: Any) -> None:
    """An entry that holds."""
    given.entry(n, None, by="operator", verb="hold", hold=HOLD | {"n": n}, settled=n, newest_release=0, **more)


# What entries carry forward.


def test_the_first_entry_of_a_log_may_be_a_hold(given: Any) -> None:
    order(given, "hold", why="fire")
    (body,) = appended(given)
    assert (body["n"], body["commit"], body["newest_release"], body["settled"]) == (1, None, 0, 1)
    assert body["hold"] == {"n": 1, "by": "operator", "who": "ann", "why": "fire"}


@pytest.mark.parametrize(("verb", "standing"), [("deploy", True), ("hold", True), ("resume", False)])
def test_a_hold_is_carried_forward_until_a_resume(given: Any, verb: str, standing: bool) -> None:
    given.entry(3, A)
    hold(given, 4, promoted=2, newest_rollback=1)
    order(given, verb, commit=B)
    (body,) = appended(given)
    assert (body["hold"] is not None) is standing
    assert (body["promoted"], body["newest_rollback"]) == (2, 1)
    assert body["settled"] == (4 if verb == "deploy" else 5)


# What a hold stops.


def test_a_held_entry_waits_and_leaves_no_marker_open(given: Any) -> None:
    given.ready(1, A)
    hold(given, 9)
    due = given.due()
    assert triggered(given) == []
    assert [(wait.what, wait.n, wait.closed) for wait in due.waits] == [(WAITS, 1, True)]


def test_a_hold_over_everything_keeps_the_marker_open(given: Any) -> None:
    given.ready(1, A)
    given.fact(names.all_hold(2), kind="all-hold", n=2, verb="hold", who="ann", why=None, request="r")
    assert triggered(given) == []
    assert [(wait.what, wait.closed) for wait in given.due().waits] == [
        ("an operator to resume: the hold over everything by ann", False)
    ]
    given.fact(names.all_hold(3), kind="all-hold", n=3, verb="resume", who="ann", why=None, request="s")
    assert triggered(given) == [1]


def test_a_hold_lets_an_older_order_by_and_no_older_push(given: Any) -> None:
    given.ready(1, A)
    given.ready(2, B, by="request", request="r1")
    given.ready(3, C)
    hold(given, 9)
    assert triggered(given) == [2]


def test_a_claimed_start_that_was_never_posted_is_looked_for_and_then_held(given: Any) -> None:
    given.entry(1, A)
    given.claim(1, A, ago=1000)
    hold(given, 9)
    given.snapshot.tick = 7
    (search,) = given.steps()
    assert isinstance(search, SearchRollout)
    given.snapshot.searched.add(("staging", 1, 0))
    assert (given.steps(), given.waits()) == ([], [WAITS])


def test_the_next_attempt_of_a_purged_run_is_held(given: Any) -> None:
    given.entry(1, A)
    given.claim(1, A)
    given.started(1, "e1")
    hold(given, 9)
    given.snapshot.tick = 7
    given.ended(1, "e1", status="TERMINAL", began=False, message="no such account")
    given.snapshot.searched.add(("staging", 1, 0))
    assert (triggered(given), given.waits()) == ([], [WAITS])


# Cancel and retry.


def cancelled(given: Any, n: int, **more: Any) -> None:
    given.rollout(n, f"cancel-order.{names.down(9)}", kind="cancel-order", entry=9, attempt=None, reason="no", **more)


def test_an_order_for_a_rollout_is_written_beside_it_before_anything_is_decided(given: Any) -> None:
    given.ready(1, A)
    given.entry(2, A, by="operator", verb="cancel", target=1, who="ann", why="no", newest_release=1)
    (name,) = given.recorded()
    assert name == names.rollout_order("shop", "staging", 1, "cancel", 2)
    assert given.recorded()[name]["reason"] == "cancel ordered by ann: no"
    assert triggered(given) == []


def test_an_open_run_is_cancelled_once_and_again_only_when_it_is_seen_to_go_on(running: Any) -> None:
    running.entry(5, A)
    cancelled(running, 5)
    assert [step.status for step in running.steps() if isinstance(step, CancelRollout)] == ["cancelled"]
    running.rollout(5, "cancel.0", kind="cancel", attempt=0, execution="e1", reason="no", status="cancelled")
    assert not [step for step in running.steps() if isinstance(step, CancelRollout)]
    running.execution("e1", 5)
    assert [step.execution for step in running.steps() if isinstance(step, CancelRollout)] == ["e1"]
    running.ended(5, "e1", status="CANCELED", canceled_by="downwind", reason="no")
    outcome = running.recorded()[names.rollout("shop", "staging", 5) + "outcome"]
    assert (outcome["status"], outcome["reason"]) == ("cancelled", "no")


def test_a_purged_run_that_is_to_be_cancelled_gets_no_new_attempt(given: Any) -> None:
    given.entry(1, A)
    given.claim(1, A)
    given.started(1, "e1")
    given.ended(1, "e1", status="TERMINAL", began=False, message="no such account")
    cancelled(given, 1)
    assert given.recorded()[names.rollout("shop", "staging", 1) + "outcome"]["status"] == "cancelled"


@pytest.fixture
def retried(given: Any) -> Any:
    """Entry 1 failed and is to be tried again."""
    given.entry(1, A)
    given.claim(1, A)
    given.outcome(1, "failed")
    given.rollout(1, f"retry-order.{names.down(2)}", kind="retry-order", entry=2, attempt=1, reason="retry")
    return given


def test_a_retry_that_a_newer_one_overtakes_is_superseded(retried: Any) -> None:
    assert triggered(retried) == [1]
    retried.entry(3, B)
    retried.claim(3, B)
    outcome = retried.recorded()[names.rollout("shop", "staging", 1) + "outcome.1"]
    assert (outcome["status"], outcome["attempt"]) == ("superseded", 1)


def test_a_retry_passes_a_hold_and_an_older_cancel(retried: Any) -> None:
    hold(retried, 9)
    assert triggered(retried) == [1]
    (step,) = [step for step in retried.steps() if isinstance(step, TriggerRollout)]
    assert (step.attempt, step.by, step.search) == (1, "operator", False)


# What is refused.


def test_what_cannot_be_cancelled(given: Any) -> None:
    given.entry(1, A)
    given.entry(2, B)
    given.claim(2, B)
    assert refused(given, "cancel", target=1) == "staging 1 will never go: 2 went first"
    cancelled(given, 2)
    assert refused(given, "cancel", target=2) == "staging 2 is being cancelled already"
    hold(given, 9)
    assert refused(given, "cancel", target=9) == "staging has no entry 9 that could be cancelled"


def test_several_runs_need_the_sequence(given: Any) -> None:
    for n, commit in ((1, A), (2, B)):
        given.entry(n, commit)
        given.claim(n, commit)
    with pytest.raises(Refused, match="1, 2 run in staging"):
        meant(given, "cancel")
    given.outcome(1, "superseded")
    assert meant(given, "cancel")["target"] == 2


def test_a_rollout_older_than_the_log_that_is_read_can_be_cancelled(given: Any) -> None:
    given.entry(2, B)
    given.claim(1, A)
    order(given, "cancel", target=1)
    assert [body["commit"] for body in appended(given)] == [A]


def test_what_cannot_be_retried(given: Any) -> None:
    assert refused(given, "retry", target=0) == "nothing has been rolled out to staging yet"
    given.entry(1, A)
    assert refused(given, "retry", target=1).startswith("staging 1 was not tried yet")
    given.claim(1, A)
    assert refused(given, "retry", target=1) == "staging 1 is still on its way; cancel it first"


def test_a_rollback_goes_to_a_success_with_other_manifests(given: Any) -> None:
    given.succeeded(1, A)
    given.succeeded(2, B)
    given.succeeded(3, B)
    assert meant(given, "rollback")["target"] == 1
    assert meant(given, "rollback", commit=B)["target"] == 3
    given.entry(4, C)
    given.claim(4, C)
    given.started(4, "e4")
    assert meant(given, "rollback")["target"] == 1, "nobody knows that 4 deploys"
    given.execution("e4", 4, deploying=True)
    assert meant(given, "rollback")["target"] == 3
    with pytest.raises(Refused, match="staging 4 is still on its way; only a success"):
        meant(given, "rollback", target=4)


def test_a_rollback_asks_for_images_and_is_refused_where_one_is_gone(given: Any) -> None:
    given.change_environment("production", promotion="request")
    given.succeeded(1, A)
    order(given, "rollback", target=1)
    assert given.steps()[0] == Verify(environment="staging", bundle="content-a")
    given.snapshot.verified["content-a"] = "its image x is not in the registry any more"
    assert refused(given, "rollback", target=1) == (
        "staging 1 can't come back: its image x is not in the registry any more"
    )
    given.snapshot.verified["content-a"] = None
    (body,) = [body for body in appended(given) if body["environment"] == "staging"]
    assert (body["bundle"], body["parts"], body["target"], body["hold"]["n"]) == ("content-a", ["manifests"], 1, 2)


def test_a_judgment_that_somebody_else_has_answered_is_refused(given: Any) -> None:
    given.entry(1, A)
    name = names.judgment("shop", "staging", 1, "stage-1")
    given.fact(name, kind="judgment", request="another", who="bob", decision="stop")
    said = refused(given, "approve", target=1, execution="e1", stage="stage-1")
    assert said == "bob has answered this judgment already: stop"


def test_several_judgments_need_the_sequence(given: Any) -> None:
    for n, commit in ((1, A), (2, B)):
        given.entry(n, commit)
        given.claim(n, commit)
        given.started(n, f"e{n}")
        given.execution(f"e{n}", n, judgment=f"stage-{n}")
    with pytest.raises(Refused, match="1, 2 wait for a judgment in staging"):
        meant(given, "approve")
    found = meant(given, "approve", target=1)
    assert (found["execution"], found["stage"]) == ("e1", "stage-1")
    assert meant(given, "approve", target=1, execution="e1", stage="stage-1")["target"] == 1


def test_an_operators_refused_order_is_not_parked(given: Any) -> None:
    prefix = order(given, "resume")
    given.fact(prefix + "refused", kind="refused", environment="staging", reason="nothing holds staging")
    assert (given.steps(), given.due().open.requests) == ([], frozenset())


# on_failure.


@pytest.fixture
def failing(given: Any) -> Any:
    """Entry 2 failed in a deploying stage, 1 is good."""
    given.change_environment("staging", on_failure="rollback")
    given.change_environment("production", promotion="request")
    given.succeeded(1, A)
    given.entry(2, B)
    given.claim(2, B)
    given.started(2, "e2")
    given.ended(2, "e2", status="TERMINAL", fence="passed", deploying=True, message="no")
    given.rollout(2, "outcome", kind="outcome", status="failed", reason="no", attempt=0, execution="e2", commit=B)
    return given


def test_a_failure_asks_for_the_images_of_the_last_good_one_and_goes_back(failing: Any) -> None:
    assert failing.steps() == [Verify(environment="staging", bundle="content-a")]
    failing.snapshot.verified["content-a"] = None
    (body,) = appended(failing)
    assert (body["by"], body["verb"], body["target"], body["failed"]) == ("on_failure", "rollback", 1, 2)
    assert body["why"] == "staging 2 failed: no"


def test_a_failure_holds_where_nothing_to_go_back_to_is_left(failing: Any) -> None:
    failing.snapshot.verified["content-a"] = "its image is gone"
    (body,) = appended(failing)
    assert (body["verb"], body["commit"]) == ("hold", None)


def test_a_failure_under_a_hold_over_everything_waits_for_its_end(failing: Any) -> None:
    failing.fact(names.all_hold(1), kind="all-hold", n=1, verb="hold", who="ann", why=None, request="r")
    assert appended(failing) == []
    assert [wait.closed for wait in failing.due().waits] == [False]


def test_a_failure_that_an_order_has_settled_brings_nothing(failing: Any) -> None:
    failing.entry(3, None, by="operator", verb="resume", settled=3, newest_release=2)
    assert failing.steps() == []


def test_an_automatic_rollback_passes_a_freeze_and_its_own_hold_but_no_other(given: Any) -> None:
    given.change_environment("staging", freeze=(Freeze(cron="0 0 * * *", lasts=86400),))
    more: dict[str, Any] = {"bundle": "content-a", "parts": ["manifests"], "target": 1, "newest_rollback": 3}
    given.entry(3, A, by="on_failure", verb="rollback", hold=HOLD | {"n": 3}, **more)
    assert triggered(given) == [3]
    given.entry(4, None, by="operator", verb="hold", hold=HOLD | {"n": 4}, newest_rollback=3)
    assert triggered(given) == []


# What is read.


def test_the_newest_release_is_read_where_many_orders_came_after_it(given: Any) -> None:
    given.entry(60, None, by="operator", verb="hold", newest_release=3)
    prefixes = (names.log, names.rollouts)
    given.snapshot.loaded = {prefix("shop", each): True for prefix in prefixes for each in ("staging", "production")}
    given.snapshot.loaded[names.ALL_HOLDS] = False
    assert [query.prefix for query in wanted(given.registered, given.snapshot)] == [names.entry("shop", "staging", 3)]


def test_the_rollout_that_an_order_is_about_is_read_where_the_list_was_cut(given: Any) -> None:
    given.entry(60, A, by="operator", verb="cancel", target=2)
    given.snapshot.loaded = {
        names.log("shop", "staging"): True,
        names.rollouts("shop", "staging"): True,
        names.log("shop", "production"): False,
        names.rollouts("shop", "production"): False,
        names.ALL_HOLDS: False,
    }
    prefix = order(given, "rollback", target=1)
    given.snapshot.loaded |= {prefix: False, names.event("request", "o1"): False}
    asked = {query.prefix for query in wanted(given.registered, given.snapshot)}
    assert {names.rollout("shop", "staging", n) for n in (1, 2)} <= asked


# Promotion after a soak time.


@pytest.fixture
def soaking(given: Any) -> Any:
    given.change_environment("production", soak=1800)
    given.succeeded(1, A)
    return given


def test_a_success_is_promoted_when_it_has_been_live_long_enough(soaking: Any) -> None:
    assert appended(soaking) == []
    (wait,) = soaking.due().waits
    assert wait.what == "staging 1 to have been live for 30m, at 2026-11-24 12:30:00 UTC"
    assert (wait.environment, wait.commit, wait.closed) == ("production", A, False)
    later = soaking.now + timedelta(seconds=1800)
    assert [step.entry.body["by"] for step in soaking.steps(later) if isinstance(step, Append)] == ["promotion"]


def test_a_newer_success_begins_its_own_time(soaking: Any) -> None:
    soaking.succeeded(2, B)
    soaking.rollout(2, "outcome", ago=-600, kind="outcome", status="succeeded", reason="", attempt=0)
    assert [wait.commit for wait in soaking.due(soaking.now + timedelta(seconds=1800)).waits] == [B]


def test_what_was_rolled_back_from_is_not_promoted_by_itself(soaking: Any) -> None:
    more: dict[str, Any] = {"bundle": "content-c", "parts": ["manifests"], "target": 0, "newest_rollback": 2}
    soaking.entry(2, C, by="operator", verb="rollback", hold=HOLD | {"n": 2}, **more)
    later = soaking.now + timedelta(seconds=3600)
    assert [step for step in soaking.steps(later) if isinstance(step, Append)] == []


def test_an_order_to_promote_passes_the_soak_time(soaking: Any) -> None:
    soaking.order("r1", verb="promote", commit=None)
    assert [body["by"] for body in appended(soaking)] == ["request"]


@pytest.mark.parametrize(("seconds", "text"), [(60, "1m"), (5400, "90m"), (7200, "2h"), (172800, "2d")])
def test_a_length_is_said_as_the_catalog_writes_it(seconds: int, text: str) -> None:
    assert length(seconds) == text


def test_an_automatic_rollback_is_stopped_by_a_hold_over_everything_beside_its_own(given: Any) -> None:
    """Found by the simulator: a stalled tick appended the rollback after everything was held."""
    more: dict[str, Any] = {"bundle": "content-a", "parts": ["manifests"], "target": 1, "newest_rollback": 3}
    given.entry(3, A, by="on_failure", verb="rollback", hold=HOLD | {"n": 3, "by": "on_failure", "who": None}, **more)
    assert triggered(given) == [3]
    given.fact(names.all_hold(1), kind="all-hold", n=1, verb="hold", who="ann", why=None, request="r")
    assert triggered(given) == []
    given.fact(names.all_hold(2), kind="all-hold", n=2, verb="resume", who="ann", why=None, request="s")
    assert triggered(given) == [3]
