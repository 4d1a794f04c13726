"""Parked messages, handled again: an order of a person leaves a marker, and the tick handles the message as its function would.

Not published to its topic again: others listen to Cloud Build's and the registry's topics too, and would hear old news as new.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from downwind import logs
from downwind.errors import DownwindError, Refused
from downwind.events.envelope import read_message
from downwind.events.sources import PARSERS, TOPICS, kind_of
from downwind.model.event import Message
from downwind.perform import ledger
from downwind.perform.find import event_facts
from downwind.perform.parking import DEAD_LETTERS
from downwind.perform.reading import Again, Reading, read
from downwind.perform.record import handle_reading
from downwind.perform.world import World
from downwind.ports import NewObject
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, NewFact

LIMIT = 100
"""Messages replayed in one tick."""
FOLDER = "_replay"
"""Markers of replays stand under this name, which no application can have."""
_SOURCE = "CloudPubSubDeadLetterSource"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is parked: `again` says where, `message` is as it came, with the topic that it came to first. `kind` is its source;
    None where nobody can say how it is to be handled, and `problem` says why."""

    again: Again
    message: Message
    kind: str | None = None
    problem: str = ""


def state(event: Sequence[Fact]) -> tuple[int | None, bool]:
    """Of one event's facts: under which number it was parked last, None for never; and whether that was replayed."""
    numbers = [int(fact.name.rpartition(".")[2]) for fact in event if fact.body["kind"] == "parked"]
    newest = max(numbers, default=None)
    return newest, any(fact.name.endswith(f"/replayed.{newest}") for fact in event)


def waiting(world: World, prefix: str) -> Waiting | None:
    """None: it was not parked, or it was replayed."""
    event = event_facts(world, [prefix])[0]
    number, replayed = state(event)
    raw = next((fact.body for fact in event if fact.body["kind"] == "raw"), None)
    stored = world.ledger.read(f"{prefix}raw")
    if number is None or replayed or raw is None or stored is None:
        return None
    again = Again(prefix=prefix, number=number)
    came = Message(
        id=raw["id"],
        data=stored.data or b"",
        attributes=dict(raw["attributes"]),
        topic=raw["topic"],
        published=raw.get("published"),
    )
    try:
        message, topic = _original(came)
    except Refused as error:
        return Waiting(again=again, message=came, problem=error.reason)
    kind = kind_of(topic)
    if kind is None:
        return Waiting(again=again, message=came, problem=f"no function takes what comes from {topic or 'nowhere'}")
    # By the topic's own name, however it was written: it is part of the event's identity.
    return Waiting(again=again, message=replace(message, topic=TOPICS[kind]), kind=kind)


def _original(came: Message) -> tuple[Message, str]:
    """The message, and what names the topic that it came to first. Refused: it is none."""
    if came.topic == DEAD_LETTERS:
        own = {name: text for name, text in came.attributes.items() if not name.startswith(_SOURCE)}
        published = came.attributes.get(f"{_SOURCE}TopicPublishTime")
        return replace(came, attributes=own, published=published), came.attributes.get(f"{_SOURCE}Subscription", "")
    if came.id == names.digest_of(came.data.hex()):
        # Not even the envelope could be read: that is the first thing to try again.
        return read_message({}, came.data), came.topic or ""
    return came, came.topic or ""


def outlook(world: World, found: Waiting) -> Reading:
    """What the message would come to now, by the same parsers and the same catalog. Nothing is written."""
    if found.kind is None:
        return Reading(word="parked", prefix=found.again.prefix, reasons=(found.problem,))
    return read(world, PARSERS[found.kind], TOPICS[found.kind], found.message, found.again)


def order(world: World, prefix: str, number: int, who: str) -> bool:
    """Asks the tick for it. False: somebody has asked already."""
    body = json.dumps({"v": 1, "who": who}).encode()
    return world.work.create(NewObject(name=names.replay(prefix, number), data=body)) is not None


def replay_all(world: World, ordered: Sequence[str]) -> int:
    """Those markers' messages; one that can't be handled now waits for the next tick. How many were handled."""
    done = 0
    for name in ordered:
        try:
            done += _replay(world, name)
        except DownwindError as error:
            logs.error(f"not replayed yet: {error}", marker=name)
        except Exception as error:
            # One message must not stop the others; the text may hold anything.
            logs.error(f"not replayed yet: {type(error).__name__}", marker=name)
    return done


def _replay(world: World, name: str) -> bool:
    digest, _, number = name.rpartition("/")[2].partition(".")
    ordered, found = world.work.read(name), waiting(world, f"event/{digest}/")
    if ordered is None or found is None or str(found.again.number) != number:
        world.work.delete(name)  # another tick was here
        return False
    reading = handle_reading(world, found.message, outlook(world, found), found.again)
    _write_down(world, found.again, reading, json.loads(ordered.data or b"{}").get("who"))
    world.work.delete(name)
    return True


def _write_down(world: World, again: Again, reading: Reading, who: str | None) -> None:
    """What came of it, in the event and in the list; what was parked again, wholly or in part, is so under a new number."""
    meaning = reading.meaning
    if reading.word == "parked" or (meaning is not None and meaning.unreadable):
        return
    recorded = [fact.name for work in meaning.work.values() for fact in work.facts] if meaning is not None else []
    body = {
        "kind": "replayed",
        "became": reading.word,
        "event": None if reading.prefix in {None, again.prefix} else reading.prefix.split("/")[1],
        "applications": sorted(meaning.work) if meaning is not None else [],
        "reasons": list(reading.reasons),
        "facts": sorted(set(recorded)),
        "who": who,
    }
    named = (f"{again.prefix}replayed.{again.number}", names.replayed(again.prefix, again.number))
    ledger.create(world.ledger, [NewFact(name=each, body=body) for each in named])
