"""What only our broker has to show: refusals of what it lacks, flow control, the ack deadline of a push, taken ports."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.protobuf import duration_pb2, field_mask_pb2

from downwind.local.calls import listens
from downwind.local.pubsub import Broker
from downwind.local.pubsub.grpc_face import serve


@pytest.mark.parametrize(
    "fields",
    [
        {"enable_exactly_once_delivery": True},
        {"bigquery_config": {"table": "p.d.t"}},
        {"message_transforms": [{"javascript_udf": {"function_name": "f", "code": "f"}}]},
    ],
    ids=["exactly-once", "bigquery", "transform"],
)
def test_a_feature_that_the_broker_lacks_is_refused_by_name(own_world: Any, fields: dict[str, Any]) -> None:
    own_world.create_topic()
    with pytest.raises(exceptions.MethodNotImplemented, match=next(iter(fields))):
        own_world.subscribe(**fields)


def test_a_call_that_the_broker_lacks_is_refused_by_name(own_world: Any) -> None:
    own_world.create_topic()
    own_world.subscribe()
    with pytest.raises(exceptions.MethodNotImplemented, match="DetachSubscription"):
        own_world.publisher.detach_subscription(request={"subscription": own_world.subscription()})


def requests(*first: Any, until: threading.Event) -> Iterator[Any]:
    """A stream's requests: these, and then silence until the test is over."""
    yield from first
    until.wait(30)


def test_a_stream_holds_no_more_than_it_asked_for(own_world: Any) -> None:
    own_world.create_topic()
    own_world.subscribe()
    for number in range(3):
        own_world.publish(str(number).encode())
    over = threading.Event()
    limits = {"stream_ack_deadline_seconds": 10, "max_outstanding_messages": 2}
    first = {"subscription": own_world.subscription(), **limits}
    stream = own_world.subscriber.streaming_pull(requests=requests(first, until=over), timeout=30)
    received = [message for answer in itertools.islice(stream, 2) for message in answer.received_messages]
    assert [message.message.data for message in received] == [b"0", b"1"]
    own_world.ack(received[0])
    assert [message.message.data for message in next(iter(stream)).received_messages] == [b"2"]
    over.set()
    stream.cancel()


def test_a_stream_of_a_deleted_subscription_ends(own_world: Any) -> None:
    own_world.create_topic()
    own_world.subscribe()
    over = threading.Event()
    first = {"subscription": own_world.subscription(), "stream_ack_deadline_seconds": 10}
    stream = iter(own_world.subscriber.streaming_pull(requests=requests(first, until=over), timeout=30))
    next(stream)
    own_world.subscriber.delete_subscription(subscription=own_world.subscription())
    with pytest.raises(exceptions.NotFound):
        next(stream)
    over.set()


@pytest.mark.parametrize(
    "wrong",
    [{"stream_ack_deadline_seconds": 5}, {"modify_deadline_ack_ids": ["1-1"]}, {"ack_ids": ["no id"]}],
    ids=["deadline", "lengths", "ack-id"],
)
def test_a_wrong_stream_request_is_refused(own_world: Any, wrong: dict[str, Any]) -> None:
    own_world.create_topic()
    own_world.subscribe()
    over = threading.Event()
    first = {"subscription": own_world.subscription(), "stream_ack_deadline_seconds": 10}
    sent = requests(first, wrong, until=over)
    with pytest.raises(exceptions.InvalidArgument):
        list(own_world.subscriber.streaming_pull(requests=sent, timeout=30))
    over.set()


def test_a_push_that_is_not_answered_within_the_ack_deadline_is_a_nack(
    own_world: Any, broker: Broker, endpoint: Any
) -> None:
    """The API's least deadline is 10 s; here it is shortened inside the broker."""
    own_world.create_topic()
    endpoint.gate.clear()
    now = duration_pb2.Duration()
    policy = {"minimum_backoff": now, "maximum_backoff": now}
    name = own_world.subscribe(push_config={"push_endpoint": endpoint.url}, retry_policy=policy)
    broker._state.subscriptions[name].resource.ack_deadline_seconds = 1
    number = own_world.publish(b"slow")
    assert number in endpoint.next().body.decode()
    assert number in endpoint.next().body.decode()


