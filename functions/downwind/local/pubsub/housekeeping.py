"""What happens by time alone: leases end, retention passes, messages that nobody can receive any more are dropped."""

import threading

from downwind.local.pubsub.deliveries import Deliveries
from downwind.local.pubsub.state import State

_CLEAN_EVERY = 10.0

# A message stays while somebody has not acknowledged it, or while a seek could still bring it back.
_DROP = """
DELETE FROM message WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.message = message.id)
    AND NOT EXISTS (SELECT 1 FROM snapshot_message s WHERE s.message = message.id)
    AND NOT EXISTS (SELECT 1 FROM keep k WHERE k.topic = message.topic AND (message.published >= k.since OR message.id > k.high))
"""


class Housekeeper:
    def __init__(self, state: State, deliveries: Deliveries) -> None:
        self._state = state
        self._deliveries = deliveries
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="pubsub housekeeping")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._state.lock:
            self._stopping = True
            self._state.leased.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def clean(self) -> None:
        """Drops deliveries past their subscription's retention, then messages that nothing refers to."""
        now = self._state.microseconds()
        with self._state.transaction() as db:
            db.execute("CREATE TEMP TABLE IF NOT EXISTS keep (topic TEXT, since INTEGER, high INTEGER)")
            db.execute("DELETE FROM keep")
            never = 2**62
            for live in self._state.subscriptions.values():
                since = now - live.resource.message_retention_duration.ToMicroseconds()
                db.execute(
                    "DELETE FROM delivery WHERE subscription = ? AND message IN (SELECT id FROM message WHERE published < ?)",
                    (live.name, since),
                )
                if live.resource.retain_acked_messages:
                    db.execute("INSERT INTO keep VALUES (?, ?, ?)", (live.resource.topic, since, never))
            for topic in self._state.topics.values():
                if topic.HasField("message_retention_duration"):
                    since = now - topic.message_retention_duration.ToMicroseconds()
                    db.execute("INSERT INTO keep VALUES (?, ?, ?)", (topic.name, since, never))
            for name, snapshot in list(self._state.snapshots.items()):
                if snapshot.expire_time.ToMicroseconds() <= now:
                    del self._state.snapshots[name]
                    db.execute("DELETE FROM snapshot WHERE name = ?", (name,))
                    db.execute("DELETE FROM snapshot_message WHERE snapshot = ?", (name,))
                else:
                    query = "INSERT INTO keep SELECT ?, ?, high FROM snapshot WHERE name = ?"
                    db.execute(query, (snapshot.topic, never, name))
            db.execute(_DROP)

    def _run(self) -> None:
        with self._state.lock:
            cleaned = self._state.clock()
            while not self._stopping:
                now = self._state.clock()
                if now >= self._state.next_lease_end:
                    self._deliveries.end_leases()
                if now - cleaned >= _CLEAN_EVERY:
                    self.clean()
                    cleaned = now
                self._state.leased.wait(max(0.0, min(self._state.next_lease_end - self._state.clock(), _CLEAN_EVERY)))
