"""A tip to which no push leads becomes an entry once two ticks, one soon after the other, heard the same."""

from typing import Any

import pytest

from downwind.reconcile import names
from downwind.reconcile.admit import NEAR
from downwind.reconcile.steps import Append

A, B, C = "a" * 40, "b" * 40, "c" * 40
MAIN = "refs/heads/main"
TWO_TICKS = "two ticks on which refs/heads/main answers the same: no recorded push leads there"


def appended(given: Any) -> list[dict[str, Any]]:
    return [dict(step.entry.body) for step in given.steps() if isinstance(step, Append)]


def answered(given: Any, tick: int, commit: str = B, *, ago: float = 60) -> None:
    name = names.tip("shop", "staging", MAIN, commit) + names.down(tick)
    given.fact(name, ago=ago, kind="tip", environment="staging", ref=MAIN, object=commit, tick=tick)


@pytest.fixture
def unlinked(given: Any) -> Any:
    """Entry 1 is A, whose rollout has ended; the tip is B, and no push leads there."""
    given.entry(1, A, ago=600)
    given.claim(1, A)
    given.outcome(1, "failed")
    given.tip(B)
    return given


def test_a_handler_leaves_an_unlinked_tip_to_the_ticks(unlinked: Any) -> None:
    assert (appended(unlinked), unlinked.waits()) == ([], [TWO_TICKS])
    assert unlinked.due().open.refs == {MAIN}


def test_the_first_answer_is_a_fact_and_the_next_tick_is_waited_for(unlinked: Any) -> None:
    unlinked.snapshot.tick = 7
    prefix = names.tip("shop", "staging", MAIN, B)
    tips = {name: body for name, body in unlinked.recorded().items() if name.startswith(prefix)}
    assert [(body["kind"], body["object"], body["tick"]) for body in tips.values()] == [("tip", B, 7)]
    assert unlinked.waits() == ["the next tick to hear the same of refs/heads/main"]
    answered(unlinked, 7)
    assert not appended(unlinked), "the same tick is no second answer"


@pytest.mark.parametrize("between", [1, NEAR])
def test_the_same_answer_on_a_later_tick_makes_the_entry(unlinked: Any, between: int) -> None:
    answered(unlinked, 7, ago=60)
    unlinked.snapshot.tick = 7 + between
    assert [(body["commit"], body["via"]) for body in appended(unlinked)] == [(B, [])]


def test_an_answer_long_ago_does_not_count(unlinked: Any) -> None:
    answered(unlinked, 7, ago=60)
    unlinked.snapshot.tick = 7 + NEAR + 1
    assert not appended(unlinked)


def test_an_answer_from_before_the_newest_entry_does_not_count(unlinked: Any) -> None:
    answered(unlinked, 7, ago=601)
    unlinked.snapshot.tick = 8
    assert not appended(unlinked)


def test_another_answer_does_not_count(unlinked: Any) -> None:
    answered(unlinked, 7, C, ago=60)
    unlinked.snapshot.tick = 8
    assert not appended(unlinked)


def test_two_ticks_are_enough_for_a_ref_without_any_entry(given: Any) -> None:
    given.tip(B)
    answered(given, 7)
    given.snapshot.tick = 8
    assert len(appended(given)) == 1


def test_two_ticks_that_were_delivered_at_once_prove_nothing(given: Any) -> None:
    given.tip(B)
    answered(given, 7, ago=1)
    given.snapshot.tick = 8
    assert appended(given) == []
