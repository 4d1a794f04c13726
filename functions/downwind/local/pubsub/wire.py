"""Google's own message classes (google.pubsub.v1), as plain protobuf, and the refusals that the API knows.

`google-cloud-pubsub` ships them wrapped by proto-plus; the wrappers cost time for nothing in a server.
"""

from typing import Any

import grpc
from google.pubsub_v1 import types

Topic: Any = types.Topic.pb()
Subscription: Any = types.Subscription.pb()
Snapshot: Any = types.Snapshot.pb()
PubsubMessage: Any = types.PubsubMessage.pb()
ReceivedMessage: Any = types.ReceivedMessage.pb()


def message_class(name: str) -> Any:
    """The protobuf class of a google.pubsub.v1 message, e.g. `PullRequest`."""
    return getattr(types, name).pb()


class Rejected(Exception):  # noqa: N818 - the service's "no" to a call, not a fault of ours
    """What the service answers instead of a result: a canonical code and a text for the caller."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Rejected:
    return Rejected(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(name: str) -> Rejected:
    return Rejected(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name}).")


def exists(name: str) -> Rejected:
    return Rejected(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists in the project (resource={name}).")


def unsupported(what: str) -> Rejected:
    return Rejected(grpc.StatusCode.UNIMPLEMENTED, f"pubsub: {what} is not part of the local world")
