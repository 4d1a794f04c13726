"""Operators' orders on the real handlers: what each brings, and what automation then leaves alone."""

from typing import Any

import pytest

from downwind.errors import Refused, TransientError, UnknownOutcome

STAGING = "pipeline: {application: shop, name: deploy-staging}"
ROLLBACK = (STAGING, f"{STAGING}\n    on_failure: rollback")
HOLD = (STAGING, f"{STAGING}\n    on_failure: hold")


def started(shop: Any, environment: str = "staging") -> list[int]:
    """Sequences by execution, oldest first."""
    return [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions(environment)]


def pushed(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.image(commit)
    return commit


def released(shop: Any) -> str:
    commit = pushed(shop)
    shop.finish(shop.executions("staging")[-1])
    return commit


def failed(shop: Any) -> str:
    commit = pushed(shop)
    fail(shop)
    return commit


def fail(shop: Any, stage: str = "4") -> None:
    execution = shop.executions("staging")[-1]
    shop.memory.pipelines.fail_stage(execution["id"], stage, "no")
    shop.echo(execution)


def test_a_rollback_brings_the_last_good_one_again_and_holds(shop: Any, waits: Any) -> None:
    first, second = released(shop), released(shop)
    answer = shop.order("rollback", "staging", why="errors")
    assert (answer.state, answer.sequence) == ("done", 3)
    assert (started(shop), shop.log("staging")) == ([1, 2, 3], [first, second, first])
    entry = shop.entries("staging")[-1]
    assert (entry["by"], entry["who"], entry["why"], entry["target"]) == ("operator", "sre@acme.example", "errors", 1)
    bundles = shop.memory.bundles
    again, before = (bundles.read(f"shop/staging/rollout/{n}.yaml").data for n in (3, 1))
    assert again.replace(b'"3"', b'"1"') == before
    shop.finish(shop.executions("staging")[-1])
    assert shop.outcomes("staging")[-1] == (3, "succeeded")
    for _ in range(3):
        pushed(shop)
    shop.tick(3)
    assert started(shop) == [1, 2, 3]
    assert any("an operator to resume: hold 3 by sre@acme.example" in each for each in waits(shop))
    assert shop.log("production") == [first, second], "a rollback is never promoted"


def test_a_held_environment_leaves_no_marker_and_resume_brings_the_newest_only(shop: Any) -> None:
    released(shop)
    shop.finish(shop.executions("production")[-1])
    shop.judge(shop.executions("production")[-1])
    shop.order("hold", "staging")
    commits = [pushed(shop) for _ in range(5)]
    shop.tick(3)
    assert (started(shop), shop.open()) == ([1], [])
    shop.order("resume", "staging")
    assert (started(shop), shop.log("staging")[6]) == ([1, 7], commits[-1])


def test_resume_brings_nothing_that_is_older_than_a_rollback(shop: Any) -> None:
    released(shop), released(shop)
    shop.order("rollback", "staging")
    shop.order("resume", "staging")
    shop.tick(3)
    assert started(shop) == [1, 2, 3]


def test_resume_lets_nothing_below_the_newest_release_go(shop: Any) -> None:
    released(shop)
    shop.order("hold", "staging")
    pushed(shop)
    newest = shop.push()
    shop.order("resume", "staging")
    shop.tick(2)
    assert started(shop) == [1]
    shop.build(newest)
    assert started(shop) == [1, 4]


def test_an_order_passes_a_hold_which_stands_on(shop: Any) -> None:
    first = released(shop)
    shop.order("hold", "staging")
    shop.order("deploy", "staging", commit=first)
    shop.finish(shop.executions("staging")[-1])
    pushed(shop)
    assert started(shop) == [1, 3]


def test_sixty_orders_after_the_newest_release_do_not_hide_it(shop: Any) -> None:
    released(shop)
    shop.order("hold", "staging")
    pushed(shop)
    for _ in range(60):
        shop.order("hold", "staging")
    shop.order("resume", "staging")
    shop.tick()
    assert started(shop) == [1, 3]


def test_a_hold_between_claim_and_post_stops_the_start_and_resume_goes_on_with_it(shop: Any) -> None:
    commit = shop.push()
    ordered: list[Any] = []
    config = shop.memory.pipelines.config

    def meanwhile(*arguments: Any) -> Any:
        if not ordered:
            ordered.append(shop.order("hold", "staging"))
        return config(*arguments)

    shop.memory.pipelines.config = meanwhile
    shop.build(commit)
    shop.tick(3)
    assert (ordered[0].sequence, started(shop)) == (2, [])
    shop.order("resume", "staging")
    shop.tick(3)
    assert started(shop) == [1]


def waits_in_production(shop: Any) -> Any:
    """The newest release, up to its judgment there."""
    released(shop)
    execution = shop.executions("production")[-1]
    shop.memory.pipelines.advance(execution["id"])
    shop.echo(execution)
    return execution


def test_under_a_hold_automation_cancels_nothing_for_what_it_had_claimed_before(shop: Any) -> None:
    """2 was started while 1 still ran; 1 comes to its judgment only after the hold."""
    released(shop)
    first = shop.executions("production")[-1]
    released(shop)
    assert started(shop, "production") == [1, 2]
    shop.order("hold", "production")
    shop.memory.pipelines.advance(first["id"])
    shop.echo(first)
    shop.tick(15)
    assert shop.memory.pipelines.cancellations == []
    shop.order("resume", "production")
    shop.tick(15)
    assert shop.memory.pipelines.cancellations == [(first["id"], "superseded by 2")]


def test_an_order_that_passes_a_hold_makes_its_way_there(shop: Any) -> None:
    first = waits_in_production(shop)
    shop.order("hold", "production")
    shop.order("deploy", "production", commit=shop.log("staging")[0])
    assert shop.memory.pipelines.cancellations == [(first["id"], "superseded by 3")]
    assert started(shop, "production") == [1, 3]


@pytest.mark.parametrize("verb", ["hold", "cancel"])
def test_an_order_that_comes_while_way_is_made_stops_that_too(shop: Any, verb: str) -> None:
    """Between the decision and the call to Gate: the reason stands already, and is read once more."""
    waits_in_production(shop)
    ordered: list[Any] = []

    def meanwhile(method: str, name: str) -> None:
        if method == "create" and name.endswith("/cancel.0") and not ordered:
            ordered.append(shop.order(verb, "production", **({} if verb == "hold" else {"target": 2})))

    shop.memory.ledger.fail = meanwhile
    released(shop)
    shop.memory.ledger.fail = None
    assert ordered
    shop.tick(15)
    assert shop.memory.pipelines.cancellations == []
    assert started(shop, "production") == [1]


def test_a_failure_is_rolled_back_by_itself_once_and_held(new_shop: Any) -> None:
    shop = new_shop(ROLLBACK)
    good, bad = released(shop), failed(shop)
    assert shop.log("staging") == [good, bad, good]
    assert started(shop) == [1, 2, 3]
    fail(shop)
    shop.tick(5)
    assert started(shop) == [1, 2, 3], "a rollback that fails brings no other"
    pushed(shop)
    assert started(shop) == [1, 2, 3]
    shop.order("resume", "staging")
    assert started(shop) == [1, 2, 3, 4]


def test_on_failure_hold_stops_automation_and_a_resume_is_no_reason_to_hold_again(new_shop: Any) -> None:
    shop = new_shop(HOLD)
    released(shop), failed(shop)
    assert shop.entries("staging")[-1]["hold"]["by"] == "on_failure"
    newest = pushed(shop)
    assert started(shop) == [1, 2]
    shop.order("resume", "staging")
    shop.tick(2)
    assert (started(shop), shop.log("staging")[3]) == ([1, 2, 4], newest)


def test_a_failure_with_nothing_to_go_back_to_holds(new_shop: Any) -> None:
    shop = new_shop(ROLLBACK)
    failed(shop)
    assert [entry["verb"] for entry in shop.entries("staging")] == ["release", "hold"]


def test_a_failure_rolls_back_past_images_that_are_gone(new_shop: Any) -> None:
    shop = new_shop(ROLLBACK)
    oldest = released(shop)
    lost = released(shop)
    shop.memory.registry.delete(shop.IMAGE, shop.completed(lost)["images"][shop.IMAGE])
    failed(shop)
    assert shop.log("staging")[-1] == oldest


@pytest.mark.parametrize("stage", ["1", "2"])
def test_a_failure_before_anything_was_deployed_brings_nothing(new_shop: Any, stage: str) -> None:
    shop = new_shop(ROLLBACK)
    released(shop), pushed(shop)
    fail(shop, stage)
    assert len(shop.log("staging")) == 2


def test_a_failure_under_a_hold_brings_nothing(new_shop: Any) -> None:
    shop = new_shop(ROLLBACK)
    released(shop), pushed(shop)
    shop.order("hold", "staging")
    fail(shop)
    shop.tick(2)
    assert started(shop) == [1, 2]


def test_a_failure_that_a_newer_one_followed_brings_nothing(new_shop: Any) -> None:
    shop = new_shop(ROLLBACK)
    released(shop), pushed(shop)
    older = shop.executions("staging")[-1]
    pushed(shop)
    shop.memory.pipelines.fail_stage(older["id"], "4", "no")
    shop.echo(older)
    assert len(shop.log("staging")) == 3


def test_cancel_ends_the_run_and_makes_no_new_attempt(shop: Any) -> None:
    pushed(shop)
    (execution,) = shop.executions("staging")
    answer = shop.order("cancel", "staging", why="wrong branch")
    assert answer.sequence == 2
    assert execution["status"] == "CANCELED"
    shop.echo(execution)
    shop.tick(3)
    assert (shop.outcomes("staging"), started(shop)) == ([(1, "cancelled")], [1])


def test_cancel_of_a_run_that_was_claimed_and_never_posted_ends_it(shop: Any) -> None:
    shop.memory.pipelines.fail(UnknownOutcome("no answer"), verb="start")
    pushed(shop)
    shop.order("cancel", "staging")
    shop.tick(3)
    assert (shop.outcomes("staging"), started(shop)) == ([(1, "cancelled")], [])


def test_cancel_of_one_that_waits_is_for_good(shop: Any) -> None:
    commit = shop.push()
    shop.order("cancel", "staging", target=1)
    shop.build(commit)
    shop.tick(2)
    assert (shop.outcomes("staging"), started(shop)) == ([(1, "cancelled")], [])


def test_a_cancel_between_claim_and_post_stops_the_start(shop: Any) -> None:
    commit = shop.push()
    ordered: list[Any] = []
    config = shop.memory.pipelines.config

    def meanwhile(*arguments: Any) -> Any:
        if not ordered:
            ordered.append(shop.order("cancel", "staging", target=1))
        return config(*arguments)

    shop.memory.pipelines.config = meanwhile
    shop.build(commit)
    shop.tick(3)
    assert (shop.outcomes("staging"), started(shop)) == ([(1, "cancelled")], [])


def test_retry_is_the_next_attempt_of_the_newest_and_passes_a_hold(shop: Any) -> None:
    released(shop), failed(shop)
    shop.order("hold", "staging")
    answer = shop.order("retry", "staging")
    last = shop.executions("staging")[-1]
    assert (last["trigger"]["downwind"]["sequence"], last["trigger"]["downwind"]["attempt"]) == ("2", "1")
    assert answer.says == "staging 4 retries 2: ordered by sre@acme.example, because: because"
    shop.finish(last)
    assert shop.outcomes("staging") == [(1, "succeeded"), (2, "failed"), (2, "succeeded")]
    assert len(shop.log("production")) == 2
    with pytest.raises(Refused, match="staging 2 has succeeded"):
        shop.order("retry", "staging")


def test_retry_goes_beyond_three_attempts(shop: Any) -> None:
    pushed(shop)
    for _ in range(3):
        execution = shop.executions("staging")[-1]
        shop.memory.pipelines.purge(execution["id"])
        shop.echo(execution)
    assert shop.outcomes("staging") == [(1, "failed")]
    shop.order("retry", "staging")
    assert shop.executions("staging")[-1]["trigger"]["downwind"]["attempt"] == "3"
    shop.finish(shop.executions("staging")[-1])
    assert shop.outcomes("staging") == [(1, "failed"), (1, "succeeded")]


def test_a_retry_may_be_cancelled_and_retried_once_more(shop: Any) -> None:
    failed(shop)
    shop.order("retry", "staging")
    shop.order("cancel", "staging")
    shop.echo(shop.executions("staging")[-1])
    assert shop.outcomes("staging") == [(1, "failed"), (1, "cancelled")]
    shop.order("retry", "staging")
    assert [each["trigger"]["downwind"]["attempt"] for each in shop.executions("staging")] == ["0", "1", "2"]


@pytest.mark.parametrize(("verb", "status"), [("approve", "succeeded"), ("reject", "cancelled")])
def test_a_judgment_is_answered_through_gate_and_recorded(shop: Any, verb: str, status: str) -> None:
    released(shop)
    execution = shop.executions("production")[-1]
    shop.finish(execution)
    answer = shop.order(verb, "production", why="CHG-1")
    assert (answer.state, answer.sequence) == ("done", 1)
    shop.echo(execution)
    assert shop.outcomes("production") == [(1, status)]
    (said,) = [body for body in shop.rollouts("production").values() if body["kind"] == "judgment"]
    assert (said["who"], said["why"]) == ("sre@acme.example", "CHG-1")
    assert len(shop.log("production")) == 1
    with pytest.raises(Refused, match="nothing waits for a judgment"):
        shop.order("approve", "production")


@pytest.mark.parametrize("arrived", [True, False])
def test_an_answer_to_a_judgment_that_gate_did_not_confirm_is_given_again(shop: Any, arrived: bool) -> None:
    released(shop)
    execution = shop.executions("production")[-1]
    shop.finish(execution)
    pipelines = shop.memory.pipelines
    judge = pipelines.judge

    def lost(seen: Any, decision: str) -> None:
        pipelines.judge = judge
        if arrived:
            judge(seen, decision)
        raise UnknownOutcome("no answer")

    pipelines.judge = lost
    answer = shop.order("approve", "production", id="A")
    assert answer.state == "accepted"
    shop.tick(2)
    assert shop.order("approve", "production", id="A").state == "done"
    shop.echo(execution)
    assert shop.outcomes("production") == [(1, "succeeded")]


def test_the_same_id_is_one_order_and_another_order_with_it_is_refused(shop: Any) -> None:
    released(shop), released(shop)
    first = shop.order("rollback", "staging", id="CHG-1")
    assert shop.order("rollback", "staging", id="CHG-1").sequence == first.sequence
    assert len(shop.log("staging")) == 3
    with pytest.raises(Refused, match="another order has the id CHG-1"):
        shop.order("hold", "staging", id="CHG-1")
    assert shop.order("rollback", "staging", id="CHG-1", target=1, why="another").sequence == first.sequence
    with pytest.raises(Refused, match="another order has the id CHG-1"):
        shop.order("rollback", "staging", id="CHG-1", target=2)


VERBS: list[tuple[str, dict[str, Any]]] = [
    ("deploy", {"commit": "a" * 40}),
    ("promote", {}),
    ("rollback", {}),
    ("hold", {}),
    ("retry", {}),
    ("cancel", {}),
]


@pytest.mark.parametrize(("verb", "more"), VERBS)
def test_a_dry_run_says_the_same_entry_and_writes_nothing(shop: Any, verb: str, more: dict[str, Any]) -> None:
    environment = "staging"
    if verb == "promote":
        environment = "production"
    released(shop), released(shop)
    if verb == "retry":
        failed(shop)
    if verb == "cancel":
        pushed(shop)
    before = [each.name for each in shop.memory.ledger.list("")] + shop.open()
    would = shop.order(verb, environment, dry_run=True, id="same", **more)
    assert [each.name for each in shop.memory.ledger.list("")] + shop.open() == before
    done = shop.order(verb, environment, id="same", **more)
    assert (would.state, done.state) == ("would", "done")
    assert (would.sequence, would.says) == (done.sequence, done.says)


def test_a_dry_run_of_a_hold_shows_what_it_would_stop(shop: Any) -> None:
    released(shop)
    shop.push()
    shop.memory.pipelines.fail(TransientError("away"), verb="config")
    commit = shop.push()
    shop.build(commit)
    would = shop.order("hold", "staging", dry_run=True, why="incident")
    assert "staging 3 waits for the worker that claimed it, or the tick that takes over" in would.then
    assert would.says == "staging 4 holds: ordered by sre@acme.example, because: incident"


REFUSALS: list[tuple[str, str, dict[str, Any], str]] = [
    ("rollback", "production", {}, "nothing has been rolled out to production yet"),
    ("rollback", "staging", {}, "no earlier success with other manifests than 1 has"),
    ("rollback", "staging", {"target": 9}, "staging 9 was never rolled out"),
    ("rollback", "staging", {"commit": "a" * 40}, "has succeeded in staging"),
    ("resume", "staging", {}, "nothing holds staging"),
    ("cancel", "staging", {}, "nothing runs in staging"),
    ("cancel", "staging", {"target": 1}, "staging 1 has ended already: succeeded"),
    ("cancel", "staging", {"target": 9}, "staging has no entry 9 that could be cancelled"),
    ("retry", "staging", {"target": 7}, "staging 7 is not the newest: 1 is"),
    ("retry", "staging", {}, "staging 1 has succeeded"),
    ("retry", "production", {}, "production 1 is still on its way"),
    ("approve", "staging", {}, "nothing waits for a judgment in staging"),
    ("promote", "staging", {}, "staging is fed by refs"),
    ("deploy", "moon", {"commit": "a" * 40}, "shop has no environment 'moon'"),
]


@pytest.mark.parametrize(("verb", "environment", "more", "why"), REFUSALS)
def test_what_means_nothing_is_refused_with_the_reason_and_leaves_nothing(
    shop: Any, verb: str, environment: str, more: dict[str, Any], why: str
) -> None:
    released(shop)
    if why.startswith("nothing has been rolled out"):
        shop = type(shop)(type(shop.memory)())
    before = [each.name for each in shop.memory.ledger.list("")]
    with pytest.raises(Refused, match=why):
        shop.order(verb, environment, **more)
    assert [each.name for each in shop.memory.ledger.list("")] == before
