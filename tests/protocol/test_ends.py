"""How a run ends, and who says so: Echo, twice; or nobody; and what each end means."""

from typing import Any

import pytest

from downwind.errors import TransientError

DEPLOY, FENCE, JUDGMENT = "4", "2", "3"


def staging(shop: Any) -> dict[str, Any]:
    shop.build(shop.push())
    found: dict[str, Any] = shop.executions("staging")[-1]
    return found


def production(shop: Any) -> dict[str, Any]:
    shop.finish(staging(shop))
    found: dict[str, Any] = shop.executions("production")[-1]
    shop.finish(found)
    return found


def test_an_end_told_many_times_is_one_outcome(shop: Any) -> None:
    execution = staging(shop)
    shop.finish(execution)
    facts = len(shop.memory.ledger.list(""))
    for _ in range(4):
        assert shop.echo(execution) == "ignored"
    assert len(shop.memory.ledger.list("")) == facts
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_an_end_that_nobody_told_is_found_by_the_next_look_up(shop: Any) -> None:
    execution = staging(shop)
    shop.memory.pipelines.advance(execution["id"])
    shop.tick(4)
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_an_end_after_hours_is_found_within_ten_minutes(shop: Any) -> None:
    execution = staging(shop)
    shop.tick(100)
    shop.memory.pipelines.advance(execution["id"])
    shop.tick(11)
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_an_end_told_while_gate_was_silent_is_asked_for_by_the_next_tick(shop: Any) -> None:
    execution = staging(shop)
    shop.tick(6)  # the next look-up would be minutes away
    shop.memory.pipelines.fail(TransientError("503"), verb="execution", times=2)
    shop.finish(execution)
    shop.tick()
    assert shop.outcomes("staging") == []
    shop.tick()
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_ticks_that_come_late_do_not_miss_the_look_up(shop: Any) -> None:
    execution = staging(shop)
    shop.memory.pipelines.advance(execution["id"])
    for late in (59, 2):  # at 119 and 181 seconds after the start, the look-up being due at 120
        shop.memory.clock.advance(late)
        shop.tick()
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_a_failed_deploying_stage_has_failed_without_another_attempt(shop: Any) -> None:
    execution = staging(shop)
    shop.memory.pipelines.fail_stage(execution["id"], DEPLOY, "quota exceeded")
    shop.echo(execution)
    shop.tick(5)
    assert shop.outcomes("staging") == [(1, "failed")]
    assert len(shop.executions("staging")) == 1
    assert shop.executions("production") == []
    assert shop.open() == []


def test_a_purged_run_is_tried_again_three_times_in_all(shop: Any) -> None:
    staging(shop)
    for attempt in range(3):
        execution = shop.executions("staging")[-1]
        assert execution["trigger"]["downwind"]["attempt"] == str(attempt)
        shop.memory.pipelines.purge(execution["id"])
        shop.echo(execution)
    shop.tick(3)
    assert len(shop.executions("staging")) == 3
    assert shop.outcomes("staging") == [(1, "failed")]


def test_no_next_attempt_is_made_beside_a_run_of_which_nobody_has_heard(shop: Any) -> None:
    """Orca doubles a start and purges one of the two."""
    purged = staging(shop)
    pipelines = shop.memory.pipelines
    other = pipelines._new(pipelines.config("shop", "deploy-staging"), purged["trigger"])
    pipelines.purge(purged["id"])
    shop.echo(purged)
    shop.tick(2)
    assert len(shop.executions("staging")) == 2
    pipelines.advance(other)
    shop.tick(4)
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_a_purged_run_that_a_newer_one_replaced_is_superseded(shop: Any) -> None:
    older = staging(shop)
    staging(shop)
    shop.memory.pipelines.purge(older["id"])
    shop.echo(older)
    assert shop.outcomes("staging") == [(1, "superseded")]
    assert len(shop.executions("staging")) == 2


def test_a_person_who_cancels_ends_it(shop: Any) -> None:
    execution = staging(shop)
    shop.memory.pipelines._cancel(execution, by="dev@acme.example", reason="not today")
    shop.echo(execution)
    shop.tick(3)
    assert shop.outcomes("staging") == [(1, "cancelled")]
    assert len(shop.executions("staging")) == 1


