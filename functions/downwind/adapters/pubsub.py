"""Pub/Sub through Google's client, which also takes PUBSUB_EMULATOR_HOST. Publishes at once, one message a call."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome

GOOGLES_TOPICS = frozenset({"cloud-builds", "gcr"})
"""Cloud Build and Artifact Registry publish to these very names: they never get the prefix."""


class PubsubPublisher:
    """Implements `ports.Publisher` for one project. Topics and subscriptions are bare names, `prefix` goes before them
    (but Google's two topics). Needs `pubsub.topics.publish`, and `pubsub.subscriptions.consume` where it pulls."""

    def __init__(self, project: str, prefix: str = "", timeout: float = 20) -> None:
        from google.api_core import exceptions, retry
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud.pubsub_v1 import PublisherClient
        from google.pubsub_v1 import PublisherClient as Unbatched

        self._project = project
        self._prefix = prefix
        self._timeout = timeout
        self._errors: Any = exceptions
        try:
            self._publisher: Any = PublisherClient()
        except DefaultCredentialsError as error:
            raise _no_credentials() from error
        # The client's own `publish` waits 10 ms to fill a batch, and takes attributes as keywords beside its own.
        self._publish: Callable[..., Any] = Unbatched.publish
        passing = (
            exceptions.Aborted,
            exceptions.DeadlineExceeded,
            exceptions.InternalServerError,
            exceptions.ResourceExhausted,
            exceptions.ServiceUnavailable,
            exceptions.Unknown,
        )
        self._retry: Any = retry.Retry(retry.if_exception_type(*passing), initial=0.1, maximum=5, timeout=self._timeout)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        name = topic if topic in GOOGLES_TOPICS else f"{self._prefix}{topic}"
        request = {
            "topic": f"projects/{self._project}/topics/{name}",
            "messages": [{"data": data, "attributes": dict(attributes)}],
        }
        try:
            answer = self._publish(self._publisher, request=request, retry=self._retry, timeout=self._timeout)
        except self._errors.GoogleAPIError as error:
            raise self._ours(error, f"publish to {name}", UnknownOutcome) from error
        return str(answer.message_ids[0])

    def pull(self, subscription: str, limit: int) -> Sequence[tuple[str, Mapping[str, str], bytes]]:
        request = {"subscription": self._subscription(subscription), "max_messages": limit, "return_immediately": True}
        try:
            answer = self._pull(request)
        except self._errors.GoogleAPIError as error:
            raise self._ours(error, f"pull from {subscription}", TransientError) from error
        return [(r.ack_id, dict(r.message.attributes), r.message.data) for r in answer.received_messages]

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None:
        """Nothing to acknowledge is no call."""
        if not ack_ids:
            return
        request = {"subscription": self._subscription(subscription), "ack_ids": list(ack_ids)}
        try:
            self._subscriber.acknowledge(request=request, retry=self._retry, timeout=self._timeout)
        except self._errors.GoogleAPIError as error:
            raise self._ours(error, f"acknowledge on {subscription}", TransientError) from error

    def close(self) -> None:
        """Closes the connections."""
        self._publisher.transport.close()
        if "_subscriber" in self.__dict__:
            self._subscriber.close()

    @cached_property
    def _subscriber(self) -> Any:
        """Only the tick pulls."""
        from google.cloud.pubsub_v1 import SubscriberClient

        return SubscriberClient()

    def _pull(self, request: dict[str, Any]) -> Any:
        """`return_immediately` is what "at once" needs. The client warns of it as deprecated at each call (it may miss
        messages, which the next tick finds), so its transport is asked."""
        from google.api_core import gapic_v1
        from google.pubsub_v1 import PullRequest

        call = gapic_v1.method.wrap_method(self._subscriber.transport.pull)
        route = gapic_v1.routing_header.to_grpc_metadata((("subscription", request["subscription"]),))
        return call(PullRequest(request), retry=self._retry, timeout=self._timeout, metadata=(route,))

    def _subscription(self, name: str) -> str:
        return f"projects/{self._project}/subscriptions/{self._prefix}{name}"

    def _ours(self, error: Exception, what: str, passing: type[TransientError]) -> Exception:
        """A right or a topic that is missing is for people; for other 4xx but time-out and quota no repetition helps.
        Everything else may pass; the text stays the vendor's code."""
        code = getattr(error, "code", None)
        text = f"Pub/Sub: {what}: {type(error).__name__}"
        if code in {401, 403, 404}:
            return Misconfigured(text, fix="check that it exists and what this service's identity may do with it")
        if code is not None and 400 <= code < 500 and code not in {408, 409, 429, 499}:
            return Refused(f"{text}: {getattr(error, 'message', '')}"[:500])
        return TransientError(text) if code == 429 else passing(text)


def _no_credentials() -> Misconfigured:
    fix = "run gcloud auth application-default login, or set PUBSUB_EMULATOR_HOST for the local world"
    return Misconfigured("Pub/Sub: no Google credentials here", fix=fix)
