"""Reading what was parked: messages that could not be handled, with what they were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from downwind.errors import Refused
from downwind.perform import ledger
from downwind.perform.find import event_facts, find
from downwind.perform.replay import state
from downwind.perform.world import World
from downwind.reconcile import words
from downwind.reconcile.facts import Fact
from downwind.reconcile.wanted import Query

READ = 50_000
"""Names read of the list of all that was ever parked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """`event` is the hash under which it stands in the ledger (event/<hash>/); `message` Pub/Sub's id; `number` how often it was
    replayed and parked again; `parked` and `reason` are the newest. `replayed`: what came of the replay; None while it is parked.
    `data` and `attributes` are read by `show` only; `left_out` counts attributes that were too large to keep."""

    event: str
    parked: datetime
    reason: str
    message: str
    topic: str | None
    number: int = 0
    replayed: str | None = None
    published: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    data: bytes | None = None


def listed(
    world: World, limit: int, *, everything: bool = False, topic: str | None = None
) -> tuple[list[Parked], bool]:
    """What is parked now, newest first, of that topic if one is named; and whether there are more than `limit`. `everything`:
    what was replayed too."""
    ((facts, cut),) = ledger.load(world.ledger, [Query(prefix="parked/", limit=READ)])
    events: dict[str, list[Fact]] = {}
    for fact in facts:
        events.setdefault(fact.name.removeprefix("parked/").partition(".")[0], []).append(fact)
    found = [_newest(event, group) for event, group in events.items()]
    found = [each for each in found if everything or each.replayed is None]
    found = [each for each in found if topic is None or (each.topic or "").endswith(topic)]
    found.sort(key=lambda each: each.parked, reverse=True)
    return found[:limit], cut or len(found) > limit


def read(world: World, word: str) -> Parked:
    """By the event's hash (7 digits or more), message id, delivery id or request id. Refused when it was not parked."""
    for subject in find(world, word):
        if subject.kind != "event":
            continue
        facts = event_facts(world, subject.events)[0]
        if state(facts)[0] is None:
            continue
        raw = next((each.body for each in facts if each.body["kind"] == "raw"), {})
        stored = world.ledger.read(subject.events[0] + "raw")
        return replace(
            _newest(subject.id, facts),
            published=raw.get("published"),
            attributes=raw.get("attributes") or {},
            left_out=int(raw.get("left_out") or 0),
            data=stored.data if stored is not None else None,
        )
    raise Refused(f"{word} was not parked", fix=f"downwind why {word} says what became of it")


def _newest(event: str, facts: Sequence[Fact]) -> Parked:
    """Of the facts beside an event, or of those in the list of all."""
    parked = {_number(fact): fact for fact in facts if fact.body["kind"] == "parked"}
    replayed = {_number(fact): fact for fact in facts if fact.body["kind"] == "replayed"}
    number = max(parked)
    body = parked[number].body
    return Parked(
        event=event,
        parked=parked[number].created,
        reason=body["reason"],
        message=body["message"],
        topic=body.get("topic"),
        number=number,
        replayed=words.of_fact(replayed[number]) if number in replayed else None,
    )


def _number(fact: Fact) -> int:
    """`parked.<k>`, `replayed.<k>` beside the event; `<hash>`, `<hash>.<k>`, `<hash>.<k>.replayed` in the list."""
    _, _, leaf = fact.name.rpartition("/")
    return int(leaf.removesuffix(".replayed").partition(".")[2] or 0)
