"""Starts, queues, restarts and finds runs, and takes them up again after a kill -9.

A run that was RUNNING goes on: stages that were at work begin again (an apply is harmless twice; the fence knows its own
execution), judgments still wait. Correlation ids are unique over all pipelines while their run has not ended.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from downwind.local.gate.artifacts import ArtifactError
from downwind.local.gate.echo import Echo
from downwind.local.gate.executions import bind_artifacts, fail_on_startup, new_execution, now
from downwind.local.gate.records import COMPLETE, Records
from downwind.local.gate.run import Run, StageHandler, change_stage
from downwind.local.gate.stages import unknown

_SUPERSEDED = (
    "This execution was queued but then canceled because a newer queued execution superceded it. "
    "This pipeline is configured to automatically cancel waiting executions."
)

_NOT_A_LIST = (
    "class java.lang.String cannot be cast to class java.util.List (java.lang.String and java.util.List are in module "
    "java.base of loader 'bootstrap')"
)


class StartRefusedError(Exception):
    """Orca's answer 400 (or 500) to a start; a TERMINAL execution tells of it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Orca:
    """`handlers`: stage type → what it does. `task_seconds`: the least time of a task (the real one: 0.1)."""

    def __init__(
        self,
        records: Records,
        echo: Echo,
        handlers: Mapping[str, StageHandler],
        accounts: Sequence[str],
        task_seconds: float,
    ) -> None:
        self._records = records
        self._echo = echo
        self._handlers = handlers
        self._accounts = accounts
        self._task_seconds = task_seconds
        self._runs: dict[str, Run] = {}
        self._lock = threading.RLock()

    def resume_all(self) -> None:
        """Once, at the start of the process."""
        with self._lock:
            for document in self._records.active_executions():
                if document["status"] == "NOT_STARTED" and self._has_to_wait(document):
                    continue
                for stage in document["stages"]:
                    if stage["status"] in {"RUNNING", "PAUSED"}:
                        _reset(stage)
                self._play(document)

    def stop(self) -> None:
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.stop()

    def start(
        self, config: Mapping[str, Any], trigger: Mapping[str, Any], user: str, *, execution_id: str | None = None
    ) -> str:
        """The execution's id: a new one (`execution_id`, where the caller may choose), or the unfinished one of that
        correlation id. StartRefusedError."""
        document = new_execution(config, trigger, user, self._accounts, execution_id)
        self._check(config, document)
        with self._lock:
            correlation = trigger.get("correlationId")
            standing = self._records.correlated(correlation) if isinstance(correlation, str) else None
            if standing is not None:
                return str(standing["id"])
            self._records.put_execution(document, active=True)
            if not self._has_to_wait(document):
                self._play(document)
        return str(document["id"])

    def cancel(self, execution_id: str, user: str, reason: str | None) -> bool:
        """False when there is no such execution. One that has ended is left as it is."""
        with self._lock:
            run = self._runs.get(execution_id)
            document = self._records.execution(execution_id)
            if run is not None:
                run.cancel(user, reason)
            elif document is not None and document["status"] == "NOT_STARTED":
                self._cancel_queued(document, user, reason)
            return document is not None

    def pause(self, execution_id: str, user: str) -> bool:
        return self._with_run(execution_id, lambda run: run.pause(user))

    def resume(self, execution_id: str, user: str) -> bool:
        return self._with_run(execution_id, lambda run: run.resume(user))

    def change_stage(self, execution_id: str, stage_id: str, context: Mapping[str, Any], user: str) -> bool:
        """Also in a run that has ended, where it changes nothing but the text (recorded). False: no such stage."""
        with self._lock:
            run = self._runs.get(execution_id)
            if run is not None:
                return run.change_stage(stage_id, context, user)
            document = self._records.execution(execution_id)
            if document is None or not change_stage(document, stage_id, context, user):
                return False
            self._records.put_execution(document, active=document["status"] not in COMPLETE)
            return True

    def restart(self, execution_id: str, stage_id: str, user: str) -> None:
        """Runs that stage and what follows it once more, with the old trigger; the stages before it are not run again.
        Nothing happens for an unknown stage, or where the run or the stage is still at work (recorded)."""
        with self._lock:
            document = self._records.execution(execution_id)
            if document is None or execution_id in self._runs:
                return
            stage = next((item for item in document["stages"] if item["id"] == stage_id), None)
            if stage is None or stage["status"] not in COMPLETE:
                return
            again = _following(document["stages"], stage)
            document["stages"] = [item for item in document["stages"] if item.get("parentStageId") not in again]
            for item in document["stages"]:
                if item["id"] in again:
                    _reset(item)
                    item["context"].pop("judgmentStatus", None)
            stage["context"]["restartDetails"] = {"restartTime": now(), "restartedBy": user}
            for key in ("endTime", "canceledBy", "cancellationReason"):
                document.pop(key, None)
            document |= {"status": "RUNNING", "startTime": now(), "canceled": False}
            self._records.put_execution(document, active=True)
            self._play(document)

    def _check(self, config: Mapping[str, Any], document: dict[str, Any]) -> None:
        try:
            if not isinstance(document["trigger"]["artifacts"], list):
                raise StartRefusedError(500, _NOT_A_LIST)
            try:
                bind_artifacts(document, config)
            except ArtifactError as error:
                raise StartRefusedError(400, str(error)) from error
            if config.get("disabled"):
                raise StartRefusedError(400, "Pipeline is disabled and cannot be started.")
        except StartRefusedError as error:
            fail_on_startup(document, str(error))
            self._records.put_execution(document, active=False)
            raise

    def _has_to_wait(self, document: Mapping[str, Any]) -> bool:
        if not document["limitConcurrent"]:
            return False
        config = document["pipelineConfigId"]
        running = [run for run in self._runs.values() if run.document["pipelineConfigId"] == config]
        return len(running) >= max(1, int(document["maxConcurrentExecutions"]))

    def _play(self, document: dict[str, Any]) -> None:
        run = Run(
            document,
            records=self._records,
            echo=self._echo,
            handler=self._handler,
            ended=self._run_ended,
            task_seconds=self._task_seconds,
        )
        self._runs[document["id"]] = run
        run.start()

    def _handler(self, kind: str) -> StageHandler:
        return self._handlers.get(kind, unknown)

    def _run_ended(self, run: Run) -> None:
        """The next one of a limited pipeline: the newest that waits, the others are dropped; or the oldest."""
        with self._lock:
            self._runs.pop(run.document["id"], None)
            waiting = [
                document
                for document in self._records.active_executions(run.document["pipelineConfigId"])
                if document["status"] == "NOT_STARTED" and document["id"] not in self._runs
            ]
            if not waiting or run.stopping:
                return
            keep = waiting[-1]["keepWaitingPipelines"]
            chosen = waiting.pop(0 if keep else -1)
            for document in [] if keep else waiting:
                self._cancel_queued(document, "spinnaker", _SUPERSEDED)
            self._play(chosen)

    def _cancel_queued(self, document: dict[str, Any], user: str, reason: str | None) -> None:
        document |= {"status": "CANCELED", "canceled": True, "canceledBy": user}
        if reason is not None:
            document["cancellationReason"] = reason
        self._records.put_execution(document, active=False)
        self._echo.pipeline("failed", document)

    def _with_run(self, execution_id: str, act: Callable[[Run], None]) -> bool:
        with self._lock:
            run = self._runs.get(execution_id)
            if run is not None:
                act(run)
            return self._records.execution(execution_id) is not None


def _reset(stage: dict[str, Any]) -> None:
    """As it was before it ran; its context keeps what it was given."""
    for key in ("startTime", "endTime"):
        stage.pop(key, None)
    for key in ("exception", "kato.tasks", "kato.last.task.id", "expressionEvaluationSummary"):
        stage["context"].pop(key, None)
    stage |= {"status": "NOT_STARTED", "tasks": [], "outputs": {}}


def _following(stages: Sequence[Mapping[str, Any]], first: Mapping[str, Any]) -> set[str]:
    """Ids of `first` and of all stages that come after it."""
    found = {first["refId"]}
    while True:
        more = {s["refId"] for s in stages if set(s["requisiteStageRefIds"]) & found} - found
        if not more:
            return {stage["id"] for stage in stages if stage["refId"] in found}
        found |= more
