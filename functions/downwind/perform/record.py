"""One message: read, written down, then what it makes due. 204 once it is recorded, whatever becomes of the effects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from downwind import logs
from downwind.errors import DownwindError, PermanentError, TransientError
from downwind.model.catalog import RepositoryAddress
from downwind.model.event import Message
from downwind.perform import ledger, markers, parking
from downwind.perform.meaning import Meaning, Work
from downwind.perform.moment import Moment, moment_of
from downwind.perform.parking import park
from downwind.perform.reading import Again, Parser, Reading, read
from downwind.perform.reconciler import ask_tips, reconcile
from downwind.perform.world import World
from downwind.ports import NewObject
from downwind.reconcile.facts import NewFact, RefTip, Snapshot
from downwind.reconcile.recording import pointers

Tips = Mapping[str, RefTip] | None


def handle(world: World, parser: Parser, source: str, message: Message) -> str:
    """Raises only when the message could not be recorded. Says in a word what became of it:
    recorded, ignored, parked or duplicate."""
    return handle_reading(world, message, read(world, parser, source, message)).word


def handle_reading(world: World, message: Message, found: Reading, again: Again | None = None) -> Reading:
    """Writes down what the message comes to, and does what is due. Answers what it came to in the end; `again`: see `read`."""
    own = found.prefix
    if own is None or found.word == "duplicate":
        logs.info(f"{found.word}: {'; '.join(found.reasons)}".removesuffix(": "), message_id=message.id)
        return found
    if found.meaning is not None:
        try:
            _record(world, own, message, found, found.meaning, again)
            return found
        except PermanentError as error:
            found = replace(found, word="parked", reasons=(str(error),), meaning=None)
    prefix, number = (own, 0) if again is None else (again.prefix, again.number + 1)
    park(world, prefix, message, "; ".join(found.reasons), pointers(prefix, found.events), number=number)
    return found


def _record(world: World, prefix: str, message: Message, found: Reading, meaning: Meaning, again: Again | None) -> None:
    work = list(meaning.work.values())
    new = [markers.of_event(each.registered.application.name, prefix, each.hints) for each in work]
    parked = (prefix, 0) if again is None else (again.prefix, again.number + 1)
    if meaning.unreadable:
        new.append(parking.marker(parked[0]))
    first = [ledger.raw_object(prefix, message), *map(ledger.to_object, pointers(prefix, found.events))]
    # A raw message that stands already is this very one, from a worker that went no further.
    asked = world.monotonic()
    _, *marked = world.side_by_side(
        [lambda: world.ledger.create_all(first), *(partial(world.work.create, marker) for marker in new)]
    )
    # A marker that stood already belongs to another worker, and *now* comes only from what one has just created.
    mine = [
        (each, marker, moment)
        for each, marker, created in zip(work, new, marked, strict=False)
        if created is not None and (moment := moment_of(world, created.created, asked)) is not None
    ]
    facts = list({fact.name: fact for each in work for fact in each.facts}.values())
    tips = _write(world, facts, mine)
    said = {"applications": sorted(meaning.work), "reasons": list(found.reasons)}
    body = {"kind": found.word, **said, "facts": sorted(fact.name for fact in facts)}
    last = [NewFact(name=prefix + found.word, body=body)]
    if meaning.unreadable:
        last += parking.facts(parked[0], message, "; ".join(meaning.unreadable), parked[1])
    recorded: list[bool] = []

    def finish() -> None:
        ledger.create(world.ledger, last)
        recorded.append(True)

    if not mine:
        finish()
    world.side_by_side(
        [
            partial(_reconcile, world, *each, found.observed, tips, finish if index == 0 else None)
            for index, each in enumerate(mine)
        ]
    )
    if not recorded:
        raise TransientError("the message could not be recorded")
    logs.info(found.word, message_id=message.id, **said)


def _write(
    world: World, facts: Sequence[NewFact], mine: Sequence[tuple[Work, NewObject, Moment]]
) -> dict[RepositoryAddress, Tips]:
    """Creates the facts, and meanwhile asks each repository once where its refs are, for all applications in it."""
    repositories = list(dict.fromkeys(each.registered.application.repository for each, *_ in mine if each.hints.refs))
    create = [lambda: ledger.create(world.ledger, facts)] if facts else []
    answers = world.side_by_side([*create, *(partial(ask_tips, world, each) for each in repositories)])
    return dict(zip(repositories, answers[len(create) :], strict=True))


def _reconcile(
    world: World,
    work: Work,
    marker: NewObject,
    moment: Moment,
    observed: Snapshot,
    tips: Mapping[RepositoryAddress, Tips],
    alongside: Callable[[], None] | None,
) -> None:
    """What fails here is the tick's: the message is recorded, or comes again."""
    application = work.registered.application
    snapshot = Snapshot(executions=dict(observed.executions), tips=tips.get(application.repository))
    try:
        reconcile(world, work.registered, work.hints, moment, snapshot=snapshot, alongside=alongside)
        if moment.late(world):
            # A tick may have found nothing open meanwhile and taken the marker away, and then this worker wrote something. By
            # another name: a tick that read before that may still be about to delete the first.
            world.work.create(replace(marker, name=f"{marker.name}-late-{int(moment.now(world).timestamp())}"))
    except DownwindError as error:
        logs.error(f"left for the tick: {error}", application=application.name)
