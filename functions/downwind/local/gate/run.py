"""One execution in motion, as Orca moves it: stages by their requisites, each in a thread of its own, until none can start.

What ends how (facts: deploy-manifest.md 2.1): a TERMINAL stage ends the run and cancels what still runs; FAILED_CONTINUE
lets the next stages run; STOPPED ends its branch only. A cancelled run announces `failed` twice.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from downwind.local.gate.echo import Echo
from downwind.local.gate.executions import now
from downwind.local.gate.records import COMPLETE, Records
from downwind.local.gate.work import RunStoppedError, Work

log = logging.getLogger("downwind.local.gate")

_GOES_ON = frozenset({"SUCCEEDED", "FAILED_CONTINUE", "SKIPPED"})
_MOVING = frozenset({"RUNNING", "PAUSED"})

Stage = dict[str, Any]
StageHandler = Callable[[Work], None]


class Run:
    """`document` is the execution's JSON; who touches it holds `changed`. `ended` is called once, when all is over."""

    def __init__(
        self,
        document: dict[str, Any],
        *,
        records: Records,
        echo: Echo,
        handler: Callable[[str], StageHandler],
        ended: Callable[["Run"], None],
        task_seconds: float,
    ) -> None:
        self.document = document
        self.changed = threading.Condition()
        self.echo = echo
        self.task_seconds = task_seconds
        self.stopping = False
        self._records = records
        self._handler = handler
        self._ended = ended
        self._working: set[str] = set()
        self._thread = threading.Thread(target=self._play, name=f"run-{document['id']}", daemon=True)
        self._stage_threads: list[threading.Thread] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leaves everything as a kill would; another process takes it up again."""
        with self.changed:
            self.stopping = True
            self.changed.notify_all()
        for thread in (self._thread, *self._stage_threads):
            thread.join()

    def save(self, *, active: bool = True) -> None:
        self._records.put_execution(self.document, active=active)
        self.changed.notify_all()

    @property
    def halted(self) -> bool:
        """The stages that still run have to give up."""
        failed = any(stage["status"] == "TERMINAL" for stage in self.document["stages"])
        return bool(self.document["canceled"]) or failed

    def cancel(self, user: str, reason: str | None) -> None:
        with self.changed:
            if not self.document["canceled"] and self.document["status"] not in COMPLETE:
                self.document |= {"canceled": True, "canceledBy": user}
                if reason is not None:
                    self.document["cancellationReason"] = reason
                self.save()

    def pause(self, user: str) -> None:
        with self.changed:
            if self.document["status"] == "RUNNING":
                self._move("RUNNING", "PAUSED")
                self.document["paused"] = {"paused": True, "pauseTime": now(), "pausedBy": user, "pausedMs": 0}
                self.save()

    def resume(self, user: str) -> None:
        with self.changed:
            if self.document["status"] == "PAUSED":
                self._move("PAUSED", "RUNNING")
                paused = self.document["paused"]
                self.document["paused"] = {**paused, "paused": False, "resumeTime": now(), "resumedBy": user}
                self.save()

    def change_stage(self, stage_id: str, context: Mapping[str, Any], user: str) -> bool:
        """Merges into the stage's context; False when there is no such stage."""
        with self.changed:
            found = change_stage(self.document, stage_id, context, user)
            self.save()
        return found

    def _move(self, old: str, new: str) -> None:
        self.document["status"] = new
        for stage in self.document["stages"]:
            for part in (stage, *stage["tasks"]):
                if part["status"] == old:
                    part["status"] = new

    def _play(self) -> None:
        try:
            self._begin()
            while self._step():
                pass
        except RunStoppedError:
            return
        self._ended(self)

    def _begin(self) -> None:
        with self.changed:
            if self.document["status"] == "NOT_STARTED":
                self.document |= {"status": "RUNNING", "startTime": now()}
                self.save()
                if self.document["stages"]:
                    self.echo.pipeline("starting", self.document)

    def _step(self) -> bool:
        """Starts what can start, then waits for a change; False once the run has ended."""
        with self.changed:
            self._check_stopping()
            if self.document["canceled"] and self.document["status"] in _MOVING:
                self.document["status"] = "CANCELED"
                self.save()
                self.echo.pipeline("failed", self.document)
            paused = self.document["status"] == "PAUSED"
            ready = [] if self.halted or paused else self._ready()
            for stage in ready:
                self._start_stage(stage)
            if not self._working and not paused:
                self._finish()
                return False
            self.changed.wait()
            return True

    def _check_stopping(self) -> None:
        if self.stopping:
            raise RunStoppedError

    def _ready(self) -> list[Stage]:
        status = {stage["refId"]: stage["status"] for stage in self.document["stages"]}
        return [
            stage
            for stage in self.document["stages"]
            if stage["status"] == "NOT_STARTED"
            and stage["id"] not in self._working
            and "parentStageId" not in stage
            and all(status.get(reference) in _GOES_ON for reference in stage["requisiteStageRefIds"])
        ]

    def _start_stage(self, stage: Stage) -> None:
        self._working.add(stage["id"])
        thread = threading.Thread(target=self._work, args=(stage,), name=f"stage-{stage['id']}", daemon=True)
        self._stage_threads.append(thread)
        thread.start()

    def _work(self, stage: Stage) -> None:
        try:
            Work(self, stage).play(self._handler(stage["type"]))
        except RunStoppedError:
            return
        finally:
            with self.changed:
                self._working.discard(stage["id"])
                self.changed.notify_all()

    def _finish(self) -> None:
        statuses = {stage["status"] for stage in self.document["stages"]}
        stopped_for_good = any(
            stage["status"] == "STOPPED" and stage["context"].get("completeOtherBranchesThenFail")
            for stage in self.document["stages"]
        )
        if self.document["canceled"]:
            status = "CANCELED"
        elif not statuses or "TERMINAL" in statuses or stopped_for_good:
            status = "TERMINAL"
        else:
            status = "SUCCEEDED"
        self.document |= {"status": status, "endTime": now()}
        self.save(active=False)
        self.echo.pipeline("complete" if status == "SUCCEEDED" else "failed", self.document)


def change_stage(document: dict[str, Any], stage_id: str, context: Mapping[str, Any], user: str) -> bool:
    for stage in document["stages"]:
        if stage["id"] == stage_id:
            stage["context"] |= {**context, "lastModifiedBy": user}
            stage["lastModified"] = {"allowedAccounts": [], "lastModifiedTime": now(), "user": user}
            return True
    return False
