"""The rows: buckets, versions of objects, uploads under way. One connection, one lock, one file.

A transaction that has ended survives a kill -9 (write-ahead log, handed to the kernel at commit); only a crash of the
machine itself may lose the newest ones.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, created INTEGER, updated INTEGER, metageneration INTEGER, fields TEXT);
CREATE TABLE IF NOT EXISTS objects (
    generation INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, name TEXT NOT NULL, live INTEGER NOT NULL,
    metageneration INTEGER NOT NULL, updated INTEGER NOT NULL, deleted INTEGER, size INTEGER NOT NULL,
    md5 TEXT, crc32c TEXT NOT NULL, components INTEGER, fields TEXT NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS live ON objects (bucket, name) WHERE live;
CREATE INDEX IF NOT EXISTS versions ON objects (bucket, name, generation);
CREATE VIEW IF NOT EXISTS versions_without_data AS
    SELECT generation, bucket, name, live, metageneration, updated, deleted, size, md5, crc32c, components, fields
    FROM objects;
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, bucket TEXT, name TEXT, conditions TEXT, fields TEXT, generation INTEGER);
CREATE TABLE IF NOT EXISTS chunks (upload TEXT, start INTEGER, data BLOB, PRIMARY KEY (upload, start));
"""


class Database:
    """Times are microseconds since 1970, as generations are."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(folder / "storage.sqlite", check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(_SCHEMA)
        # AUTOINCREMENT keeps the highest generation ever given, deleted ones too.
        last = self.one("SELECT max(seq) AS last FROM sqlite_sequence WHERE name = 'objects'")
        self._last = int(last["last"] or 0) if last else 0

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, one at a time: a precondition read inside still holds at the write."""
        with self._lock:
            if self._connection.in_transaction:  # nested: the outer one decides
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Several reads of one moment. There is one connection, so its lock is enough."""
        with self._lock:
            yield

    def next_generation(self) -> int:
        """Microseconds now, but always above every earlier one. Inside a transaction."""
        self._last = max(self._last + 1, now())
        return self._last

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def one(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(statement, values).fetchone()
            return row

    def all(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(statement, values).fetchall()


def now() -> int:
    return time.time_ns() // 1000
