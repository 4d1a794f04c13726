"""Pull and streaming pull: leases, acknowledgement, order, dead letters, filters, seek."""

import queue
import threading
from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf import duration_pb2


def data(messages: list[Any]) -> list[bytes]:
    return [message.message.data for message in messages]


def test_a_message_arrives_as_it_was_published(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    number = world.publish(b"\x00\xff", buildId="7c1f", status="SUCCESS")
    (got,) = world.pull()
    assert (got.message.message_id, got.message.data) == (number, b"\x00\xff")
    assert dict(got.message.attributes) == {"buildId": "7c1f", "status": "SUCCESS"}
    assert got.message.publish_time.year >= 2026
    assert got.delivery_attempt == 0


def test_a_message_of_attributes_alone_is_taken(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    world.publish(eventType="OBJECT_FINALIZE")
    (got,) = world.pull()
    assert (got.message.data, dict(got.message.attributes)) == (b"", {"eventType": "OBJECT_FINALIZE"})


def test_each_subscription_gets_its_own_copy_from_its_creation_on(world: Any) -> None:
    world.create_topic()
    world.publish(b"before")
    world.subscribe("sub-one")
    world.subscribe("sub-two")
    world.publish(b"after")
    assert data(world.pull(name="sub-one")) == data(world.pull(name="sub-two")) == [b"after"]


def test_an_acknowledged_message_does_not_come_again(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    world.publish(b"once")
    world.ack(*world.pull())
    assert world.nothing()


def test_a_nack_brings_a_message_back_at_once(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    number = world.publish(b"again")
    world.nack(*world.pull())
    (got,) = world.pull()
    assert got.message.message_id == number


def test_a_leased_message_is_not_given_out_and_returns_when_its_deadline_has_passed(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    world.publish(b"leased")
    first = world.pull()
    assert world.nothing()
    world.nack(*first, seconds=1)
    assert data(world.pull()) == [b"leased"]


def test_a_waiting_pull_is_answered_by_the_publish(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    found: queue.Queue[list[bytes]] = queue.Queue()
    thread = threading.Thread(target=lambda: found.put(data(world.pull())))
    thread.start()
    world.publish(b"awaited")
    thread.join(20)
    assert found.get_nowait() == [b"awaited"]


def test_a_filter_keeps_out_what_does_not_match(world: Any) -> None:
    world.create_topic()
    world.subscribe(filter='attributes.status = "SUCCESS" OR attributes.status = "FAILURE"')
    for status in ("QUEUED", "WORKING", "SUCCESS"):
        world.publish(status.encode(), status=status)
    assert data(world.pull()) == [b"SUCCESS"]
    assert world.nothing()


def test_a_message_nacked_too_often_goes_to_the_dead_letter_topic(world: Any) -> None:
    world.create_topic()
    world.create_topic("dead-letters")
    policy = {"dead_letter_topic": world.topic("dead-letters"), "max_delivery_attempts": 5}
    world.subscribe(dead_letter_policy=policy)
    world.subscribe("dead-sub", topic="dead-letters")
    number = world.publish(b"poison", a="1")
    attempts = []
    for _ in range(5):
        (got,) = world.pull()
        attempts.append(got.delivery_attempt)
        world.nack(got)
    assert world.nothing()
    (dead,) = world.pull(name="dead-sub")
    assert attempts == [1, 2, 3, 4, 5]
    assert dead.message.message_id != number
    added = dict(dead.message.attributes)
    assert added.pop("CloudPubSubDeadLetterSourceTopicPublishTime").endswith("Z")
    assert added == {
        "a": "1",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "sub-one",
        "CloudPubSubDeadLetterSourceSubscriptionProject": world.project,
    }


def test_messages_of_one_key_come_in_order_and_wait_for_each_other(world: Any) -> None:
    world.create_topic()
    world.subscribe(enable_message_ordering=True)
    for number in range(3):
        world.publish(f"a{number}".encode(), key="a")
    first = world.pull(3)
    assert data(first) == [b"a0", b"a1", b"a2"]
    world.publish(b"a3", key="a")
    assert world.nothing()
    world.ack(*first)
    assert data(world.pull()) == [b"a3"]


def test_a_nack_of_one_key_brings_the_later_ones_again_in_order(world: Any) -> None:
    world.create_topic()
    world.subscribe(enable_message_ordering=True)
    for number in range(3):
        world.publish(f"a{number}".encode(), key="a")
    world.nack(*world.pull(3))
    assert data(world.pull(3)) == [b"a0", b"a1", b"a2"]


def test_the_streaming_client_receives_and_acknowledges(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    got: queue.Queue[bytes] = queue.Queue()

    def take(message: Any) -> None:
        got.put(message.data)
        message.ack()

    future = world.subscriber.subscribe(world.subscription(), callback=take)
    for number in range(20):
        world.publish(str(number).encode())
    assert {got.get(timeout=20) for _ in range(20)} == {str(number).encode() for number in range(20)}
    future.cancel()
    future.result(timeout=20)
    assert world.nothing()


def test_a_stream_gives_a_nacked_message_again(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    seen: queue.Queue[str] = queue.Queue()

    def take(message: Any) -> None:
        seen.put(message.message_id)
        (message.ack if seen.qsize() > 1 else message.nack)()

    future = world.subscriber.subscribe(world.subscription(), callback=take)
    number = world.publish(b"twice")
    end = threading.Event()
    while seen.qsize() < 2 and not end.wait(0.01):
        pass
    future.cancel()
    future.result(timeout=20)
    assert [seen.get_nowait(), seen.get_nowait()] == [number, number]


def test_seek_to_a_snapshot_gives_back_its_backlog_and_all_since(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    for name in (b"acked", b"open"):
        world.publish(name)
    messages = world.pull(2)
    world.ack(*[message for message in messages if message.message.data == b"acked"])
    snapshot = f"projects/{world.project}/snapshots/snap-one"
    world.subscriber.create_snapshot(request={"name": snapshot, "subscription": world.subscription()})
    world.ack(*[message for message in messages if message.message.data == b"open"])
    world.publish(b"later")
    world.ack(*world.pull())
    world.subscriber.seek(request={"subscription": world.subscription(), "snapshot": snapshot})
    assert sorted(data(world.pull(2))) == [b"later", b"open"]
    assert world.nothing()


def test_seek_to_a_time_acknowledges_before_it_and_gives_back_after_it(world: Any) -> None:
    world.create_topic()
    world.subscribe(retain_acked_messages=True)
    world.publish(b"early")
    threading.Event().wait(0.05)  # the emulator's clock counts milliseconds
    world.publish(b"late")
    messages = world.pull(2)
    world.ack(*messages)
    (moment,) = [m.message.publish_time for m in messages if m.message.data == b"late"]
    world.subscriber.seek(request={"subscription": world.subscription(), "time": moment})
    assert data(world.pull()) == [b"late"]
    assert world.nothing()


def test_a_push_subscription_cannot_be_pulled(world: Any, endpoint: Any) -> None:
    world.create_topic()
    world.subscribe(push_config={"push_endpoint": endpoint.url})
    with pytest.raises((exceptions.FailedPrecondition, exceptions.InvalidArgument)):
        world.subscriber.pull(subscription=world.subscription(), max_messages=1, timeout=5)


def test_an_id_that_is_none_is_refused(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    with pytest.raises(exceptions.InvalidArgument):
        world.subscriber.acknowledge(subscription=world.subscription(), ack_ids=["no such id"])


@pytest.mark.parametrize("seconds", [-1, 601])
def test_a_deadline_is_modified_within_0_to_600_seconds(world: Any, seconds: int) -> None:
    world.create_topic()
    world.subscribe()
    world.publish(b"x")
    with pytest.raises(exceptions.InvalidArgument):
        world.nack(*world.pull(), seconds=seconds)


def test_a_retry_policy_delays_a_nacked_pull(world: Any) -> None:
    world.create_topic()
    least = duration_pb2.Duration(seconds=600)
    world.subscribe(retry_policy={"minimum_backoff": least, "maximum_backoff": least})
    world.publish(b"slow")
    world.nack(*world.pull())
    assert world.nothing()
