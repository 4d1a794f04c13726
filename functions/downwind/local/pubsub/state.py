"""All that the broker knows: topics, subscriptions and snapshots in memory and on disk, messages on disk only.

One lock guards it, one sqlite file holds it. A commit survives kill -9 of the process (WAL, synchronous=NORMAL); the file
is locked for the process, so that a second broker on the same folder fails at once.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from downwind.local.pubsub.filters import Match, compile_filter
from downwind.local.pubsub.wire import Snapshot, Subscription, Topic

WAITING, LEASED = 0, 1
"""States of a delivery: `at` is when it may go out again, or when its lease ends. An acknowledged one has no row."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS topic (name TEXT PRIMARY KEY, resource BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subscription (name TEXT PRIMARY KEY, resource BLOB NOT NULL, created INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0, dead_lettered INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS snapshot (name TEXT PRIMARY KEY, resource BLOB NOT NULL, high INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS snapshot_message (snapshot TEXT, message INTEGER, PRIMARY KEY (snapshot, message)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, published INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (subscription TEXT, message INTEGER, key TEXT NOT NULL, state INTEGER NOT NULL,
    at REAL NOT NULL, attempts INTEGER NOT NULL, PRIMARY KEY (subscription, message)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_lease ON delivery (at) WHERE state = 1;
CREATE INDEX IF NOT EXISTS delivery_message ON delivery (message);
CREATE INDEX IF NOT EXISTS delivery_key ON delivery (subscription, key, message) WHERE key != '';
CREATE INDEX IF NOT EXISTS message_topic ON message (topic, id);
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


class Live:
    """One subscription as it runs: its resource, its filter, and who waits for its messages."""

    def __init__(self, resource: Any, created: int, lock: threading.RLock) -> None:
        self.resource = resource
        self.created = created
        self.match: Match = compile_filter(resource.filter)
        self.condition = threading.Condition(lock)
        self.deleted = False

    @property
    def name(self) -> str:
        return str(self.resource.name)

    @property
    def endpoint(self) -> str:
        return str(self.resource.push_config.push_endpoint)

    def wake(self) -> None:
        """Something may be due. One push worker is enough for it; of several pulls, some may have no room for more."""
        if self.endpoint:
            self.condition.notify()
        else:
            self.condition.notify_all()


class State:
    def __init__(self, data: Path, clock: Callable[[], float] = time.time) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.clock = clock
        self.leased = threading.Condition(self.lock)
        self.next_lease_end = float("inf")
        self.changed: Callable[[Live], None] = lambda _live: None
        """Called, under the lock, for each subscription that came, changed or went."""
        self._depth = 0
        self._db = sqlite3.connect(data / "pubsub.sqlite", timeout=0, check_same_thread=False, isolation_level=None)
        try:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
                self._db.execute(f"PRAGMA {pragma}").fetchall()
            self._db.executescript(_SCHEMA)
        except sqlite3.Error:
            self._db.close()
            raise
        self.topics = {
            name: Topic.FromString(blob) for name, blob in self._db.execute("SELECT name, resource FROM topic")
        }
        self.snapshots = {
            name: Snapshot.FromString(blob) for name, blob in self._db.execute("SELECT name, resource FROM snapshot")
        }
        self.subscriptions = {
            name: Live(Subscription.FromString(blob), created, self.lock)
            for name, blob, created in self._db.execute("SELECT name, resource, created FROM subscription")
        }
        self._release_pushes()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The lock and one commit; transactions inside one another are one."""
        with self.lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._db
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def microseconds(self) -> int:
        return int(self.clock() * 1_000_000)

    def leases_end(self, at: float) -> None:
        """Tells the housekeeper of a lease that ends earlier than it thinks."""
        if at < self.next_lease_end:
            self.next_lease_end = at
            self.leased.notify_all()

    def close(self) -> None:
        with self.lock:
            self._db.close()

    def _release_pushes(self) -> None:
        """Requests that were under way when the last process ended are sent again at once; pulled messages keep their lease."""
        now = self.clock()
        with self.transaction() as db:
            for live in self.subscriptions.values():
                if live.endpoint:
                    db.execute(
                        "UPDATE delivery SET state = 0, at = ? WHERE subscription = ? AND state = 1", (now, live.name)
                    )
            (end,) = db.execute("SELECT min(at) FROM delivery WHERE state = 1").fetchone()
            self.next_lease_end = end if end is not None else self.next_lease_end
