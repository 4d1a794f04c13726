"""The calls of the API, whichever way they come in: one table, used by the gRPC and the REST face."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc

from downwind.local.pubsub import rules
from downwind.local.pubsub.deliveries import Deliveries
from downwind.local.pubsub.replay import Replay
from downwind.local.pubsub.resources import Resources
from downwind.local.pubsub.state import Live, State
from downwind.local.pubsub.streaming import StreamingPull, received_message
from downwind.local.pubsub.wire import Rejected, invalid, message_class

Call = Callable[[Any, Any], Any]
_PULL_WAITS = 90.0


class Service:
    """`calls`: method's full name to (request class, handler(request, context)). The context may be None: no waiting."""

    def __init__(self, state: State, resources: Resources, deliveries: Deliveries) -> None:
        self._state = state
        self._resources = resources
        self._deliveries = deliveries
        self._replay = Replay(state, resources)
        self._stopping = False
        self.calls: Mapping[str, tuple[str, Call]] = self._table()

    def stop(self) -> None:
        """Ends waiting pulls."""
        with self._state.lock:
            self._stopping = True
            for live in self._state.subscriptions.values():
                live.condition.notify_all()

    def streaming_pull(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        first = next(requests, None)
        if first is None:
            return
        live = self._pullable(first.subscription)
        rules.check_deadline(first.stream_ack_deadline_seconds, 10)
        yield from StreamingPull(self._state, self._deliveries, live, first).run(requests, context)

    def _table(self) -> dict[str, tuple[str, Call]]:
        r, p = self._resources, self._replay
        plain: dict[str, tuple[str, Callable[[Any], Any]]] = {
            "Publisher/CreateTopic": ("Topic", r.create_topic),
            "Publisher/GetTopic": ("GetTopicRequest", r.get_topic),
            "Publisher/UpdateTopic": ("UpdateTopicRequest", r.update_topic),
            "Publisher/DeleteTopic": ("DeleteTopicRequest", r.delete_topic),
            "Publisher/ListTopics": ("ListTopicsRequest", r.list_topics),
            "Publisher/ListTopicSubscriptions": ("ListTopicSubscriptionsRequest", r.list_topic_subscriptions),
            "Publisher/ListTopicSnapshots": ("ListTopicSnapshotsRequest", p.list_topic_snapshots),
            "Publisher/Publish": ("PublishRequest", self._publish),
            "Subscriber/CreateSubscription": ("Subscription", r.create_subscription),
            "Subscriber/GetSubscription": ("GetSubscriptionRequest", r.get_subscription),
            "Subscriber/UpdateSubscription": ("UpdateSubscriptionRequest", r.update_subscription),
            "Subscriber/DeleteSubscription": ("DeleteSubscriptionRequest", r.delete_subscription),
            "Subscriber/ListSubscriptions": ("ListSubscriptionsRequest", r.list_subscriptions),
            "Subscriber/ModifyPushConfig": ("ModifyPushConfigRequest", r.modify_push_config),
            "Subscriber/Acknowledge": ("AcknowledgeRequest", self._acknowledge),
            "Subscriber/ModifyAckDeadline": ("ModifyAckDeadlineRequest", self._modify_deadline),
            "Subscriber/CreateSnapshot": ("CreateSnapshotRequest", p.create_snapshot),
            "Subscriber/GetSnapshot": ("GetSnapshotRequest", p.get_snapshot),
            "Subscriber/UpdateSnapshot": ("UpdateSnapshotRequest", p.update_snapshot),
            "Subscriber/DeleteSnapshot": ("DeleteSnapshotRequest", p.delete_snapshot),
            "Subscriber/ListSnapshots": ("ListSnapshotsRequest", p.list_snapshots),
            "Subscriber/Seek": ("SeekRequest", p.seek),
        }
        calls = {name: (request, _without_context(call)) for name, (request, call) in plain.items()}
        return {**calls, "Subscriber/Pull": ("PullRequest", self._pull)}

    def _publish(self, request: Any) -> Any:
        ids = self._deliveries.publish(request.topic, request.messages)
        return message_class("PublishResponse")(message_ids=ids)

    def _pull(self, request: Any, context: grpc.ServicerContext | None) -> Any:
        """Waits for a first message, but not to the last moment of the client's patience: a lease must not be lost."""
        if request.max_messages < 1:
            raise invalid("max_messages must be at least 1.")
        live = self._pullable(request.subscription)
        patience = 0.0
        if context is not None and not request.return_immediately:
            remaining = context.time_remaining()
            patience = _PULL_WAITS if remaining is None else min(_PULL_WAITS, remaining - 0.05)
        end = time.monotonic() + patience
        with self._state.lock:
            while True:
                claimed = self._deliveries.claim(live, request.max_messages, live.resource.ack_deadline_seconds)
                left = end - time.monotonic()
                if claimed or left <= 0 or live.deleted or self._stopping or (context and not context.is_active()):
                    break
                pause = self._deliveries.pause(live)
                live.condition.wait(left if pause is None else min(left, pause))
        received = [received_message(live, delivered) for delivered in claimed]
        return message_class("PullResponse")(received_messages=received)

    def _acknowledge(self, request: Any) -> None:
        if not request.ack_ids:
            raise invalid("No ack ids specified.")
        self._deliveries.acknowledge(self._subscription(request.subscription), request.ack_ids)

    def _modify_deadline(self, request: Any) -> None:
        if not request.ack_ids:
            raise invalid("No ack ids specified.")
        live = self._subscription(request.subscription)
        self._deliveries.modify_deadline(live, request.ack_ids, request.ack_deadline_seconds)

    def _subscription(self, name: str) -> Live:
        with self._state.lock:
            return self._resources.subscription(name)

    def _pullable(self, name: str) -> Live:
        live = self._subscription(name)
        if live.endpoint:
            text = "This method is not supported for this subscription type (it is configured for push)."
            raise Rejected(grpc.StatusCode.FAILED_PRECONDITION, text)
        return live


def _without_context(call: Callable[[Any], Any]) -> Call:
    return lambda request, _context: call(request)
