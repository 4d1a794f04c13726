"""What the service refuses, in its own limits (Google's page "Quotas and limits", and the comments of pubsub.proto)."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.message import Message

from downwind.local.pubsub.wire import invalid, unsupported

_NAME = re.compile(r"projects/([a-z0-9:.\-]+)/(topics|subscriptions|snapshots)/([A-Za-z][A-Za-z0-9\-._~+%]{2,254})")
_DAY = 86_400
MAX_PUBLISH_BYTES = 10_000_000
_TOPIC_FIELDS = {"name", "labels", "message_retention_duration", "state"}
_SUBSCRIPTION_FIELDS = {
    "name",
    "topic",
    "push_config",
    "ack_deadline_seconds",
    "retain_acked_messages",
    "message_retention_duration",
    "labels",
    "enable_message_ordering",
    "expiration_policy",
    "filter",
    "dead_letter_policy",
    "retry_policy",
    "state",
    "topic_message_retention_duration",
}


def check_name(name: str, kind: str) -> None:
    found = _NAME.fullmatch(name)
    if found is None or found.group(2) != kind or found.group(3).startswith("goog"):
        raise invalid(f"Invalid [{kind}] name: (name={name})")


def complete_topic(topic: Any) -> None:
    """Refuses what is wrong in a new or changed topic, and fills in what the service answers."""
    _refuse_unknown(topic, _TOPIC_FIELDS)
    if topic.HasField("message_retention_duration"):
        _check_span("message_retention_duration", topic.message_retention_duration, 600, 31 * _DAY)
    topic.state = topic.State.Value("ACTIVE")


def complete_subscription(resource: Any) -> None:
    """The same for a subscription; its filter is compiled elsewhere."""
    _refuse_unknown(resource, _SUBSCRIPTION_FIELDS)
    resource.ack_deadline_seconds = resource.ack_deadline_seconds or 10
    check_deadline(resource.ack_deadline_seconds, 10)
    if not resource.HasField("message_retention_duration"):
        resource.message_retention_duration.FromSeconds(7 * _DAY)
    _check_span("message_retention_duration", resource.message_retention_duration, 600, 31 * _DAY)
    if not resource.HasField("expiration_policy"):
        resource.expiration_policy.ttl.FromSeconds(31 * _DAY)
    elif resource.expiration_policy.HasField("ttl"):
        _check_span("expiration_policy.ttl", resource.expiration_policy.ttl, _DAY, 10_000 * _DAY)
    complete_push(resource.push_config)
    if resource.HasField("retry_policy"):
        _complete_retry(resource.retry_policy)
    if resource.HasField("dead_letter_policy"):
        policy = resource.dead_letter_policy
        check_name(policy.dead_letter_topic, "topics")
        policy.max_delivery_attempts = policy.max_delivery_attempts or 5
        if not 5 <= policy.max_delivery_attempts <= 100:
            raise invalid(f"Invalid max_delivery_attempts: {policy.max_delivery_attempts} is not in 5..100.")
    resource.state = resource.State.Value("ACTIVE")
    resource.ClearField("topic_message_retention_duration")


def complete_push(config: Any) -> None:
    """Plain http is taken here, as Google's emulator does; the service takes https only."""
    address = urlsplit(config.push_endpoint)
    if config.push_endpoint and (address.scheme not in {"http", "https"} or not address.hostname):
        raise invalid(f"Invalid push endpoint given (endpoint={config.push_endpoint}).")
    if config.HasField("oidc_token") and not config.oidc_token.service_account_email:
        raise invalid("The service account e-mail of an OIDC token is required.")


def check_deadline(seconds: int, least: int) -> None:
    if not least <= seconds <= 600:
        raise invalid(f"Invalid ack deadline: {seconds} is not in {least}..600 seconds.")


def check_messages(messages: Sequence[Any]) -> None:
    """One publish request: 1 to 1,000 messages, 10 MB in all."""
    if not messages:
        raise invalid(
            "The value for message_count is too small. You passed 0 in the request, but the minimum value is 1."
        )
    if len(messages) > 1000:
        raise invalid(f"The request holds {len(messages)} messages, but the maximum value is 1000.")
    size = sum(message.ByteSize() for message in messages)
    if size > MAX_PUBLISH_BYTES:
        raise invalid(f"Request payload size exceeds the limit: {MAX_PUBLISH_BYTES} bytes ({size}).")
    for message in messages:
        _check_message(message)


def _check_message(message: Any) -> None:
    if not message.data and not message.attributes:
        raise invalid(
            "One or more messages in the publish request is empty. Each message must have data or attributes."
        )
    if len(message.ordering_key.encode()) > 1024:
        raise invalid("An ordering key is longer than 1024 bytes.")
    if len(message.attributes) > 100:
        raise invalid(f"A message has {len(message.attributes)} attributes, but the maximum value is 100.")
    for key, value in message.attributes.items():
        if not 1 <= len(key.encode()) <= 256 or key.startswith("goog"):
            raise invalid(f"Invalid attribute key {key[:80]!r}: 1 to 256 bytes, not beginning with goog.")
        if len(value.encode()) > 1024:
            raise invalid(f"The value of attribute {key!r} is longer than 1024 bytes.")


def _complete_retry(policy: Any) -> None:
    """Each bound is 0..600 s; the API's defaults are 10 and 600."""
    for name, default in (("minimum_backoff", 10), ("maximum_backoff", 600)):
        if not policy.HasField(name):
            getattr(policy, name).FromSeconds(default)
        _check_span(f"retry_policy.{name}", getattr(policy, name), 0, 600)
    if policy.minimum_backoff.ToNanoseconds() > policy.maximum_backoff.ToNanoseconds():
        raise invalid("retry_policy: minimum_backoff is greater than maximum_backoff.")


def _check_span(name: str, duration: Any, least: int, most: int) -> None:
    if not least <= duration.ToNanoseconds() / 1e9 <= most:
        raise invalid(f"Invalid {name}: must be {least} to {most} seconds.")


def _refuse_unknown(resource: Message, known: set[str]) -> None:
    """Features that we do not have are refused, so that nobody tests against their absence unawares."""
    for field, _value in resource.ListFields():
        if field.name not in known:
            raise unsupported(f"{resource.DESCRIPTOR.name}.{field.name}")
