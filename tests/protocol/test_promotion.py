"""From one environment to the next: never an older one, and what becomes of one that waits."""

from typing import Any

import pytest

from downwind.errors import UnknownOutcome

QUEUE = ("    after: staging\n", "    after: staging\n    on_newer: queue\n")
FREEZE = ("    after: staging\n", '    after: staging\n    freeze: [{cron: "0 8 * * TUE", lasts: 4h, timezone: UTC}]\n')
"""The clock of these tests starts on a Tuesday at nine."""


def staged(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    return commit


def waiting(shop: Any) -> dict[str, Any]:
    """In production's judgment."""
    staged(shop)
    shop.finish(shop.executions("staging")[-1])
    execution: dict[str, Any] = shop.executions("production")[-1]
    shop.finish(execution)
    return execution


def test_a_late_success_of_an_older_one_is_not_promoted(shop: Any) -> None:
    staged(shop)
    second = staged(shop)
    older, newer = shop.executions("staging")
    shop.finish(newer)
    shop.finish(older)
    shop.tick(2)
    assert shop.outcomes("staging") == [(1, "succeeded"), (2, "succeeded")]
    assert shop.log("production") == [second]


def test_a_failed_one_is_not_promoted_and_the_next_is(shop: Any) -> None:
    staged(shop)
    (first,) = shop.executions("staging")
    shop.memory.pipelines.fail_stage(first["id"], "4")
    shop.echo(first)
    assert shop.log("production") == []
    second = staged(shop)
    shop.finish(shop.executions("staging")[-1])
    assert shop.log("production") == [second]


def test_a_newer_one_cancels_the_one_that_waits_in_a_judgment(shop: Any) -> None:
    older, newer = waiting(shop), waiting(shop)
    assert [execution for execution, _ in shop.memory.pipelines.cancellations] == [older["id"]]
    shop.echo(older)
    shop.judge(newer)
    assert shop.outcomes("production") == [(1, "superseded"), (2, "succeeded")]


def test_a_queue_lets_the_older_one_wait(new_shop: Any) -> None:
    shop = new_shop(QUEUE)
    older, newer = waiting(shop), waiting(shop)
    shop.tick(15)
    assert shop.memory.pipelines.cancellations == []
    shop.judge(older)
    shop.judge(newer)
    assert shop.outcomes("production") == [(1, "succeeded"), (2, "succeeded")]


def test_one_that_waited_while_many_newer_came_still_gets_its_outcome(new_shop: Any) -> None:
    shop = new_shop(QUEUE)
    oldest = waiting(shop)
    for _ in range(50):
        shop.judge(waiting(shop))
    shop.tick(2)
    shop.judge(oldest)
    assert shop.outcomes("production")[0] == (1, "succeeded")
    assert len(shop.outcomes("production")) == 51


def test_a_run_that_deploys_is_left_to_end(shop: Any) -> None:
    older = waiting(shop)
    pipelines = shop.memory.pipelines
    stage = next(each for each in older["stages"] if each["refId"] == "3")
    stage["status"], stage["context"]["judgmentStatus"] = "SUCCEEDED", "continue"
    pipelines.advance(older["id"], to="4")
    waiting(shop)
    shop.tick(15)
    assert pipelines.cancellations == []
    shop.finish(older)
    assert shop.outcomes("production")[0] == (1, "succeeded")


def test_one_that_reaches_its_judgment_after_the_newer_was_started_is_cancelled_then(shop: Any) -> None:
    staged(shop)
    shop.finish(shop.executions("staging")[-1])
    (older,) = shop.executions("production")
    waiting(shop)
    assert shop.memory.pipelines.cancellations == [], "the older one had not reached its judgment"
    shop.finish(older)
    assert [execution for execution, _ in shop.memory.pipelines.cancellations] == [older["id"]]


@pytest.mark.parametrize("arrived", [True, False])
def test_a_cancel_whose_answer_is_lost_is_asked_after_on_the_next_tick(shop: Any, arrived: bool) -> None:
    older = waiting(shop)
    shop.tick(6)  # the next look-up would be minutes away
    pipelines = shop.memory.pipelines
    cancel = pipelines.cancel

    def lost(execution: str, reason: str) -> None:
        pipelines.cancel = cancel
        if arrived:
            cancel(execution, reason)
        raise UnknownOutcome("no answer")

    pipelines.cancel = lost
    waiting(shop)
    shop.tick(2)
    assert pipelines.execution(older["id"]).status == "CANCELED"
    assert shop.outcomes("production") == [(1, "superseded")]
    assert len(shop.executions("production")) == 2


def test_gate_that_does_not_say_what_the_older_one_does_holds_the_newer_back(shop: Any) -> None:
    waiting(shop)
    staged(shop)
    (_, staging) = shop.executions("staging")
    shop.memory.pipelines.advance(staging["id"])
    asked = shop.memory.pipelines.execution
    shop.memory.pipelines.execution = lambda each: asked(each) if each == staging["id"] else silent()
    shop.echo(staging)
    assert len(shop.executions("production")) == 1
    shop.memory.pipelines.execution = asked
    shop.tick()
    assert len(shop.executions("production")) == 2


def silent() -> None:
    raise UnknownOutcome("no answer")


def test_a_freeze_holds_automation_says_until_when_and_ends(new_shop: Any, waits: Any) -> None:
    shop = new_shop(FREEZE)
    staged(shop)
    shop.finish(shop.executions("staging")[-1])
    assert (shop.executions("production"), len(shop.log("production"))) == ([], 1)
    assert "the freeze window to end at 2026-11-24 12:00 UTC" in waits(shop)
    shop.memory.clock.advance(3 * 3600)
    shop.tick()
    assert len(shop.executions("production")) == 1


def test_an_order_passes_a_freeze(new_shop: Any) -> None:
    shop = new_shop(FREEZE)
    staged(shop)
    shop.finish(shop.executions("staging")[-1])
    shop.request("promote", "production")
    assert [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("production")] == [2]


def test_an_older_entry_goes_where_the_newer_can_not(shop: Any) -> None:
    first, second = shop.push(), shop.push()
    shop.build(second, "FAILURE")
    shop.build(first)
    assert [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("staging")] == [1]


def test_an_older_entry_never_follows_a_newer(shop: Any) -> None:
    first, second = shop.push(), shop.push()
    shop.build(second)
    shop.build(first)
    shop.tick(3)
    assert [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("staging")] == [2]


def test_manifests_that_cannot_be_rendered_block_the_release_and_the_older_goes(shop: Any) -> None:
    first = shop.push()
    second = shop.push(deployment="kind: [")
    shop.build(second)
    assert "manifests" in shop.blocked(second)[0]["reason"]
    shop.build(first)
    assert [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("staging")] == [1]
