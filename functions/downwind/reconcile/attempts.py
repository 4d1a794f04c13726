"""The steps of an attempt after its first claim: another start of it, the next one, and the search for what it has started."""

from datetime import datetime

from downwind.model.catalog import Environment, Registered
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Snapshot
from downwind.reconcile.log import Hold
from downwind.reconcile.observed import record_outcome
from downwind.reconcile.rollouts import Outcome, Rollout
from downwind.reconcile.steps import Collector, SearchRollout, TriggerRollout
from downwind.reconcile.stops import wait_for_freeze, wait_for_hold


def take_over(
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
    step = trigger(rollout, rollout.attempt, int(rollout.claim.body["epoch"]) + 1, environment, search=True)
    about: dict[str, object] = {"environment": environment.name, "n": rollout.n}
    if end is None and rollout.first_claim.body.get("inputs") not in {None, step.inputs}:
        reason = "another version of Downwind claimed it with inputs that this one does not know; order it again"
        end = Outcome(status="failed", reason=reason)
    if end is None and stop is None:
        collector.add(step)
    elif (environment.name, rollout.n, rollout.attempt) not in snapshot.searched:
        collector.add(search(environment, rollout))
    elif end is not None:
        prefix = names.rollout(registered.application.name, environment.name, rollout.n)
        record_outcome(registered, rollout, prefix, end, collector, about)
    elif isinstance(stop, datetime):
        wait_for_freeze(stop, collector, about)
    else:
        wait_for_hold(stop, collector, about)


def trigger(rollout: Rollout, attempt: int, epoch: int, environment: Environment, *, search: bool) -> TriggerRollout:
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
        by=by_of(rollout),
        claimed=claim.created,
    )


def search(environment: Environment, rollout: Rollout) -> SearchRollout:
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


def by_of(rollout: Rollout) -> str:
    """Who appended the entry, or ordered this attempt."""
    return "operator" if rollout.retry else str(rollout.first.body.get("by", "push"))
