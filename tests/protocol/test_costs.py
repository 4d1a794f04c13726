"""Store calls one after another, counted: what a message costs does not grow with what is there already (design.md section 3)."""

from collections.abc import Callable
from typing import Any

PUSH, BUILD = 10, 12


def announcing(shop: Any) -> Callable[[], str]:
    before, after = shop.commit()
    return lambda: str(shop.announce(before, after))


def test_a_push_costs_at_most_ten_calls(shop: Any, meter: Any) -> None:
    assert meter.of(shop, announcing(shop)) <= PUSH, meter.calls


def test_a_build_that_completes_a_release_and_starts_a_rollout_costs_at_most_twelve(shop: Any, meter: Any) -> None:
    commit = shop.push()
    assert meter.of(shop, lambda: shop.build(commit)) <= BUILD, meter.calls
    assert len(shop.executions("staging")) == 1


def test_a_duplicate_costs_one_call(shop: Any, meter: Any) -> None:
    shop.build(shop.push())
    assert [meter.of(shop, lambda sent=sent: shop.deliver(*sent)) for sent in shop.sent] == [1] * len(shop.sent)
