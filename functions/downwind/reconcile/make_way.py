"""The way for a newer entry: older runs that wait in a judgment are cancelled; and the cancel of one."""

from downwind.model.catalog import Environment
from downwind.model.execution import Execution
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.rollouts import Rollout
from downwind.reconcile.steps import CancelRollout, Collector, Observe


def make_way(
    environment: Environment,
    newer: tuple[int, str],
    rollouts: dict[int, Rollout],
    snapshot: Snapshot,
    collector: Collector,
) -> bool:
    """Before an entry starts (its number, and who appended it): runs of older entries that wait in a judgment before their first
    deploying stage are cancelled. False while it is not known yet what they do."""
    if environment.on_newer != "cancel_waiting":
        return True
    known = True
    for number, rollout in rollouts.items():
        if number >= newer[0] or not rollout.claims or rollout.outcome is not None:
            continue
        for run in rollout.runs_of(rollout.attempt):
            if run.end is not None:
                continue
            seen = snapshot.executions.get(run.execution)
            if seen is None and run.execution not in snapshot.gone:
                collector.add(Observe(execution=run.execution))
                known = False
            elif seen is not None:
                cancel_waiting(environment, rollout, seen, newer, snapshot, collector)
    return known


def cancel_waiting(
    environment: Environment,
    rollout: Rollout,
    seen: Execution,
    newer: tuple[int, str],
    snapshot: Snapshot,
    collector: Collector,
) -> None:
    if not seen.deploying and seen.judgment is not None:
        reason = f"superseded by {newer[0]}"
        cancel(environment, rollout, seen.id, reason, "superseded", snapshot, collector, newer)


def cancel(
    environment: Environment,
    rollout: Rollout,
    execution: str,
    reason: str,
    status: str,
    snapshot: Snapshot,
    collector: Collector,
    newer: tuple[int, str] | None = None,
) -> None:
    if execution in snapshot.cancelled:
        return
    collector.add(
        CancelRollout(
            environment=environment.name,
            n=rollout.n,
            attempt=rollout.attempt,
            execution=execution,
            reason=reason,
            status=status,
            newer=newer,
        )
    )
