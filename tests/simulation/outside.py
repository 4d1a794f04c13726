"""Everybody else: people who push, the git host that lags, Cloud Build, the registry, and Pub/Sub with its promises."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.fate import Fate
from tests.simulation.scheduler import Scheduler
from tests.simulation.shop import IMAGE, REPOSITORY, TOPICS, TRIGGER, Kind, files, image_body, message, push_body

from downwind.adapters.memory_builds import MemoryBuilds
from downwind.adapters.memory_publisher import MemoryPublisher
from downwind.adapters.memory_registry import MemoryRegistry
from downwind.adapters.memory_repository import MemoryRepository
from downwind.model.event import Message
from downwind.reconcile import names

ATTEMPTS = 12
"""Deliveries after which Pub/Sub gives a message up here; a hundred in the cloud."""


@dataclass(slots=True, kw_only=True)
class Letter:
    kind: str
    message: Message
    attempts: int = 0
    settled: bool = False
    """acknowledged once, or given up"""
    event: str
    """where it stands in the ledger"""


class PubSub:
    """At least once, in any order. `handle(kind, message)` starts a worker and tells what became of it."""

    def __init__(self, scheduler: Scheduler, fate: Fate, publisher: MemoryPublisher, clock: Callable[[], Any]) -> None:
        self._scheduler = scheduler
        self._fate = fate
        self._publisher = publisher
        self._clock = clock
        self.handle: Callable[[Letter, Callable[[bool], None]], None] = lambda _letter, _then: None
        self.letters: list[Letter] = []
        self.dropped: set[str] = set()
        self.held: list[Letter] | None = None
        """a list: nothing is delivered, everything waits here"""

    def publish(
        self, kind: str, body: Any, attributes: Mapping[str, str] | None = None, *, request: str | None = None
    ) -> Letter:
        """`request`: the id of an order, by which it is known."""
        number = f"m{len(self.letters) + 1}"
        made = message(kind, number, self._clock().isoformat(), body, attributes or {})
        event = names.event("request", request) if request else names.event(TOPICS[kind], number)
        letter = Letter(kind=kind, message=made, event=event)
        self.letters.append(letter)
        if self._fate.chance(self._fate.rates.dropped):
            self._give_up(letter)
            return letter
        self._later(letter, self._fate.delivery(kind))
        while self._fate.chance(self._fate.rates.duplicate):
            self._later(letter, self._fate.delivery(kind) * 20)
        return letter

    def replay(self, letter: Letter) -> None:
        self._later(letter, self._fate.delivery(letter.kind))

    def again(self) -> None:
        """What is being handled is delivered once more, now."""
        for letter in self.letters:
            if letter.attempts and not letter.settled:
                self._scheduler.after(0.1, self._deliver, letter)

    @property
    def waiting(self) -> bool:
        return any(not letter.settled for letter in self.letters)

    def _later(self, letter: Letter, seconds: float) -> None:
        if self.held is not None:
            self.held.append(letter)
        else:
            self._scheduler.after(seconds, self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        letter.attempts += 1

        def then(acknowledged: bool) -> None:
            if acknowledged:
                letter.settled = True
                return
            if letter.attempts >= ATTEMPTS and not letter.settled and not self._fate.over:
                self._give_up(letter)
            elif not letter.settled:
                self._later(letter, min(600.0, 10.0 * 2 ** min(letter.attempts, 5)))

        self.handle(letter, then)

    def _give_up(self, letter: Letter) -> None:
        letter.settled = True
        self.dropped.add(letter.message.id)
        self._scheduler.trace.append(f"{self._scheduler.now:.3f} pubsub gives {letter.message.id} up")
        about = {"CloudPubSubDeadLetterSourceSubscription": f"on-{letter.kind}"}
        self._publisher.publish(
            "dead-letters", letter.message.data, {**letter.message.attributes, **about} or {"x": "y"}
        )


@dataclass(slots=True, kw_only=True)
class Moved:
    """One state of one ref."""

    ref: str
    object: str | None
    at: float


@dataclass(slots=True, kw_only=True)
class Outside:
    scheduler: Scheduler
    fate: Fate
    kind: Kind
    pubsub: PubSub
    repository: MemoryRepository
    builds: MemoryBuilds
    registry: MemoryRegistry
    moves: list[Moved] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    built: dict[str, str] = field(default_factory=dict)
    """commit to the digest of its first success"""
    failed: set[str] = field(default_factory=set)
    requests: int = 0
    seen_builds: set[str] = field(default_factory=set)
    unannounced: bool = False
    """Was there a push that nobody told of?"""
    quiet: bool = False
    """Are builds told of only when they end, and images only where somebody waits for that?"""
    announces_builds: bool = True
    """False: nobody builds for now"""

    def tip(self, ref: str) -> str | None:
        return next((move.object for move in reversed(self.moves) if move.ref == ref), None)

    def push(self, ref: str, fails: bool = False, *, silent: bool = False) -> str:
        """`silent`: nobody tells of it."""
        before = self.tip(ref)
        commit = self.repository.commit(REPOSITORY, ref, files())
        self.commits.append(commit)
        if fails:
            self.failed.add(commit)
        self._moved(ref, before, commit, silent=silent)
        return commit

    def force(self, ref: str) -> None:
        """Back to a commit that was here before."""
        before = self.tip(ref)
        if before is None or not self.commits:
            return
        back = self.fate.random.choice(self.commits)
        if back != before:
            self.repository.move(REPOSITORY, ref, back)
            self._moved(ref, before, back)

    def lag(self, states: int, seconds: float) -> None:
        """The host answers for a while what was true so many changes ago."""
        self.repository.lag(REPOSITORY, states)
        self.scheduler.after(seconds, self.repository.lag, REPOSITORY, 0)

    def build_again(self, ref: str) -> None:
        """Somebody presses the button: a second build of one commit, of another digest."""
        if self.commits and not self.kind.tagged:
            self.build(self.fate.random.choice(self.commits), ref)

    def delete(self, ref: str) -> None:
        before = self.tip(ref)
        if before is not None:
            self.repository.delete(REPOSITORY, ref)
            self._moved(ref, before, None)

    def _moved(self, ref: str, before: str | None, after: str | None, *, silent: bool = False) -> None:
        self.moves.append(Moved(ref=ref, object=after, at=self.scheduler.now))
        self.scheduler.trace.append(f"{self.scheduler.now:.3f} git {ref}: {_short(before)} -> {_short(after)}")
        if silent or self.fate.chance(self.fate.rates.unannounced):
            self.unannounced = True
        else:
            self.pubsub.publish("push", push_body(ref, before, after))
        if after is not None and self.announces_builds and not self.kind.starts and after not in self.built:
            self.build(after, ref)

    def build(self, commit: str, ref: str) -> None:
        """Cloud Build's own trigger, or whoever makes images without it."""
        if self.kind.tagged:
            self.scheduler.after(20 + self.fate.latency() * 800, self._image, commit, "")
            return
        trigger = self.builds.trigger(TRIGGER)
        self._run(self.builds.start(trigger, commit, ref), commit)

    def started(self) -> None:
        """Builds that were run through the API go on by themselves."""
        for (_, _, identifier), body in list(self.builds._builds.items()) if self.announces_builds else ():
            if identifier not in self.seen_builds:
                self._run(identifier, body["substitutions"]["COMMIT_SHA"])

    def _run(self, identifier: str, commit: str) -> None:
        self.seen_builds.add(identifier)
        self.scheduler.trace.append(f"{self.scheduler.now:.3f} build {identifier[-4:]} of {_short(commit)} begins")
        if not self.quiet:
            self._tell(identifier, "QUEUED", {})
            self.scheduler.after(1, self._tell, identifier, "WORKING", {})
        took = 20 + self.fate.latency() * self.fate.random.choice((100, 100, 800) if self.quiet else (100, 800, 3000))

        if commit in self.failed:
            self.scheduler.after(took, self._tell, identifier, "FAILURE", {})
        else:
            self.scheduler.after(took, self._success, identifier, commit)

    def _success(self, identifier: str, commit: str) -> None:
        digest = self._image(commit, identifier)
        self._tell(identifier, "SUCCESS", {f"{IMAGE}:{commit}": digest})

    def _image(self, commit: str, salt: str) -> str:
        digest = "sha256:" + names.digest_of(commit, salt)
        self.registry.push(IMAGE, commit, {"org.opencontainers.image.revision": commit}, seed=salt)
        # The twin names images by their labels; the tag is to say what the build says.
        self.registry._tags[IMAGE, commit] = digest
        self.registry._images[IMAGE, digest] = {"org.opencontainers.image.revision": commit}
        self.built.setdefault(commit, digest)
        self.scheduler.trace.append(f"{self.scheduler.now:.3f} image of {_short(commit)} is {digest[:19]}")
        heard = not self.fate.chance(self.fate.rates.unannounced) if self.kind.tagged else not self.quiet
        if heard:
            self.pubsub.publish("image", image_body(commit, digest))
        return digest

    def _tell(self, identifier: str, status: str, images: Mapping[str, str]) -> None:
        body = self.builds.set(identifier, status, images or None)
        self.pubsub.publish("build", body, {"buildId": identifier, "status": status})

    def request(self, environment: str, commit: str) -> None:
        self.requests += 1
        body = {
            "id": f"r{self.requests}",
            "verb": "deploy",
            "application": "shop",
            "environment": environment,
            "commit": commit,
        }
        self.scheduler.trace.append(
            f"{self.scheduler.now:.3f} request r{self.requests}: {environment} {_short(commit)}"
        )
        self.pubsub.publish("request", body, request=body["id"])


def _short(commit: str | None) -> str:
    return commit[:7] if commit else "nothing"
