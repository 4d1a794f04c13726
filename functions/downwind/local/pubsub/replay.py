"""Snapshots, and seek to a snapshot or a time: acknowledgements taken back or given for a whole subscription."""

from typing import Any

from downwind.local.pubsub import rules
from downwind.local.pubsub.resources import Resources, merge, page
from downwind.local.pubsub.state import Live, State
from downwind.local.pubsub.wire import PubsubMessage, Snapshot, exists, invalid, message_class, not_found

_WEEK = 7 * 86_400 * 1_000_000


class Replay:
    def __init__(self, state: State, resources: Resources) -> None:
        self._state = state
        self._resources = resources

    def create_snapshot(self, request: Any) -> Any:
        """Keeps the subscription's backlog, and all that its topic publishes from now on, for up to 7 days."""
        rules.check_name(request.name, "snapshots")
        with self._state.transaction() as db:
            live = self._resources.subscription(request.subscription)
            if request.name in self._state.snapshots:
                raise exists(request.name)
            (high,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'message'").fetchone()
            db.execute(
                "INSERT INTO snapshot_message SELECT ?, message FROM delivery WHERE subscription = ?",
                (request.name, live.name),
            )
            (oldest,) = db.execute(
                "SELECT min(published) FROM message WHERE id IN (SELECT message FROM delivery WHERE subscription = ?)",
                (live.name,),
            ).fetchone()
            snapshot = Snapshot(name=request.name, topic=live.resource.topic, labels=request.labels)
            snapshot.expire_time.FromMicroseconds((oldest or self._state.microseconds()) + _WEEK)
            return self._keep(snapshot, high)

    def get_snapshot(self, request: Any) -> Any:
        with self._state.lock:
            return self._snapshot(request.snapshot)

    def update_snapshot(self, request: Any) -> Any:
        with self._state.transaction() as db:
            changed = merge(self._snapshot(request.snapshot.name), request.snapshot, request.update_mask, {"labels"})
            (high,) = db.execute("SELECT high FROM snapshot WHERE name = ?", (changed.name,)).fetchone()
            return self._keep(changed, high)

    def delete_snapshot(self, request: Any) -> Any:
        with self._state.transaction() as db:
            snapshot = self._snapshot(request.snapshot)
            db.execute("DELETE FROM snapshot WHERE name = ?", (snapshot.name,))
            db.execute("DELETE FROM snapshot_message WHERE snapshot = ?", (snapshot.name,))
            del self._state.snapshots[snapshot.name]
        return None

    def list_snapshots(self, request: Any) -> Any:
        with self._state.lock:
            names = [name for name in self._state.snapshots if name.startswith(f"{request.project}/")]
            shown, token = page(names, request)
            snapshots = [self._state.snapshots[name] for name in shown]
        return message_class("ListSnapshotsResponse")(snapshots=snapshots, next_page_token=token)

    def list_topic_snapshots(self, request: Any) -> Any:
        with self._state.lock:
            self._resources.topic(request.topic)
            names = [name for name, snapshot in self._state.snapshots.items() if snapshot.topic == request.topic]
            shown, token = page(names, request)
        return message_class("ListTopicSnapshotsResponse")(snapshots=shown, next_page_token=token)

    def seek(self, request: Any) -> Any:
        """Effective at once (the service takes up to a minute). Attempts start again at 0."""
        with self._state.transaction():
            live = self._resources.subscription(request.subscription)
            target = request.WhichOneof("target")
            if target == "snapshot":
                self._to_snapshot(live, request.snapshot)
            elif target == "time":
                self._to_time(live, request.time.ToMicroseconds())
            else:
                raise invalid("A seek needs a time or a snapshot.")
            live.condition.notify_all()
        return message_class("SeekResponse")()

    def _to_snapshot(self, live: Live, name: str) -> None:
        snapshot = self._snapshot(name)
        if snapshot.topic != live.resource.topic:
            raise invalid(f"The snapshot {name} is of another topic.")
        with self._state.transaction() as db:
            db.execute("DELETE FROM delivery WHERE subscription = ?", (live.name,))
            rows = db.execute(
                "SELECT id, body FROM message WHERE id IN (SELECT message FROM snapshot_message WHERE snapshot = ?)"
                " OR (topic = ? AND id > (SELECT high FROM snapshot WHERE name = ?))",
                (name, snapshot.topic, name),
            ).fetchall()
            self._give_back(live, rows)

    def _to_time(self, live: Live, moment: int) -> None:
        """Older ones count as acknowledged. Later ones come again as far as subscription or topic keeps them."""
        with self._state.transaction() as db:
            db.execute(
                "DELETE FROM delivery WHERE subscription = ? AND message IN (SELECT id FROM message WHERE published < ?)",
                (live.name, moment),
            )
            topic = self._state.topics.get(live.resource.topic)
            since = moment
            if topic is None or not topic.HasField("message_retention_duration"):
                if not live.resource.retain_acked_messages:
                    return
                since = max(moment, live.created)
            rows = db.execute(
                "SELECT id, body FROM message WHERE topic = ? AND published >= ?", (live.resource.topic, since)
            ).fetchall()
            self._give_back(live, rows)

    def _give_back(self, live: Live, rows: list[tuple[int, bytes]]) -> None:
        with self._state.transaction() as db:
            for number, body in rows:
                message = PubsubMessage.FromString(body)
                if live.match(message.attributes):
                    db.execute(
                        "INSERT OR IGNORE INTO delivery (subscription, message, key, state, at, attempts)"
                        " VALUES (?, ?, ?, 0, 0, 0)",
                        (live.name, number, message.ordering_key),
                    )

    def _keep(self, snapshot: Any, high: int) -> Any:
        with self._state.transaction() as db:
            values = (snapshot.name, snapshot.SerializeToString(), high)
            db.execute("REPLACE INTO snapshot (name, resource, high) VALUES (?, ?, ?)", values)
            self._state.snapshots[snapshot.name] = snapshot
        return snapshot

    def _snapshot(self, name: str) -> Any:
        rules.check_name(name, "snapshots")
        if name not in self._state.snapshots:
            raise not_found(name)
        return self._state.snapshots[name]
