"""Manual judgments that wait in Spinnaker, and a person's answer to one."""

from dataclasses import dataclass

from downwind.errors import Refused
from downwind.local.add import connect
from downwind.local.world_file import LocalWorld
from downwind.model.execution import Execution
from downwind.perform import applications, ledger
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.rollouts import read_rollouts
from downwind.reconcile.wanted import ROLLOUT_LIMIT, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    environment: str
    n: int
    execution: Execution
    ports: World

    def answer(self, decision: str) -> None:
        """`continue` or `stop`. Refused when it does not wait any more."""
        self.ports.pipelines.judge(self.execution, decision)


def waiting(world: LocalWorld, application: str, environment: str | None = None) -> list[Waiting]:
    """The rollouts of an application that wait for a person now, in one environment or all."""
    ports = connect(world)
    found = applications.read(ports.catalog, [application])
    if not found:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    registered = found[0].application
    if environment is not None and registered.environment(environment) is None:
        known = ", ".join(each.name for each in registered.environments)
        raise Refused(f"{application} has no environment {environment!r}", fix=f"use one of: {known}")
    answers = []
    for each in registered.environments:
        if environment not in (None, each.name):
            continue
        prefix = names.rollouts(application, each.name)
        snapshot = Snapshot()
        facts, cut = ledger.load(ports.ledger, [Query(prefix=prefix, limit=ROLLOUT_LIMIT)])[0]
        snapshot.add(facts)
        snapshot.loaded[prefix] = cut
        for number, rollout in read_rollouts(registered, each, snapshot).items():
            for run in rollout.runs if rollout.outcome is None else ():
                execution = ports.pipelines.execution(run.execution)
                if execution is not None and execution.judgment is not None:
                    answers.append(Waiting(environment=each.name, n=number, execution=execution, ports=ports))
    return answers