def test_a_judgment_that_says_stop_is_a_persons_cancel(shop: Any) -> None:
    shop.judge(production(shop), "stop")
    shop.tick(3)
    assert shop.outcomes("production") == [(1, "cancelled")]
    assert len(shop.executions("production")) == 1


def test_a_stage_that_fails_after_a_judgment_said_go_on_is_no_cancel(shop: Any) -> None:
    execution = production(shop)
    pipelines = shop.memory.pipelines
    stage = next(each for each in execution["stages"] if each["refId"] == JUDGMENT)
    stage["status"], stage["context"]["judgmentStatus"] = "SUCCEEDED", "continue"
    pipelines.finish(execution["id"], "TERMINAL")
    shop.echo(execution)
    assert shop.outcomes("production") == [(1, "failed")]


def test_a_run_that_the_fence_refused_has_failed(shop: Any) -> None:
    execution = staging(shop)
    shop.memory.pipelines.refuse_fence(execution["id"], "sequence 1 is not above 7")
    shop.echo(execution)
    shop.tick(3)
    assert shop.outcomes("staging") == [(1, "failed")]


def test_a_spare_run_decides_nothing(shop: Any) -> None:
    execution = staging(shop)
    pipelines = shop.memory.pipelines
    config = pipelines.config("shop", "deploy-staging")
    spare = pipelines.executions[pipelines._new(config, execution["trigger"])]
    shop.echo(spare)
    pipelines.refuse_fence(spare["id"], "another execution holds the sequence")
    shop.echo(spare)
    assert shop.outcomes("staging") == []
    shop.finish(execution)
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_a_run_that_succeeded_over_a_failed_stage_has_failed(shop: Any) -> None:
    execution = staging(shop)
    pipelines = shop.memory.pipelines
    pipelines.fail_stage(execution["id"], DEPLOY)
    next(each for each in execution["stages"] if each["refId"] == DEPLOY)["status"] = "FAILED_CONTINUE"
    pipelines.finish(execution["id"], "SUCCEEDED")
    shop.echo(execution)
    assert shop.outcomes("staging") == [(1, "failed")]


def test_an_execution_that_gate_no_longer_has_has_failed(shop: Any) -> None:
    execution = staging(shop)
    del shop.memory.pipelines.executions[execution["id"]]
    shop.tick(4)
    assert shop.outcomes("staging") == [(1, "failed")]
    assert shop.open() == []


def test_an_execution_that_gate_does_not_have_yet_is_not_given_up(shop: Any) -> None:
    older = staging(shop)
    hidden = shop.memory.pipelines.executions.pop(older["id"])
    staging(shop)
    assert shop.outcomes("staging") == []
    shop.memory.pipelines.executions[older["id"]] = hidden
    shop.finish(older)
    assert shop.outcomes("staging") == [(1, "succeeded")]


@pytest.mark.parametrize("known", [True, False])
def test_an_execution_that_is_not_ours_is_ignored(shop: Any, known: bool) -> None:
    execution = {"id": "01" + "9" * 24}
    if known:
        config = shop.memory.pipelines.config("shop", "deploy-staging")
        execution["id"] = shop.memory.pipelines._new(config, {"type": "manual"})
    assert shop.echo(execution) == "ignored"


def test_a_refused_run_waits_for_the_one_that_holds_its_sequence_though_nobody_has_heard_of_it(shop: Any) -> None:
    """Orca doubles a start and Echo tells first of the one that was refused: found by the simulator."""
    spare = staging(shop)
    pipelines = shop.memory.pipelines
    holder = pipelines._new(pipelines.config("shop", "deploy-staging"), spare["trigger"])
    pipelines.advance(holder, to="4")
    pipelines.refuse_fence(spare["id"], f"execution {holder} (attempt 0) already holds sequence 1")
    shop.echo(spare)
    assert shop.outcomes("staging") == []
    pipelines.advance(holder)
    shop.tick(4)
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_the_rollout_of_an_older_execution_is_read_by_itself(shop: Any) -> None:
    """One list reads the newest rollouts only."""
    first = staging(shop)
    for _ in range(21):
        shop.finish(staging(shop))
    shop.memory.pipelines.advance(first["id"])
    shop.echo(first)
    assert dict(shop.outcomes("staging"))[1] == "succeeded"
