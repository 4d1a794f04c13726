"""Events that a part of the local world has promised to send: kept on disk until the receiver has taken them.

The real senders (Cloud Build, the registry, Echo, the git host) retry; so do ours, over a kill -9 of either side.
"""

import http.client
import json
import logging
import sqlite3
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REFUSALS = 20
"""So often one item may be answered with a 4xx: a topic or a function may be there a little later, a wrong call never will."""
log = logging.getLogger("downwind.local.outbox")


class Outbox:
    """At-least-once, in order for each receiver's URL; retried every `pause` seconds without end.

    What the receiver itself refuses (4xx, but not 408 and 429) is dropped after `REFUSALS` answers, with an error in the log.
    """

    def __init__(self, path: Path, *, pause: float = 0.3) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, url TEXT, headers TEXT, body BLOB)"
        )
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._pause = pause
        self._refused: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def post(self, url: str, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """Promise one JSON POST; returns once it is on disk."""
        with self._lock:
            self._db.execute(
                "INSERT INTO outbox (url, headers, body) VALUES (?, ?, ?)",
                (url, json.dumps({"Content-Type": "application/json", **(headers or {})}), json.dumps(body).encode()),
            )
        self._wake.set()

    def publish(self, pubsub_url: str, project: str, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Promise one Pub/Sub message, by the service's REST route (projects.topics.publish)."""
        message: dict[str, Any] = {"attributes": dict(attributes)}
        if data:
            message["data"] = b64encode(data).decode()
        self.post(f"{pubsub_url}/v1/projects/{project}/topics/{topic}:publish", {"messages": [message]})

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        with self._lock:
            self._db.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            with self._lock:
                rows = self._db.execute("SELECT id, url, headers, body FROM outbox ORDER BY id LIMIT 100").fetchall()
            blocked: set[str] = set()
            for number, url, headers, body in rows:
                if url in blocked or self._stopping.is_set():
                    continue
                if self._done(number, url, json.loads(headers), body):
                    self._refused.pop(number, None)
                    with self._lock:
                        self._db.execute("DELETE FROM outbox WHERE id = ?", (number,))
                else:
                    blocked.add(url)
            if not rows or blocked:
                self._wake.wait(self._pause if blocked else None)

    def _done(self, number: int, url: str, headers: dict[str, str], body: bytes) -> bool:
        """Taken, or given up."""
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20):
                return True
        except urllib.error.HTTPError as error:
            with error:
                log.debug("%s answered %s", url, error.code)
                if 400 <= error.code < 500 and error.code not in (408, 429):
                    self._refused[number] += 1
                    if self._refused[number] >= REFUSALS:
                        log.error("%s refused an event %s times (%s); it is dropped", url, REFUSALS, error.code)  # noqa: TRY400 - a trace tells no more
                        return True
        except (OSError, http.client.HTTPException) as error:
            log.debug("%s: %s", url, error)
        return False
