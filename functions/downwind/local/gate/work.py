"""One stage at work: its tasks, its end, and the places where it may be cancelled, paused, timed out or killed."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from downwind.local.gate.executions import now
from downwind.local.gate.spel import Summary, evaluate_all

if TYPE_CHECKING:
    from downwind.local.gate.run import Run

log = logging.getLogger("downwind.local.gate")

Task = dict[str, Any]


class RunStoppedError(Exception):
    """This process stops; the stage stays as it is on disk."""


class StageCanceledError(Exception):
    """The run was cancelled, or another stage failed it."""


class StageFailedError(Exception):
    """`context` is merged into the stage's: where Orca keeps the reason. `status`: the end, if it is not the stage's own
    `failPipeline` and `continuePipeline` that decide it."""

    def __init__(self, message: str, context: Mapping[str, Any] | None = None, status: str | None = None) -> None:
        super().__init__(message)
        self.context = context or {}
        self.status = status


def failed_task(error: str, kind: str, operation: str) -> StageFailedError:
    """A task that threw: `context.exception` in Orca's shape."""
    details = {"error": "Unexpected Task Failure", "errors": [error], "stackTrace": f"{kind}: {error}"}
    exception = {
        "details": details,
        "exceptionType": kind,
        "operation": operation,
        "shouldRetry": False,
        "timestamp": now(),
    }
    return StageFailedError(error, {"exception": exception})


