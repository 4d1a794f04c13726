"""A claimed rollout on its way to its outcome."""

from datetime import datetime

from downwind.model.catalog import Environment, Registered
from downwind.reconcile import names
from downwind.reconcile.attempts import by_of, search, take_over, trigger
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.log import Hold, is_stopped
from downwind.reconcile.make_way import cancel, cancel_waiting
from downwind.reconcile.observed import record_observed, record_outcome
from downwind.reconcile.rollouts import Outcome, Rollout, Run, decide, spare_only
from downwind.reconcile.steps import Collector, Observe
from downwind.reconcile.stops import frozen, wait_for_hold
from downwind.timing import Timing, look_now


def follow(
    registered: Registered,
    environment: Environment,
    rollout: Rollout,
    newest: Rollout,
    hold: Hold | None,
    snapshot: Snapshot,
    now: datetime,
    timing: Timing,
    collector: Collector,
) -> None:
    """What this rollout, claimed and without outcome, needs next. `newest`: the newest that is claimed."""
    prefix = names.rollout(registered.application.name, environment.name, rollout.n)
    about: dict[str, object] = {"environment": environment.name, "n": rollout.n}
    if record_observed(registered, environment, rollout, prefix, snapshot, collector):
        return
    end = _end_without_run(rollout, newest.n)
    if rollout.retry > rollout.attempt:
        # An operator's order, which no hold stops; its attempt is not claimed yet.
        if end is not None:
            record_outcome(registered, rollout, prefix, end, collector, about)
        else:
            collector.add(trigger(rollout, rollout.retry, 1, environment, search=False))
        return
    stopped = is_stopped(hold, rollout.n, by_of(rollout))
    runs = rollout.runs_of(rollout.attempt)
    if not runs:
        age = (now - rollout.claim.created).total_seconds()
        if snapshot.tick is None or age <= timing.lease:
            collector.wait("the worker that claimed it, or the tick that takes over", **about)
        else:
            # Nothing was started yet, so a freeze window stops it as it stops what nobody has claimed.
            stop = hold if stopped else frozen(environment, by_of(rollout), now)
            take_over(registered, environment, rollout, end, stop, snapshot, collector)
        return
    open_runs = [run for run in runs if run.end is None]
    for run in open_runs:
        if run.execution in snapshot.gone and _age(now, run) > timing.look_first:
            gone = {
                "status": "GONE",
                "fence": "open",
                "began": True,
                "reason": "Spinnaker no longer has this execution",
            }
            name = f"{prefix}ended.{run.attempt}.{run.execution}"
            collector.record(name, kind="ended", execution=run.execution, attempt=run.attempt, **gone)
            continue
        seen = snapshot.executions.get(run.execution)
        cancelling = rollout.attempt in rollout.cancels
        if seen is None and snapshot.tick is not None and look_now(_age(now, run), timing, often=cancelling):
            collector.add(Observe(execution=run.execution))
        elif seen is not None and seen.judgment is not None:
            collector.wait("a manual judgment", **about)
        else:
            collector.wait(f"execution {run.execution} to end", **about)
        if rollout.ordered_cancel is not None:
            if seen is not None or not cancelling:
                reason = rollout.ordered_cancel["reason"]
                cancel(environment, rollout, run.execution, reason, "cancelled", snapshot, collector)
        elif rollout.n < newest.n and environment.on_newer == "cancel_waiting" and seen is not None:
            newer = (newest.n, by_of(newest))
            if not is_stopped(hold, *newer):
                cancel_waiting(environment, rollout, seen, newer, snapshot, collector)
    if open_runs:
        return
    decided = decide(rollout, newer_claimed=rollout.n < newest.n)
    asked = (environment.name, rollout.n, rollout.attempt)
    if asked not in snapshot.searched and (not isinstance(decided, Outcome) or spare_only(rollout)):
        # The fence let another one by, or may do so yet, of which nobody has heard: that one decides.
        collector.add(search(environment, rollout))
    elif isinstance(decided, Outcome):
        record_outcome(registered, rollout, prefix, decided, collector, about)
    elif stopped:
        wait_for_hold(hold, collector, about)
    else:
        # Never with a newer one claimed: such a run is superseded.
        collector.add(trigger(rollout, rollout.attempt + 1, 1, environment, search=False))


def _end_without_run(rollout: Rollout, newest_claimed: int) -> Outcome | None:
    """What becomes of it if it has no run yet: None while it may have one."""
    if rollout.n < newest_claimed:
        return Outcome(status="superseded", reason=f"superseded by {newest_claimed} before it was triggered")
    if rollout.ordered_cancel is not None:
        return Outcome(status="cancelled", reason=rollout.ordered_cancel["reason"])
    return None


def _age(now: datetime, run: Run) -> float:
    return (now - run.started).total_seconds()
