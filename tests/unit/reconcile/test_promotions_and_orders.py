"""Entries that another environment's success or another system's request brings."""

from typing import Any

import pytest

from downwind.reconcile import names
from downwind.reconcile.facts import Hints
from downwind.reconcile.steps import Announce, Append, Record

A, B, C = "a" * 40, "b" * 40, "c" * 40


def appended(given: Any) -> list[dict[str, Any]]:
    return [dict(step.entry.body) for step in given.steps() if isinstance(step, Append)]


def test_a_success_upstream_is_promoted_with_its_sequence_and_images(given: Any) -> None:
    given.succeeded(4, A)
    (body,) = appended(given)
    wanted = {"by": "promotion", "environment": "production", "n": 1, "commit": A, "promoted": 4}
    assert wanted.items() <= body.items()
    assert (body["upstream"], body["upstream_sequence"], body["images"], body["build"]) == ("staging", 4, None, None)


def test_what_an_order_named_upstream_goes_on_downstream(given: Any) -> None:
    given.entry(4, A, by="request", images={given.image: given.digest(B)}, build="b2")
    given.claim(4, A)
    given.outcome(4, "succeeded")
    assert [(body["images"], body["build"]) for body in appended(given)] == [({given.image: given.digest(B)}, "b2")]


@pytest.mark.parametrize("status", ["failed", "cancelled", "superseded"])
def test_only_a_success_is_promoted(given: Any, status: str) -> None:
    given.entry(4, A)
    given.claim(4, A)
    assert not appended(given)
    given.outcome(4, status)
    assert not appended(given)


def test_the_newest_success_is_promoted_though_a_newer_one_failed(given: Any) -> None:
    given.succeeded(4, A)
    given.succeeded(5, B)
    given.entry(6, C)
    given.claim(6, C)
    given.outcome(6, "failed")
    given.entry(7, C)
    assert [body["commit"] for body in appended(given)] == [B]


def test_nothing_is_promoted_twice_and_a_late_success_of_an_older_one_never(given: Any) -> None:
    given.succeeded(5, B)
    given.succeeded(1, B, environment="production")
    given.entry(1, B, environment="production", by="promotion", promoted=5)
    assert not appended(given)
    given.succeeded(4, A)
    assert not appended(given)
    given.succeeded(6, C)
    assert [body["commit"] for body in appended(given)] == [C]


def test_what_was_promoted_is_remembered_over_an_order_in_between(given: Any) -> None:
    given.succeeded(5, B)
    given.entry(1, B, environment="production", by="promotion", promoted=5)
    given.entry(2, A, environment="production", by="request", promoted=5)
    assert not appended(given)


def test_promotion_by_request_waits_for_one(given: Any) -> None:
    given.change_environment("production", promotion="request")
    given.succeeded(4, A)
    assert not appended(given)


# Orders.


def refused(given: Any, prefix: str) -> str:
    body = given.recorded()[prefix + "refused"]
    assert (body["kind"], body["environment"]) == ("refused", "production")
    return str(body["reason"])


def test_an_order_to_deploy_becomes_an_entry_with_all_its_words(given: Any) -> None:
    given.entry(8, B, environment="production", by="promotion", promoted=3)
    more: dict[str, Any] = {
        "commit": A,
        "build": "b2",
        "images": {given.image: given.digest(A)},
        "who": "ann",
        "why": "fix",
    }
    given.order("r1", **more)
    (body,) = appended(given)
    assert {"by": "request", "request": "r1", "n": 9, "promoted": 3, **more}.items() <= body.items()


def test_an_order_without_images_names_none(given: Any) -> None:
    given.order("r1", commit=A, images={})
    assert [body["images"] for body in appended(given)] == [None]


def test_an_order_becomes_one_entry_however_often_it_comes(given: Any) -> None:
    prefix = given.order("r1", commit=A)
    given.entry(1, A, environment="production", by="request", request="r1")
    assert not appended(given)
    assert given.recorded()[prefix + "entry"] == {"kind": "ordered", "environment": "production", "n": 1}
    given.fact(prefix + "entry", kind="ordered", environment="production", n=1)
    assert prefix + "entry" not in given.recorded()
    given.snapshot.facts.pop(names.entry("shop", "production", 1))
    given.snapshot.add([])
    assert not appended(given), "an entry that is no longer listed is not made again"


