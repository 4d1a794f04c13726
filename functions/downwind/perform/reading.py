"""What one message comes to, before anything is written: the same for a message that comes, and for one that is replayed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from downwind.errors import PermanentError, Refused
from downwind.model.event import Event, Execution, Ignored, Message, Request
from downwind.perform.meaning import Meaning, heard, meaning_of
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import Snapshot

Parser = Callable[[Message], "tuple[Event, ...] | Ignored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Where a message that is replayed was parked: beside the event under `prefix`, as `number`."""

    prefix: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`word`: recorded, ignored, parked or duplicate; `reasons`: why not (only) recorded. `prefix` is the event that it is or was
    recorded under; None where it leaves no trace. `meaning` stands for what is to be recorded, and for an `ignored` that is."""

    word: str
    prefix: str | None = None
    reasons: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    meaning: Meaning | None = None
    observed: Snapshot = field(default_factory=Snapshot)


def read(world: World, parser: Parser, source: str, message: Message, again: Again | None = None) -> Reading:
    """Only asks: the catalog, what the ledger has of this event, and others where the message alone does not say enough.

    `again`: what stands beside that event is no reason to take the message for a duplicate.
    """
    try:
        events = parser(message)
    except Refused as error:
        prefix = names.event(*identity(source, message, ()))
        if again is None and _seen(world, prefix):
            return Reading(word="duplicate", prefix=prefix)
        return Reading(word="parked", prefix=prefix, reasons=(error.reason,))
    if isinstance(events, Ignored):
        return Reading(word="ignored", reasons=(events.reason,))
    prefix = _prefix(source, message, events, again)
    observed = Snapshot()
    owners: list[str] = []
    if isinstance(events[0], Execution):
        owners = heard(world, events[0], observed)
        if not owners:
            return Reading(word="ignored", reasons=("it says nothing that the ledger does not have",))
    elif (again is None or prefix != again.prefix) and _seen(world, prefix):
        return _second(world, source, message, events, prefix, again)
    try:
        meaning = meaning_of(world, events, owners)
        if again is not None:
            _check_orders(world, meaning)
    except PermanentError as error:
        return Reading(word="parked", prefix=prefix, reasons=(str(error),), events=events)
    return Reading(
        word="recorded" if meaning.work else "ignored",
        prefix=prefix,
        reasons=tuple(sorted({*meaning.reasons, *meaning.unreadable})),
        events=events,
        meaning=meaning,
        observed=observed,
    )


def identity(source: str, message: Message, events: Sequence[Event]) -> tuple[str, str]:
    """Who says it, and that sender's own id for it: a delivery, a request, else the message in its topic."""
    if events and isinstance(events[0], Request):
        return "request", events[0].id
    if message.attributes.get("delivery") and message.attributes.get("source"):
        return message.attributes["source"], message.attributes["delivery"]
    return source, message.id


def _prefix(source: str, message: Message, events: Sequence[Event], again: Again | None) -> str:
    """A sender's own id counts however the message comes. One that has none but its message's keeps the event under which it
    was parked: a dead letter has lost the id that it had in its topic."""
    who = identity(source, message, events)
    return again.prefix if again is not None and who == (source, message.id) else names.event(*who)


def _second(
    world: World, source: str, message: Message, events: tuple[Event, ...], prefix: str, again: Again | None
) -> Reading:
    """Two senders that count their requests 1, 2, 3: the second would be lost without a word."""
    raw = world.ledger.read(f"{prefix}raw") if isinstance(events[0], Request) else None
    if raw is None or raw.data == message.data:
        return Reading(word="duplicate", prefix=prefix)
    own = names.event(source, message.id)
    if again is None and _seen(world, own):
        return Reading(word="duplicate", prefix=own)
    reason = "another request came with this id already; give each its own, a uuid for instance"
    return Reading(word="parked", prefix=own, reasons=(reason,), events=events)


def _check_orders(world: World, meaning: Meaning) -> None:
    """Of one that the rules have refused the id is used up: replayed, it would be recorded and come to nothing."""
    facts = [fact for work in meaning.work.values() for fact in work.facts if fact.body["kind"] == "order"]
    standing = world.ledger.read_all([f"{fact.name.removesuffix('order')}refused" for fact in facts]) if facts else []
    if any(standing):
        raise Refused("the order under this id was refused for good; order it again, under another id")


def _seen(world: World, prefix: str) -> bool:
    """Of what stands beside an event, `ignored`, `parked.<k>`, `raw`, `recorded` and `replayed.<k>` sort last, in this order."""
    standing = world.ledger.list(prefix, limit=2, start=f"{prefix}ignored")
    return any(each.name != f"{prefix}raw" for each in standing)
