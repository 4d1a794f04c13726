"""Many histories, one after another or on several cores, and what they came to."""

import gc
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.simulation.check import KINDS
from tests.simulation.history import History, Verdict

from downwind import logs

BATCH = 50


@dataclass(slots=True)
class Total:
    """What the one JSON line says; `points`: places where a worker could be switched or fail."""

    histories: int = 0
    points: int = 0
    crashes: int = 0
    double: int = 0
    backward: int = 0
    lost: int = 0
    stuck: int = 0
    spare: int = 0
    parked_wrongly: int = 0
    forbidden: int = 0
    orders: int = 0
    error: int = 0
    trace_sha256: str = ""
    seconds: float = 0.0
    histories_per_second: float = 0.0
    fewest_points: int = 0
    processor_seconds: float = 0.0
    failed: list[tuple[int, list[tuple[str, str]]]] = field(default_factory=list)

    @property
    def violations(self) -> int:
        return self.double + self.backward + self.lost + self.stuck + self.parked_wrongly + self.forbidden + self.error

    def line(self) -> dict[str, Any]:
        found = asdict(self)
        del found["failed"]
        return found


@dataclass(frozen=True, slots=True)
class Played:
    """One batch, as small as it can travel between processes."""

    counts: Counter[str]
    fewest: int
    hashes: tuple[str, ...]
    failed: tuple[tuple[int, list[tuple[str, str]]], ...]
    processor: float


def silence() -> None:
    """Log lines of production code are no news here: the trace says more."""
    logs.write = lambda *_arguments, **_named: None


@contextmanager
def without_collector() -> Iterator[None]:
    """A history is dropped whole: looking for its cycles again and again while it is played takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@without_collector()
def play(seeds: range, off: frozenset[str]) -> Played:
    silence()
    counts: Counter[str] = Counter()
    hashes, failed = [], []
    fewest = 0
    began = time.process_time()
    for seed in seeds:
        verdict = play_one(seed, off)
        counts["histories"] += 1
        counts["points"] += verdict.points
        counts["crashes"] += verdict.crashes
        counts["spare"] += verdict.spare
        counts["orders"] += verdict.orders
        counts.update({kind for kind, _ in verdict.violations})
        fewest = min(fewest or verdict.points, verdict.points)
        hashes.append(trace_hash(verdict))
        if verdict.violations:
            failed.append((seed, verdict.violations))
    return Played(counts, fewest, tuple(hashes), tuple(failed), time.process_time() - began)


def play_one(seed: int, off: frozenset[str] = frozenset()) -> Verdict:
    """A history that breaks the simulator itself is a violation too, and not the end of the run."""
    history = History(seed, off=off)
    try:
        return history.play()
    except AssertionError as error:
        verdict = Verdict(seed, points=history.scheduler.points, trace=history.scheduler.trace)
        verdict.violations.append(("stuck", f"{error}"))
        return verdict


def trace_hash(verdict: Verdict) -> str:
    return hashlib.sha256("\n".join(verdict.trace).encode()).hexdigest()


def run(
    histories: int,
    seed: int,
    off: frozenset[str] = frozenset(),
    *,
    jobs: int = 1,
    stop_at_first: bool = False,
    progress: Callable[[Total], None] = lambda _total: None,
) -> Total:
    """Histories `seed` to `seed + histories - 1`."""
    total = Total()
    combined = hashlib.sha256()
    began = time.monotonic()
    batches = [range(first, min(first + BATCH, seed + histories)) for first in range(seed, seed + histories, BATCH)]
    for played in _batches(batches, off, jobs):
        for name, count in played.counts.items():
            setattr(total, name, getattr(total, name) + count)
        for each in played.hashes:
            combined.update(each.encode())
        total.fewest_points = min(total.fewest_points or played.fewest, played.fewest)
        total.failed += played.failed
        total.processor_seconds += played.processor
        total.seconds = round(time.monotonic() - began, 1)
        progress(total)
        if stop_at_first and total.failed:
            break
    total.trace_sha256 = combined.hexdigest()
    total.processor_seconds = round(total.processor_seconds, 1)
    total.histories_per_second = round(total.histories / max(time.monotonic() - began, 0.001), 1)
    return total


def _batches(batches: Iterable[range], off: frozenset[str], jobs: int) -> Iterator[Played]:
    if jobs == 1:
        for batch in batches:
            yield play(batch, off)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(play, batches, [off] * len(list(batches)))


assert set(KINDS) <= set(Total.__slots__)
