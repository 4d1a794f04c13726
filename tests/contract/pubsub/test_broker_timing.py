"""What our broker does by time alone, with a clock that the test moves: backoff, leases, retention."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from downwind.local.pubsub.deliveries import Delivered, Deliveries
from downwind.local.pubsub.housekeeping import Housekeeper
from downwind.local.pubsub.replay import Replay
from downwind.local.pubsub.resources import Resources
from downwind.local.pubsub.state import Live, State
from downwind.local.pubsub.wire import PubsubMessage, Snapshot, Subscription, Topic, message_class

TOPIC = "projects/demo/topics/clocked"
SUBSCRIPTION = "projects/demo/subscriptions/clocked-sub"


class Clocked:
    """The broker's inside, without threads or sockets."""

    def __init__(self, data: Path) -> None:
        self.now = 1_790_000_000.0
        self.state = State(data, lambda: self.now)
        self.resources = Resources(self.state)
        self.deliveries = Deliveries(self.state, self.resources)
        self.replay = Replay(self.state, self.resources)
        self.housekeeper = Housekeeper(self.state, self.deliveries)
        self.resources.create_topic(Topic(name=TOPIC))

    def subscribe(self, **fields: Any) -> Live:
        self.resources.create_subscription(Subscription(name=SUBSCRIPTION, topic=TOPIC, **fields))
        return self.state.subscriptions[SUBSCRIPTION]

    def publish(self, data: bytes = b"x", key: str = "") -> None:
        self.deliveries.publish(TOPIC, [PubsubMessage(data=data, ordering_key=key)])

    def take(self, live: Live) -> list[Delivered]:
        return self.deliveries.claim(live, 10, 10)

    def pauses(self, live: Live, times: int) -> list[float]:
        """How long the message waits after each of its nacks."""
        found = []
        for _ in range(times):
            (got,) = self.take(live)
            self.deliveries.fail(live, got.id, got.attempt)
            found.append(round(self.deliveries.pause(live) or 0.0, 3))
            self.now += found[-1]
        return found

    def messages(self) -> int:
        with self.state.transaction() as db:
            return int(db.execute("SELECT count(*) FROM message").fetchone()[0])


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[Clocked]:
    made = Clocked(tmp_path)
    yield made
    made.state.close()


def test_a_retry_policy_doubles_from_its_minimum_to_its_maximum(clocked: Clocked) -> None:
    policy = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 60}}
    live = clocked.subscribe(retry_policy=policy)
    clocked.publish()
    assert clocked.pauses(live, 5) == [10, 20, 40, 60, 60]


def test_an_empty_retry_policy_has_the_services_defaults(clocked: Clocked) -> None:
    live = clocked.subscribe(retry_policy={})
    clocked.publish()
    assert clocked.pauses(live, 8) == [10, 20, 40, 80, 160, 320, 600, 600]


def test_without_a_policy_a_push_backs_off_from_a_tenth_of_a_second_to_a_minute(clocked: Clocked) -> None:
    live = clocked.subscribe(push_config={"push_endpoint": "http://127.0.0.1:1/"})
    clocked.publish()
    assert clocked.pauses(live, 12) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60]


def test_without_a_policy_a_pull_has_it_back_at_once(clocked: Clocked) -> None:
    live = clocked.subscribe()
    clocked.publish()
    assert clocked.pauses(live, 3) == [0, 0, 0]


def test_the_end_of_a_lease_counts_as_a_nack(clocked: Clocked) -> None:
    live = clocked.subscribe(retry_policy={"minimum_backoff": {"seconds": 30}, "maximum_backoff": {"seconds": 30}})
    clocked.publish()
    (first,) = clocked.take(live)
    clocked.now += 9.9
    clocked.deliveries.end_leases()
    assert clocked.deliveries.out(live, [first.ack_id]) == {first.ack_id}
    clocked.now += 0.2
    clocked.deliveries.end_leases()
    assert clocked.take(live) == []
    clocked.now += 30
    (second,) = clocked.take(live)
    assert (second.id, second.attempt) == (first.id, 2)


def test_a_lease_that_was_extended_does_not_end(clocked: Clocked) -> None:
    live = clocked.subscribe()
    clocked.publish()
    (got,) = clocked.take(live)
    clocked.deliveries.modify_deadline(live, [got.ack_id], 60)
    clocked.now += 59
    clocked.deliveries.end_leases()
    assert clocked.take(live) == []


