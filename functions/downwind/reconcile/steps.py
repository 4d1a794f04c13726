"""The effects that can be due, as values; and what is waited for. `downwind.perform` turns a step into calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from downwind.model.channels import Channel
from downwind.model.notice import State
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Hints, NewFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Create one fact that follows from others."""

    fact: NewFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Create an entry of an environment's log. `manifests`: (address, ref, credentials) of another repository whose tip is
    pinned in the entry."""

    environment: str
    entry: NewFact
    manifests: tuple[str, str, str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Did any path of the application change between two commits?"""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Are the images of an old bundle still in their registry?"""

    environment: str
    bundle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """An operator's answer to the manual judgment of one stage, by Gate. `order` is the prefix of the order's facts."""

    environment: str
    n: int
    execution: str
    stage: str
    decision: str
    order: str
    who: str
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartBuild:
    """Run the catalog's trigger at a commit. `search`: an earlier attempt's outcome is unknown, look before running. Repository,
    commit and trigger stand in `prefix`, so a claim under it never means other inputs."""

    commit: str
    prefix: str
    trigger: str | None
    """Its id, as it was when the catalog was applied."""
    attempt: int
    epoch: int
    search: bool

    @property
    def inputs(self) -> str:
        return names.digest_of_json({"trigger": self.trigger, "commit": self.commit})


@dataclass(frozen=True, slots=True, kw_only=True)
class FindBuilds:
    """Ask Cloud Build for the builds of a commit that an entry waits for: a message that never came is no reason to wait."""

    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveImage:
    """Ask the registry once for the digest behind a tag that names the commit."""

    commit: str
    image: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderBundle:
    """Manifests of one commit for one environment. `inputs` is the hash of all that goes in."""

    environment: str
    commit: str
    manifests_commit: str
    images: Mapping[str, str]
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRollout:
    """Start the environment's pipeline for entry n. `search`: look for an execution of this attempt first.

    What is posted are `bundle`, `parts`, `namespace` and `pipeline` (application, name): of the first claim, whatever the catalog
    says by then. `by`: who appended the entry, or ordered this attempt; a hold that came meanwhile stops what automation does.
    """

    environment: str
    n: int
    attempt: int
    epoch: int
    commit: str
    bundle: str
    parts: tuple[str, ...]
    namespace: str
    pipeline: tuple[str, str]
    search: bool
    by: str
    claimed: datetime | None = None
    """When this attempt was first claimed; bounds the search."""

    @property
    def inputs(self) -> str:
        """The hash of all that is posted and does not follow from application, environment, n and attempt."""
        posted = {"bundle": self.bundle, "parts": self.parts, "namespace": self.namespace, "pipeline": self.pipeline}
        return names.digest_of_json(posted)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRollout:
    """Ask Gate whether an attempt whose outcome nobody knows has started anything. Posts nothing. `application`: Spinnaker's, of
    the pipeline that was claimed."""

    environment: str
    n: int
    attempt: int
    application: str
    claimed: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRollout:
    """`status`: how a rollout that ends by this is to be called. `newer`: the entry that it makes way for, and who appended that;
    None: an operator has ordered the cancel."""

    environment: str
    n: int
    attempt: int
    execution: str
    reason: str
    status: str = "superseded"
    newer: tuple[int, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observe:
    """Ask Gate for an execution."""

    execution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Publish a CloudEvent for a fact, then say so beside it."""

    type: str
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Bring a channel's message of entry n to a state. Its facts stand under `prefix`, named by `phase`; `receipt` is what the
    channel gave for an earlier state. `look`: an earlier send may have arrived, ask the receiver first; `since`: that was
    claimed then. `known`: all claims of this message when it was decided."""

    environment: str
    n: int
    channel: Channel
    prefix: str
    phase: str
    state: State
    epoch: int
    fields: Mapping[str, str]
    receipt: str | None = None
    look: bool = False
    since: datetime | None = None
    known: frozenset[str] = frozenset()


Step = (
    Record
    | Append
    | Compare
    | Verify
    | Judge
    | StartBuild
    | FindBuilds
    | ResolveImage
    | RenderBundle
    | TriggerRollout
    | SearchRollout
    | CancelRollout
    | Observe
    | Announce
    | Notify
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Something that time or an event will bring; the marker stays open for it. `closed`: an order will, with a marker of its
    own."""

    what: str
    environment: str | None = None
    n: int | None = None
    commit: str | None = None
    until: datetime | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """`open` is the part of the hints that the next run needs again; what else is open is found without them."""

    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    open: Hints = field(default_factory=Hints)


@dataclass(slots=True)
class Collector:
    """Gathers steps and waits of one decision; a step stands once, whoever asks for it."""

    steps: list[Step] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    open: Hints = field(default_factory=Hints)

    def keep(self, **hints: frozenset[Any]) -> None:
        self.open |= Hints(**hints)

    def add(self, *steps: Step) -> None:
        self.steps.extend(step for step in steps if step not in self.steps)

    def record(self, name: str, **body: object) -> None:
        self.add(Record(fact=NewFact(name=name, body=body)))

    def wait(self, what: str, **about: object) -> None:
        self.waits.append(Wait(what=what, **about))  # type: ignore[arg-type]  # the fields of Wait, by name
