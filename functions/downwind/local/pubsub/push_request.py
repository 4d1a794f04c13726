"""What one push looks like on the wire: Google's pages "Push subscriptions" and "Payload unwrapping for push"."""

import json
import re
from base64 import b64encode
from typing import Any

from downwind.local.pubsub.deliveries import Delivered
from downwind.local.pubsub.state import Live

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""Every other answer is a nack."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FORBIDDEN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "authorization"})
_AGENT = {
    "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
    "From": "noreply@google.com",
}


def push_request(live: Live, delivered: Delivered) -> tuple[dict[str, str], bytes]:
    """Headers (without Authorization) and body of one attempt."""
    config = live.resource.push_config
    attempt = delivered.attempt if live.resource.HasField("dead_letter_policy") else None
    if config.HasField("no_wrapper"):
        headers = _metadata(live, delivered.message, attempt) if config.no_wrapper.write_metadata else {}
        return _AGENT | {"Content-Type": "application/octet-stream"} | headers, delivered.message.data
    return _AGENT | {"Content-Type": "application/json"}, json.dumps(
        _wrapped(live, delivered.message, attempt)
    ).encode()


def _wrapped(live: Live, message: Any, attempt: int | None) -> dict[str, Any]:
    published = _time(message)
    inner: dict[str, Any] = {}
    if message.attributes:
        inner["attributes"] = dict(message.attributes)
    if message.data:
        inner["data"] = b64encode(message.data).decode()
    inner |= {"messageId": message.message_id, "message_id": message.message_id}
    if message.ordering_key:
        inner["orderingKey"] = message.ordering_key
    inner |= {"publishTime": published, "publish_time": published}
    body = {"message": inner, "subscription": live.name}
    return body if attempt is None else {"deliveryAttempt": attempt, **body}


def _metadata(live: Live, message: Any, attempt: int | None) -> dict[str, str]:
    """Attributes first, so that none stands in for the metadata. One that HTTP can't carry as a header is left out."""
    headers: dict[str, str] = {}
    for name, value in message.attributes.items():
        if _HEADER_NAME.fullmatch(name) and name.lower() not in _NOT_OURS and not _FORBIDDEN_VALUE.search(value):
            shown = "Content-Type" if name.lower() == "content-type" else name
            headers[shown] = value.encode().decode("latin-1")  # UTF-8 on the wire; http.client writes latin-1
    headers["x-goog-pubsub-subscription-name"] = live.name
    headers["x-goog-pubsub-message-id"] = message.message_id
    headers["x-goog-pubsub-publish-time"] = _time(message)
    if message.ordering_key:
        headers["x-goog-pubsub-ordering-key"] = message.ordering_key.encode().decode("latin-1")
    if attempt is not None:
        headers["x-goog-pubsub-delivery-attempt"] = str(attempt)
    return headers


def _time(message: Any) -> str:
    """RFC 3339 with milliseconds, as the service writes it in pushes."""
    return f"{message.publish_time.ToDatetime().isoformat(timespec='milliseconds')}Z"
