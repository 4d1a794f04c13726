"""Topics and subscriptions through the official clients, and what the service refuses."""

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf import duration_pb2, field_mask_pb2
from google.pubsub_v1 import PublisherClient as UnbatchedPublisher


def test_a_topic_is_created_once_found_and_deleted(world: Any) -> None:
    name = world.create_topic()
    with pytest.raises(exceptions.AlreadyExists):
        world.create_topic()
    assert world.publisher.get_topic(topic=name).name == name
    world.publisher.delete_topic(topic=name)
    with pytest.raises(exceptions.NotFound):
        world.publisher.get_topic(topic=name)


def test_a_subscription_is_created_once_with_the_services_defaults(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    with pytest.raises(exceptions.AlreadyExists):
        world.subscribe()
    found = world.subscriber.get_subscription(subscription=world.subscription())
    assert (found.topic, found.ack_deadline_seconds) == (world.topic(), 10)
    assert found.message_retention_duration.total_seconds() == 7 * 86_400


def test_lists_go_over_pages_and_hold_only_their_project(world: Any) -> None:
    names = [world.create_topic(f"topic-{number}") for number in range(5)]
    listed = world.publisher.list_topics(request={"project": f"projects/{world.project}", "page_size": 2})
    assert sorted(topic.name for topic in listed) == names
    subscriptions = [world.subscribe(f"sub-{number}", topic="topic-1") for number in range(3)]
    pages = world.subscriber.list_subscriptions(request={"project": f"projects/{world.project}", "page_size": 2})
    assert sorted(found.name for found in pages) == subscriptions
    of_topic = world.publisher.list_topic_subscriptions(request={"topic": world.topic("topic-1"), "page_size": 2})
    assert sorted(of_topic) == subscriptions


@pytest.mark.parametrize(
    "call",
    [
        lambda w: w.publisher.get_topic(topic=w.topic("absent")),
        lambda w: w.publisher.delete_topic(topic=w.topic("absent")),
        lambda w: w.publish(b"x", topic="absent"),
        lambda w: w.subscribe(topic="absent"),
        lambda w: w.subscriber.get_subscription(subscription=w.subscription("absent")),
        lambda w: w.subscriber.delete_subscription(subscription=w.subscription("absent")),
        lambda w: w.subscriber.pull(subscription=w.subscription("absent"), max_messages=1),
        lambda w: w.subscriber.acknowledge(subscription=w.subscription("absent"), ack_ids=["1-1"]),
    ],
    ids=["get-topic", "delete-topic", "publish", "subscribe", "get-sub", "delete-sub", "pull", "ack"],
)
def test_what_does_not_exist_is_not_found(world: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises(exceptions.NotFound):
        call(world)


def test_an_update_changes_the_masked_fields_only(world: Any) -> None:
    world.create_topic()
    world.subscribe(labels={"a": "1"})
    changed = {"name": world.subscription(), "ack_deadline_seconds": 60, "labels": {"b": "2"}}
    mask = field_mask_pb2.FieldMask(paths=["ack_deadline_seconds"])
    world.subscriber.update_subscription(request={"subscription": changed, "update_mask": mask})
    found = world.subscriber.get_subscription(subscription=world.subscription())
    assert (found.ack_deadline_seconds, dict(found.labels)) == (60, {"a": "1"})


def test_a_topics_labels_are_updated(world: Any) -> None:
    topic = {"name": world.create_topic(), "labels": {"team": "deploy"}}
    mask = field_mask_pb2.FieldMask(paths=["labels"])
    world.publisher.update_topic(request={"topic": topic, "update_mask": mask})
    assert dict(world.publisher.get_topic(topic=topic["name"]).labels) == {"team": "deploy"}


def test_a_filter_cannot_be_updated(world: Any) -> None:
    world.create_topic()
    world.subscribe(filter='attributes.a = "1"')
    changed = {"name": world.subscription(), "filter": 'attributes.a = "2"'}
    mask = field_mask_pb2.FieldMask(paths=["filter"])
    with pytest.raises(exceptions.InvalidArgument):
        world.subscriber.update_subscription(request={"subscription": changed, "update_mask": mask})


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"ordering_key": "k"},
        {"attributes": {f"k{number}": "v" for number in range(101)}},
        {"attributes": {"k" * 257: "v"}},
        {"attributes": {"k": "v" * 1025}},
        {"attributes": {"": "v"}},
        {"data": b"x" * 10_000_001},
    ],
    ids=["empty", "key-only", "attributes", "long-key", "long-value", "empty-key", "size"],
)
def test_a_message_over_the_services_limits_is_refused(world: Any, message: dict[str, Any]) -> None:
    world.create_topic()
    with pytest.raises(exceptions.InvalidArgument):
        UnbatchedPublisher.publish(world.publisher, request={"topic": world.topic(), "messages": [message]})


