"""Effects around the log: an entry as it is to be written, whether an old bundle's images are there, a judgment's answer."""

from downwind import logs
from downwind.errors import DownwindError, TransientError
from downwind.model.catalog import Registered
from downwind.perform import bundles, ledger
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import NewFact, Snapshot
from downwind.reconcile.steps import Append, Judge, Verify


def verify(world: World, registered: Registered, snapshot: Snapshot, step: Verify) -> None:
    """Only what is known to be gone stops a rollback: while the registry is silent, nodes may hold its images yet."""
    gone = None
    images = bundles.images(world, registered.application.name, step.environment, step.bundle)
    if images is None:
        gone = "its manifests are not in the bundles' bucket any more"
    for name, digest in (images or {}).items():
        try:
            if not world.registry.exists(name, digest):
                gone = f"its image {name}@{digest} is not in the registry any more"
        except DownwindError as error:
            logs.warning(f"taken as there: {name}@{digest}: {error}", application=registered.application.name)
    snapshot.verified[step.bundle] = gone


def judge(world: World, registered: Registered, snapshot: Snapshot, step: Judge) -> None:
    """Who and why first, then the call. A stage that does not wait any more was answered by our own call, if its fact
    stood already."""
    application = registered.application.name
    name = names.judgment(application, step.environment, step.n, step.stage)
    body = {
        "kind": "judgment",
        "application": application,
        "environment": step.environment,
        "n": step.n,
        "execution": step.execution,
        "decision": step.decision,
        "request": snapshot.facts[step.order + "order"].body["id"],
        "who": step.who,
        "why": step.why,
    }
    execution = world.pipelines.execution(step.execution)
    waits = execution is not None and execution.judgment == step.stage
    reason = f"{step.environment} {step.n} does not wait for this judgment any more"
    if not waits and name not in snapshot.facts:
        ledger.record(world.ledger, snapshot, _refusal(step.order, step.environment, reason))
        return
    if name not in snapshot.facts and not ledger.record(world.ledger, snapshot, NewFact(name=name, body=body))[0]:
        return
    if execution is not None and waits:
        world.pipelines.judge(execution, step.decision)
    ordered = {"kind": "ordered", "environment": step.environment, "n": step.n}
    ledger.record(world.ledger, snapshot, NewFact(name=step.order + "entry", body=ordered))


def _refusal(order: str, environment: str, reason: str) -> NewFact:
    return NewFact(name=order + "refused", body={"kind": "refused", "environment": environment, "reason": reason})


def entry_of(world: World, step: Append) -> NewFact:
    """The entry to write; where its manifests stand in another repository, with the commit that their ref has now."""
    if step.manifests is None:
        return step.entry
    address, ref, credentials = step.manifests
    tip = world.repository.tips(address, credentials).get(ref)
    if tip is None:
        raise TransientError(f"{address} has no {ref} to take manifests from")
    return NewFact(name=step.entry.name, body={**step.entry.body, "manifests_commit": tip.commit})
