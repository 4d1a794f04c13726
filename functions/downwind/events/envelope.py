"""One parser for every wire form in which Google hands a Pub/Sub message to an HTTP endpoint.

* push: `{"message": {"data", "attributes", "messageId", "publishTime", "orderingKey"}, "subscription",
  "deliveryAttempt"}`, names in camel or snake case;
* unwrapped push with metadata: the body is the data, `x-goog-pubsub-*` headers describe it, attributes are headers;
* unwrapped push without metadata: the body is all there is (and `ce-*` headers, if another's CloudEvent has any);
* CloudEvents, binary (`ce-*` headers, the body is the push body) and structured (`application/cloudevents+json`);
* the background form of 1st gen functions (`{"context", "data"}`).
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from downwind.errors import Refused
from downwind.events import fields
from downwind.events.limits import PUBSUB_LIMIT, check_size, load_json
from downwind.model.event import Message

PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
_METADATA = "x-goog-pubsub-"
_TOPIC = re.compile(r"(?://pubsub\.googleapis\.com/)?(projects/[^/]+/topics/[^/]+)")
# Headers of HTTP itself, of proxies and of Google's front end are not attributes; Authorization least of all.
_TRANSPORT = re.compile(
    r"x-goog-.*|x-forwarded-.*|x-cloud-trace-context|x-appengine-.*|x-serverless-.*|x-request-id|traceparent|tracestate"
    r"|forwarded|via|host|from|connection|keep-alive|transfer-encoding|te|trailer|upgrade|accept(?:-.*)?|user-agent|cookie"
    r"|authorization|proxy-.*|content-.*|cache-control|pragma|expect|date|function-execution-id"
)
# HTTP forgets the case of a header's name; these are the attributes that are read by a name with capitals.
_CAPITALS = {"buildid": "buildId"}


def read_message(headers: Mapping[str, str], body: bytes) -> Message:
    """The message, the same whatever form it came in; Refused when there is none. Names of headers in any case.

    Without a messageId, the id is `sha256:` and the hash of data and attributes. `topic` and `subscription` are full
    resource names where the form tells them.
    """
    check_size(len(body), PUBSUB_LIMIT)
    lower = {name.lower(): value for name, value in headers.items()}
    if any(name.startswith(_METADATA) for name in lower):
        return _unwrapped(lower, body)
    document = load_json(body, limit=PUBSUB_LIMIT)
    if not isinstance(document, dict):
        raise Refused("the body is no JSON object", fix="expected a Pub/Sub push body")
    if "specversion" in document and ("data" in document or "data_base64" in document):
        content = _event_data(document)
        if document.get("type") == PUBLISHED or (isinstance(content, dict) and "message" in content):
            return _wrapped(content, event_id=document.get("id"), source=document.get("source"))
    elif "message" in document or "subscription" in document or lower.get("ce-type") == PUBLISHED:
        return _wrapped(document, event_id=lower.get("ce-id"), source=lower.get("ce-source"))
    elif "context" in document and "data" in document:
        return _background(document)
    attributes = {name: text for name, text in lower.items() if name.startswith("ce-")}
    return Message(id=_content_id(body, attributes), data=body, attributes=attributes)


def _event_data(event: Mapping[str, Any]) -> Any:
    """The data of a structured CloudEvent: JSON in place, or base64 of JSON."""
    if "data_base64" in event:
        return load_json(_decode(event["data_base64"], "data_base64"), limit=PUBSUB_LIMIT)
    return event["data"]


def _wrapped(document: Any, *, event_id: Any = None, source: Any = None) -> Message:
    body = fields.obj(document, "the body")
    message = body.get("message")
    if not isinstance(message, dict):
        raise Refused("there is no message in the body", field="message", fix="expected a Pub/Sub push body")
    return _message(
        message,
        id=message.get("messageId") or message.get("message_id") or event_id,
        published=message.get("publishTime") or message.get("publish_time"),
        topic=source,
        subscription=body.get("subscription"),
        attempt=body.get("deliveryAttempt") or body.get("delivery_attempt"),
    )


def _background(document: Mapping[str, Any]) -> Message:
    context = fields.obj(document["context"], "context")
    resource = context.get("resource")
    name = resource.get("name") if isinstance(resource, dict) else resource
    return _message(
        fields.obj(document["data"], "data"), id=context.get("eventId"), published=context.get("timestamp"), topic=name
    )


def _message(
    message: Mapping[str, Any],
    *,
    id: Any,  # noqa: A002 - the field's name in Message
    published: Any,
    topic: Any,
    subscription: Any = None,
    attempt: Any = None,
) -> Message:
    attributes = _attributes(message.get("attributes"))
    data = _decode(message.get("data"), "message.data")
    if not data and not attributes:
        raise Refused("the message has neither data nor attributes", field="message.data")
    return Message(
        id=_id(id) or _content_id(data, attributes),
        data=data,
        attributes=attributes,
        topic=_topic(topic),
        subscription=fields.text(subscription, "subscription"),
        published=fields.text(published, "message.publishTime"),
        ordering_key=fields.text(message.get("orderingKey") or message.get("ordering_key"), "message.orderingKey"),
        attempt=_attempt(attempt),
    )


def _unwrapped(headers: Mapping[str, str], body: bytes) -> Message:
    attributes = {_CAPITALS.get(k, k): v for k, v in headers.items() if not _TRANSPORT.fullmatch(k)}
    return Message(
        id=_id(headers.get(_METADATA + "message-id")) or _content_id(body, attributes),
        data=body,
        attributes=attributes,
        subscription=headers.get(_METADATA + "subscription-name"),
        published=headers.get(_METADATA + "publish-time"),
        ordering_key=headers.get(_METADATA + "ordering-key"),
        attempt=_attempt(headers.get(_METADATA + "delivery-attempt")),
    )


def _decode(value: Any, field: str) -> bytes:
    """Base64 as protobuf's JSON allows it: both alphabets, with or without padding."""
    if value is None:
        return b""
    try:
        text = value.translate({ord("-"): "+", ord("_"): "/"})
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (AttributeError, ValueError):
        raise Refused(f"{field} is not base64", field=field) from None


def _attributes(value: Any) -> dict[str, str]:
    found = fields.obj(value, "message.attributes")
    if not all(isinstance(text, str) for text in found.values()):
        raise Refused("an attribute of the message is not text", field="message.attributes")
    return dict(found)


def _id(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return fields.text(value, "message.messageId", limit=256)


def _topic(value: Any) -> str | None:
    match = _TOPIC.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else None


def _attempt(value: Any) -> int | None:
    """deliveryAttempt is approximate and only there with a dead-letter policy: an odd one is no reason to refuse."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _content_id(data: bytes, attributes: Mapping[str, str]) -> str:
    whole = hashlib.sha256(json.dumps(dict(attributes), sort_keys=True).encode())
    whole.update(b"\n" + data)
    return f"sha256:{whole.hexdigest()}"