def test_a_message_at_the_limits_is_taken(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    attributes = {f"{number:03}" + "k" * 253: "v" * 1024 for number in range(100)}
    world.publish(b"x" * 1_000_000, **attributes)
    (got,) = world.pull()
    assert (len(got.message.data), len(got.message.attributes)) == (1_000_000, 100)


@pytest.mark.parametrize("seconds", [3, 601, -1])
def test_an_ack_deadline_out_of_range_is_refused(world: Any, seconds: int) -> None:
    world.create_topic()
    with pytest.raises(exceptions.InvalidArgument):
        world.subscribe(ack_deadline_seconds=seconds)


@pytest.mark.parametrize(
    "fields",
    [
        {"retry_policy": {"minimum_backoff": duration_pb2.Duration(seconds=601)}},
        {
            "retry_policy": {
                "minimum_backoff": duration_pb2.Duration(seconds=20),
                "maximum_backoff": duration_pb2.Duration(seconds=5),
            }
        },
        {"message_retention_duration": duration_pb2.Duration(seconds=60)},
        {"push_config": {"push_endpoint": "ftp://example.com/"}},
    ],
    ids=["backoff", "backoff-order", "retention", "endpoint"],
)
def test_a_subscription_outside_the_limits_is_refused(world: Any, fields: dict[str, Any]) -> None:
    world.create_topic()
    with pytest.raises(exceptions.InvalidArgument):
        world.subscribe(**fields)


@pytest.mark.parametrize("attempts", [4, 101])
def test_delivery_attempts_before_a_dead_letter_are_5_to_100(world: Any, attempts: int) -> None:
    world.create_topic()
    policy = {"dead_letter_topic": world.create_topic("dead-letters"), "max_delivery_attempts": attempts}
    with pytest.raises(exceptions.BadRequest):  # Google's emulator says OUT_OF_RANGE; both are HTTP 400
        world.subscribe(dead_letter_policy=policy)


def test_a_dead_letter_topic_must_exist(world: Any) -> None:
    world.create_topic()
    with pytest.raises(exceptions.NotFound):
        world.subscribe(dead_letter_policy={"dead_letter_topic": world.topic("absent")})


@pytest.mark.parametrize(
    "text",
    [
        "attributes.x = = 3",
        "attributes.x = 3",
        "attributes:a AND attributes:b OR attributes:c",
        'data = "x"',
        'hasSuffix(attributes.a, "x")',
        "attributes:a and attributes:b",
        "attributes." + "k" * 260 + ' = "v"',
        "(attributes:a",
    ],
)
def test_a_filter_outside_the_grammar_is_refused(world: Any, text: str) -> None:
    world.create_topic()
    with pytest.raises(exceptions.InvalidArgument):
        world.subscribe(filter=text)


def test_subscriptions_of_a_deleted_topic_keep_their_messages(world: Any) -> None:
    world.create_topic()
    world.subscribe()
    world.publish(b"kept")
    world.publisher.delete_topic(topic=world.topic())
    assert world.subscriber.get_subscription(subscription=world.subscription()).topic == "_deleted-topic_"
    assert [got.message.data for got in world.pull()] == [b"kept"]


@pytest.mark.parametrize("name", ["ab", "1abc", "goog-topic", "a b c"])
def test_a_name_against_the_rules_is_refused(world: Any, name: str) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        world.create_topic(name)
