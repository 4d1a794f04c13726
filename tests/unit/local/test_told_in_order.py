"""What the demo tells of one poll: by time, and a build's steps in their own order."""

from datetime import UTC, datetime, timedelta

from downwind.local.ledger_follower import in_order
from downwind.reconcile.facts import Fact


def fact(seconds: int, kind: str, status: str = "", build: str = "b") -> Fact:
    at = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=seconds)
    return Fact(name=f"{kind}/{status}", body={"kind": kind, "status": status, "build": build}, created=at)


def test_the_steps_of_a_build_stand_before_its_end_and_what_follows_from_it() -> None:
    came = [
        fact(5, "build-event", "QUEUED"),
        fact(2, "build-event", "SUCCESS"),
        fact(3, "completed"),
        fact(4, "build-event", "WORKING"),
        fact(1, "push"),
    ]
    assert [each.name for each in in_order(came)] == [
        "push/",
        "build-event/QUEUED",
        "build-event/WORKING",
        "build-event/SUCCESS",
        "completed/",
    ]


def test_builds_do_not_wait_for_each_other() -> None:
    came = [fact(1, "build-event", "SUCCESS", "one"), fact(2, "build-event", "QUEUED", "two")]
    assert in_order(reversed(came)) == came
