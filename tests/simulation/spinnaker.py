"""Gate and Orca as they were recorded, and the API server behind them: starts that double, queues that purge, runs that die
at once, ends announced twice or never (facts: real-spinnaker). The policy is the one in infra/admission, in its Python form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from tests.simulation.fate import Fate
from tests.simulation.scheduler import Scheduler
from tests.simulation.shop import namespace

from downwind.adapters.memory_pipelines import MemoryPipelines
from downwind.errors import Refused
from downwind.local.cluster_policy import refuse_write
from downwind.model.execution import FINISHED, Execution, read_execution
from downwind.ports import PipelineConfig
from downwind.reconcile.stamp import guard_name

OFF = ("fence", "guard", "correlation", "search", "doubles")
"""Layers that can be taken away, to see what each is worth and that the others hold alone. `doubles` is no layer of ours: it
takes away what the fence alone can stop, effects that arrive after they were given up and Orca's own doubles."""


@dataclass(slots=True, kw_only=True)
class Applied:
    """A deploying stage that came through: what the cluster saw."""

    application: str
    environment: str
    sequence: int
    execution: str
    attempt: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What Downwind told a run to do. `what`: why it is cancelled, or how it is judged."""

    verb: Literal["cancel", "judge"]
    execution: str
    what: str
    at: float


class Spinnaker(MemoryPipelines):
    """`ports.Pipelines` for the workers; runs go on by the scheduler's time. `tell` publishes what Echo would.

    `off`: layers taken away. `skew`: seconds by which Orca's clock differs from the store's. `serial`: limitConcurrent.
    `first_lives`: no run dies before something was deployed. `slow`: a run takes its time before its first stages.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        fate: Fate,
        clock: Callable[[], datetime],
        tell: Callable[[str], None],
        *,
        off: frozenset[str] = frozenset(),
        skew: float = 0.0,
        serial: bool = True,
        first_lives: bool = False,
        slow: bool = False,
    ) -> None:
        super().__init__(lambda: clock() + timedelta(seconds=skew))
        self.scheduler = scheduler
        self.fate = fate
        self.tell = tell
        self.off = off
        self.serial = serial
        self.first_lives = first_lives
        self.fence_after = 300 if slow else 20
        self.on_first: Callable[[], object] | None = None
        """Is called when something has been deployed for the first time."""
        self.cluster: dict[tuple[str, str], dict[str, Any]] = {}
        self.applied: list[Applied] = []
        self.commands: list[Command] = []
        self.spare = 0
        self.answer_judgments = True

    # ports.Pipelines, where it differs from the twin

    def start(self, config: PipelineConfig, trigger: Mapping[str, Any]) -> str:
        """Orca looks for the correlation id, then stores: between the two another start may do the same."""
        self.posts += 1
        self.check("start")
        standing = None if "correlation" in self.off else self._correlated(trigger)
        self.scheduler.sleep(self.fate.latency())
        execution = standing or self._begin(config, trigger)
        if self.fate.chance(self.fate.rates.doubled):
            self._begin(config, trigger)
        return execution

    def search(self, application: str, correlation_id: str, since: datetime) -> Any:
        return [] if "search" in self.off else super().search(application, correlation_id, since)

    def cancel(self, execution_id: str, reason: str) -> None:
        self.commands.append(Command(verb="cancel", execution=execution_id, what=reason, at=self.scheduler.now))
        super().cancel(execution_id, reason)
        self._ended(execution_id)

    # the life of a run

    def _begin(self, config: PipelineConfig, trigger: Mapping[str, Any]) -> str:
        identifier = self._new(config, trigger)
        document = self.executions[identifier]
        self._say(identifier, "queued")
        if self.fate.chance(self.fate.rates.dead_start):
            document.pop("startTime")
            self._end(document, "TERMINAL")  # on start-up; Echo says nothing of it
            self._say(identifier, "dies on start-up")
            return identifier
        if self.serial and self._busy(document):
            document["status"] = "NOT_STARTED"
            document.pop("startTime")
            self._purge_queue(document)
            return identifier
        self.scheduler.after(1 + self.fate.latency() * self.fence_after, self._fence, identifier)
        self.tell(identifier)
        return identifier

    def _busy(self, document: Mapping[str, Any]) -> bool:
        """The check is not atomic in Orca: now and then two run at once."""
        others = [
            each
            for each in self.executions.values()
            if each["pipelineConfigId"] == document["pipelineConfigId"]
            and each["status"] == "RUNNING"
            and each is not document
        ]
        return bool(others) and not self.fate.chance(self.fate.rates.purge)

    def _purge_queue(self, newest: Mapping[str, Any]) -> None:
        for each in list(self.executions.values()):
            waits = each["pipelineConfigId"] == newest["pipelineConfigId"] and each["status"] == "NOT_STARTED"
            if waits and each is not newest:
                self.purge(each["id"])
                self._ended(each["id"])

    def _next_in_queue(self, config: str) -> None:
        waiting = [
            each
            for each in self.executions.values()
            if each["pipelineConfigId"] == config and each["status"] == "NOT_STARTED"
        ]
        if waiting and not self._busy(waiting[-1]):
            document = waiting[-1]
            document |= {"status": "RUNNING", "startTime": self._milliseconds()}
            self.tell(document["id"])
            self.scheduler.after(1, self._fence, document["id"])

    def _fence(self, identifier: str) -> None:
        document = self.executions[identifier]
        if document["status"] in FINISHED:
            return
        ours = document["trigger"]["downwind"]
        refusal = self._write(ours, identifier, fence=True)
        if refusal is not None and "fence" not in self.off:
            self.spare += 1
            self._say(identifier, "is refused by its fence")
            self.refuse_fence(identifier, refusal)
            self._ended(identifier)
            return
        self._say(identifier, "has its fence")
        stages = {stage["refId"]: stage for stage in document["stages"]}
        stages["1"]["status"] = stages["2"]["status"] = "SUCCEEDED"
        if "3" not in stages:
            self._deploy_soon(identifier)
            return
        stages["3"]["status"] = "RUNNING"
        self._say(identifier, "waits for a judgment")
        self.tell(identifier)
        if self.answer_judgments:
            self.scheduler.after(self.fate.random.choice((20.0, 90.0, 400.0)), self._judge, identifier)

    def judge(self, execution: Execution, decision: str) -> None:
        """Through Gate, by an operator's order."""
        self.commands.append(Command(verb="judge", execution=execution.id, what=decision, at=self.scheduler.now))
        waiting = read_execution(self.executions[execution.id]).judgment
        if waiting is None:
            raise Refused(f"no judgment of execution {execution.id} waits for an answer")
        self._answer(execution.id, stop=decision == "stop")

    def _judge(self, identifier: str) -> None:
        """A person answers in Deck."""
        if read_execution(self.executions[identifier]).judgment is not None:
            self._answer(identifier, stop=self.fate.chance(0.1))

    def _answer(self, identifier: str, *, stop: bool) -> None:
        document = self.executions[identifier]
        stage = document["stages"][2]
        self._say(identifier, f"is judged: {'stop' if stop else 'continue'}")
        stage["context"]["judgmentStatus"] = "stop" if stop else "continue"
        if stop:
            stage["status"] = "TERMINAL"
            self._end(document, "TERMINAL")
            self._ended(identifier)
            return
        stage["status"] = "SUCCEEDED"
        self._deploy_soon(identifier)

    def _deploy_soon(self, identifier: str) -> None:
        if self._dies():
            self.die(identifier)
            return
        self.scheduler.after(1 + self.fate.latency() * 30, self.deploy, identifier)

    def die(self, identifier: str) -> None:
        self._end(self.executions[identifier], "TERMINAL")
        self._say(identifier, "dies between its stages")
        self._ended(identifier)

    def deploy(self, identifier: str) -> None:
        """The main stage: the guard first, then what the bundle holds."""
        document = self.executions[identifier]
        if document["status"] in FINISHED:
            return
        document["stages"][-1]["status"] = "RUNNING"
        refusal = self._write(document["trigger"]["downwind"], identifier, fence=False)
        if refusal is not None and "guard" not in self.off:
            self._say(identifier, "is refused by the guard")
            self.fail_stage(identifier, "4", refusal)
        else:
            dies = self._dies()
            self._apply(identifier)
            if dies:
                self.fail_stage(identifier, "4", "reported as failed after it was applied")
            else:
                self.advance(identifier)
        self._ended(identifier)

    def _dies(self) -> bool:
        return bool(self.applied or not self.first_lives) and self.fate.chance(self.fate.rates.dies)

    def restart(self, identifier: str) -> None:
        """A person restarts the main stage of a finished run alone: Orca runs past every stage before it."""
        ours = self.executions[identifier]["trigger"]["downwind"]
        refusal = self._write(ours, identifier, fence=False)
        self._say(identifier, f"has its main stage restarted: {'refused' if refusal else 'applied'}")
        if refusal is None or "guard" in self.off:
            self._apply(identifier)

    def _apply(self, identifier: str) -> None:
        ours = self.executions[identifier]["trigger"]["downwind"]
        self._say(identifier, "deploys")
        if not self.applied and self.on_first is not None:
            self.on_first()
        self.applied.append(
            Applied(
                application=ours["application"],
                environment=ours["environment"],
                sequence=int(ours["sequence"]),
                execution=identifier,
                attempt=int(ours["attempt"]),
                at=self.scheduler.now,
            )
        )

    def _write(self, ours: Mapping[str, str], identifier: str, *, fence: bool) -> str | None:
        """Fence or guard at the API server; the message of its refusal."""
        application, environment = ours["application"], ours["environment"]
        name = f"downwind.{application}.{environment}" if fence else guard_name(application, environment)
        marks = {"owner": f"{application}/{environment}", "sequence": ours["sequence"]}
        if fence:
            marks |= {"attempt": ours["attempt"], "execution": identifier}
        new: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": namespace(application, environment),
                "labels": {"downwind.dev/fence": "true"} if fence else {},
                "annotations": {f"downwind.dev/{key}": value for key, value in marks.items()},
            },
        }
        key = (new["metadata"]["namespace"], name)
        refusal = refuse_write(new, self.cluster.get(key))
        if refusal is None:
            self.cluster[key] = new
        return refusal

    def _ended(self, identifier: str) -> None:
        document = self.executions[identifier]
        self._say(identifier, f"ended {document['status']}")
        for _ in range(2 if document["status"] == "CANCELED" else 1):
            if not self.fate.chance(self.fate.rates.lost_end):
                self.tell(identifier)
        self._next_in_queue(document["pipelineConfigId"])

    def _say(self, identifier: str, what: str) -> None:
        ours = self.executions[identifier]["trigger"]["downwind"]
        where = f"{ours['application']}/{ours['environment']} {ours['sequence']}.{ours['attempt']}"
        self.scheduler.trace.append(f"{self.scheduler.now:.3f} spinnaker {identifier[-4:]} ({where}) {what}")