class Work:
    """What a stage's handler works with. All writes to the execution go through it, under the run's lock."""

    def __init__(self, run: "Run", stage: dict[str, Any]) -> None:
        self.run = run
        self.stage = stage
        self.context: dict[str, Any] = stage["context"]

    def play(self, handler: Callable[["Work"], None]) -> None:
        """From RUNNING to the end, whatever the handler does."""
        with self.run.changed:
            self.stage |= {"status": "RUNNING", "startTime": now()}
            self.run.save()
            self.run.echo.stage("starting", self.run.document, self.stage)
        status = "SUCCEEDED"
        try:
            self._evaluate_context()
            handler(self)
            self._fail_on_failed_expressions()
        except RunStoppedError:
            raise
        except StageCanceledError:
            status = "CANCELED"
        except StageFailedError as error:
            self.put(**error.context)
            status = error.status or self.failure_status
        except Exception as error:  # a stage of a run must never take the whole part down with it
            log.exception("stage %s of %s failed", self.stage["name"], self.run.document["id"])
            self.put(**failed_task(str(error), type(error).__name__, self.stage["type"]).context)
            status = self.failure_status
        self._end(status)

    @property
    def failure_status(self) -> str:
        if self.context.get("continuePipeline", False):
            return "FAILED_CONTINUE"
        return "TERMINAL" if self.context.get("failPipeline", True) else "STOPPED"

    def put(self, **context: Any) -> None:
        with self.run.changed:
            self.context |= context
            self.run.save()

    def put_outputs(self, **outputs: Any) -> None:
        with self.run.changed:
            self.stage["outputs"] |= outputs
            self.run.save()

    def add_stage(self, stage: dict[str, Any]) -> "Work":
        """A synthetic stage, behind its parent and its siblings; a new one takes the place of one from before a restart."""
        with self.run.changed:
            stages = self.run.document["stages"]
            stages[:] = [item for item in stages if item["refId"] != stage["refId"]]
            siblings = sum(item.get("parentStageId") == self.stage["id"] for item in stages)
            stages.insert(stages.index(self.stage) + 1 + siblings, stage)
        return Work(self.run, stage)

    def evaluate(self, value: Any) -> Any:
        """`value` with its expressions evaluated; what fails stays literal and is noted in the stage."""
        summary: Summary = {}
        with self.run.changed:
            roots = {**self.context, "trigger": self.run.document["trigger"], "execution": self.run.document}
            found = evaluate_all(value, roots, summary)
            if summary:
                self.context.setdefault("expressionEvaluationSummary", {}).update(summary)
                errors = [i["description"] for items in summary.values() for i in items if i["level"] == "ERROR"]
                if errors:
                    details = {"error": "Failed Expression Evaluation", "errors": errors}
                    self.context["exception"] = {"details": details}
        return found

    def plan(self, tasks: Sequence[tuple[str, str]]) -> None:
        """The stage's tasks as (name, class below com.netflix.spinnaker.orca)."""
        last = len(tasks) - 1
        with self.run.changed:
            self.stage["tasks"] = [
                {
                    "id": str(number + 1),
                    "implementingClass": f"com.netflix.spinnaker.orca.{kind}",
                    "loopEnd": False,
                    "loopStart": False,
                    "name": name,
                    "stageEnd": number == last,
                    "stageStart": number == 0,
                    "status": "NOT_STARTED",
                    "taskExceptionDetails": {},
                }
                for number, (name, kind) in enumerate(tasks)
            ]

    @contextmanager
    def task(self) -> Iterator[Task]:
        """The next planned task, RUNNING inside the block; it takes at least the local world's task time."""
        task: Task = next(item for item in self.stage["tasks"] if item["status"] == "NOT_STARTED")
        self._mark(task, "RUNNING", "starting")
        try:
            yield task
            self.sleep(self.run.task_seconds)
        except StageCanceledError:
            self._mark(task, "CANCELED", "failed")
            raise
        except StageFailedError as error:
            if "exceptionType" in error.context.get("exception", {}):  # it threw, and did not just end so
                task["taskExceptionDetails"] = {"exception": error.context["exception"]}
            self._mark(task, self.failure_status, "failed")
            raise
        self._mark(task, "SUCCEEDED", "complete")

    def sleep(self, seconds: float) -> None:
        self.wait_for(lambda: False, seconds)

    def wait_for(self, reached: Callable[[], bool], seconds: float = math.inf) -> None:
        """Until `reached()` or `seconds` have gone, and not while the run is paused. Raises when the stage must end."""
        deadline = time.monotonic() + seconds
        with self.run.changed:
            while True:
                self._raise_if_over()
                if self.run.document["status"] != "PAUSED" and (reached() or time.monotonic() >= deadline):
                    return
                look_again = min(deadline - time.monotonic(), self._time_left())
                self.run.changed.wait(None if look_again == math.inf else max(look_again, 0.001))

    def _raise_if_over(self) -> None:
        if self.run.stopping:
            raise RunStoppedError
        if self.run.halted:
            raise StageCanceledError
        if self._time_left() <= 0:
            text = f"Stage {self.stage['name']} timed out after {int(self.context['stageTimeoutMs']) // 1000} seconds"
            running = next((task["name"] for task in self.stage["tasks"] if task["status"] == "RUNNING"), "")
            raise failed_task(text, "TimeoutException", running)

    def _time_left(self) -> float:
        limit = self.context.get("stageTimeoutMs")
        return math.inf if limit is None else float(self.stage["startTime"] + int(limit) - now()) / 1000

    def _evaluate_context(self) -> None:
        """Orca evaluates the whole context before each task. Only `spelEvaluator: v4` asks the stage whether its manifests
        are to be left alone; with v3, the default, `skipExpressionEvaluation` protects nothing."""
        v4 = self.run.document.get("spelEvaluator") == "v4"
        kept = ("manifests", "manifest") if v4 and self.context.get("skipExpressionEvaluation") else ()
        evaluated = self.evaluate({key: value for key, value in self.context.items() if key not in kept})
        self.put(**{**evaluated, **{key: self.context[key] for key in ("exception",) if key in self.context}})

    def _fail_on_failed_expressions(self) -> None:
        """After the operation was posted, not before it: so it is in Orca."""
        if self.context.get("failOnFailedExpressions") and self.context.get("expressionEvaluationSummary"):
            raise StageFailedError("an expression failed")

    def _mark(self, task: Task, status: str, moment: str) -> None:
        with self.run.changed:
            task |= {"status": status, "startTime" if moment == "starting" else "endTime": now()}
            self.run.save()
            self.run.echo.task(moment, self.run.document, self.stage, task)

    def _end(self, status: str) -> None:
        with self.run.changed:
            self.stage |= {"status": status, "endTime": now()}
            self.run.save()
            moment = "complete" if status == "SUCCEEDED" else "failed"
            self.run.echo.stage(moment, self.run.document, self.stage)
