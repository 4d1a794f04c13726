"""operate dies before or after every single call of an order, and the order is sent again or not: it is carried out once, or
never was recorded."""

from collections.abc import Callable
from typing import Any

import pytest

from downwind.reconcile import names

STAGING = "pipeline: {application: shop, name: deploy-staging}"
ROLLBACK = (STAGING, f"{STAGING}\n    on_failure: rollback")


def released(shop: Any) -> None:
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])


def failed(shop: Any) -> None:
    shop.build(shop.push())
    shop.memory.pipelines.fail_stage(shop.executions("staging")[-1]["id"], "4")
    shop.echo(shop.executions("staging")[-1])


def rollback(shop: Any) -> None:
    released(shop)
    released(shop)


def cancel(shop: Any) -> None:
    shop.build(shop.push())


def retry(shop: Any) -> None:
    failed(shop)


def approve(shop: Any) -> None:
    released(shop)
    shop.finish(shop.executions("production")[-1])


def resume(shop: Any) -> None:
    released(shop)
    shop.order("hold", "staging")
    shop.build(shop.push())


ORDERS: list[tuple[Callable[[Any], None], str]] = [
    (rollback, "staging"),
    (cancel, "staging"),
    (retry, "staging"),
    (approve, "production"),
    (resume, "staging"),
]


def end(shop: Any) -> Any:
    """What has to be the same in the end: entries, sequences and attempts of executions, judgments, and nothing open."""
    pipelines = shop.memory.pipelines
    shop.tick(3)
    for _ in range(2):
        for execution in [*shop.executions("staging"), *shop.executions("production")]:
            if execution["status"] == "RUNNING":
                pipelines.advance(execution["id"])
            shop.echo(execution)
        shop.tick(3)
    runs = [
        (where, each["trigger"]["downwind"]["sequence"], each["trigger"]["downwind"]["attempt"], each["status"])
        for where in ("staging", "production")
        for each in shop.executions(where)
    ]
    log = [(entry["n"], entry["verb"], entry["by"]) for entry in shop.entries("staging")]
    judged = [body["decision"] for body in shop.rollouts("production").values() if body["kind"] == "judgment"]
    return runs, log, judged, shop.outcomes("staging"), shop.outcomes("production")


@pytest.mark.long
@pytest.mark.parametrize(("before", "environment"), ORDERS)
@pytest.mark.parametrize("again", [True, False])
def test_a_death_at_any_call_of_an_order_leaves_one_order_or_none(
    new_shop: Any, player: Any, before: Callable[[Any], None], environment: str, again: bool
) -> None:
    verb = before.__name__

    def play(die_at: int | None) -> tuple[Any, list[str], bool]:
        shop = new_shop()
        before(shop)
        player_ = player(shop, die_at)
        player_.act(lambda: shop.order(verb, environment, id="CHG-1"), again=again)
        player_.over = True
        recorded = bool(shop.facts(names.request("shop", environment, "CHG-1")))
        return end(shop), player_.points, recorded

    whole, points, _ = play(None)
    nothing = end_of_nothing(new_shop, before)
    assert whole != nothing
    for index in range(len(points)):
        found, _, recorded = play(index)
        assert found == (whole if recorded else nothing), f"death {index}: {points[index]}"
        assert recorded or not again, points[index]


def end_of_nothing(new_shop: Any, before: Callable[[Any], None]) -> Any:
    shop = new_shop()
    before(shop)
    return end(shop)


def test_a_death_at_any_call_of_a_failures_end_rolls_back_once(new_shop: Any, player: Any) -> None:
    def play(die_at: int | None) -> tuple[list[tuple[int, str, str]], list[int], list[str]]:
        shop = new_shop(ROLLBACK)
        released(shop)
        shop.build(shop.push())
        execution = shop.executions("staging")[-1]
        shop.memory.pipelines.fail_stage(execution["id"], "4")
        player_ = player(shop, die_at)
        player_.send(lambda: shop.echo(execution))
        player_.over = True
        shop.tick(4)
        log = [(entry["n"], entry["verb"], entry["by"]) for entry in shop.entries("staging")]
        return (
            log,
            [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("staging")],
            player_.points,
        )

    log, started, points = play(None)
    assert (log[-1], started) == ((3, "rollback", "on_failure"), [1, 2, 3])
    for index in range(len(points)):
        assert play(index)[:2] == (log, started), f"death {index}: {points[index]}"
