"""What Gate has said of a rollout's executions, and what became of it, written down."""

from collections.abc import Mapping

from downwind.model.catalog import Environment, Registered
from downwind.model.execution import Execution
from downwind.reconcile import names
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.rollouts import Outcome, Rollout, end_of
from downwind.reconcile.steps import Collector


def record_observed(
    registered: Registered,
    environment: Environment,
    rollout: Rollout,
    prefix: str,
    snapshot: Snapshot,
    collector: Collector,
) -> bool:
    """Writes down what Gate said of this rollout's executions, where the ledger does not have it yet."""
    known = {run.execution: run for run in rollout.runs}
    news = False
    for execution in snapshot.executions.values():
        attempt = execution.attempt
        if attempt is None or not belongs(execution, registered.application.name, environment.name, rollout.n):
            continue
        leaf = f"{attempt}.{execution.id}"
        if execution.id not in known:
            about = started_body(registered.application.name, environment.name, rollout, attempt, execution.id)
            collector.record(f"{prefix}started.{leaf}", **about)
            pointer = (
                names.execution_pointer(execution.id) + f"{registered.application.name}/{environment.name}/{rollout.n}"
            )
            collector.record(pointer, kind="pointer")
            news = True
        if execution.finished and (execution.id not in known or known[execution.id].end is None):
            collector.record(f"{prefix}ended.{leaf}", kind="ended", **end_of(execution))
            collector.record(names.execution_pointer(execution.id) + "ended", kind="pointer")
            news = True
    return news


def record_outcome(
    registered: Registered,
    rollout: Rollout,
    prefix: str,
    outcome: Outcome,
    collector: Collector,
    about: Mapping[str, object],
) -> None:
    collector.record(
        prefix + rollout.outcome_leaf,
        kind="outcome",
        application=registered.application.name,
        commit=rollout.first_claim.body["commit"],
        attempt=max(rollout.attempt, rollout.retry),
        status=outcome.status,
        reason=outcome.reason,
        execution=outcome.execution,
        **about,
    )


def started_body(
    application: str, environment: str, rollout: Rollout, attempt: int, execution: str
) -> dict[str, object]:
    return {
        "kind": "started",
        "application": application,
        "environment": environment,
        "n": rollout.n,
        "attempt": attempt,
        "execution": execution,
        "commit": rollout.first_claim.body["commit"],
    }


def belongs(execution: Execution, application: str, environment: str, n: int) -> bool:
    mine = (execution.downwind_application, execution.downwind_environment, execution.sequence)
    return mine == (application, environment, n)
