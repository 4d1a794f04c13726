"""One message: parsed, written down, then what it makes due. 204 once it is recorded, whatever becomes of the effects."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from downwind import logs
from downwind.errors import DownwindError, PermanentError, Refused, TransientError
from downwind.model.catalog import RepositoryAddress
from downwind.model.event import Event, Execution, Ignored, Message, Request
from downwind.perform import ledger, markers, parking
from downwind.perform.meaning import Work, heard, meaning_of
from downwind.perform.parking import park
from downwind.perform.reconciler import ask_tips, reconcile
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import NewFact, RefTip, Snapshot
from downwind.reconcile.recording import pointers

Parser = Callable[[Message], "tuple[Event, ...] | Ignored"]
Tips = Mapping[str, RefTip] | None


def handle(world: World, parser: Parser, source: str, message: Message) -> str:
    """Raises only when the message could not be recorded. Says in a word what became of it:
    recorded, ignored, parked or duplicate."""
    try:
        events = parser(message)
    except Refused as error:
        prefix = names.event(*identity(source, message, ()))
        if _seen(world, prefix):
            return "duplicate"
        park(world, prefix, message, error.reason)
        return "parked"
    if isinstance(events, Ignored):
        logs.info(f"ignored: {events.reason}", message_id=message.id, source=source)
        return "ignored"
    prefix = names.event(*identity(source, message, events))
    observed = Snapshot()
    owners: list[str] = []
    if isinstance(events[0], Execution):
        owners = heard(world, events[0], observed)
        if not owners:
            return "ignored"
    elif _seen(world, prefix):
        if isinstance(events[0], Request) and not _same(world, prefix, message):
            return _park_reused(world, source, message, events)
        logs.info("duplicate", message_id=message.id, source=source)
        return "duplicate"
    try:
        return _record(world, prefix, message, events, owners, observed)
    except PermanentError as error:
        park(world, prefix, message, str(error), pointers(prefix, events))
        return "parked"


def identity(source: str, message: Message, events: Sequence[Event]) -> tuple[str, str]:
    """Who says it, and that sender's own id for it: a delivery, a request, else the message in its topic."""
    if events and isinstance(events[0], Request):
        return "request", events[0].id
    if message.attributes.get("delivery") and message.attributes.get("source"):
        return message.attributes["source"], message.attributes["delivery"]
    return source, message.id


def _same(world: World, prefix: str, message: Message) -> bool:
    raw = world.ledger.read(f"{prefix}raw")
    return raw is None or raw.data == message.data


def _park_reused(world: World, source: str, message: Message, events: tuple[Event, ...]) -> str:
    """Two senders that count their requests 1, 2, 3: the second would be lost without a word."""
    prefix = names.event(source, message.id)
    if _seen(world, prefix):
        return "duplicate"
    reason = "another request came with this id already; give each its own, a uuid for instance"
    park(world, prefix, message, reason, pointers(prefix, events))
    return "parked"


def _seen(world: World, prefix: str) -> bool:
    """Of what stands beside an event, `ignored`, `parked.<k>`, `raw` and `recorded` sort last, in this order."""
    standing = world.ledger.list(prefix, limit=2, start=f"{prefix}ignored")
    return any(each.name != f"{prefix}raw" for each in standing)


def _record(
    world: World,
    prefix: str,
    message: Message,
    events: tuple[Event, ...],
    owners: Sequence[str],
    observed: Snapshot,
) -> str:
    meaning = meaning_of(world, events, owners)
    work = list(meaning.work.values())
    new = [markers.of_event(each.registered.application.name, prefix, each.hints) for each in work]
    if meaning.unreadable:
        new.append(parking.marker(prefix))
    first = [ledger.raw_object(prefix, message), *map(ledger.to_object, pointers(prefix, events))]
    # A raw message that stands already is this very one, from a worker that went no further.
    _, *marked = world.side_by_side(
        [lambda: world.ledger.create_all(first), *(partial(world.work.create, marker) for marker in new)]
    )
    # A marker that stood already belongs to another worker, and *now* comes only from what one has just created.
    mine = [(each, marker.created) for each, marker in zip(work, marked, strict=False) if marker is not None]
    facts = list({fact.name: fact for each in work for fact in each.facts}.values())
    tips = _write(world, facts, mine)
    leaf = "recorded" if work else "ignored"
    said = {
        "applications": sorted(meaning.work),
        "reasons": sorted({*meaning.reasons, *meaning.unreadable}),
    }
    last = [NewFact(name=prefix + leaf, body={"kind": leaf, **said, "facts": sorted(fact.name for fact in facts)})]
    if meaning.unreadable:
        last += parking.facts(prefix, message, "; ".join(meaning.unreadable))
    recorded: list[bool] = []

    def finish() -> None:
        ledger.create(world.ledger, last)
        recorded.append(True)

    if not mine:
        finish()
    world.side_by_side(
        [
            partial(_reconcile, world, each, now, observed, tips, finish if index == 0 else None)
            for index, (each, now) in enumerate(mine)
        ]
    )
    if not recorded:
        raise TransientError("the message could not be recorded")
    logs.info(leaf, message_id=message.id, **said)
    return leaf


def _write(
    world: World, facts: Sequence[NewFact], mine: Sequence[tuple[Work, datetime]]
) -> dict[RepositoryAddress, Tips]:
    """Creates the facts, and meanwhile asks each repository once where its refs are, for all applications in it."""
    repositories = list(dict.fromkeys(each.registered.application.repository for each, _ in mine if each.hints.refs))
    create = [lambda: ledger.create(world.ledger, facts)] if facts else []
    answers = world.side_by_side([*create, *(partial(ask_tips, world, each) for each in repositories)])
    return dict(zip(repositories, answers[len(create) :], strict=True))


def _reconcile(
    world: World,
    work: Work,
    now: datetime,
    observed: Snapshot,
    tips: Mapping[RepositoryAddress, Tips],
    alongside: Callable[[], None] | None,
) -> None:
    """What fails here is the tick's: the message is recorded, or comes again."""
    application = work.registered.application
    snapshot = Snapshot(executions=dict(observed.executions), tips=tips.get(application.repository))
    try:
        reconcile(world, work.registered, work.hints, now, snapshot=snapshot, alongside=alongside)
    except DownwindError as error:
        logs.error(f"left for the tick: {error}", application=application.name)