def test_an_old_attempts_id_neither_nacks_nor_extends_the_new_one(clocked: Clocked) -> None:
    live = clocked.subscribe()
    clocked.publish()
    (first,) = clocked.take(live)
    clocked.deliveries.fail(live, first.id, first.attempt)
    (second,) = clocked.take(live)
    clocked.deliveries.modify_deadline(live, [first.ack_id], 0)
    assert clocked.take(live) == []
    assert clocked.deliveries.out(live, [first.ack_id, second.ack_id]) == {second.ack_id}


def test_a_dead_letter_waits_for_its_topic(clocked: Clocked) -> None:
    """The topic was deleted after the subscription was made: the message is retried, not lost."""
    dead = Topic(name="projects/demo/topics/dead-letters")
    clocked.resources.create_topic(dead)
    policy = {"dead_letter_topic": dead.name, "max_delivery_attempts": 5}
    live = clocked.subscribe(dead_letter_policy=policy)
    clocked.resources.delete_topic(message_class("DeleteTopicRequest")(topic=dead.name))
    clocked.publish()
    clocked.pauses(live, 6)
    (got,) = clocked.take(live)
    assert got.attempt == 7


def test_messages_past_the_retention_are_dropped(clocked: Clocked) -> None:
    live = clocked.subscribe(message_retention_duration={"seconds": 600})
    clocked.publish(b"old")
    clocked.now += 400
    clocked.publish(b"young")
    clocked.now += 300
    clocked.housekeeper.clean()
    assert [got.message.data for got in clocked.take(live)] == [b"young"]
    assert clocked.messages() == 1


@pytest.mark.parametrize(
    "keep",
    [
        lambda c: c.subscribe(retain_acked_messages=True, message_retention_duration={"seconds": 600}),
        lambda c: c.replay.create_snapshot(
            message_class("CreateSnapshotRequest")(name="projects/demo/snapshots/snap", subscription=c.subscribe().name)
        ),
    ],
    ids=["retain-acked", "snapshot"],
)
def test_what_a_seek_can_give_back_is_kept_until_its_time_is_over(
    clocked: Clocked, keep: Callable[[Clocked], Any]
) -> None:
    keep(clocked)
    live = clocked.state.subscriptions[SUBSCRIPTION]
    clocked.publish()
    clocked.deliveries.acknowledge(live, [got.ack_id for got in clocked.take(live)])
    clocked.housekeeper.clean()
    assert clocked.messages() == 1
    clocked.now += 8 * 86_400
    clocked.housekeeper.clean()
    assert clocked.messages() == 0


def test_an_acknowledged_message_leaves_the_disk(clocked: Clocked) -> None:
    live = clocked.subscribe()
    clocked.publish()
    clocked.deliveries.acknowledge(live, [got.ack_id for got in clocked.take(live)])
    clocked.housekeeper.clean()
    assert clocked.messages() == 0


def test_a_topics_retention_gives_a_new_subscription_what_was_published_before_it(clocked: Clocked) -> None:
    topic = Topic(name=TOPIC, message_retention_duration={"seconds": 3600})
    clocked.resources.update_topic(
        message_class("UpdateTopicRequest")(topic=topic, update_mask={"paths": ["message_retention_duration"]})
    )
    clocked.publish(b"before")
    clocked.housekeeper.clean()
    live = clocked.subscribe()
    seconds = Timestamp(seconds=int(clocked.now) - 60)
    clocked.replay.seek(message_class("SeekRequest")(subscription=SUBSCRIPTION, time=seconds))
    assert [got.message.data for got in clocked.take(live)] == [b"before"]


def test_a_nacked_key_in_backoff_holds_its_later_messages(clocked: Clocked) -> None:
    policy = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 10}}
    live = clocked.subscribe(enable_message_ordering=True, retry_policy=policy)
    clocked.publish(b"a0", key="a")
    clocked.publish(b"a1", key="a")
    clocked.publish(b"b0", key="b")
    (first,) = clocked.deliveries.claim(live, 1, 10)
    clocked.deliveries.fail(live, first.id, first.attempt)
    assert [got.message.data for got in clocked.take(live)] == [b"b0"]
    clocked.now += 10
    assert [got.message.data for got in clocked.take(live)] == [b"a0", b"a1"]


def test_a_snapshot_expires_a_week_after_the_oldest_message_it_keeps(clocked: Clocked) -> None:
    clocked.subscribe()
    clocked.publish()
    clocked.now += 86_400
    request = message_class("CreateSnapshotRequest")(name="projects/demo/snapshots/snap", subscription=SUBSCRIPTION)
    snapshot = clocked.replay.create_snapshot(request)
    assert isinstance(snapshot, Snapshot)
    assert snapshot.expire_time.ToMicroseconds() / 1e6 == pytest.approx(clocked.now + 6 * 86_400)
