"""A whole world in memory: the twins of all ports behind the real handlers. What the protocol's tests and simulations play on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from downwind.adapters.memory_attestations import MemoryAttestations
from downwind.adapters.memory_builds import MemoryBuilds
from downwind.adapters.memory_notifier import MemoryNotifier
from downwind.adapters.memory_pipelines import MemoryPipelines
from downwind.adapters.memory_publisher import MemoryPublisher
from downwind.adapters.memory_registry import MemoryRegistry
from downwind.adapters.memory_repository import MemoryRepository
from downwind.adapters.memory_store import MemoryStore
from downwind.adapters.plain_renderer import PlainRenderer
from downwind.perform.world import World, one_after_another
from downwind.timing import CLOUD_TIMING, Timing


class Clock:
    """One time for all twins, moved by hand; every reading is a microsecond later than the one before."""

    def __init__(self, start: datetime | None = None) -> None:
        self.now = start or datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self().timestamp()


@dataclass(slots=True, kw_only=True)
class MemoryWorld:
    """`world` is what the handlers take; the fields are its twins, for tests to look into and to disturb."""

    clock: Clock = field(default_factory=Clock)
    timing: Timing = CLOUD_TIMING
    side_by_side: Callable[[Sequence[Callable[[], Any]]], list[Any]] = one_after_another
    repository: MemoryRepository = field(default_factory=MemoryRepository)
    builds: MemoryBuilds = field(default_factory=MemoryBuilds)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    attestations: MemoryAttestations = field(default_factory=MemoryAttestations)
    publisher: MemoryPublisher = field(default_factory=MemoryPublisher)
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)
    pipelines: MemoryPipelines = field(init=False)
    ledger: MemoryStore = field(init=False)
    work: MemoryStore = field(init=False)
    catalog: MemoryStore = field(init=False)
    bundles: MemoryStore = field(init=False)

    def __post_init__(self) -> None:
        self.pipelines = MemoryPipelines(self.clock)
        self.ledger, self.work, self.catalog, self.bundles = (MemoryStore(self.clock) for _ in range(4))

    @property
    def world(self) -> World:
        return World(
            ledger=self.ledger,
            work=self.work,
            catalog=self.catalog,
            bundles=self.bundles,
            bundles_bucket="acme-bundles",
            repository=self.repository,
            builds=self.builds,
            registry=self.registry,
            attestations=self.attestations,
            renderer=PlainRenderer(),
            pipelines=self.pipelines,
            publisher=self.publisher,
            notifier=self.notifier,
            timing=self.timing,
            monotonic=self.clock.monotonic,
            side_by_side=self.side_by_side,
            deck="https://deck.acme.example",
        )
