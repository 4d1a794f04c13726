"""The in-memory twin of `adapters.gate`: ports.Pipelines with Orca's rules, moved along by a test instead of a clock.

Executions are kept in Gate's JSON and read by `read_execution`, as the real adapter does. A new execution is RUNNING
with all stages NOT_STARTED until a test calls `advance`, `fail_stage`, `purge` or `finish`.
Left out: `limitConcurrent`, artifacts, SpEL.
"""

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from downwind.adapters.memory_faults import Faults
from downwind.errors import Refused, UnknownOutcome
from downwind.model.execution import FINISHED, Execution, is_fence, read_execution
from downwind.perform.pipelines import stale
from downwind.ports import PipelineConfig

PURGED = (
    "This execution was queued but then canceled because a newer queued execution superceded it. "
    "This pipeline is configured to automatically cancel waiting executions."
)


class MemoryPipelines(Faults):
    """`posts` counts calls of `start`, also those that were not accepted. `cancellations` keeps (execution, reason).

    A post that never arrived: `fail(UnknownOutcome("…"), verb="start")`; one whose answer is lost: `lose_answers()`.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._now = now
        self._mutex = threading.RLock()
        self._lose = 0
        self._configs: dict[tuple[str, str], PipelineConfig] = {}
        self.executions: dict[str, dict[str, Any]] = {}
        self.posts = 0
        self.cancellations: list[tuple[str, str]] = []

    def config(self, application: str, name: str) -> PipelineConfig | None:
        with self._mutex:
            self.check("config")
            return self._configs.get((application, name))

    def save(self, document: Mapping[str, Any]) -> None:
        application, name = document.get("application"), document.get("name")
        if not isinstance(application, str) or not isinstance(name, str):
            raise Refused("a pipeline needs application and name", field="name")
        with self._mutex:
            self.check("save")
            standing = self._configs.get((application, name))
            config_id = standing.id if standing else str(document.get("id") or f"config-{len(self._configs) + 1}")
            saved = {**copy.deepcopy(dict(document)), "id": config_id}
            self._configs[application, name] = PipelineConfig(
                id=config_id, name=name, application=application, document=saved
            )

    def replace(self, document: Mapping[str, Any], standing: PipelineConfig | None) -> None:
        with self._mutex:
            self.check("replace")
            application, name = str(document.get("application")), str(document.get("name"))
            if self._configs.get((application, name)) != standing:
                raise stale(application, name)
            self.save(document)

    def delete(self, config: PipelineConfig) -> None:
        with self._mutex:
            self.check("delete")
            if "/" in config.name:
                raise Refused(
                    f"Gate can't delete a pipeline of the name {config.name!r}", fix="rename it in Deck first"
                )
            self._configs.pop((config.application, config.name), None)

    def start(self, config: PipelineConfig, trigger: Mapping[str, Any]) -> str:
        with self._mutex:
            self.posts += 1
            self.check("start")
            if config.id not in {standing.id for standing in self._configs.values()}:
                raise Refused(f"Pipeline configuration not found (nameOrId: {config.id})")
            if config.document.get("disabled"):
                raise Refused("Pipeline is disabled and cannot be started.")
            execution_id = self._correlated(trigger) or self._new(config, trigger)
            if self._lose > 0:
                self._lose -= 1
                raise UnknownOutcome("Gate did not answer")
            return execution_id

    def search(self, application: str, correlation_id: str, since: datetime) -> Sequence[Execution]:
        boundary = int(since.timestamp() * 1000)
        with self._mutex:
            self.check("search")
            return [
                read_execution(document)
                for document in self.executions.values()
                if document["application"] == application
                and document["trigger"].get("correlationId") == correlation_id
                and document["buildTime"] >= boundary
            ]

    def execution(self, execution_id: str) -> Execution | None:
        with self._mutex:
            self.check("execution")
            document = self.executions.get(execution_id)
            return read_execution(document) if document is not None else None

    def cancel(self, execution_id: str, reason: str) -> None:
        with self._mutex:
            self.check("cancel")
            document = self.executions.get(execution_id)
            if document is None:
                raise Refused(f"Pipeline not found (id: {execution_id})")
            self.cancellations.append((execution_id, reason))
            self._cancel(document, by="downwind", reason=reason)

    def judge(self, execution: Execution, decision: str) -> None:
        with self._mutex:
            self.check("judge")
            if decision not in {"continue", "stop"}:
                raise Refused(f"a judgment is answered by continue or stop, not by {decision}", field="decision")
            document = self.executions.get(execution.id)
            waiting = read_execution(document).judgment if document is not None else None
            if document is None or waiting is None:
                raise Refused(f"no judgment of execution {execution.id} waits for an answer")
            stage = next(stage for stage in document["stages"] if stage["id"] == waiting)
            stage["context"]["judgmentStatus"] = decision
            if decision == "stop":
                stage["status"] = "TERMINAL"
                self._end(document, "TERMINAL")
            else:
                stage["status"] = "SUCCEEDED"
                self.advance(execution.id)

    # What a test does in Spinnaker's place.

    def lose_answers(self, times: int = 1) -> None:
        """The next starts take effect, but the caller gets UnknownOutcome."""
        self._lose = times

    def advance(self, execution_id: str, *, to: str | None = None) -> None:
        """Runs stages in order until a judgment waits, stage `to` (its refId) is RUNNING, or all SUCCEEDED."""
        with self._mutex:
            document = self.executions[execution_id]
            for stage in document["stages"]:
                if stage["status"] == "SUCCEEDED":
                    continue
                if stage["refId"] == to or stage["type"] == "manualJudgment":
                    stage["status"] = "RUNNING"
                    return
                stage["status"] = "SUCCEEDED"
            self._end(document, "SUCCEEDED")

    def fail_stage(self, execution_id: str, stage: str, message: str = "denied") -> None:
        """Runs up to the stage of that refId, which ends TERMINAL with Clouddriver's `message`."""
        with self._mutex:
            self.advance(execution_id, to=stage)
            document = self.executions[execution_id]
            failed = next(item for item in document["stages"] if item["refId"] == stage)
            failed["status"] = "TERMINAL"
            failed["context"]["kato.tasks"] = [{"exception": {"message": message}}]
            self._end(document, "TERMINAL")

    def refuse_fence(self, execution_id: str, message: str) -> None:
        """The policy says no to this execution's fence."""
        fence = next(stage["refId"] for stage in self.executions[execution_id]["stages"] if is_fence(stage))
        self.fail_stage(execution_id, fence, message)

    def purge(self, execution_id: str) -> None:
        """Orca drops a queued execution for a newer one."""
        with self._mutex:
            self._cancel(self.executions[execution_id], by="spinnaker", reason=PURGED)

    def finish(self, execution_id: str, status: str) -> None:
        """Ends with that status, whatever the stages say."""
        with self._mutex:
            self._end(self.executions[execution_id], status)

    def _correlated(self, trigger: Mapping[str, Any]) -> str | None:
        """Orca's only de-duplication: by correlation id over all pipelines, while the first has not ended."""
        correlation_id = trigger.get("correlationId")
        for document in self.executions.values():
            if document["trigger"].get("correlationId") == correlation_id and document["status"] not in FINISHED:
                return str(document["id"]) if isinstance(correlation_id, str) else None
        return None

    def _new(self, config: PipelineConfig, trigger: Mapping[str, Any]) -> str:
        execution_id = f"01{len(self.executions) + 1:024d}"
        now = self._milliseconds()
        self.executions[execution_id] = {
            "id": execution_id,
            "application": config.application,
            "name": config.name,
            "pipelineConfigId": config.id,
            "status": "RUNNING",
            "canceled": False,
            "buildTime": now,
            "startTime": now,
            "trigger": copy.deepcopy(dict(trigger)),
            "stages": [
                {
                    "id": f"{execution_id}-{stage['refId']}",
                    "refId": stage["refId"],
                    "type": stage["type"],
                    "name": stage.get("name", stage["type"]),
                    "status": "NOT_STARTED",
                    "context": copy.deepcopy(dict(stage)),
                }
                for stage in config.document.get("stages", [])
            ],
        }
        return execution_id

    def _cancel(self, document: dict[str, Any], *, by: str, reason: str) -> None:
        if document["status"] in FINISHED:
            return
        for stage in document["stages"]:
            if stage["status"] == "RUNNING":
                stage["status"] = "CANCELED"
        document |= {"canceled": True, "canceledBy": by, "cancellationReason": reason}
        self._end(document, "CANCELED")

    def _end(self, document: dict[str, Any], status: str) -> None:
        document |= {"status": status, "endTime": self._milliseconds()}

    def _milliseconds(self) -> int:
        return int(self._now().timestamp() * 1000)
