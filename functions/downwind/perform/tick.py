"""The minute's round: what is open, then the patrol of repositories, then what Pub/Sub gave up on."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from downwind import logs
from downwind.errors import DownwindError
from downwind.model.catalog import Registered
from downwind.model.event import Message
from downwind.model.patterns import ref_matches
from downwind.perform import applications, ledger
from downwind.perform.reconciler import reconcile
from downwind.perform.record import PARKED, park, read_marker, tell, write_marker
from downwind.perform.world import World
from downwind.ports import NewObject, StoredObject
from downwind.reconcile import names
from downwind.reconcile.facts import Hints, RefTip, Snapshot
from downwind.reconcile.wanted import Query

OPEN_LIMIT = 1000
"""Markers read in one run."""
APPLICATIONS = 200
"""Applications reconciled in one run,"""
BUDGET = 240.0
"""and seconds spent on them; the next tick begins where this one ended."""
DEAD_LETTERS = "dead-letters"
DEAD_LIMIT = 100
PATROL_SLOTS = 60


def tick(world: World, published: datetime) -> str:
    """One run for each period: the tick's own object is the lock and the clock. Says how the run went."""
    period = int(published.timestamp()) // world.timing.tick
    lock = world.work.create(NewObject(name=f"tick/{period}", data=b"{}"))
    if lock is None:
        return "another instance has this tick"
    began = world.monotonic()
    done = _open(world, lock.created, period, began)
    _patrol(world, lock.created, period, period % PATROL_SLOTS, began)
    dead = _dead_letters(world)
    return f"{done} applications, {dead} dead letters"


def _open(world: World, now: datetime, tick_id: int, began: float) -> int:
    """Reconciles every application with a marker, and deletes exactly the markers listed before its facts were read."""
    listed = world.work.list("open/", limit=OPEN_LIMIT)
    groups: dict[str, list[StoredObject]] = {}
    for each in listed:
        groups.setdefault(each.name.split("/")[1], []).append(each)
    _tell_parked(world, groups.pop(PARKED, []))
    # Where there is more than one run can do, each tick begins at another place.
    ordered = sorted(groups)
    turn = tick_id % len(ordered) if len(ordered) > APPLICATIONS else 0
    done = 0
    for name in (ordered[turn:] + ordered[:turn])[:APPLICATIONS]:
        if world.monotonic() - began > BUDGET:
            break
        _application(world, name, groups[name], now, tick_id)
        done += 1
    return done


def _application(world: World, name: str, markers: Sequence[StoredObject], now: datetime, tick_id: int) -> None:
    try:
        hints = Hints()
        for each in world.work.read_all([marker.name for marker in markers]):
            if each is not None and each.data is not None:
                hints |= read_marker(each.data)
        found = applications.read(world.catalog, [name])
        settled = not found or reconcile(world, found[0], hints, now, tick=tick_id)
        if settled:
            world.side_by_side([partial(world.work.delete, marker.name) for marker in markers])
    except DownwindError as error:
        # One application that can't be read must not stop the others; its markers stand, the next tick tries again.
        logs.error(f"left open: {error}", application=name)


def _tell_parked(world: World, markers: Sequence[StoredObject]) -> None:
    for marker in markers:
        try:
            _tell_one(world, marker)
        except DownwindError as error:
            logs.error(f"a parked message is not announced yet: {error}", marker=marker.name)


def _tell_one(world: World, marker: StoredObject) -> None:
    prefix = f"event/{marker.name.split('/')[2]}/"
    facts = {fact.name: fact for fact in ledger.load(world.ledger, [Query(prefix=prefix, limit=20)])[0][0]}
    waiting = [fact for name, fact in facts.items() if "/parked." in name and names.announced(name) not in facts]
    told = [tell(world, fact) for fact in waiting]
    if all(told):
        world.work.delete(marker.name)


def _patrol(world: World, now: datetime, tick_id: int, slot: int, began: float) -> None:
    """Asks every repository once in sixty ticks, so that a push which nobody announced is found."""
    for name in applications.all_names(world.catalog):
        if int(names.h8(name), 16) % PATROL_SLOTS != slot or world.monotonic() - began > BUDGET:
            continue
        try:
            for registered in applications.read(world.catalog, [name]):
                _ask(world, registered, now, tick_id)
        except DownwindError as error:
            logs.warning(f"patrol: {error}", application=name)


def _ask(world: World, registered: Registered, now: datetime, tick_id: int) -> None:
    """What it finds open gets a marker, so that the ticks go on with it. A marker that is lost here costs one patrol."""
    application = registered.application
    repository = application.repository
    tips = world.repository.tips(repository.address, repository.credentials)
    fed = sorted(ref for ref in tips if any(ref_matches(each.refs, ref) for each in application.environments))
    if not fed:
        return
    hints = Hints(refs=frozenset(fed))
    snapshot = Snapshot(tips={ref: RefTip(object=tip.object, commit=tip.commit) for ref, tip in tips.items()})
    if not reconcile(world, registered, hints, now, tick=tick_id, snapshot=snapshot):
        name = f"open/{application.name}/patrol-{tick_id}"
        world.work.create(NewObject(name=name, data=write_marker(hints)))


def _dead_letters(world: World) -> int:
    """What could not be recorded in a hundred attempts is recorded here, as parked."""
    try:
        pulled = world.publisher.pull(DEAD_LETTERS, DEAD_LIMIT)
        for _, attributes, data in pulled:
            identifier = names.digest_of(data.hex(), *(f"{key}={attributes[key]}" for key in sorted(attributes)))
            message = Message(id=identifier, data=data, attributes=attributes, topic=DEAD_LETTERS)
            attempts = attributes.get("CloudPubSubDeadLetterSourceDeliveryCount", "many")
            source = attributes.get("CloudPubSubDeadLetterSourceSubscription", "a subscription")
            park(world, names.event(DEAD_LETTERS, identifier), message, f"{source} gave up after {attempts} attempts")
        if pulled:
            world.publisher.acknowledge(DEAD_LETTERS, [ack_id for ack_id, _, _ in pulled])
    except DownwindError as error:
        logs.warning(f"dead letters: {error}")
        return 0
    return len(pulled)
