"""`ports.Publisher`: the twin in memory, and the adapter on our broker and on Google's emulator, by the same cases."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from downwind.adapters.memory_publisher import MemoryPublisher
from downwind.adapters.pubsub import PubsubPublisher
from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.ports import Publisher


@pytest.fixture(params=["memory", "broker", pytest.param("emulator", marks=pytest.mark.emulator)])
def publisher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """Topics executions and dead-letters, with a subscription dead-letters on the second."""
    if request.param == "memory":
        yield MemoryPublisher()
        return
    host = (
        request.getfixturevalue("broker").host
        if request.param == "broker"
        else request.getfixturevalue("emulator_host")
    )
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", host)
    project = f"port-{uuid.uuid4().hex}"
    endpoint = request.getfixturevalue("broker").rest_url if request.param == "broker" else None
    adapter = PubsubPublisher(project, endpoint=endpoint)
    make_topics(project)
    yield adapter
    adapter.close()


def make_topics(project: str, *, prefix: str = "", topics: tuple[str, ...] = ("executions", "dead-letters")) -> None:
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

    client, subscriber = PublisherClient(), SubscriberClient()
    for topic in topics:
        client.create_topic(name=f"projects/{project}/topics/{topic}")
    dead = f"projects/{project}/subscriptions/{prefix}dead-letters"
    subscriber.create_subscription(name=dead, topic=f"projects/{project}/topics/{topics[-1]}")
    client.transport.close()
    subscriber.close()


def test_what_is_published_is_pulled_as_it_was(publisher: Publisher) -> None:
    attributes = {"topic": "a name that clients take as a keyword", "retry": "1", "ordering_key": "2"}
    assert publisher.publish("dead-letters", b"\x00\xff", attributes)
    ((_ack_id, got, data),) = publisher.pull("dead-letters", 10)
    assert (dict(got), data) == (attributes, b"\x00\xff")


def test_ids_of_one_topic_differ(publisher: Publisher) -> None:
    assert len({publisher.publish("executions", b"same", {}) for _ in range(3)}) == 3


def test_a_pull_is_answered_at_once_with_nothing_when_there_is_nothing(publisher: Publisher) -> None:
    assert list(publisher.pull("dead-letters", 10)) == []


def test_a_pull_gives_at_most_its_limit(publisher: Publisher) -> None:
    for number in range(3):
        publisher.publish("dead-letters", str(number).encode(), {})
    assert len(publisher.pull("dead-letters", 2)) == 2


def test_a_pulled_message_is_out_until_it_is_acknowledged_for_good(publisher: Publisher) -> None:
    publisher.publish("dead-letters", b"once", {})
    ((ack_id, _attributes, _data),) = publisher.pull("dead-letters", 10)
    assert list(publisher.pull("dead-letters", 10)) == []
    publisher.acknowledge("dead-letters", [ack_id])
    assert list(publisher.pull("dead-letters", 10)) == []


def test_to_acknowledge_nothing_is_no_error(publisher: Publisher) -> None:
    publisher.acknowledge("dead-letters", [])


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.publish("executions", b"", {}),
        lambda p: p.publish("executions", b"x", {f"k{number}": "v" for number in range(101)}),
        lambda p: p.publish("executions", b"x" * 10_000_001, {}),
        lambda p: p.pull("dead-letters", 0),
    ],
    ids=["empty", "attributes", "size", "limit"],
)
def test_what_no_repetition_helps_is_refused(publisher: Publisher, call: Callable[[Publisher], Any]) -> None:
    with pytest.raises(Refused):
        call(publisher)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.publish("absent-topic", b"x", {}),
        lambda p: p.pull("absent-subscription", 1),
        lambda p: p.acknowledge("absent-subscription", ["1-1"]),
    ],
    ids=["topic", "subscription", "acknowledge"],
)
def test_a_missing_topic_or_subscription_is_for_people(publisher: Publisher, call: Callable[[Publisher], Any]) -> None:
    with pytest.raises(Misconfigured):
        call(publisher)


def test_a_prefix_goes_before_our_names_and_never_before_googles(broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", broker.host)
    make_topics("prefixed", prefix="dev-", topics=("cloud-builds", "gcr", "dev-dead-letters"))
    adapter = PubsubPublisher("prefixed", prefix="dev-", endpoint=broker.rest_url)
    for topic in ("cloud-builds", "gcr", "dead-letters"):
        assert adapter.publish(topic, b"x", {})
    assert [data for _ack, _attributes, data in adapter.pull("dead-letters", 10)] == [b"x"]
    adapter.close()


def test_a_service_that_does_not_answer_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish may have been taken; a pull has no effect worth asking about."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    adapter = PubsubPublisher("nowhere", timeout=0.3)
    with pytest.raises(UnknownOutcome):
        adapter.publish("executions", b"x", {})
    with pytest.raises(TransientError):
        adapter.pull("dead-letters", 1)
    adapter.close()


def test_without_credentials_the_constructor_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/key.json")
    with pytest.raises(Misconfigured) as refused:
        PubsubPublisher("nowhere")
    assert "PUBSUB_EMULATOR_HOST" in refused.value.fix


def test_the_twin_gives_again_what_was_not_acknowledged() -> None:
    twin = MemoryPublisher(topics=["here"], subscriptions={"reader": "here"})
    twin.publish("here", b"x", {})
    ((first, _attributes, _data),) = twin.pull("reader", 1)
    twin.redeliver("reader")
    ((second, _attributes, data),) = twin.pull("reader", 1)
    assert (data, [message.data for message in twin.published]) == (b"x", [b"x"])
    assert first != second


def test_the_twin_fails_on_demand() -> None:
    twin = MemoryPublisher()
    twin.fail(TransientError("planned"), verb="publish")
    with pytest.raises(TransientError):
        twin.publish("executions", b"x", {})
    assert twin.publish("executions", b"x", {}) == "1"
