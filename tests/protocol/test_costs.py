"""Store calls one after another, counted: what a message costs does not grow with what is there already (design.md section 3)."""

from collections.abc import Callable
from typing import Any

import pytest

PUSH, BUILD, END = 10, 13, 14
STARTED_BY_US = ("triggers/shop}", "triggers/shop, start: true}")


def announcing(shop: Any) -> Callable[[], str]:
    before, after = shop.commit()
    return lambda: str(shop.announce(before, after))


def crowd(shop: Any, applications: int) -> None:
    """More applications of the same repository, trigger and image, each with pipelines of its own."""
    for number in range(1, applications):
        shop.second(f"shop-{number}")


def age(shop: Any, releases: int) -> None:
    """Releases that went to the end, one after another."""
    for _ in range(releases):
        shop.build(shop.push())
        shop.finish(shop.executions("staging")[-1])
        production = shop.executions("production")[-1]
        shop.finish(production)
        shop.judge(production)
    shop.tick(2)


@pytest.mark.parametrize("catalog", [(), (STARTED_BY_US,)])
def test_a_push_costs_at_most_ten_calls(new_shop: Any, meter: Any, catalog: Any) -> None:
    shop = new_shop(*catalog)
    assert meter.of(shop, announcing(shop)) <= PUSH, meter.calls
    assert len(shop.memory.builds.runs) == len(catalog)


def test_a_push_that_older_ones_lead_to_costs_at_most_ten_calls(new_shop: Any, meter: Any) -> None:
    shop = new_shop(STARTED_BY_US)
    pushes = [shop.commit() for _ in range(3)]
    for before, after in (pushes[0], pushes[2]):
        shop.announce(before, after)
    assert meter.of(shop, lambda: shop.announce(*pushes[1])) <= PUSH, meter.calls
    shop.tick(2)
    assert shop.log("staging") == [pushes[2][1]]


def test_a_build_that_completes_a_release_and_starts_a_rollout_costs_at_most_thirteen(shop: Any, meter: Any) -> None:
    commit = shop.push()
    assert meter.of(shop, lambda: shop.build(commit)) <= BUILD, meter.calls
    assert len(shop.executions("staging")) == 1


def test_a_push_that_comes_after_its_build_costs_at_most_thirteen(shop: Any, meter: Any) -> None:
    before, after = shop.commit()
    shop.build(after)
    assert shop.executions("staging") == []
    assert meter.of(shop, lambda: shop.announce(before, after)) <= BUILD, meter.calls
    assert len(shop.executions("staging")) == 1


def test_an_image_that_completes_a_release_costs_at_most_thirteen(new_shop: Any, meter: Any) -> None:
    shop = new_shop(("build: {trigger: projects/acme/locations/us-central1/triggers/shop}\n", ""))
    commit = shop.push()
    assert meter.of(shop, lambda: shop.image(commit)) <= BUILD, meter.calls
    assert len(shop.executions("staging")) == 1


def test_an_end_that_is_promoted_costs_at_most_fourteen(shop: Any, meter: Any) -> None:
    shop.build(shop.push())
    (staging,) = shop.executions("staging")
    assert meter.of(shop, lambda: shop.finish(staging)) <= END, meter.calls
    assert len(shop.executions("production")) == 1


def test_a_duplicate_costs_one_call(shop: Any, meter: Any) -> None:
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])
    shop.tick()
    assert [meter.of(shop, lambda sent=sent: shop.deliver(*sent)) for sent in shop.sent] == [1] * len(shop.sent)


@pytest.mark.parametrize(("applications", "releases"), [(40, 0), (1, 60)])
def test_costs_do_not_grow_with_applications_or_old_releases(
    shop: Any, meter: Any, applications: int, releases: int
) -> None:
    crowd(shop, applications)
    age(shop, releases)
    assert meter.of(shop, announcing(shop)) <= PUSH, meter.calls
    (commit,) = set(shop.log("staging")[-1:])
    assert meter.of(shop, lambda: shop.build(commit)) <= BUILD, meter.calls
    assert len(shop.memory.pipelines.executions) == applications + 2 * releases
    assert meter.of(shop, lambda: shop.finish(shop.executions("staging")[-1])) <= END, meter.calls


def test_all_applications_of_one_message_ask_their_repository_once(shop: Any) -> None:
    crowd(shop, 40)
    announce = announcing(shop)
    shop.memory.repository.calls.clear()
    announce()
    assert [verb for verb, _ in shop.memory.repository.calls] == ["tips"]


def test_a_tick_costs_the_same_after_many_releases(shop: Any, meter: Any) -> None:
    age(shop, 1)
    shop.build(shop.push())
    few = meter.of(shop, shop.tick)
    shop.finish(shop.executions("staging")[-1])
    age(shop, 60)
    shop.build(shop.push())
    assert meter.of(shop, shop.tick) <= few, meter.calls
