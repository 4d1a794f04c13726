"""One message, whatever wire form brought it."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.errors import Refused
from downwind.events.envelope import read_message
from downwind.events.limits import PUBSUB_LIMIT
from downwind.model.event import Message

TOPIC = "projects/p/topics/cloud-builds"
SUBSCRIPTION = "projects/p/subscriptions/s"
PUBLISHED = "2026-11-20T09:20:06.109Z"
CE_TYPE = "google.cloud.pubsub.topic.v1.messagePublished"
Wrap = Callable[..., dict[str, Any]]
Request = tuple[Mapping[str, str], bytes]


def read(body: Any, headers: Mapping[str, str] | None = None) -> Message:
    return read_message(headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def forms(message: Message) -> dict[str, Request]:
    """The message in every form that Google sends, as the documentation of each describes it."""
    data = base64.b64encode(message.data).decode()
    camel: dict[str, Any] = {
        "messageId": message.id,
        "publishTime": message.published,
        "attributes": message.attributes,
    }
    snake: dict[str, Any] = {
        "message_id": message.id,
        "publish_time": message.published,
        "attributes": message.attributes,
    }
    if message.data:
        camel["data"] = snake["data"] = data
    if message.ordering_key:
        camel["orderingKey"] = snake["ordering_key"] = message.ordering_key
    push: dict[str, Any] = {"message": camel, "subscription": message.subscription}
    attempt = {} if message.attempt is None else {"deliveryAttempt": message.attempt}
    event = {"id": message.id, "source": f"//pubsub.googleapis.com/{TOPIC}", "specversion": "1.0", "type": CE_TYPE}
    metadata = {
        "X-Goog-Pubsub-Subscription-Name": message.subscription or "",
        "X-Goog-Pubsub-Message-Id": message.id,
        "X-Goog-Pubsub-Publish-Time": message.published or "",
        "Authorization": "Bearer secret",
        "Content-Type": "application/json",
        "Content-Length": "7",
        **message.attributes,
    }
    if message.ordering_key:
        metadata["X-Goog-Pubsub-Ordering-Key"] = message.ordering_key
    if message.attempt is not None:
        metadata["X-Goog-Pubsub-Delivery-Attempt"] = str(message.attempt)
    plain = {"Content-Type": "application/json"}
    structured = json.dumps(event | {"data": push | attempt}).encode()
    base64d = json.dumps(
        event | {"data_base64": base64.b64encode(json.dumps(push | attempt).encode()).decode()}
    ).encode()
    return {
        "push": (plain, json.dumps(push | attempt).encode()),
        "push in snake case": (plain, json.dumps(push | {"message": snake} | attempt).encode()),
        "CloudEvent binary": ({f"CE-{k.title()}": v for k, v in event.items()}, json.dumps(push | attempt).encode()),
        "CloudEvent structured": ({"Content-Type": "application/cloudevents+json"}, structured),
        "CloudEvent structured in base64": ({"Content-Type": "application/cloudevents+json"}, base64d),
        "unwrapped": (metadata, message.data),
    }


@given(
    data=st.binary(max_size=200),
    attributes=st.dictionaries(
        st.sampled_from(["buildId", "status", "source", "event", "ce-id"]), st.text(max_size=20), min_size=1
    ),
    attempt=st.none() | st.integers(1, 100),
    key=st.none() | st.just("shop"),
)
def test_a_message_is_the_same_in_all_forms(
    data: bytes, attributes: dict[str, str], attempt: int | None, key: str | None
) -> None:
    message = Message(
        id="1981947010177954",
        data=data,
        attributes=attributes,
        subscription=SUBSCRIPTION,
        published=PUBLISHED,
        ordering_key=key,
        attempt=attempt,
    )
    for form, (headers, body) in forms(message).items():
        found = read_message(headers, body)
        topic = TOPIC if "CloudEvent" in form else None
        expected = {name: getattr(message, name) for name in message.__slots__} | {"topic": topic}
        assert {name: getattr(found, name) for name in found.__slots__} == expected, form


def test_names_of_headers_come_in_any_case_and_transport_headers_are_no_attributes() -> None:
    headers = {
        "X-GOOG-PUBSUB-MESSAGE-ID": "7",
        "BUILDID": "b",
        "Authorization": "Bearer secret",
        "Host": "h",
        "X-Forwarded-For": "1.2.3.4",
        "Content-Type": "text/plain",
        "traceparent": "00-1",
    }
    message = read(b"not JSON at all", headers)
    assert (message.id, message.data, dict(message.attributes)) == ("7", b"not JSON at all", {"buildId": "b"})


def test_an_attribute_only_message_has_empty_data(pushed: Wrap) -> None:
    assert read(pushed(b"", {"a": "b"})).data == b""
    assert read({"message": {"data": None, "attributes": {"a": "b"}}}).data == b""


def test_without_an_id_the_content_names_the_message(pushed: Wrap) -> None:
    one, again, other = (
        read({"message": {"data": "e30=", "attributes": attributes}})
        for attributes in ({"a": "1"}, {"a": "1"}, {"a": "2"})
    )
    assert one.id == again.id != other.id
    assert one.id.startswith("sha256:")


def test_a_cloud_event_gives_the_id_and_the_topic() -> None:
    headers = {"ce-id": "9", "ce-source": f"//pubsub.googleapis.com/{TOPIC}", "ce-type": CE_TYPE}
    message = read({"message": {"data": "e30="}}, headers)
    assert (message.id, message.topic) == ("9", TOPIC)


@pytest.mark.parametrize(
    "source", ["//pubsub.googleapis.com/", "//storage.googleapis.com/b", ["projects/p/topics/t"], None]
)
def test_a_source_that_is_no_topic_gives_none(source: Any) -> None:
    event = {"specversion": "1.0", "id": "9", "source": source, "type": CE_TYPE, "data": {"message": {"data": "e30="}}}
    assert read(event).topic is None


def test_the_form_of_1st_gen_functions_is_read() -> None:
    context = {"eventId": "5", "timestamp": PUBLISHED, "resource": {"name": TOPIC}}
    message = read({"context": context, "data": {"data": "e30=", "attributes": {"a": "b"}}})
    assert (message.id, message.topic, message.published, message.data) == ("5", TOPIC, PUBLISHED, b"{}")
    assert read({"context": {"resource": TOPIC}, "data": {"data": "e30="}}).topic == TOPIC


def test_unwrapped_without_metadata_is_the_body_alone() -> None:
    message = read(b'{"verb": "deploy"}', {"ce-id": "1", "Host": "h"})
    assert (message.data, dict(message.attributes)) == (b'{"verb": "deploy"}', {"ce-id": "1"})
    assert message.id.startswith("sha256:")


def test_a_cloud_event_of_somebody_else_is_data() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "t", "data": {"verb": "deploy"}}
    assert json.loads(read(event).data) == event


@pytest.mark.parametrize("attempt", [0, -1, True, "x", None, [], 1.5, "٣"])
def test_an_odd_delivery_attempt_is_none(pushed: Wrap, attempt: Any) -> None:
    assert read(pushed(b"{}") | {"deliveryAttempt": attempt}).attempt is None


@pytest.mark.parametrize("identifier", [7, "7"])
def test_an_id_may_be_a_number(identifier: Any) -> None:
    assert read({"message": {"data": "e30=", "messageId": identifier}}).id == "7"


@pytest.mark.parametrize("data", ["e30=", "e30", "e30\u003d"])
def test_base64_may_lack_its_padding(data: str) -> None:
    assert read({"message": {"data": data}}).data == b"{}"


def test_base64_of_urls_is_read_too() -> None:
    assert read({"message": {"data": "-_-_"}}).data == read({"message": {"data": "+/+/"}}).data == b"\xfb\xff\xbf"


BROKEN = {
    "not JSON": b"secret",
    "empty": b"",
    "an array": b"[]",
    "no message": {"subscription": "s"},
    "a message that is text": {"message": "secret"},
    "a null message": {"message": None},
    "an empty message": {"message": {"messageId": "1"}},
    "bad base64": {"message": {"data": "secret!"}},
    "base64 of a wrong length": {"message": {"data": "secre"}},
    "base64 beyond ASCII": {"message": {"data": "sécret"}},
    "data that is a number": {"message": {"data": 7}},
    "data that is an object": {"message": {"data": {}}},
    "attributes that are a list": {"message": {"data": "e30=", "attributes": ["secret"]}},
    "an attribute that is a number": {"message": {"data": "e30=", "attributes": {"a": 1}}},
    "an id that is a list": {"message": {"data": "e30=", "messageId": ["secret"]}},
    "an id that is true": {"message": {"data": "e30=", "messageId": True}},
    "an endless id": {"message": {"data": "e30=", "messageId": "s" * 300}},
    "an id of two lines": {"message": {"data": "e30=", "messageId": "a\nsecret"}},
    "a subscription that is a number": {"message": {"data": "e30="}, "subscription": 7},
    "a CloudEvent without a message": {"specversion": "1.0", "type": CE_TYPE, "data": {}},
    "a CloudEvent with text": {"specversion": "1.0", "type": CE_TYPE, "data": "secret"},
    "a CloudEvent with bad base64": {"specversion": "1.0", "type": CE_TYPE, "data_base64": "secret!"},
    "a CloudEvent whose base64 is no JSON": {"specversion": "1.0", "type": CE_TYPE, "data_base64": "secr"},
    "a background event with text": {"context": {}, "data": "secret"},
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_holds_no_message_is_refused_without_quoting_it(name: str) -> None:
    with pytest.raises(Refused) as caught:
        read(BROKEN[name])
    assert "secret" not in f"{caught.value.reason}{caught.value.field}{caught.value.fix}"


def test_a_binary_cloud_event_without_a_push_body_is_refused() -> None:
    with pytest.raises(Refused, match="no message"):
        read({"id": "b"}, {"ce-type": CE_TYPE, "ce-id": "1"})


@pytest.mark.parametrize("headers", [{}, {"x-goog-pubsub-message-id": "1"}])
def test_a_body_over_14_mebibytes_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refused, match="more than"):
        read(b" " * (PUBSUB_LIMIT + 1), headers)
