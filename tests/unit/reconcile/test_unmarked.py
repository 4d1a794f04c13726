"""What the patrol takes up although no marker says so."""

from datetime import timedelta
from typing import Any

from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Hints
from downwind.reconcile.unmarked import EXECUTIONS, ORDERS, RELEASES, unmarked

A, B, C, D = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)


def found(given: Any, orders: tuple[Fact, ...] = ()) -> Hints:
    return unmarked(given.registered, given.snapshot, orders, given.now, given.timing)


def order(given: Any, identifier: str, *, ago: float = 60, leaf: str = "order") -> Fact:
    name = names.request("shop", "staging", identifier) + leaf
    body = {"kind": "order", "id": identifier, "environment": "staging"} if leaf == "order" else {"kind": "ordered"}
    return Fact(name=name, body=body, created=given.now - timedelta(seconds=ago))


def test_nothing_has_happened(given: Any) -> None:
    assert found(given) == Hints()


def test_releases_that_a_claim_of_the_last_two_rounds_decided(given: Any) -> None:
    """The claimed one, and those that it passed over; not what stands above it, which is read anyway."""
    for number, commit in enumerate((A, B, C, D), 1):
        given.entry(number, commit)
    given.claim(1, A, ago=9 * 3600)
    assert found(given).commits == frozenset()
    given.claim(3, A, ago=7100)
    assert found(given).commits == {B, C}


def test_only_so_many_of_them(given: Any) -> None:
    for number in range(1, 40):
        given.entry(number, f"{number:040d}")
    given.claim(39, A, ago=60)
    assert len(found(given).commits) == RELEASES


def test_runs_without_an_end_the_newest_first(given: Any) -> None:
    for number in range(1, EXECUTIONS + 4):
        given.claim(number, A, ago=9 * 3600)
        given.started(number, f"01E{number}")
    executions = found(given).executions
    assert len(executions) == EXECUTIONS
    assert (f"01E{EXECUTIONS + 3}" in executions, "01E3" in executions) == (True, False)


def test_runs_that_ended_or_are_decided_are_not_asked_for(given: Any) -> None:
    given.claim(1, A, ago=9 * 3600)
    given.started(1, "01A")
    given.ended(1, "01A")
    given.claim(2, A, ago=9 * 3600)
    given.started(2, "01B")
    given.outcome(2, "succeeded")
    assert found(given).executions == frozenset()


def test_orders_without_an_entry_but_not_those_of_yesterday(given: Any) -> None:
    done = order(given, "r1"), order(given, "r1", leaf="entry")
    young, old = order(given, "r2"), order(given, "r3", ago=given.timing.wait + 1)
    assert found(given, (*done, young, old)).requests == {("staging", "r2")}
    many = tuple(order(given, f"m{number}") for number in range(ORDERS + 5))
    assert len(found(given, many).requests) == ORDERS
