"""The tick: one at a time, a marker goes only when nothing is open, and nobody starves."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from downwind.errors import TransientError
from downwind.events.sources import PARSERS
from downwind.perform import tick as ticking
from downwind.perform.record import handle
from downwind.ports import NewObject
from downwind.reconcile import names


def test_two_ticks_of_one_period_are_one(shop: Any) -> None:
    shop.push()
    published = shop.memory.clock()
    assert ticking.tick(shop.world, published) != "another instance has this tick"
    assert ticking.tick(shop.world, published) == "another instance has this tick"


NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("published", "time"),
    [
        ("2026-11-20T09:20:06.109Z", datetime(2026, 11, 20, 9, 20, 6, 109000, UTC)),
        ("2026-11-20T09:20:06.123456789Z", datetime(2026, 11, 20, 9, 20, 6, 123456, UTC)),
        ("2026-11-20T10:20:06+01:00", datetime(2026, 11, 20, 10, 20, 6, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-11-20T09:20:06", datetime(2026, 11, 20, 9, 20, 6, tzinfo=UTC)),
        (None, NOW),
        ("yesterday", NOW),
        ("2026-02-30T00:00:00Z", NOW),
        ("2026", NOW),
    ],
)
def test_the_time_of_a_tick_is_when_it_was_published_or_else_now(published: str | None, time: datetime) -> None:
    assert ticking.time_of(published, NOW) == time


def test_a_marker_stands_while_its_worker_is_between_marker_and_facts(shop: Any) -> None:
    """The tick comes in between and finds nothing to do; then the worker writes its facts, and dies."""
    before, after = shop.commit()

    class Death(BaseException):
        pass

    def die(method: str, name: str) -> None:
        if name.endswith("/recorded"):
            raise Death

    def between(method: str, name: str) -> None:
        if method == "create" and name.startswith("release/"):
            shop.memory.ledger.fail = None
            shop.memory.repository.delete("https://github.com/acme/shop.git", "refs/heads/main")
            shop.tick()
            shop.memory.repository.move("https://github.com/acme/shop.git", "refs/heads/main", after)
            shop.memory.ledger.fail = die

    shop.memory.ledger.fail = between
    try:
        shop.announce(before, after)
    except Death:
        shop.memory.ledger.fail = None
    assert len(shop.open()) == 1
    shop.tick()
    assert shop.log("staging") == [after]


def test_a_marker_that_nobody_ever_recorded_goes_after_an_hour(shop: Any) -> None:
    shop.memory.work.create(NewObject(name=f"open/shop/{'0' * 64}", data=b"{}"))
    shop.tick(2)
    assert len(shop.open()) == 1
    shop.memory.clock.advance(3600)
    shop.tick()
    assert shop.open() == []


def test_what_waits_for_days_keeps_one_marker_however_many_events_come(shop: Any) -> None:
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])
    production = shop.executions("production")[-1]
    shop.finish(production)
    for _ in range(5):
        shop.build(shop.push(), "FAILURE")
        shop.tick()
    shop.tick()
    (marker,) = shop.open()
    for _ in range(3):
        shop.tick()
        assert shop.open() == [marker], "nothing is written while nothing happens"
    shop.judge(production)
    shop.tick()
    assert shop.open() == []


def test_applications_beyond_one_run_have_their_turn_in_the_next(shop: Any) -> None:
    names = ["shop", *(f"shop-{number}" for number in range(ticking.APPLICATIONS + 40))]
    for name in names[1:]:
        shop.second(name)
    shop.memory.clock.advance(300)  # away from the minute of this repository's patrol
    before, after = shop.commit()
    shop.memory.repository.fail(TransientError("no answer"), verb="tips")
    shop.announce(before, after)
    done = []
    for _ in range(3):
        done.append(sum(len(shop.entries("staging", name)) for name in names))
        shop.tick()
    assert done == [0, ticking.APPLICATIONS, len(names)]


def test_an_application_that_breaks_does_not_stop_the_others(shop: Any) -> None:
    shop.second("aaa")
    before, after = shop.commit()
    shop.memory.repository.fail(TransientError("no answer"), verb="tips")
    shop.announce(before, after)
    shop.memory.work.create(NewObject(name="open/aaa/tick-0", data=b"not JSON"))
    shop.tick()
    assert shop.log("staging") == [after]
    assert [name for name in shop.open() if name.startswith("open/aaa/")] != []


def test_an_application_that_left_the_catalog_leaves_nothing_open(shop: Any) -> None:
    shop.push()
    shop.memory.catalog.delete("application/shop.yaml")
    shop.tick()
    assert shop.open() == []


def test_a_redelivery_finds_its_marker_and_leaves_the_effects_to_the_tick(shop: Any) -> None:
    before, after = shop.commit()
    shop.memory.ledger.fail = lost
    try:
        shop.announce(before, after, id="one")
    except TransientError:
        shop.memory.ledger.fail = None
    kind, message = shop.sent[-1]
    assert handle(shop.world, PARSERS[kind], "repo-pushes", message) == "recorded"
    assert shop.log("staging") == []
    shop.tick()
    assert shop.log("staging") == [after]


def lost(method: str, name: str) -> None:
    if name.endswith("/recorded"):
        raise TransientError("the store is away")


def test_ticks_that_were_delivered_late_and_together_are_one(shop: Any) -> None:
    from datetime import timedelta

    now = shop.memory.clock()
    said = [ticking.tick(shop.memory.world, now - timedelta(minutes=minutes)) for minutes in range(60, 5, -1)]
    assert len([word for word in said if "applications" in word]) == 1


def test_what_nobody_of_us_wrote_into_the_index_stops_no_patrol(shop: Any) -> None:
    shop.memory.catalog.create(NewObject(name="index/repository/README", data=b"a note"))
    _, commit = shop.commit()
    shop.tick(130)
    assert shop.log("staging") == [commit]


def test_an_end_of_a_superseded_attempt_is_asked_of_gate_before_it_is_written(shop: Any) -> None:
    """Gate took the start, its answer was lost and Echo is late: the run must not be forgotten when a newer one is claimed."""
    first = shop.push()
    shop.memory.pipelines.lose_answers()
    shop.build(first)
    second = shop.push()
    shop.build(second)
    older, newer = shop.executions("staging")
    shop.tick(3)
    shop.finish(older)
    shop.finish(newer)
    shop.tick(3)
    assert shop.outcomes("staging")[0] == (1, "succeeded")


class Death(BaseException):
    """Of a worker."""


def _die(method: str, name: str) -> None:
    if method == "create" and "/claim." in name:
        raise Death


def _die_recorded(method: str, name: str) -> None:
    if method == "create" and name.endswith("/recorded"):
        raise Death


def _lose(method: str, name: str) -> None:
    if method == "create" and name.endswith("/completed"):
        raise TransientError("the answer was lost")


def _announced_in_the_end(shop: Any, first: str) -> int:
    """How often the completion of the first release was, once a newer one is claimed and a tick went by."""
    assert "completed" in shop.facts(names.release("shop", first))
    shop.build(shop.push())
    shop.tick()
    assert shop.log("staging")[0] == first
    told = [each.attributes["ce-id"] for each in shop.memory.publisher.published if each.topic == "deliveries"]
    return told.count(names.release("shop", first) + "completed")


def test_what_a_dying_tick_completed_is_announced_though_a_newer_release_is_claimed(shop: Any) -> None:
    """Nobody tells of the push: the tick believes the tip when it sees it twice, and its marker names the ref alone."""
    _, first = shop.commit()
    shop.build(first)
    shop.memory.ledger.fail_after = _die
    with pytest.raises(Death):
        shop.tick(5)
    shop.memory.ledger.fail_after = None
    assert _announced_in_the_end(shop, first) == 1


def test_a_completion_whose_answer_was_lost_is_announced_though_a_newer_release_is_claimed(shop: Any) -> None:
    """The tick takes the markers of the messages away, and goes on with the trigger."""
    first = shop.push()
    shop.memory.ledger.fail_after = _die_recorded
    with pytest.raises(Death):
        shop.build(first)
    shop.memory.ledger.fail_after = _lose
    shop.tick()
    shop.memory.ledger.fail_after = None
    assert len(shop.executions("staging")) == 1
    assert _announced_in_the_end(shop, first) == 1
