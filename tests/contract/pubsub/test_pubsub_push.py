"""HTTP push: bodies, headers, acknowledging answers, repeats, order, dead letters."""

import json
import queue
from base64 import b64decode
from typing import Any

import pytest
from google.protobuf import duration_pb2

_NO_BACKOFF = {"minimum_backoff": duration_pb2.Duration(), "maximum_backoff": duration_pb2.Duration()}


def subscribe(world: Any, endpoint: Any, *, push: dict[str, Any] | None = None, **fields: Any) -> str:
    world.create_topic()
    config = {"push_endpoint": endpoint.url, **(push or {})}
    return str(world.subscribe(push_config=config, **{"retry_policy": _NO_BACKOFF, **fields}))


def inner(request: Any) -> Any:
    return json.loads(request.body)["message"]


def test_a_wrapped_push_has_the_ids_in_both_spellings(world: Any, endpoint: Any) -> None:
    name = subscribe(world, endpoint)
    number = world.publish("é\x00".encode(), buildId="7c1f")
    got = endpoint.next()
    body = json.loads(got.body)
    message = body["message"]
    assert (got.path, got.headers["Content-Type"].split(";")[0]) == ("/hook", "application/json")
    assert body["subscription"] == name
    assert b64decode(message["data"]) == "é\x00".encode()
    assert message["attributes"] == {"buildId": "7c1f"}
    assert message["messageId"] == message["message_id"] == number
    assert message["publishTime"] == message["publish_time"]
    assert message["publishTime"].endswith("Z")
    assert "orderingKey" not in message
    assert "deliveryAttempt" not in body


def test_attributes_alone_are_pushed_without_data(world: Any, endpoint: Any) -> None:
    subscribe(world, endpoint)
    world.publish(eventType="OBJECT_DELETE")
    message = inner(endpoint.next())
    assert message["attributes"] == {"eventType": "OBJECT_DELETE"}
    assert not message.get("data")


def test_a_push_with_a_dead_letter_policy_counts_its_attempts(world: Any, endpoint: Any) -> None:
    world.create_topic("dead-letters")
    subscribe(world, endpoint, dead_letter_policy={"dead_letter_topic": world.topic("dead-letters")})
    endpoint.answers.put(500)
    world.publish(b"x")
    assert [json.loads(endpoint.next().body)["deliveryAttempt"] for _ in range(2)] == [1, 2]


def test_an_ordering_key_is_pushed(world: Any, endpoint: Any) -> None:
    subscribe(world, endpoint, enable_message_ordering=True)
    world.publish(b"x", key="shop")
    assert inner(endpoint.next())["orderingKey"] == "shop"


def test_unwrapped_the_body_is_the_data_and_metadata_are_headers(world: Any, endpoint: Any) -> None:
    name = subscribe(world, endpoint, push={"no_wrapper": {"write_metadata": True}})
    number = world.publish(b'{"a": 1}', **{"ce-type": "t", "content-type": "application/json"})
    got = endpoint.next()
    assert got.body == b'{"a": 1}'
    assert got.headers["x-goog-pubsub-subscription-name"] == name
    assert got.headers["x-goog-pubsub-message-id"] == number
    assert got.headers["x-goog-pubsub-publish-time"].endswith("Z")
    assert (got.headers["ce-type"], got.headers["Content-Type"]) == ("t", "application/json")


def test_unwrapped_bytes_arrive_unharmed(world: Any, endpoint: Any) -> None:
    subscribe(world, endpoint, push={"no_wrapper": {"write_metadata": False}})
    world.publish(b"\xff\xfe\x00\x80", a="1")
    got = endpoint.next()
    assert got.body == b"\xff\xfe\x00\x80"
    assert "a" not in got.headers
    assert "x-goog-pubsub-message-id" not in got.headers


@pytest.mark.parametrize("status", [102, 200, 201, 202, 204])
def test_these_answers_acknowledge(world: Any, endpoint: Any, status: int) -> None:
    """The next message of the key goes out only after the first is acknowledged."""
    subscribe(world, endpoint, enable_message_ordering=True)
    endpoint.answers.put(status)
    for data in (b"first", b"second"):
        world.publish(data, key="one")
    assert [b64decode(inner(endpoint.next())["data"]) for _ in range(2)] == [b"first", b"second"]


