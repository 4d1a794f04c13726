"""One history: a day of pushes and faults, then quiet, then what must hold. Everything in it follows from the seed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from random import Random
from typing import Any

import yaml
from tests.simulation import check
from tests.simulation.fate import Fate, Rates
from tests.simulation.operators import Operators
from tests.simulation.outside import Letter, Outside, PubSub
from tests.simulation.ports import Points, Port, SimulatedStore
from tests.simulation.receivers import Receivers
from tests.simulation.recorded import START, is_held
from tests.simulation.scheduler import Scheduler, Worker
from tests.simulation.shop import (
    BRIEF_KINDS,
    KINDS,
    MALFORMED,
    REPOSITORY,
    SHORT_KINDS,
    TOPICS,
    TRIGGER,
    Kind,
    pipeline,
)
from tests.simulation.spinnaker import Spinnaker

from downwind.adapters.memory_attestations import MemoryAttestations
from downwind.adapters.memory_builds import MemoryBuilds
from downwind.adapters.memory_publisher import MemoryPublisher
from downwind.adapters.memory_registry import MemoryRegistry
from downwind.adapters.memory_repository import MemoryRepository
from downwind.adapters.plain_renderer import PlainRenderer
from downwind.errors import TransientError
from downwind.events.sources import PARSERS
from downwind.model.catalog import Registered
from downwind.model.patterns import repository_key
from downwind.model.read_catalog import read_application
from downwind.perform import applications, record, replay
from downwind.perform.catalog import apply
from downwind.perform.slots import SLOTS
from downwind.perform.tick import tick
from downwind.perform.world import World
from downwind.ports import StoredObject
from downwind.reconcile import due, names
from downwind.timing import CLOUD_TIMING

PERIOD = CLOUD_TIMING.tick
FEWEST_POINTS = 200
_SLOT = int(names.repository_index(repository_key(REPOSITORY)).split("/")[2][:8], 16) * SLOTS >> 32
"""The minute of the hour in which the patrol comes by."""
_REVISIONS = (due.RENDERER, f"{due.RENDERER}-next")


@dataclass(slots=True)
class Verdict:
    """What one history came to. `violations`: (kind, sentence)."""

    seed: int
    points: int = 0
    crashes: int = 0
    spare: int = 0
    orders: int = 0
    violations: list[tuple[str, str]] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)


class History:
    def __init__(
        self, seed: int, *, fate: Fate | None = None, kind: Kind | None = None, off: frozenset[str] = frozenset()
    ) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.short = fate is None and seed % 40 != 0
        self.tiny = self.short and seed % 8 != 0
        """Most days are short, so that there can be many: one push or two, one environment, little noise."""
        self.brief = self.tiny and seed % 8 not in (3, 4)
        """Most of those are briefer still: one push, nobody on call, and what fails has no consequences."""
        kinds = BRIEF_KINDS if self.brief else SHORT_KINDS if self.short else KINDS
        self.kind = kind or random.choice(kinds)
        self.on_call = fate is None and (self.kind.judged or not self.tiny) and not self.brief and random.random() < 0.3
        rates = Rates(dies=0.4) if self.kind.acts_on_failure else Rates(dies=0.25) if self.on_call else Rates()
        if self.kind.notify:
            rates = replace(rates, point=0.03)  # a message is sent at few of the points
        self.fate = fate or Fate(random, rates, gentle="doubles" in off)
        self.scheduler = Scheduler()
        self.points = Points(self.scheduler, self.fate)
        calm = fate is not None
        self.two_revisions = not calm and random.random() < 0.5
        self.skew = 0.0 if calm else random.choice((0.0, 30.0, -30.0, 240.0, -240.0))
        self.publisher = MemoryPublisher()
        self.notifier = Receivers(self.points)
        self.pubsub = PubSub(self.scheduler, self.fate, self.publisher, self.clock)
        self.pubsub.handle = self._handle
        self.points.meanwhile = {"tick": self.tick, "again": self.pubsub.again}
        self.outside = Outside(
            scheduler=self.scheduler,
            fate=self.fate,
            kind=self.kind,
            pubsub=self.pubsub,
            repository=MemoryRepository(),
            builds=MemoryBuilds(),
            registry=MemoryRegistry(),
        )
        self.outside.quiet = self.tiny
        self.spinnaker = Spinnaker(
            self.scheduler,
            self.fate,
            self.clock,
            self._echo,
            off=off,
            skew=self.skew,
            serial=calm or random.random() < 0.7,
            first_lives=self.kind.acts_on_failure,
            slow=self.kind.judged,
        )
        self.stores = {
            name: SimulatedStore(self.points, name, self.clock) for name in ("ledger", "work", "catalog", "bundles")
        }
        self.world = self._world()
        self.operators = Operators(
            world=self.world, scheduler=self.scheduler, random=random, clock=self.clock, revision=self._revision
        )
        self.scheduler.on_switch = self._switch
        self.unrecorded: list[str] = []
        self.unsettled: list[str] = []
        self.unheard: set[str] = set()
        self.ticks = 0
        self.lost_markers = 0
        self.marker_lost = False
        self.malformed: set[str] = set()
        self._set_up()

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.scheduler.now)

    def _world(self) -> World:
        outside = self.outside
        return World(
            ledger=self.stores["ledger"],
            work=self.stores["work"],
            catalog=self.stores["catalog"],
            bundles=self.stores["bundles"],
            bundles_bucket="acme-bundles",
            repository=Port(self.points, "repository", outside.repository),
            builds=Port(self.points, "builds", outside.builds, effects=("run",)),
            registry=Port(self.points, "registry", outside.registry),
            attestations=MemoryAttestations(),
            renderer=PlainRenderer(),
            pipelines=Port(self.points, "pipelines", self.spinnaker, effects=("start",)),
            publisher=Port(self.points, "publisher", self.publisher),
            notifier=self.notifier,
            deck=None,
            timing=CLOUD_TIMING,
            monotonic=lambda: self.scheduler.now,
            side_by_side=self.points.side_by_side,
        )

    def _set_up(self) -> None:
        outside = self.outside
        outside.repository.create(REPOSITORY)
        outside.builds.add_trigger(TRIGGER)
        for application in self.kind.applications():
            for environment in self.kind.environments:
                self.spinnaker.save(pipeline(application, environment, judged=self.kind.judged))
        catalog, ledger = _applied(self.kind)
        self.stores["catalog"].restore(catalog)
        self.stores["ledger"].restore(ledger)

    @property
    def registered(self) -> tuple[Registered, ...]:
        return applications.read(self.world.catalog, self.kind.applications())

    # workers

    def _switch(self, worker: Worker) -> None:
        due.RENDERER = _REVISIONS[worker.revision]

    def _revision(self) -> int:
        return self.random.randrange(2) if self.two_revisions else 0

    def _handle(self, letter: Letter, then: Callable[[bool], None]) -> None:
        acknowledged: list[bool] = []

        def work() -> None:
            try:
                record.handle(self.world, PARSERS[letter.kind], TOPICS[letter.kind], letter.message)
            except TransientError as error:
                self.scheduler.trace.append(f"  not acknowledged: {error}")
                return
            acknowledged.append(True)
            if not check.is_recorded(self, letter):
                self.unrecorded.append(letter.message.id)
            if self.fate.chance(self.fate.rates.duplicate / 3):
                acknowledged.clear()  # the acknowledgement itself was lost

        name = f"{letter.kind}:{letter.message.id}.{letter.attempts}"
        self.scheduler.spawn(name, work, lambda _lived: then(bool(acknowledged)), revision=self._revision())

    def _echo(self, execution: str) -> None:
        self.pubsub.publish("execution", b"", {"source": "spinnaker", "execution": execution})

    def tick(self) -> None:
        """Cloud Scheduler's minute; its message too can be late, lost or doubled."""
        published = self.clock()

        def run() -> None:
            self.ticks += 1

            def work() -> None:
                try:
                    tick(self.world, published)
                except TransientError as error:
                    self.scheduler.trace.append(f"  tick not acknowledged: {error}")

            self.scheduler.spawn(f"tick:{self.ticks}", work, lambda _lived: None, revision=self._revision())

        if self.fate.chance(0.03):
            return
        delay = self.fate.random.choice((0.1, 0.1, 0.1, 15.0, 70.0)) if self.fate.chance(0.5) else 0.1
        self.scheduler.after(delay, run)
        if self.fate.chance(self.fate.rates.duplicate / 2):
            self.scheduler.after(delay + self.fate.latency() * 30, run)

    # the day

    def play(self) -> Verdict:
        self._plan()
        horizon = self.random.choice((300.0, 420.0, 600.0))
        if self.short:
            horizon = 290.0 if self.on_call else 100.0 if self.tiny else 150.0
            if self.kind.acts_on_failure or self.kind.notify:
                horizon += 110.0  # to the ends of rollouts
        minutes = 1
        while minutes * PERIOD < horizon:
            self.scheduler.run(minutes * PERIOD)
            self.outside.started()
            self.tick()
            minutes += 1
        self.scheduler.run(horizon)
        self.settle()
        for _ in range(5):
            if self.scheduler.points >= FEWEST_POINTS:
                break
            self.fate.over = False  # little has happened: the next day
            self.outside.push(self.random.choice(self.kind.refs), False)
            self._minute()
            self.settle()
        return self.verdict()

    def _plan(self) -> None:
        """What people do and when."""
        random, outside, after = self.random, self.outside, self.scheduler.after
        refs = self.kind.refs
        at = 1.0
        pushes = (
            1
            if self.brief
            else random.choice((1, 1, 2))
            if self.tiny
            else random.randrange(1, 3)
            if self.short
            else random.randrange(2, 5)
        )
        if self.kind.acts_on_failure:
            # What fails can be rolled back only where another has succeeded: the next push comes then.
            self.spinnaker.on_first = partial(after, 1.0, outside.push, refs[0])
            after(130 + random.random() * 60, self._deploy)
            if random.random() < 0.3:
                after(125, self.operators.order, "hold", "staging")
        elif self.kind.judged:
            after(30 + random.random() * 40, self.operators.order, "hold", "staging")
        for _ in range(pushes):
            after(at, outside.push, random.choice(refs), random.random() < 0.12)
            at += random.choice((0.3, 2.0, 20.0, 90.0))
        span = 120.0 if self.short else 300.0
        if self.on_call:
            # Something has to be there that can be rolled back, cancelled, tried again.
            after(at + 100, outside.push, refs[0], False)
            for _ in range(random.randrange(1, 6)):
                after(60 + random.random() * 200, self._order)
        plans: list[tuple[float, Callable[[], object]]] = [
            (0.2, partial(outside.force, random.choice(refs))),
            (0.1, partial(outside.delete, random.choice(refs))),
            (0.2, self._request),
            (0.15, partial(outside.build_again, refs[0])),
            (self.fate.rates.lag, partial(outside.lag, random.randrange(1, 3), random.choice((5.0, 60.0)))),
            (0.25, self._replay),
            (0.0 if "guard" in self.spinnaker.off else 0.15, self._restart),
            (0.1, self._publish_malformed),
            (0.08, self._lose_marker),
        ]
        for chance, act in plans:
            if random.random() < chance:
                after(random.random() * span, act)

    def _order(self) -> None:
        self.operators.any_order(self.kind.environments, self.outside.commits)

    def _deploy(self) -> None:
        """An order passes a freeze window, and what comes of it may fail there."""
        if self.outside.commits:
            self.operators.order("deploy", "staging", commit=self.random.choice(self.outside.commits))

    def _request(self) -> None:
        if self.outside.commits:
            self.outside.request(self.random.choice(self.kind.environments), self.random.choice(self.outside.commits))

    def _replay(self) -> None:
        for letter in self.random.sample(self.pubsub.letters, min(4, len(self.pubsub.letters))):
            self.pubsub.replay(letter)

    def _restart(self) -> None:
        ended = [each.execution for each in self.spinnaker.applied]
        if ended:
            self.spinnaker.restart(self.random.choice(ended))

    # the end of the day

    def settle(self) -> None:
        """Faults end; what is under way ends; two ticks later nothing recorded may be due."""
        self.fate.over = True
        self.outside.repository.lag(REPOSITORY, 0)
        self._quiet()
        for _ in range(2):
            self._minute()
        self._quiet()
        self.unsettled = [] if self.lost_markers else check.due_now(self)
        for _ in range(10):
            self._replay_dead_letters()
            self._resume_all()
            self._to_the_end()
            told = not (self.outside.unannounced or self.lost_markers or self.pubsub.dropped)
            if told and check.unadmitted(self):
                self.unsettled.append("a push that was told of is not in the log, and only the patrol could find it")
            elif check.unadmitted(self) or self.lost_markers:
                self.lost_markers = 0
                self._jump_to_patrol()  # a push that nobody announced, work that no marker tells of
                self._to_the_end()
            held = any(is_held(self, environment) for environment in (None, *self.kind.environments))
            if not held and not self._parked():
                return

    def _to_the_end(self) -> None:
        calm = self.scheduler.now
        for _ in range(60):
            if self._ended():
                return
            self._minute()
            if not self.marker_lost:
                self.unheard |= check.unheard(self, calm)

    def _replay_dead_letters(self) -> None:
        """A person looks at what Pub/Sub gave up: `downwind parked replay --all`."""
        for found in self._parked():
            replay.order(self.world, found.again.prefix, found.again.number, "ann")

    def _parked(self) -> list[replay.Waiting]:
        """But for what nobody can make sense of."""
        names_ = {each.name.split("/")[1].split(".")[0] for each in self.stores["ledger"].peek("parked/")}
        waiting = (replay.waiting(self.world, f"event/{each}/") for each in sorted(names_))
        return [found for found in waiting if found is not None and found.message.data != MALFORMED]

    def _resume_all(self) -> None:
        """In the end nobody holds anything."""
        for environment in (None, *self.kind.environments):
            for _ in range(20):
                if not is_held(self, environment):
                    break
                sent = self.operators.order("resume", environment)
                while sent.ended is None or self.scheduler.workers:
                    moment = self.scheduler.next_at
                    assert moment is not None, "an order is not answered"
                    self.scheduler.run(moment)
            assert not is_held(self, environment), "orders to resume come to nothing"

    def _lose_marker(self) -> None:
        """A life cycle rule, or a hand that slipped."""
        standing = self.stores["work"].peek("open/")
        if standing:
            self.lost_markers += 1
            self.marker_lost = True
            self.stores["work"].delete(self.random.choice(standing).name)

    def _publish_malformed(self) -> None:
        self.malformed.add(self.pubsub.publish("request", MALFORMED).message.id)

    def _quiet(self) -> None:
        """Until every message is settled and no worker is left."""
        for _ in range(1000):
            if not self.pubsub.waiting and not self.scheduler.workers:
                return
            self.outside.started()
            moment = self.scheduler.next_at
            assert moment is not None, "a message waits and nothing will bring it"
            self.scheduler.run(moment)

    def _minute(self) -> None:
        now = self.scheduler.now
        self.scheduler.run((now // PERIOD + 1) * PERIOD)
        self.outside.started()
        self.publisher.redeliver("dead-letters")  # what was pulled by a worker that died comes again
        self.tick()
        self.scheduler.run(self.scheduler.now + 5)

    def _ended(self) -> bool:
        self.outside.started()
        runs = any(each["status"] in {"RUNNING", "NOT_STARTED"} for each in self.spinnaker.executions.values())
        busy = runs or self.scheduler.workers or self.scheduler.next_at is not None
        return not busy and not self.stores["work"].peek("open/")

    def _jump_to_patrol(self) -> None:
        """Nothing is open, so the ticks until then would do nothing."""
        period = int(self.clock().timestamp()) // PERIOD
        missing = (_SLOT - period - 1) % SLOTS
        self.scheduler.run(self.scheduler.now + missing * PERIOD)
        for _ in range(3):
            self._minute()

    def verdict(self) -> Verdict:
        found = Verdict(
            seed=self.seed,
            points=self.scheduler.points,
            crashes=self.scheduler.crashes,
            spare=self.spinnaker.spare,
            orders=len(self.operators.sent),
            trace=self.scheduler.trace,
        )
        found.violations = check.violations(self)
        return found


@lru_cache(maxsize=16)
def _applied(kind: Kind) -> tuple[tuple[StoredObject, ...], tuple[StoredObject, ...]]:
    """Catalog and ledger as `downwind app apply` leaves them, made once by that very code."""
    from downwind.adapters.memory import MemoryWorld

    memory = MemoryWorld()
    memory.repository.create(REPOSITORY)
    memory.builds.add_trigger(TRIGGER)
    for application in kind.applications():
        text = kind.catalog(application)
        apply(memory.world, read_application(yaml.safe_load(text)), text.encode())
    return tuple(_all(memory.catalog)), tuple(_all(memory.ledger))


def _all(store: Any) -> list[StoredObject]:
    return [found for each in store.list("") if (found := store.read(each.name)) is not None]
