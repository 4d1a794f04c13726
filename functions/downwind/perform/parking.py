"""Messages that cannot be handled: written down with the reason, acknowledged, listed, announced."""

from collections.abc import Sequence
from datetime import datetime

from downwind import logs
from downwind.errors import DownwindError
from downwind.model.event import Message
from downwind.perform import announce, ledger, markers
from downwind.perform.slots import in_slot
from downwind.perform.world import World
from downwind.ports import NewObject, StoredObject
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Hints, NewFact
from downwind.reconcile.wanted import FACT_LIMIT, Query

PARKED = "_parked"
"""Markers of parked messages that nobody was told of yet stand under this name, which no application can have."""
DEAD_LETTERS = "dead-letters"
DEAD_LIMIT = 100
TOLD_LIMIT = 200
"""Parked messages announced in one tick; the rest is for the next."""
PATROLLED = 50
"""Objects of the list of parked messages that one tick looks through: 3,000 in one round."""


def park(
    world: World, prefix: str, message: Message, reason: str, about: Sequence[NewFact] = (), *, number: int = 0
) -> None:
    """Recorded, acknowledged, listed, replayable. `about`: pointers to the event, where it could be parsed. `number`: how often
    it was parked and replayed before."""
    logs.warning(f"parked: {reason}", message_id=message.id)
    world.side_by_side(
        [lambda: world.ledger.create(ledger.raw_object(prefix, message)), lambda: world.work.create(marker(prefix))]
    )
    parked = ledger.create(world.ledger, [*facts(prefix, message, reason, number), *about])[0]
    if parked is not None:
        tell(world, parked)


def marker(prefix: str) -> NewObject:
    return markers.of_event(PARKED, prefix, Hints())


def facts(prefix: str, message: Message, reason: str, number: int) -> tuple[NewFact, NewFact]:
    """Beside the event, and in the list of all that was parked."""
    body = {"kind": "parked", "reason": reason[:1500], "message": message.id, "topic": message.topic}
    return NewFact(name=f"{prefix}parked.{number}", body=body), NewFact(name=names.parked(prefix, number), body=body)


def tell(world: World, parked: Fact) -> bool:
    if not announce.publish(world.publisher, "dev.downwind.message.parked.v1", parked):
        return False
    try:
        ledger.create(world.ledger, [NewFact(name=names.announced(parked.name), body={"kind": "announced"})])
    except DownwindError as error:
        logs.warning(f"{parked.name} was announced, which could not be written down: {error}")
        return False
    return True


def tell_waiting(world: World, now: datetime) -> None:
    """Announces what could not be announced when it was parked; the first that fails ends the round, for the topic is away."""
    for each in world.work.list(f"open/{PARKED}/", limit=TOLD_LIMIT):
        try:
            if not _tell_one(world, each, now):
                return
        except DownwindError as error:
            logs.error(f"a parked message is not announced yet: {error}", marker=each.name)


def _tell_one(world: World, waiting: StoredObject, now: datetime) -> bool:
    """False when the announcement was not taken."""
    prefix = f"event/{waiting.name.split('/')[2]}/"
    found = {fact.name: fact for fact in ledger.load(world.ledger, [Query(prefix=prefix, limit=FACT_LIMIT)])[0][0]}
    parked = [fact for name, fact in found.items() if name.startswith(f"{prefix}parked.")]
    told = [names.announced(fact.name) in found or tell(world, fact) for fact in parked]
    # The marker is written before the fact: without one its worker is still at it.
    if (parked and all(told)) or (not parked and markers.forsaken(waiting, now)):
        world.work.delete(waiting.name)
    return all(told)


def find_untold(world: World, tick_id: int) -> None:
    """The patrol of parked messages: one that nobody was told of, and whose marker is lost, gets one."""
    listed = in_slot(world.ledger, "parked/", tick_id, PATROLLED)
    prefixes = sorted({f"event/{each.name.removeprefix('parked/').partition('.')[0]}/" for each in listed})
    if not prefixes:
        return
    loaded = ledger.load(world.ledger, [Query(prefix=prefix, limit=FACT_LIMIT) for prefix in prefixes])
    for prefix, (found, _) in zip(prefixes, loaded, strict=True):
        standing = {fact.name for fact in found}
        parked = [name for name in standing if name.startswith(f"{prefix}parked.")]
        if any(names.announced(name) not in standing for name in parked):
            world.work.create(marker(prefix))


def dead_letters(world: World) -> int:
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
