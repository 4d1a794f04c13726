"""Effects on builds and images: starting one, looking up what no message told of, asking a registry."""

from downwind import logs
from downwind.errors import DownwindError, Refused
from downwind.events.cloud_build import read_build
from downwind.model.catalog import Registered
from downwind.model.event import ImageReference
from downwind.perform import ledger
from downwind.perform.moment import drop_if_late
from downwind.perform.world import World
from downwind.ports import Trigger
from downwind.reconcile import names
from downwind.reconcile.facts import NewFact, Snapshot
from downwind.reconcile.recording import image_fact, record_build
from downwind.reconcile.releases import start_refused
from downwind.reconcile.steps import FindBuilds, ResolveImage, StartBuild


def start(world: World, registered: Registered, snapshot: Snapshot, step: StartBuild) -> NewFact | None:
    """Looks where an outcome is unknown; claims; runs. The answer is the fact, to be written, of a refusal that blocks the
    release."""
    rule, application = registered.application.build, registered.application.name
    if rule is None:
        raise Refused(f"{application} has no build trigger any more")
    began = world.monotonic()
    try:
        trigger = world.builds.trigger(rule.trigger)
        if trigger.id != step.trigger:
            raise Refused(f"trigger {trigger.name} is another one than when {application} was applied; apply it again")
        found = world.builds.find(trigger, step.commit) if step.search else []
        build = str(found[0]["id"]) if found else _run(world, snapshot, trigger, step, began)
    except Refused as error:
        reason = f"Cloud Build refused it: {error.reason}"
        blocked = {"kind": "blocked", "application": application, "commit": step.commit, "reason": reason}
        name = start_refused(application, step.commit, step.prefix)
        return NewFact(name=name, body=blocked)
    if build is not None:
        body = {"kind": "build-started", "attempt": step.attempt, "build": build, "commit": step.commit}
        ledger.record(world.ledger, snapshot, NewFact(name=f"{step.prefix}started.{step.attempt}", body=body))
    return None


def _run(world: World, snapshot: Snapshot, trigger: Trigger, step: StartBuild, began: float) -> str | None:
    """Claims, then runs. None: another worker has the claim."""
    claim = {
        "kind": "build-claim",
        "attempt": step.attempt,
        "epoch": step.epoch,
        "commit": step.commit,
        "trigger": step.trigger,
        "inputs": step.inputs,
    }
    name = f"{step.prefix}claim.{step.attempt}.{step.epoch}"
    if not ledger.record(world.ledger, snapshot, NewFact(name=name, body=claim))[0]:
        return None
    drop_if_late(world, began)
    return world.builds.run(trigger, step.commit)


def find(world: World, registered: Registered, snapshot: Snapshot, step: FindBuilds) -> None:
    """What messages would have said, of the trigger that `app apply` has resolved; the oldest success is the first."""
    rule, identifier = registered.application.build, registered.trigger_id
    if rule is None or identifier is None:
        return
    trigger = Trigger(id=identifier, name=rule.trigger, project=rule.project, location=rule.location)
    found = [read_build(each) for each in reversed(world.builds.find(trigger, step.commit))]
    facts = [fact for event in found for fact in record_build(event, registered).facts]
    new = {fact.name: fact for fact in reversed(facts) if fact.name not in snapshot.facts}
    ledger.record(world.ledger, snapshot, *new.values())


def resolve(world: World, registered: Registered, snapshot: Snapshot, step: ResolveImage) -> None:
    """The digest that a tag has now. A registry that does not answer is as good as one that has nothing: it is waited for, and
    abandoned after a day."""
    application = registered.application.name
    try:
        digest = world.registry.digest(step.image, step.tag)
    except DownwindError as error:
        logs.warning(f"{step.image}:{step.tag} can't be asked for: {error}", application=application)
        digest = None
    if digest is None:
        snapshot.missing_images.add((step.commit, step.image))
        return
    image = ImageReference(name=step.image, digest=digest, tag=step.tag)
    pointer = {"kind": "pointer", "application": application, "commit": step.commit}
    ledger.record(
        world.ledger,
        snapshot,
        image_fact(registered, step.commit, image, "tag"),
        NewFact(name=f"{names.image(digest)}release/{application}/{step.commit}", body=pointer),
    )
