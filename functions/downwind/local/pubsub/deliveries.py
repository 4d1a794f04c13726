"""The life of a message: published, leased to a receiver, acknowledged; or failed, waiting, and in the end dead-lettered."""

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from downwind.local.pubsub import rules
from downwind.local.pubsub.resources import Resources
from downwind.local.pubsub.state import LEASED, WAITING, Live, State
from downwind.local.pubsub.wire import PubsubMessage, invalid

MAX_CLAIM_BYTES = 10_000_000
_PUSH_BACKOFF = (0.1, 60.0)
_READY = "d.subscription = ? AND d.state = 0 AND d.at <= ?"
# A pull takes a run of one key at once; nothing of that key goes out while any of it is out or held back.
_RUN_FREE = (
    "NOT EXISTS (SELECT 1 FROM delivery e WHERE e.subscription = d.subscription AND e.key = d.key"
    " AND (e.state = 1 OR (e.message < d.message AND e.at > ?)))"
)
# A push takes one message of a key at a time: the first that is not acknowledged.
_FIRST = (
    "NOT EXISTS (SELECT 1 FROM delivery e WHERE e.subscription = d.subscription AND e.key = d.key"
    " AND e.message < d.message)"
)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A leased message; `attempt` counts from 1."""

    id: int
    attempt: int
    message: Any

    @property
    def ack_id(self) -> str:
        return f"{self.id}-{self.attempt}"


class Deliveries:
    def __init__(self, state: State, resources: Resources) -> None:
        self._state = state
        self._resources = resources

    def publish(self, topic: str, messages: Sequence[Any]) -> list[str]:
        """Ids in order, once all of it is on disk. All or nothing."""
        rules.check_messages(messages)
        with self._state.transaction():
            self._resources.topic(topic)
            return [self._publish(topic, message) for message in messages]

    def claim(
        self,
        live: Live,
        limit: int,
        lease: float,
        *,
        one_of_a_key: bool = False,
        max_bytes: int = MAX_CLAIM_BYTES,
    ) -> list[Delivered]:
        """Leases what may go out now, oldest first: at most `limit` and, after the first, `max_bytes`."""
        now = self._state.clock()
        with self._state.transaction() as db:
            claimed: list[Delivered] = []
            size = 0
            for number, attempts, body in self._ready(db, live, now, limit, one_of_a_key=one_of_a_key):
                size += len(body)
                if claimed and size > max_bytes:
                    break
                message = PubsubMessage.FromString(body)
                message.message_id = str(number)
                claimed.append(Delivered(number, attempts + 1, message))
            db.executemany(
                "UPDATE delivery SET state = 1, at = ?, attempts = ? WHERE subscription = ? AND message = ?",
                [(now + lease, delivered.attempt, live.name, delivered.id) for delivered in claimed],
            )
            if claimed:
                self._state.leases_end(now + lease)
        return claimed

    def pause(self, live: Live) -> float | None:
        """Seconds until a message that waits for its time may go out; None when there is none."""
        now = self._state.clock()
        with self._state.transaction() as db:
            (at,) = db.execute(
                "SELECT min(at) FROM delivery WHERE subscription = ? AND state = 0 AND at > ?", (live.name, now)
            ).fetchone()
        return None if at is None else max(0.0, at - now)

    def acknowledge(self, live: Live, ack_ids: Sequence[str]) -> None:
        """An id of an earlier attempt counts too, as long as the message stands."""
        numbers = [_read_ack_id(ack_id)[0] for ack_id in ack_ids]
        with self._state.transaction() as db:
            for number in numbers:
                gone = db.execute("DELETE FROM delivery WHERE subscription = ? AND message = ?", (live.name, number))
                if gone.rowcount:
                    db.execute("UPDATE subscription SET delivered = delivered + 1 WHERE name = ?", (live.name,))
            live.wake()

    def modify_deadline(self, live: Live, ack_ids: Sequence[str], seconds: int) -> None:
        """0 is a nack. Ids of earlier attempts are passed over."""
        rules.check_deadline(seconds, 0)
        leases = [_read_ack_id(ack_id) for ack_id in ack_ids]
        end = self._state.clock() + seconds
        with self._state.transaction() as db:
            for number, attempt in leases:
                if seconds == 0:
                    self.fail(live, number, attempt)
                else:
                    db.execute(
                        "UPDATE delivery SET at = ? WHERE subscription = ? AND message = ? AND state = 1 AND attempts = ?",
                        (end, live.name, number, attempt),
                    )
            if seconds and leases:
                self._state.leases_end(end)

    def fail(self, live: Live, number: int, attempt: int) -> None:
        """A nack or the end of a lease: wait for the retry policy, or go to the dead letter topic."""
        with self._state.transaction() as db:
            row = db.execute(
                "SELECT key FROM delivery WHERE subscription = ? AND message = ? AND state = ? AND attempts = ?",
                (live.name, number, LEASED, attempt),
            ).fetchone()
            if row is None:
                return
            if not self._dead_letter(db, live, number, attempt):
                db.execute(
                    "UPDATE delivery SET state = ?, at = ? WHERE subscription = ? AND message = ?",
                    (WAITING, self._state.clock() + backoff(live, attempt), live.name, number),
                )
                if live.resource.enable_message_ordering and row[0]:
                    # Later ones of the key that are out come again too, after this one.
                    db.execute(
                        "UPDATE delivery SET state = 0, at = 0 WHERE subscription = ? AND key = ? AND message > ? AND state = 1",
                        (live.name, row[0], number),
                    )
            live.wake()

    def end_leases(self) -> None:
        """Fails every delivery whose lease is over; says when the next one ends."""
        with self._state.transaction() as db:
            over = db.execute(
                "SELECT subscription, message, attempts FROM delivery WHERE state = 1 AND at <= ?",
                (self._state.clock(),),
            ).fetchall()
            for name, number, attempts in over:
                self.fail(self._state.subscriptions[name], number, attempts)
            (end,) = db.execute("SELECT min(at) FROM delivery WHERE state = 1").fetchone()
            self._state.next_lease_end = math.inf if end is None else end

    def out(self, live: Live, ack_ids: Sequence[str]) -> set[str]:
        """Those of the ids whose lease still runs."""
        with self._state.transaction() as db:
            query = "SELECT 1 FROM delivery WHERE subscription = ? AND message = ? AND attempts = ? AND state = 1"
            return {a for a in ack_ids if db.execute(query, (live.name, *_read_ack_id(a))).fetchone()}

    # -- inside ---------------------------------------------------------------------------------------------------

    def _publish(self, topic: str, message: Any) -> str:
        with self._state.transaction() as db:
            published = self._state.microseconds()
            message.ClearField("message_id")
            message.publish_time.FromMicroseconds(published)
            number = db.execute(
                "INSERT INTO message (topic, published, body) VALUES (?, ?, ?)",
                (topic, published, message.SerializeToString()),
            ).lastrowid
            for live in self._state.subscriptions.values():
                if live.resource.topic == topic and live.match(message.attributes):
                    db.execute(
                        "INSERT INTO delivery (subscription, message, key, state, at, attempts) VALUES (?, ?, ?, 0, 0, 0)",
                        (live.name, number, message.ordering_key),
                    )
                    live.wake()
        return str(number)

    def _ready(
        self, db: sqlite3.Connection, live: Live, now: float, limit: int, *, one_of_a_key: bool
    ) -> list[tuple[int, int, bytes]]:
        where, values = _READY, [live.name, now]  # type: str, list[Any]
        if live.resource.enable_message_ordering:
            where = f"{where} AND (d.key = '' OR {_FIRST if one_of_a_key else _RUN_FREE})"
            values += [] if one_of_a_key else [now]
        query = f"SELECT d.message, d.attempts, m.body FROM delivery d JOIN message m ON m.id = d.message WHERE {where}"  # noqa: S608 - our own constants
        return db.execute(f"{query} ORDER BY d.message LIMIT ?", (*values, limit)).fetchall()

    def _dead_letter(self, db: sqlite3.Connection, live: Live, number: int, attempts: int) -> bool:
        """Forwards a message that has had its attempts. While its dead letter topic is missing it is retried, as before."""
        policy = live.resource.dead_letter_policy
        if not live.resource.HasField("dead_letter_policy") or attempts < policy.max_delivery_attempts:
            return False
        if policy.dead_letter_topic not in self._state.topics:
            return False
        (body,) = db.execute("SELECT body FROM message WHERE id = ?", (number,)).fetchone()
        message = PubsubMessage.FromString(body)
        _projects, project, _subscriptions, subscription = live.name.split("/")
        message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] = str(attempts)
        message.attributes["CloudPubSubDeadLetterSourceSubscription"] = subscription
        message.attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] = project
        message.attributes["CloudPubSubDeadLetterSourceTopicPublishTime"] = message.publish_time.ToJsonString()
        self._publish(policy.dead_letter_topic, message)
        db.execute("DELETE FROM delivery WHERE subscription = ? AND message = ?", (live.name, number))
        db.execute("UPDATE subscription SET dead_lettered = dead_lettered + 1 WHERE name = ?", (live.name,))
        return True


def backoff(live: Live, attempts: int) -> float:
    """Seconds before a failed message goes out again: the retry policy's minimum, doubled with each attempt up to its
    maximum. Without a policy: at once for a pull, from 0.1 s to 60 s for a push."""
    if live.resource.HasField("retry_policy"):
        policy = live.resource.retry_policy
        least, most = policy.minimum_backoff.ToNanoseconds() / 1e9, policy.maximum_backoff.ToNanoseconds() / 1e9
    elif live.endpoint:
        least, most = _PUSH_BACKOFF
    else:
        return 0.0
    return float(min(most, least * 2 ** min(attempts - 1, 20)))


def _read_ack_id(ack_id: str) -> tuple[int, int]:
    number, dash, attempt = ack_id.partition("-")
    if not (dash and number.isdecimal() and attempt.isdecimal() and ack_id.isascii() and len(ack_id) < 40):
        raise invalid(f"Some acknowledgement ids in the request were invalid: {ack_id[:80]!r}")
    return int(number), int(attempt)