@pytest.mark.parametrize("status", [203, 206, 301, 400, 401, 404, 429, 500, 503])
def test_every_other_answer_is_a_nack(world: Any, endpoint: Any, status: int) -> None:
    subscribe(world, endpoint)
    endpoint.answers.put(status)
    number = world.publish(b"again")
    assert [inner(endpoint.next())["messageId"] for _ in range(2)] == [number, number]


def test_a_push_waits_for_an_endpoint_that_is_down(world: Any, endpoint: Any) -> None:
    world.create_topic()
    nowhere = "http://127.0.0.1:1/down"
    world.subscribe(push_config={"push_endpoint": nowhere}, retry_policy=_NO_BACKOFF)
    number = world.publish(b"x")
    config = {"push_endpoint": endpoint.url}
    world.subscriber.modify_push_config(subscription=world.subscription(), push_config=config)
    assert inner(endpoint.next())["messageId"] == number


def test_a_redirect_is_not_followed(world: Any, endpoint: Any) -> None:
    subscribe(world, endpoint)
    endpoint.answers.put(302)
    number = world.publish(b"x")
    assert [inner(endpoint.next())["messageId"] for _ in range(2)] == [number, number]


def test_a_push_that_fails_too_often_goes_to_the_dead_letter_topic(world: Any, endpoint: Any) -> None:
    world.create_topic("dead-letters")
    world.subscribe("dead-sub", topic="dead-letters")
    policy = {"dead_letter_topic": world.topic("dead-letters"), "max_delivery_attempts": 5}
    subscribe(world, endpoint, dead_letter_policy=policy)
    for _ in range(5):
        endpoint.answers.put(500)
    world.publish(b"poison")
    (dead,) = world.pull(name="dead-sub")
    assert dead.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert endpoint.received.qsize() == 5


def test_several_messages_are_under_way_at_a_time(world: Any, endpoint: Any) -> None:
    subscribe(world, endpoint)
    endpoint.gate.clear()
    for number in range(8):
        world.publish(str(number).encode())
    arrived = {inner(endpoint.next())["messageId"] for _ in range(8)}
    endpoint.gate.set()
    assert len(arrived) == 8


def test_a_key_is_pushed_in_order_and_a_nack_holds_it_alone(world: Any, endpoint: Any) -> None:
    """a0 is refused once; b0 passes it meanwhile, a1 and a2 do not."""
    refused: list[str] = []

    def refuse_a0_once(request: Any) -> int | None:
        if b64decode(inner(request)["data"]) == b"a0" and not refused:
            refused.append("a0")
            return 500
        return None

    subscribe(world, endpoint, enable_message_ordering=True)
    endpoint.rule = refuse_a0_once
    endpoint.gate.clear()
    world.publish(b"a0", key="a")
    arrived = [inner(endpoint.next())]
    for number, key in ((1, "a"), (2, "a"), (0, "b")):
        world.publish(f"{key}{number}".encode(), key=key)
    arrived.append(inner(endpoint.next()))
    endpoint.gate.set()
    arrived += [inner(endpoint.next()) for _ in range(3)]
    assert [b64decode(message["data"]) for message in arrived] == [b"a0", b"b0", b"a0", b"a1", b"a2"]


def test_a_pull_subscription_becomes_a_push_one_and_back(world: Any, endpoint: Any) -> None:
    world.create_topic()
    world.subscribe()
    number = world.publish(b"waiting")
    config = {"push_endpoint": endpoint.url}
    world.subscriber.modify_push_config(subscription=world.subscription(), push_config=config)
    assert inner(endpoint.next())["messageId"] == number
    world.subscriber.modify_push_config(subscription=world.subscription(), push_config={})
    number = world.publish(b"pulled")
    (got,) = world.pull()
    assert got.message.message_id == number
    with pytest.raises(queue.Empty):
        endpoint.received.get_nowait()
