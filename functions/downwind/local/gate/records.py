"""What the local Spinnaker keeps on disk: executions, saved pipelines, applications and tasks, as JSON in sqlite."""

import json
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Document = dict[str, Any]
_TABLES = (
    "executions (id TEXT PRIMARY KEY, application TEXT, config TEXT, correlation TEXT, complete INT, active INT, body TEXT)",
    "pipelines (id TEXT PRIMARY KEY, application TEXT, name TEXT, body TEXT)",
    "applications (name TEXT PRIMARY KEY, body TEXT)",
    "tasks (id TEXT PRIMARY KEY, body TEXT)",
)
COMPLETE = frozenset({"SUCCEEDED", "FAILED_CONTINUE", "TERMINAL", "CANCELED", "STOPPED", "SKIPPED"})


class Records:
    """Each write is on disk when it returns, and each read gives a copy of its own. Safe from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        for table in _TABLES:
            self._db.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        self._lock = threading.RLock()

    def stop(self) -> None:
        with self._lock:
            self._db.close()

    # Executions, by id: newest first, since ULIDs rise with time.

    def put_execution(self, document: Mapping[str, Any], *, active: bool) -> None:
        """`active`: Orca still has work to do on it, after a restart too."""
        correlation = document["trigger"].get("correlationId")
        self._write(
            "INSERT OR REPLACE INTO executions VALUES (?, ?, ?, ?, ?, ?, ?)",
            document["id"],
            document["application"],
            document["pipelineConfigId"],
            correlation if isinstance(correlation, str) else None,
            document["status"] in COMPLETE,
            active,
            json.dumps(document),
        )

    def execution(self, execution_id: str) -> Document | None:
        return self._one("SELECT body FROM executions WHERE id = ?", execution_id)

    def executions(self, application: str | None = None, config: str | None = None) -> list[Document]:
        return self._all(
            "SELECT body FROM executions WHERE (?1 IS NULL OR application = ?1 COLLATE NOCASE) "
            "AND (?2 IS NULL OR config = ?2) ORDER BY id DESC",
            application,
            config,
        )

    def active_executions(self, config: str | None = None) -> list[Document]:
        """Oldest first."""
        return self._all("SELECT body FROM executions WHERE active AND (?1 IS NULL OR config = ?1) ORDER BY id", config)

    def correlated(self, correlation: str) -> Document | None:
        """The execution of that correlation id that has not ended, whatever its pipeline."""
        return self._one("SELECT body FROM executions WHERE correlation = ? AND NOT complete", correlation)

    def delete_execution(self, execution_id: str) -> None:
        self._write("DELETE FROM executions WHERE id = ?", execution_id)

    # Saved pipelines (Front50).

    def put_pipeline(self, document: Mapping[str, Any]) -> None:
        self._write(
            "INSERT OR REPLACE INTO pipelines VALUES (?, ?, ?, ?)",
            document["id"],
            document["application"],
            document["name"],
            json.dumps(document),
        )

    def pipeline(self, pipeline_id: str) -> Document | None:
        return self._one("SELECT body FROM pipelines WHERE id = ?", pipeline_id)

    def pipelines(self, application: str) -> list[Document]:
        return self._all("SELECT body FROM pipelines WHERE application = ? COLLATE NOCASE ORDER BY name", application)

    def all_pipelines(self) -> list[Document]:
        return self._all("SELECT body FROM pipelines ORDER BY application, name")

    def delete_pipeline(self, pipeline_id: str) -> None:
        self._write("DELETE FROM pipelines WHERE id = ?", pipeline_id)

    # Applications and the tasks that make them.

    def put_application(self, document: Mapping[str, Any]) -> None:
        self._write("INSERT OR REPLACE INTO applications VALUES (?, ?)", document["name"], json.dumps(document))

    def application(self, name: str) -> Document | None:
        return self._one("SELECT body FROM applications WHERE name = ? COLLATE NOCASE", name)

    def applications(self) -> list[Document]:
        return self._all("SELECT body FROM applications ORDER BY name")

    def delete_application(self, name: str) -> None:
        self._write("DELETE FROM applications WHERE name = ? COLLATE NOCASE", name)

    def put_task(self, document: Mapping[str, Any]) -> None:
        self._write("INSERT OR REPLACE INTO tasks VALUES (?, ?)", document["id"], json.dumps(document))

    def task(self, task_id: str) -> Document | None:
        return self._one("SELECT body FROM tasks WHERE id = ?", task_id)

    def _write(self, statement: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(statement, values)

    def _one(self, query: str, *values: Any) -> Document | None:
        with self._lock:
            row = self._db.execute(query, values).fetchone()
        return json.loads(row[0]) if row else None

    def _all(self, query: str, *values: Any) -> list[Document]:
        with self._lock:
            rows = self._db.execute(query, values).fetchall()
        return [json.loads(row[0]) for row in rows]
