"""Builds, triggers and the pushes already seen, in sqlite: all of it outlives a kill -9."""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS triggers (id TEXT PRIMARY KEY, location TEXT, name TEXT, body TEXT, UNIQUE (location, name));
CREATE TABLE IF NOT EXISTS builds
    (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, location TEXT, body TEXT, announced INTEGER);
CREATE TABLE IF NOT EXISTS pushes (key TEXT PRIMARY KEY);
"""
FINISHED = {"SUCCESS", "FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"}


class BuildStore:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)
        self._mutex = threading.RLock()

    def close(self) -> None:
        with self._mutex:
            self._db.close()

    # -- triggers -------------------------------------------------------------------------------------------------

    def add_trigger(self, location: str, body: dict[str, Any]) -> bool:
        """False when that location has a trigger of that name."""
        try:
            self._do("INSERT INTO triggers VALUES (?, ?, ?, ?)", body["id"], location, body["name"], json.dumps(body))
        except sqlite3.IntegrityError:
            return False
        return True

    def replace_trigger(self, body: dict[str, Any]) -> None:
        self._do("UPDATE triggers SET name = ?, body = ? WHERE id = ?", body["name"], json.dumps(body), body["id"])

    def delete_trigger(self, trigger: str) -> None:
        self._do("DELETE FROM triggers WHERE id = ?", trigger)

    def trigger(self, location: str, name_or_id: str) -> dict[str, Any] | None:
        rows = self._do(
            "SELECT body FROM triggers WHERE location = ? AND (id = ? OR name = ?)", location, name_or_id, name_or_id
        )
        return json.loads(rows[0][0]) if rows else None

    def triggers(self, location: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """(location, body)"""
        rows = self._do("SELECT location, body FROM triggers ORDER BY rowid")
        return [(where, json.loads(body)) for where, body in rows if location in {None, where}]

    # -- builds ---------------------------------------------------------------------------------------------------

    def add_build(self, location: str, body: dict[str, Any], push: str | None = None) -> bool:
        """False when a build was already made for that push (a hook that came twice)."""
        with self._mutex:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if push is not None:
                    self._db.execute("INSERT INTO pushes VALUES (?)", (push,))
                self._db.execute(
                    "INSERT INTO builds (id, location, body, announced) VALUES (?, ?, ?, 0)",
                    (body["id"], location, json.dumps(body)),
                )
            except sqlite3.IntegrityError:
                self._db.execute("ROLLBACK")
                return False
            self._db.execute("COMMIT")
            return True

    def seen(self, push: str) -> bool:
        return bool(self._do("SELECT 1 FROM pushes WHERE key = ?", push))

    def save(self, body: dict[str, Any], *, announced: bool) -> None:
        self._do("UPDATE builds SET body = ?, announced = ? WHERE id = ?", json.dumps(body), announced, body["id"])

    def build(self, location: str, build: str) -> dict[str, Any] | None:
        rows = self._do("SELECT body FROM builds WHERE location = ? AND id = ?", location, build)
        return json.loads(rows[0][0]) if rows else None

    def builds(self, location: str) -> list[dict[str, Any]]:
        """Newest first."""
        rows = self._do("SELECT body FROM builds WHERE location = ? ORDER BY number DESC", location)
        return [json.loads(body) for (body,) in rows]

    def unannounced(self) -> list[dict[str, Any]]:
        rows = self._do("SELECT body FROM builds WHERE announced = 0 ORDER BY number")
        return [json.loads(body) for (body,) in rows]

    def unfinished(self) -> list[tuple[str, str]]:
        """(location, id), oldest first."""
        rows = self._do("SELECT location, body FROM builds ORDER BY number")
        found = [(location, json.loads(body)) for location, body in rows]
        return [(location, body["id"]) for location, body in found if body["status"] not in FINISHED]

    def _do(self, statement: str, *values: Any) -> list[Any]:
        with self._mutex:
            return self._db.execute(statement, values).fetchall()
