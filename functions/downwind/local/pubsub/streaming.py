"""StreamingPull: messages flow as they come, within the flow control that the client asks for."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc

from downwind.local.pubsub import rules
from downwind.local.pubsub.deliveries import MAX_CLAIM_BYTES, Delivered, Deliveries
from downwind.local.pubsub.state import Live, State
from downwind.local.pubsub.wire import ReceivedMessage, Rejected, invalid, message_class, not_found

_PER_RESPONSE = 1000


class StreamingPull:
    """One open stream. What it has sent and nobody has acknowledged counts against its limits."""

    def __init__(self, state: State, deliveries: Deliveries, live: Live, first: Any) -> None:
        self._state = state
        self._deliveries = deliveries
        self._live = live
        self._deadline = 10
        self._max_messages = first.max_outstanding_messages if first.max_outstanding_messages > 0 else None
        self._max_bytes = first.max_outstanding_bytes if first.max_outstanding_bytes > 0 else None
        self._out: dict[str, int] = {}
        self._error: Rejected | None = None
        self._closed = False
        self._take(first)

    def run(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        if not context.add_callback(self._close):
            return
        threading.Thread(target=self._read, args=(requests,), daemon=True, name="pubsub stream").start()
        properties = {"message_ordering_enabled": self._live.resource.enable_message_ordering}
        response = message_class("StreamingPullResponse")
        yield response(subscription_properties=properties)
        while (claimed := self._next()) is not None:
            received = [received_message(self._live, delivered) for delivered in claimed]
            yield response(received_messages=received, subscription_properties=properties)
        if self._error is not None:
            raise self._error
        if self._live.deleted:
            raise not_found(self._live.name)

    def _next(self) -> list[Delivered] | None:
        """Waits for messages that there is room for; None at the end of the stream."""
        with self._state.lock:
            while not (self._closed or self._live.deleted):
                claimed = self._claim()
                if claimed:
                    self._out |= {delivered.ack_id: delivered.message.ByteSize() for delivered in claimed}
                    return claimed
                self._live.condition.wait(self._deliveries.pause(self._live))
            return None

    def _claim(self) -> list[Delivered]:
        standing = self._deliveries.out(self._live, list(self._out))
        self._out = {ack_id: size for ack_id, size in self._out.items() if ack_id in standing}
        limit = min(_PER_RESPONSE, (self._max_messages or _PER_RESPONSE + len(self._out)) - len(self._out))
        room = min(
            MAX_CLAIM_BYTES, (self._max_bytes or MAX_CLAIM_BYTES + sum(self._out.values())) - sum(self._out.values())
        )
        if self._live.endpoint or limit <= 0 or room <= 0:
            return []
        return self._deliveries.claim(self._live, limit, self._deadline, max_bytes=room)

    def _read(self, requests: Iterator[Any]) -> None:
        try:
            for request in requests:
                if request.subscription:
                    raise invalid("The subscription can be named in the first request of a stream only.")
                self._take(request)
        except Rejected as error:
            self._error = error
        except Exception:  # noqa: S110 - the call ended: gRPC raises out of the iterator, and there is nobody to tell
            pass
        finally:
            self._close()

    def _take(self, request: Any) -> None:
        """Acknowledgements and deadlines, which every request of the stream may carry."""
        if request.stream_ack_deadline_seconds:
            rules.check_deadline(request.stream_ack_deadline_seconds, 10)
            self._deadline = request.stream_ack_deadline_seconds
        if len(request.modify_deadline_seconds) != len(request.modify_deadline_ack_ids):
            raise invalid("modify_deadline_seconds and modify_deadline_ack_ids must have the same length.")
        if request.ack_ids:
            self._deliveries.acknowledge(self._live, request.ack_ids)
        for ack_id, seconds in zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True):
            self._deliveries.modify_deadline(self._live, [ack_id], seconds)

    def _close(self) -> None:
        with self._state.lock:
            self._closed = True
            self._live.condition.notify_all()


def received_message(live: Live, delivered: Delivered) -> Any:
    """`delivery_attempt` is 0 without a dead letter policy, as in the service."""
    attempt = delivered.attempt if live.resource.HasField("dead_letter_policy") else 0
    return ReceivedMessage(ack_id=delivered.ack_id, message=delivered.message, delivery_attempt=attempt)
