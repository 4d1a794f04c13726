"""One message: parsed, written down, then what it makes due. 204 once it is recorded, whatever becomes of the effects."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from downwind import logs
from downwind.errors import DownwindError, PermanentError, Refused, TransientError
from downwind.events import cloud_build
from downwind.model.catalog import Registered
from downwind.model.event import Build, Event, Execution, Ignored, Image, Message, Push, Request
from downwind.perform import announce, applications, ledger
from downwind.perform.reconciler import reconcile
from downwind.perform.world import World
from downwind.ports import NewObject
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Hints, NewFact, Snapshot
from downwind.reconcile.recording import (
    Recording,
    pointers,
    record_build,
    record_image,
    record_push,
    record_request,
)

Parser = Callable[[Message], "tuple[Event, ...] | Ignored"]
PARKED = "_parked"
"""Markers of parked messages that nobody was told of yet stand under this name, which no application can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What one application has to do with one message."""

    registered: Registered
    facts: tuple[NewFact, ...]
    hints: Hints


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
    if isinstance(events[0], Execution):
        if not _news(world, events[0], observed):
            return "ignored"
    elif _seen(world, prefix):
        logs.info("duplicate", message_id=message.id, source=source)
        return "duplicate"
    try:
        return _record(world, prefix, message, events, observed)
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


def _seen(world: World, prefix: str) -> bool:
    standing = {each.name.removeprefix(prefix).split(".")[0] for each in world.ledger.list(prefix, limit=20)}
    return bool(standing & {"recorded", "ignored", "parked"})


def _record(world: World, prefix: str, message: Message, events: tuple[Event, ...], observed: Snapshot) -> str:
    if isinstance(events[0], Execution):
        named = {each.downwind_application for each in observed.executions.values()}
        registered = applications.read(world.catalog, sorted(name for name in named if name))
    else:
        events = tuple(_whole(world, event) for event in events)
        registered = applications.find(world.catalog, events)
    work, reasons = _plan(world, events, registered)
    markers = [
        NewObject(name=names.marker(each.registered.application.name, prefix), data=write_marker(each.hints))
        for each in work
    ]
    first = [ledger.raw_object(prefix, message), *map(ledger.to_object, pointers(prefix, events))]
    raw, *marked = world.side_by_side(
        [
            lambda: world.ledger.create_all(first),
            *(partial(world.work.create, marker) for marker in markers),
        ]
    )
    del raw  # one that stands already is this very message, from a worker that went no further
    facts = [fact for each in work for fact in each.facts]
    if facts:
        ledger.create(world.ledger, facts)
    leaf = "recorded" if work else "ignored"
    said = {"applications": sorted(each.registered.application.name for each in work), "reasons": sorted(set(reasons))}
    about = {"kind": leaf, **said, "facts": sorted(fact.name for fact in facts)}
    last = NewFact(name=prefix + leaf, body=about)
    logs.info(leaf, message_id=message.id, **said)

    def finish() -> None:
        ledger.create(world.ledger, [last])

    # A marker that stood already belongs to another worker, and *now* comes only from what one has just created.
    mine = [(each, marker.created) for each, marker in zip(work, marked, strict=True) if marker is not None]
    if not mine:
        finish()
    for index, (each, now) in enumerate(mine):
        _reconcile(world, each, now, observed, alongside=finish if index == 0 else None)
    return leaf


def _reconcile(
    world: World, work: _Work, now: datetime, observed: Snapshot, alongside: Callable[[], None] | None
) -> None:
    snapshot = Snapshot(executions=dict(observed.executions))
    try:
        reconcile(world, work.registered, work.hints, now, snapshot=snapshot, alongside=alongside)
    except PermanentError as error:
        # The message is recorded; a ledger object that cannot be read is for people, and the tick says it again.
        logs.error(str(error), application=work.registered.application.name)


def write_marker(hints: Hints) -> bytes:
    body = {
        "v": 1,
        "refs": sorted(hints.refs),
        "commits": sorted(hints.commits),
        "requests": sorted(map(list, hints.requests)),
    }
    return json.dumps(body).encode()


def read_marker(data: bytes) -> Hints:
    body = json.loads(data)
    return Hints(
        refs=frozenset(body["refs"]),
        commits=frozenset(body["commits"]),
        requests=frozenset((environment, identifier) for environment, identifier in body["requests"]),
    )


def _plan(world: World, events: tuple[Event, ...], registered: Sequence[Registered]) -> tuple[list[_Work], list[str]]:
    reasons: list[str] = []
    work: dict[str, _Work] = {}
    for event in events:
        touched = [each for each in registered if _concerns(event, each)]
        if not touched:
            reasons.append(_nobody(event))
        for each in touched:
            recording = _recording(world, event, each)
            if recording.ignored:
                reasons.append(recording.ignored)
            if recording.ignored and not recording.facts:
                continue
            old = work.get(each.application.name)
            work[each.application.name] = _Work(
                registered=each,
                facts=(*(old.facts if old else ()), *recording.facts),
                hints=(old.hints if old else Hints()) | recording.hints,
            )
    return list(work.values()), reasons


def _concerns(event: Event, registered: Registered) -> bool:
    application = registered.application
    match event:
        case Image():
            return any(rule.name == event.image.name for rule in application.images)
        case Request():
            return event.application == application.name
        case _:
            return True


def _nobody(event: Event) -> str:
    match event:
        case Push():
            return f"no application of the catalog names the repository {event.repository}"
        case Build(trigger=None):
            return "the build was not started by a trigger, so no application's catalog can name it"
        case Build():
            return (
                f"no application of the catalog names the trigger {event.trigger} in {event.project}/{event.location}"
            )
        case Image():
            return f"no application of the catalog names the image {event.image.name}"
        case Request():
            raise Refused(f"the catalog has no application {event.application!r}", field="application")
        case Execution():
            return "the execution was not started by Downwind"


def _recording(world: World, event: Event, registered: Registered) -> Recording:
    match event:
        case Push():
            return record_push(event, registered)
        case Build():
            return record_build(event, registered)
        case Image():
            return _image(world, event, registered)
        case Request():
            return record_request(event, registered)
        case Execution():
            return Recording(facts=())


def _image(world: World, event: Image, registered: Registered) -> Recording:
    """Looks where only looking helps: a tag without digest, and the label of an image that no build of ours made."""
    image = event.image
    if event.action == "INSERT" and image.digest is None and image.tag is not None:
        digest = world.registry.digest(image.name, image.tag)
        event = Image(action=event.action, image=type(image)(name=image.name, digest=digest, tag=image.tag))
        image = event.image
    if event.action != "INSERT" or image.digest is None:
        return record_image(event, registered, (), None)
    listed = world.ledger.list(f"{names.image(image.digest)}release/", limit=50)
    pointers = tuple((parts[-2], parts[-1]) for each in listed if (parts := each.name.split("/")))
    recording = record_image(event, registered, pointers, None)
    if recording.ignored and registered.application.build is None:
        commit = world.registry.labels(image.name, image.digest).get("org.opencontainers.image.revision")
        recording = record_image(event, registered, pointers, commit)
    return recording


def _whole(world: World, event: Event) -> Event:
    """A build whose message was too large is read by its id."""
    if not isinstance(event, Build) or event.whole:
        return event
    document = world.builds.get(event.project or "", event.location, event.build)
    if document is None:
        raise Refused(f"build {event.build} was announced, but Cloud Build has none of that id")
    return cloud_build.read_build(document)


def _news(world: World, event: Execution, observed: Snapshot) -> bool:
    """Does this say anything that the ledger does not have? Echo sends a score of events for each execution, and each end
    twice: most need one list and nothing written. `observed` gets what Gate says of the execution now.

    Where Gate does not answer nothing is lost: a rollout without outcome is open, and the tick looks its execution up.
    """
    prefix = names.execution_pointer(event.execution)
    known = [each.name.removeprefix(prefix) for each in world.ledger.list(prefix, limit=10)]
    if "ended" in known:
        return False
    try:
        execution = world.pipelines.execution(event.execution)
    except TransientError as error:
        logs.warning(f"Gate did not say how {event.execution} is, the tick will ask: {error}")
        return False
    if execution is None or not execution.downwind_application or execution.sequence is None:
        logs.info(f"ignored: {event.execution} was not started by Downwind")
        return False
    observed.executions[execution.id] = execution
    return execution.finished or not known


def park(world: World, prefix: str, message: Message, reason: str, about: Sequence[NewFact] = ()) -> None:
    """Recorded, acknowledged, listed, replayable. `about`: pointers to the event, where it could be parsed."""
    logs.warning(f"parked: {reason}", message_id=message.id)
    body = {"kind": "parked", "reason": reason[:1500], "message": message.id, "topic": message.topic}
    marker = NewObject(name=names.marker(PARKED, prefix), data=write_marker(Hints()))
    world.side_by_side(
        [lambda: world.ledger.create(ledger.raw_object(prefix, message)), lambda: world.work.create(marker)]
    )
    listed = NewFact(name=names.parked(prefix), body=body)
    parked = ledger.create(world.ledger, [NewFact(name=f"{prefix}parked.0", body=body), listed, *about])[0]
    if parked is not None:
        tell(world, parked)


def tell(world: World, parked: Fact) -> bool:
    if not announce.publish(world.publisher, "dev.downwind.message.parked.v1", parked):
        return False
    try:
        ledger.create(world.ledger, [NewFact(name=names.announced(parked.name), body={"kind": "announced"})])
    except DownwindError as error:
        logs.warning(f"{parked.name} was announced, which could not be written down: {error}")
        return False
    return True
