"""A claimed rollout on its way to its outcome, and the way for a newer one."""

from collections.abc import Mapping
from datetime import datetime

from downwind.model.catalog import Environment, Registered
from downwind.model.cron import frozen_until
from downwind.model.execution import Execution
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Snapshot
from downwind.reconcile.log import Hold, is_stopped
from downwind.reconcile.rollouts import Outcome, Rollout, Run, decide, end_of, spare_only
from downwind.reconcile.steps import CancelRollout, Collector, Observe, SearchRollout, TriggerRollout
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
    if _record_observed(registered, environment, rollout, prefix, snapshot, collector):
        return
    end = _end_without_run(rollout, newest.n)
    if rollout.retry > rollout.attempt:
        # An operator's order, which no hold stops; its attempt is not claimed yet.
        if end is not None:
            _record_outcome(registered, rollout, prefix, end, collector, about)
        else:
            collector.add(_trigger(rollout, rollout.retry, 1, environment, search=False))
        return
    stopped = is_stopped(hold, rollout.n, _by(rollout))
    runs = rollout.runs_of(rollout.attempt)
    if not runs:
        age = (now - rollout.claim.created).total_seconds()
        if snapshot.tick is None or age <= timing.lease:
            collector.wait("the worker that claimed it, or the tick that takes over", **about)
        else:
            # Nothing was started yet, so a freeze window stops it as it stops what nobody has claimed.
            stop = hold if stopped else frozen(environment, _by(rollout), now)
            _take_over(registered, environment, rollout, end, stop, snapshot, collector)
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
                _cancel(environment, rollout, run.execution, reason, "cancelled", snapshot, collector)
        elif rollout.n < newest.n and environment.on_newer == "cancel_waiting" and seen is not None:
            newer = (newest.n, _by(newest))
            if not is_stopped(hold, *newer):
                _cancel_waiting(environment, rollout, seen, newer, snapshot, collector)
    if open_runs:
        return
    decided = decide(rollout, newer_claimed=rollout.n < newest.n)
    asked = (environment.name, rollout.n, rollout.attempt)
    if asked not in snapshot.searched and (not isinstance(decided, Outcome) or spare_only(rollout)):
        # The fence let another one by, or may do so yet, of which nobody has heard: that one decides.
        collector.add(_search(environment, rollout))
    elif isinstance(decided, Outcome):
        _record_outcome(registered, rollout, prefix, decided, collector, about)
    elif stopped:
        wait_for_hold(hold, collector, about)
    else:
        # Never with a newer one claimed: such a run is superseded.
        collector.add(_trigger(rollout, rollout.attempt + 1, 1, environment, search=False))


def _end_without_run(rollout: Rollout, newest_claimed: int) -> Outcome | None:
    """What becomes of it if it has no run yet: None while it may have one."""
    if rollout.n < newest_claimed:
        return Outcome(status="superseded", reason=f"superseded by {newest_claimed} before it was triggered")
    if rollout.ordered_cancel is not None:
        return Outcome(status="cancelled", reason=rollout.ordered_cancel["reason"])
    return None


def _by(rollout: Rollout) -> str:
    """Who appended the entry, or ordered this attempt."""
    return "operator" if rollout.retry else str(rollout.first.body.get("by", "push"))


def wait_for_hold(hold: Hold | None, collector: Collector, about: Mapping[str, object]) -> None:
    """`closed` where the order that ends the hold opens the marker again."""
    assert hold is not None
    collector.wait(hold.says, closed=hold.n is not None, **about)


def _take_over(
    registered: Registered,
    environment: Environment,
    rollout: Rollout,
    end: Outcome | None,
    stop: Hold | datetime | None,
    snapshot: Snapshot,
    collector: Collector,
) -> None:
    """A claim whose worker is dead: the same attempt again, with the same inputs. Where that is not wanted or not possible any
    more, Gate is asked what was started, and only nothing ends the rollout, or has it wait for the end of the hold or freeze."""
    step = _trigger(rollout, rollout.attempt, int(rollout.claim.body["epoch"]) + 1, environment, search=True)
    about: dict[str, object] = {"environment": environment.name, "n": rollout.n}
    if end is None and rollout.first_claim.body.get("inputs") not in {None, step.inputs}:
        reason = "another version of Downwind claimed it with inputs that this one does not know; order it again"
        end = Outcome(status="failed", reason=reason)
    if end is None and stop is None:
        collector.add(step)
    elif (environment.name, rollout.n, rollout.attempt) not in snapshot.searched:
        collector.add(_search(environment, rollout))
    elif end is not None:
        prefix = names.rollout(registered.application.name, environment.name, rollout.n)
        _record_outcome(registered, rollout, prefix, end, collector, about)
    elif isinstance(stop, datetime):
        wait_for_freeze(stop, collector, about)
    else:
        wait_for_hold(stop, collector, about)


def frozen(environment: Environment, by: str, now: datetime) -> datetime | None:
    """Until when a freeze window stops what is new and was not ordered; a rollback puts back what was there."""
    if by not in {"push", "promotion"}:
        return None
    return max((until for freeze in environment.freeze if (until := frozen_until(freeze, now))), default=None)


def wait_for_freeze(until: datetime, collector: Collector, about: Mapping[str, object]) -> None:
    collector.wait(f"the freeze window to end at {until:%Y-%m-%d %H:%M} UTC", until=until, **about)


def _record_outcome(
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


def _record_observed(
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


def _age(now: datetime, run: Run) -> float:
    return (now - run.started).total_seconds()


def _search(environment: Environment, rollout: Rollout) -> SearchRollout:
    return SearchRollout(
        environment=environment.name,
        n=rollout.n,
        attempt=rollout.attempt,
        application=_pipeline(rollout, environment)[0],
        claimed=rollout.first_claim.created,
    )


def _pipeline(rollout: Rollout, environment: Environment) -> tuple[str, str]:
    """Application and name, as claimed. Claims of older versions do not say: the catalog does."""
    application, name = rollout.first_claim.body.get("pipeline") or (
        environment.pipeline_application,
        environment.pipeline,
    )
    return application, name


def _trigger(rollout: Rollout, attempt: int, epoch: int, environment: Environment, *, search: bool) -> TriggerRollout:
    """As it was claimed first."""
    claim: Fact = rollout.first_claim
    return TriggerRollout(
        environment=environment.name,
        n=rollout.n,
        attempt=attempt,
        epoch=epoch,
        commit=claim.body["commit"],
        bundle=claim.body["bundle"],
        parts=tuple(claim.body["parts"]),
        namespace=claim.body.get("namespace") or environment.namespace,
        pipeline=_pipeline(rollout, environment),
        search=search,
        by=_by(rollout),
        claimed=claim.created,
    )


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
                _cancel_waiting(environment, rollout, seen, newer, snapshot, collector)
    return known


def _cancel_waiting(
    environment: Environment,
    rollout: Rollout,
    seen: Execution,
    newer: tuple[int, str],
    snapshot: Snapshot,
    collector: Collector,
) -> None:
    if not seen.deploying and seen.judgment is not None:
        reason = f"superseded by {newer[0]}"
        _cancel(environment, rollout, seen.id, reason, "superseded", snapshot, collector, newer)


def _cancel(
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
