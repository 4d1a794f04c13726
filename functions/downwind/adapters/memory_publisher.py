"""Pub/Sub in memory: the twin of `adapters.pubsub`."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from downwind.adapters.memory_faults import Faults
from downwind.errors import Misconfigured, Refused

TOPICS = (
    "repo-pushes",
    "cloud-builds",
    "gcr",
    "rollout-requests",
    "executions",
    "ticks",
    "deliveries",
    "dead-letters",
)
_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message as it was published, in order."""

    id: str
    topic: str
    data: bytes
    attributes: Mapping[str, str]


class MemoryPublisher(Faults):
    """Implements `ports.Publisher`. `subscriptions` maps a name to its topic; a subscription gets what is published after it
    was made. A pulled message stays out until it is acknowledged, or `redeliver` brings it back."""

    def __init__(self, topics: Iterable[str] = TOPICS, subscriptions: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._topics = frozenset(topics)
        self._subscriptions = dict({"dead-letters": "dead-letters"} if subscriptions is None else subscriptions)
        self._waiting: dict[str, list[Published]] = {name: [] for name in self._subscriptions}
        self._out: dict[str, dict[str, Published]] = {name: {} for name in self._subscriptions}
        self._pulls = 0
        self._mutex = threading.Lock()
        self.published: list[Published] = []

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        self.check("publish")
        if topic not in self._topics:
            raise Misconfigured(f"Pub/Sub: publish to {topic}: NotFound", fix="make the topic")
        if not data and not attributes:
            raise Refused(f"Pub/Sub: publish to {topic}: a message needs data or attributes")
        if len(attributes) > 100 or len(data) > _LIMIT:
            raise Refused(f"Pub/Sub: publish to {topic}: over 100 attributes or 10 MB")
        with self._mutex:
            number = str(len(self.published) + 1)
            message = Published(id=number, topic=topic, data=bytes(data), attributes=dict(attributes))
            self.published.append(message)
            for name, source in self._subscriptions.items():
                if source == topic:
                    self._waiting[name].append(message)
            return number

    def pull(self, subscription: str, limit: int) -> Sequence[tuple[str, Mapping[str, str], bytes]]:
        self.check("pull")
        self._known(subscription)
        if limit < 1:
            raise Refused(f"Pub/Sub: pull from {subscription}: the limit must be at least 1")
        with self._mutex:
            self._pulls += 1
            taken = self._waiting[subscription][:limit]
            del self._waiting[subscription][:limit]
            leased = {f"{message.id}-{self._pulls}": message for message in taken}
            self._out[subscription] |= leased
            return [(ack_id, message.attributes, message.data) for ack_id, message in leased.items()]

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None:
        if not ack_ids:
            return
        self.check("acknowledge")
        self._known(subscription)
        with self._mutex:
            for ack_id in ack_ids:
                self._out[subscription].pop(ack_id, None)

    def redeliver(self, subscription: str) -> None:
        """What the end of the ack deadline does: all that is out and not acknowledged waits again."""
        with self._mutex:
            self._waiting[subscription] = [*self._out[subscription].values(), *self._waiting[subscription]]
            self._out[subscription] = {}

    def _known(self, subscription: str) -> None:
        if subscription not in self._subscriptions:
            raise Misconfigured(f"Pub/Sub: no subscription {subscription}: NotFound", fix="make the subscription")