def test_a_hint_of_an_order_that_was_never_written_down_is_nothing(given: Any) -> None:
    given.snapshot.hints = Hints(requests=frozenset({("production", "r1"), ("elsewhere", "r2")}))
    assert given.steps() == []


def test_two_orders_are_two_entries_one_after_the_other(given: Any) -> None:
    given.order("r1", commit=A)
    given.order("r2", commit=B)
    found = []
    for _ in range(2):
        (step,) = [step for step in given.steps() if isinstance(step, Append)]
        found.append((step.entry.body["n"], step.entry.body["request"]))
        given.fact(step.entry.name, **step.entry.body)
    assert found == [(1, "r1"), (2, "r2")]
    assert not appended(given)


@pytest.fixture
def ordered(given: Any) -> Any:
    """Two successes upstream, promoted by request only."""
    given.change_environment("production", promotion="request")
    given.succeeded(4, A)
    given.succeeded(5, B)
    return given


@pytest.mark.parametrize(("commit", "n"), [(None, 5), (A, 4), (B, 5)])
def test_an_order_to_promote_takes_the_newest_success_or_that_of_its_commit(
    ordered: Any, commit: str | None, n: int
) -> None:
    ordered.order("r1", verb="promote", commit=commit, who="ann")
    (body,) = appended(ordered)
    assert (body["by"], body["upstream"], body["upstream_sequence"], body["promoted"]) == ("request", "staging", n, n)
    assert (body["request"], body["who"]) == ("r1", "ann")


def test_the_promoted_one_may_be_promoted_again_by_order_but_no_older(ordered: Any) -> None:
    ordered.entry(1, B, environment="production", by="promotion", promoted=5)
    again = ordered.order("r1", verb="promote", commit=B)
    assert len(appended(ordered)) == 1
    ordered.snapshot.facts.pop(again + "order")
    older = ordered.order("r2", verb="promote", commit=A)
    assert refused(ordered, older) == "staging 4 is older than 5, which was promoted already; use rollback"


def test_what_has_not_succeeded_upstream_is_not_promoted_by_order_either(ordered: Any) -> None:
    prefix = ordered.order("r1", verb="promote", commit=C)
    assert refused(ordered, prefix) == f"nothing to promote: no rollout of {C} has succeeded in staging"


def test_nothing_is_promoted_before_any_success(given: Any) -> None:
    prefix = given.order("r1", verb="promote")
    assert refused(given, prefix) == "nothing to promote: no rollout of any commit has succeeded in staging"


def test_nothing_is_promoted_into_an_environment_that_lost_its_upstream(given: Any) -> None:
    prefix = given.order("r1", verb="promote")
    given.change_environment("production", after=None)
    assert refused(given, prefix).endswith("has succeeded since nothing feeds this environment")


def test_a_refused_order_is_parked_where_people_look_announced_and_never_taken_up_again(given: Any) -> None:
    prefix = given.order("r1", verb="promote")
    assert given.due().open.requests == {("production", "r1")}
    given.fact(prefix + "refused", kind="refused", environment="production", reason="nothing to promote")
    given.succeeded(4, A)
    given.change_environment("production", promotion="request")
    event = names.event("request", "r1")
    wanted = {"kind": "parked", "reason": "nothing to promote", "message": "r1", "topic": None}
    assert given.recorded() == {event + "parked.0": wanted, names.parked(event): wanted}
    assert given.due().open.requests == {("production", "r1")}
    for name in (event + "parked.0", names.parked(event)):
        fact = given.fact(name, **wanted)
    fact = given.snapshot.facts[event + "parked.0"]
    assert given.steps() == [Announce(type="dev.downwind.message.parked.v1", fact=fact)]
    given.fact(names.announced(event + "parked.0"), kind="announced")
    assert (given.steps(), given.due().open.requests) == ([], frozenset())


def test_a_parked_order_names_its_message_where_that_is_known(given: Any) -> None:
    prefix = given.order("r1", verb="promote")
    event = names.event("request", "r1")
    given.fact(event + "raw", kind="raw", id="m7", topic="rollout-requests")
    given.fact(prefix + "refused", kind="refused", environment="production", reason="no")
    (first, _) = [step for step in given.steps() if isinstance(step, Record)]
    assert (first.fact.body["message"], first.fact.body["topic"]) == ("m7", "rollout-requests")
