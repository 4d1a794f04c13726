"""What one message means to each application that it concerns; asks only where the message itself does not say enough."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from downwind import logs
from downwind.errors import DownwindError, PermanentError, Refused
from downwind.events import cloud_build
from downwind.model.catalog import Registered
from downwind.model.event import Build, Event, Execution, Image, Push, Request
from downwind.perform import applications
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import Hints, NewFact, Snapshot
from downwind.reconcile.recording import Recording, record_build, record_image, record_push, record_request

REVISION = "org.opencontainers.image.revision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one application has to do with one message."""

    registered: Registered
    facts: tuple[NewFact, ...]
    hints: Hints


@dataclass(slots=True, kw_only=True)
class Meaning:
    """`reasons`: why something of it was ignored. `unreadable`: applications that it may concern and that can't be read."""

    work: dict[str, Work] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, registered: Registered, recording: Recording) -> None:
        if recording.ignored:
            self.reasons.append(recording.ignored)
            if not recording.facts:
                return
        name = registered.application.name
        old = self.work.get(name)
        self.work[name] = Work(
            registered=registered,
            facts=(*(old.facts if old else ()), *recording.facts),
            hints=(old.hints if old else Hints()) | recording.hints,
        )


def meaning_of(world: World, events: tuple[Event, ...], owners: Sequence[str] = ()) -> Meaning:
    """`owners`: the applications of an execution, which does not name them itself.

    Raises PermanentError for what is to be parked: nobody can make sense of it, or no application that can be read does.
    """
    events = tuple(_whole(world, event) for event in events)
    found, unreadable = applications.find(world.catalog, events, owners)
    if unreadable and not found:
        raise PermanentError("; ".join(unreadable))
    meaning = Meaning(unreadable=unreadable)
    for event in events:
        recordings = _recordings(world, event, [each for each in found if _concerns(event, each)])
        if not recordings:
            meaning.reasons.append(_nobody(event))
        for registered, recording in recordings:
            meaning.add(registered, recording)
    return meaning


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
            return "the application that this execution belongs to is not in the catalog"


def _recordings(world: World, event: Event, touched: Sequence[Registered]) -> list[tuple[Registered, Recording]]:
    match event:
        case Push():
            return [(each, record_push(event, each)) for each in touched]
        case Build():
            return [(each, record_build(event, each)) for each in touched]
        case Image():
            return _images(world, event, touched) if touched else []
        case Request():
            recordings = [(each, record_request(event, each)) for each in touched]
            ordered_images(world, event)
            return recordings
        case Execution():
            hints = Hints(executions=frozenset({event.execution}))
            return [(each, Recording(hints=hints)) for each in touched]


def _images(world: World, event: Image, touched: Sequence[Registered]) -> list[tuple[Registered, Recording]]:
    """Looks where only looking helps: a tag without digest, and the label of an image that no build of ours made."""
    image = event.image
    if event.action == "INSERT" and image.digest is None and image.tag is not None:
        image = replace(image, digest=world.registry.digest(image.name, image.tag))
        event = replace(event, image=image)
    digest = image.digest
    if event.action != "INSERT" or digest is None:
        return [(each, record_image(event, each, (), None)) for each in touched]
    listed = world.ledger.list(f"{names.image(digest)}release/", limit=500)
    pointers = tuple((parts[-2], parts[-1]) for each in listed if (parts := each.name.split("/")))

    @cache
    def labelled() -> str | None:
        return world.registry.labels(image.name, digest).get(REVISION)

    found = []
    for each in touched:
        recording = record_image(event, each, pointers, None)
        if recording.ignored and each.application.build is None:
            recording = record_image(event, each, pointers, labelled())
        found.append((each, recording))
    return found


def ordered_images(world: World, event: Request) -> None:
    """Refused for an image that is nowhere: what a build or a registry tells of is there, an order may be mistyped. By now
    all names are the catalog's, so that nobody can make us ask somewhere else."""
    for name, digest in event.images.items():
        if not world.registry.exists(name, digest):
            raise Refused(f"the registry has no {name}@{digest}", field="images", fix="push it first")


def _whole(world: World, event: Event) -> Event:
    """A build whose message was too large, or says nothing but its id, is read by that. The message may not even say where
    the build ran; one that counts ran where a trigger of the catalog is."""
    if not isinstance(event, Build) or event.whole:
        return event
    named = [(event.project, event.location)] if event.project else []
    refused: Refused | None = None
    for project, location in dict.fromkeys([*named, *applications.trigger_places(world.catalog)]):
        try:
            document = world.builds.get(project, location, event.build)
        except Refused as error:
            refused = error
            continue
        if document is not None:
            return cloud_build.read_build(document)
    if refused is not None:
        raise refused
    raise Refused(
        f"build {event.build} was announced, but Cloud Build has none of that id where the catalog's triggers are"
    )


def heard(world: World, event: Execution, observed: Snapshot) -> list[str]:
    """The applications to which this says what the ledger does not have; `observed` gets what Gate says of the execution now.

    Echo sends a score of events for each execution, and each end twice: most need one list and nothing written. A judgment
    that begins to wait is news, since a newer rollout may cancel it. Where Gate does not answer, the next tick asks again.
    """
    prefix = names.execution_pointer(event.execution)
    known = [each.name.removeprefix(prefix) for each in world.ledger.list(prefix, limit=10)]
    if "ended" in known:
        return []
    try:
        execution = world.pipelines.execution(event.execution)
    except DownwindError as error:
        logs.warning(f"Gate did not say how {event.execution} is, the tick will ask: {error}")
        return sorted({each.split("/")[0] for each in known})
    if execution is None or not execution.downwind_application or execution.sequence is None:
        logs.info(f"ignored: {event.execution} was not started by Downwind")
        return []
    observed.executions[execution.id] = execution
    news = execution.finished or execution.judgment is not None or not known
    return [execution.downwind_application] if news else []
