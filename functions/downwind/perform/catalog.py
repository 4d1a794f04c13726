"""Putting an application into the catalog, and taking it out: the index is written before the file and removed after it."""

import json
from collections.abc import Sequence

from downwind.errors import PermanentError, Refused, TransientError
from downwind.model.catalog import Application
from downwind.model.patterns import repository_key
from downwind.perform import ledger
from downwind.perform.applications import registered
from downwind.perform.world import World
from downwind.ports import NewObject, StoredObject, Trigger
from downwind.reconcile import names
from downwind.reconcile.facts import RefTip
from downwind.reconcile.rebase import baseline


def apply(world: World, application: Application, text: bytes) -> list[str]:
    """Writes the application, and today's tips as a baseline, so that nothing old rolls out by itself.

    Says in sentences what was done. Refused: the trigger or the repository can't be found. TransientError: somebody else
    applied at the same moment; nothing is half done that a repeat does not finish.
    """
    said = []
    trigger = world.builds.trigger(application.build.trigger) if application.build else None
    if trigger is not None:
        said.append(f"trigger {trigger.name} is {trigger.id}")
    name = names.application(application.name)
    old = world.catalog.read(name)
    recorded = _baseline(world, application, _before(old))
    said.append(f"{recorded} refs recorded as they are now" if recorded else "no new refs to record")
    index = index_names(application, trigger)
    place = {"project": trigger.project, "location": trigger.location} if trigger else {}
    world.catalog.create_all(
        [NewObject(name=each, data=b"", metadata=place if each.startswith("index/trigger/") else {}) for each in index]
    )
    resolved: dict[str, object] = {"trigger": trigger.id} if trigger else {}
    silent = _silent(application, old)
    resolved |= {"silent_up_to": silent} if silent else {}
    metadata = {"resolved": json.dumps(resolved)} if resolved else {}
    new = NewObject(name=name, data=text, metadata=metadata, content_type="application/yaml")
    written = world.catalog.replace(new, generation=old.generation if old else 0)
    if written is None:
        raise TransientError(
            f"{application.name} was applied by somebody else at the same moment; look, and apply again"
        )
    said.append(f"application {application.name} {'changed' if old else 'created'} (generation {written.generation})")
    if old is not None:
        for each in set(_stored_index(world, application.name)) - set(index):
            world.catalog.delete(each)
    return said


def _silent(application: Application, old: StoredObject | None) -> dict[str, int]:
    """A new channel hears nothing of what went before it: by name, the generation that stood when it came."""
    if old is None:
        return {}
    try:
        before = registered(old)
    except PermanentError:
        return {each.name: old.generation for each in application.notify}
    known = {each.name: before.silent_up_to.get(each.name, 0) for each in before.application.notify}
    return {each.name: known.get(each.name, old.generation) for each in application.notify}


def delete(world: World, name: str) -> None:
    """The file first, then the index. The ledger keeps what happened. Refused when there is no such application."""
    if world.catalog.read(names.application(name)) is None:
        raise Refused(f"the catalog has no application {name!r}")
    world.catalog.delete(names.application(name))
    for each in _stored_index(world, name):
        world.catalog.delete(each)


def index_names(application: Application, trigger: Trigger | None) -> list[str]:
    """By repository (each of its names), image and trigger: how an event finds its applications."""
    repository = application.repository
    prefixes = [names.repository_index(repository_key(each)) for each in (repository.address, *repository.also)]
    prefixes += [names.image_index(rule.name) for rule in application.images]
    if trigger is not None:
        prefixes.append(names.trigger_index(trigger.project, trigger.location, trigger.id))
    return sorted({prefix + application.name for prefix in prefixes})


def _stored_index(world: World, name: str) -> Sequence[str]:
    return [each.name for each in world.catalog.list("index/") if each.name.rpartition("/")[2] == name]


def _baseline(world: World, application: Application, old: Application | None) -> int:
    """Refs that begin to feed an environment with this change. One that fed it before has its baseline or its entries; a
    baseline written now could hide a push that is on its way."""
    repository = application.repository
    tips = world.repository.tips(repository.address, repository.credentials)
    if old is not None and repository_key(old.repository.address) != repository_key(repository.address):
        old = None  # another repository: its old tags are as old as on the first day
    facts = []
    for ref, tip in sorted(tips.items()):
        fed_before = {each.name for each in old.fed_by(ref)} if old else set()
        now = RefTip(object=tip.object, commit=tip.commit)
        facts += [
            baseline(application, environment, ref, now)
            for environment in application.fed_by(ref)
            if environment.name not in fed_before
        ]
    return sum(fact is not None for fact in ledger.create(world.ledger, facts)) if facts else 0


def _before(stored: StoredObject | None) -> Application | None:
    """What stood in the catalog; None for nothing, or for a file that is not valid (which this apply repairs)."""
    try:
        return registered(stored).application if stored is not None else None
    except PermanentError:
        return None
