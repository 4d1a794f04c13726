"""What every receiver of notices keeps to, and its twin: ports.Notifier."""

from datetime import UTC, datetime
from typing import Any

import pytest

from downwind.errors import DownwindError, Misconfigured, Refused, TransientError, UnknownOutcome

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


def test_a_message_goes_from_state_to_state_where_it_can_be_changed(
    receivers: Any, make_notice: Any, kind: str
) -> None:
    channel = receivers.channels[kind]
    receipt = receivers.notifier.send(channel, make_notice("started")) if channel.target.edits else None
    receivers.notifier.send(channel, make_notice("succeeded"), receipt=receipt)
    assert receivers.shown(kind) == ["succeeded"]


def test_each_rollout_has_a_message_of_its_own(receivers: Any, make_notice: Any, kind: str) -> None:
    for n in (1, 2):
        receivers.notifier.send(receivers.channels[kind], make_notice("failed", n=n))
    assert receivers.shown(kind) == ["failed", "failed"]


def test_a_lost_answer_is_an_unknown_outcome_and_after_a_look_there_is_one_message(
    receivers: Any, make_notice: Any, kind: str
) -> None:
    channel = receivers.channels[kind]
    receivers.lose_answer()
    with pytest.raises(UnknownOutcome):
        receivers.notifier.send(channel, make_notice("failed"))
    if kind == "mail" and hasattr(receivers, "mail"):
        receivers.mail.replies.clear()
    receivers.notifier.send(channel, make_notice("failed"), look=True, since=LONG_AGO)
    assert receivers.shown(kind) == ["failed"] * (1 if channel.target.asked else 2)


@pytest.mark.parametrize("kind", ["slack", "deployments"])
def test_who_does_not_look_before_a_second_send_makes_a_second_message(
    receivers: Any, make_notice: Any, kind: str
) -> None:
    for _ in range(2):
        receivers.notifier.send(receivers.channels[kind], make_notice("failed"))
    assert receivers.shown(kind) == ["failed", "failed"]


def test_a_look_that_finds_nothing_sends(receivers: Any, make_notice: Any, kind: str) -> None:
    receivers.notifier.send(receivers.channels[kind], make_notice("failed"), look=True, since=LONG_AGO)
    assert receivers.shown(kind) == ["failed"]


@pytest.mark.parametrize(
    ("said", "error"), [("not now", TransientError), ("no right", Misconfigured), ("never", Refused)]
)
def test_what_a_receiver_says_is_told_apart_and_nothing_is_there(
    receivers: Any, make_notice: Any, kind: str, said: str, error: type[DownwindError]
) -> None:
    receivers.say(said)
    with pytest.raises(error) as caught:
        receivers.notifier.send(receivers.channels[kind], make_notice("failed"))
    assert not isinstance(caught.value, UnknownOutcome)
    assert receivers.shown(kind) == []


@pytest.mark.parametrize("kind", ["slack", "chat", "hook"])
def test_a_message_that_a_person_deleted_is_sent_anew(receivers: Any, make_notice: Any, kind: str) -> None:
    channel = receivers.channels[kind]
    receipt = receivers.notifier.send(channel, make_notice("started"))
    receivers.delete(kind)
    receivers.notifier.send(channel, make_notice("failed"), receipt=receipt)
    assert receivers.shown(kind) == ["failed"]
