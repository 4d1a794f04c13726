"""What a failed rollout brings by itself: `on_failure` of the catalog (design.md section 4, Outcome)."""

from typing import Any

from downwind.model.catalog import Environment, Registered
from downwind.reconcile.admit import append
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.log import read_log, standing_hold
from downwind.reconcile.rollouts import Rollout, failed_deploying, good_before, read_rollouts
from downwind.reconcile.steps import Collector, Verify


def admit_failure(registered: Registered, environment: Environment, snapshot: Snapshot, collector: Collector) -> None:
    """A hold, or a rollback to the last good one, when the newest rollout failed in a deploying stage.

    Once: it settles the failure, as every hold, resume and rollback does. So a rollback that fails brings nothing, and neither
    does an environment that is held already.
    """
    application = registered.application
    log = read_log(application, environment, snapshot)
    rollouts = read_rollouts(application, environment, snapshot)
    newest = max((number for number, rollout in rollouts.items() if rollout.claims), default=0)
    if environment.on_failure == "nothing" or not log or newest <= log[0].settled:
        return
    failed, hold = rollouts[newest], standing_hold(application, environment, snapshot)
    if not failed_deploying(failed) or (hold is not None and hold.n is not None):
        return
    if hold is not None:
        # Its end is no order of this environment, so the failure is not settled by it.
        collector.wait(hold.says, environment=environment.name, n=newest)
        return
    reason = (failed.outcome or {})["reason"]
    about: dict[str, Any] = {
        "by": "on_failure",
        "failed": newest,
        "why": f"{environment.name} {newest} failed: {reason}",
    }
    good = None
    if environment.on_failure == "rollback":
        for good in good_before(rollouts, failed):
            if good.bundle not in snapshot.verified:
                collector.add(Verify(environment=environment.name, bundle=good.bundle))
                return
            if snapshot.verified[good.bundle] is None:
                break
        else:
            good = None
    more = rollback_body(good) if good else {"verb": "hold"}
    append(registered, environment, snapshot, collector, {**about, **more})


def rollback_body(good: Rollout) -> dict[str, Any]:
    """Of an entry that brings the bundle of an older one once more."""
    claim = good.claim.body
    return {
        "verb": "rollback",
        "target": good.n,
        "commit": claim["commit"],
        "bundle": claim["bundle"],
        "parts": list(claim["parts"]),
    }