@pytest.mark.parametrize("taken", ["port", "rest_port"])
def test_a_taken_port_is_an_error_that_leaves_nothing_behind(
    free_broker: Callable[..., Broker], tmp_path: Path, taken: str
) -> None:
    standing = free_broker(tmp_path / "one")
    with pytest.raises((OSError, RuntimeError, SystemExit)):
        free_broker(tmp_path / "two", **{taken: getattr(standing, taken)})
    free_broker(tmp_path / "two")


def test_who_finds_the_grpc_port_open_finds_the_rest_one_open_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local world waits for one port of each part before it goes on."""
    open_before = []

    def serving(*arguments: Any) -> Any:
        open_before.append(listens(broker.rest_port))
        return serve(*arguments)

    monkeypatch.setattr("downwind.local.pubsub.broker.serve", serving)
    broker = Broker(tmp_path)
    broker.start()
    broker.stop()
    assert open_before == [True]


def test_unwrapped_metadata_carry_key_attempt_and_text_beyond_ascii(own_world: Any, endpoint: Any) -> None:
    own_world.create_topic()
    own_world.create_topic("dead-letters")
    config = {"push_endpoint": endpoint.url, "no_wrapper": {"write_metadata": True}}
    policy = {"dead_letter_topic": own_world.topic("dead-letters")}
    own_world.subscribe(push_config=config, dead_letter_policy=policy, enable_message_ordering=True)
    strange = {"name": "é", "two lines": "kept out", "lines": "a\r\nInjected: 1", "Host": "elsewhere"}
    own_world.publish(b"x", key="shop", **strange)
    headers = endpoint.next().headers
    assert (headers["x-goog-pubsub-ordering-key"], headers["x-goog-pubsub-delivery-attempt"]) == ("shop", "1")
    assert headers["name"].encode("latin-1").decode() == "é"
    assert {name for name in ("two lines", "lines", "Injected") if name in headers} == set()
    assert headers["Host"] != "elsewhere"


@pytest.mark.parametrize(
    "call",
    [
        lambda w: w.subscriber.acknowledge(subscription=w.subscription(), ack_ids=[]),
        lambda w: w.subscriber.modify_ack_deadline(subscription=w.subscription(), ack_ids=[], ack_deadline_seconds=10),
        lambda w: w.publish(b"x", key="k" * 1025),
        lambda w: w.subscribe("sub-two", push_config={"push_endpoint": "http://127.0.0.1:1/", "oidc_token": {}}),
        lambda w: w.subscriber.update_subscription(request={"subscription": {"name": w.subscription()}}),
        lambda w: w.subscriber.update_subscription(
            request={"subscription": {"name": w.subscription()}, "update_mask": {"paths": ["push_config.absent"]}}
        ),
    ],
    ids=["no-ack-ids", "no-deadline-ids", "long-key", "token-without-email", "no-mask", "wrong-mask"],
)
def test_a_request_that_lacks_or_exceeds_is_refused(own_world: Any, call: Callable[[Any], Any]) -> None:
    own_world.create_topic()
    own_world.subscribe()
    with pytest.raises(exceptions.InvalidArgument):
        call(own_world)


def test_a_dead_letter_policy_is_added_by_update_and_only_for_a_topic_that_is_there(own_world: Any) -> None:
    own_world.create_topic()
    own_world.subscribe()
    mask = field_mask_pb2.FieldMask(paths=["dead_letter_policy"])
    policy = {"dead_letter_topic": own_world.topic("dead-letters")}
    request = {
        "subscription": {"name": own_world.subscription(), "dead_letter_policy": policy},
        "update_mask": mask,
    }
    with pytest.raises(exceptions.NotFound):
        own_world.subscriber.update_subscription(request=request)
    own_world.create_topic("dead-letters")
    assert own_world.subscriber.update_subscription(request=request).dead_letter_policy.max_delivery_attempts == 5
    own_world.publish(b"x")
    (got,) = own_world.pull()
    assert got.delivery_attempt == 1
