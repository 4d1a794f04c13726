"""Reading what was parked: messages that could not be handled, with what they were."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from downwind.errors import Refused
from downwind.perform import ledger
from downwind.perform.find import event_facts, find
from downwind.perform.world import World
from downwind.reconcile.facts import Fact
from downwind.reconcile.wanted import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """`event` is the hash under which it stands in the ledger (event/<hash>/); `message` Pub/Sub's id. `data` and
    `attributes` are read by `show` only; `left_out` counts attributes that were too large to keep."""

    event: str
    parked: datetime
    reason: str
    message: str
    topic: str | None
    published: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    data: bytes | None = None


def listed(world: World, limit: int) -> tuple[list[Parked], bool]:
    """Newest first; and whether there are more than `limit`, which then are any."""
    ((facts, cut),) = ledger.load(world.ledger, [Query(prefix="parked/", limit=limit + 1)])
    found = [_parked(fact.name.rpartition("/")[2], fact) for fact in facts[:limit]]
    return sorted(found, key=lambda each: each.parked, reverse=True), cut


def read(world: World, word: str) -> Parked:
    """By the event's hash (7 digits or more), message id, delivery id or request id. Refused when it was not parked."""
    events = [each for each in find(world, word) if each.kind == "event"]
    for subject in events:
        facts = event_facts(world, subject.events)[0]
        fact = next((each for each in facts if each.body["kind"] == "parked"), None)
        if fact is None:
            continue
        raw = next((each.body for each in facts if each.body["kind"] == "raw"), {})
        stored = world.ledger.read(subject.events[0] + "raw")
        about = _parked(subject.id, fact)
        return Parked(
            event=about.event,
            parked=about.parked,
            reason=about.reason,
            message=about.message,
            topic=about.topic,
            published=raw.get("published"),
            attributes=raw.get("attributes") or {},
            left_out=int(raw.get("left_out") or 0),
            data=stored.data if stored is not None else None,
        )
    raise Refused(f"{word} was not parked", fix=f"downwind why {word} says what became of it")


def _parked(event: str, fact: Fact) -> Parked:
    body = fact.body
    return Parked(
        event=event, parked=fact.created, reason=body["reason"], message=body["message"], topic=body.get("topic")
    )
