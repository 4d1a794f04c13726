"""Nothing left to chance: every point of a flow times every fault there, all pairs of them, and all orders of six messages.

A flow is a calm beginning, then a window in which faults strike, then the end of the day. The points of a window are counted
by a run without faults; a pair's second fault is looked for in the run that its first one has made.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import permutations

from tests.simulation.fate import MEANWHILE, Written
from tests.simulation.flows import FLOWS, SIXES, next_thing, tick, told, until, whole
from tests.simulation.history import History
from tests.simulation.run import silence, without_collector
from tests.simulation.shop import SHORT_KINDS

from downwind.reconcile import names

Faults = Mapping[int, str]
TICKS = 2
"""ticks in which single faults strike after the message itself; pairs strike while it is handled, however often it comes"""


@dataclass(frozen=True, slots=True)
class Failure:
    flow: str
    faults: dict[int, str]
    violations: list[tuple[str, str]]


def play(
    flow: str, faults: Faults, off: frozenset[str] = frozenset(), *, backwards: bool = False, ticks: int = TICKS
) -> tuple[Written, Failure | None]:
    """The fate, with what it was asked; and what did not hold."""
    kind, window = FLOWS[flow]
    fate = Written(faults, backwards=backwards, gentle="doubles" in off)
    history = History(0, fate=fate, kind=kind, off=off)
    try:
        window(history, ticks)
        history.settle()
        violations = history.verdict().violations + _taken_over(history, flow, faults)
    except AssertionError as error:
        violations = [("stuck", str(error))]
    return fate, Failure(flow, dict(faults), violations) if violations else None


def _taken_over(history: History, flow: str, faults: Faults) -> list[tuple[str, str]]:
    """Nobody has to take over from a client that repeats a create and meets its own success, nor from a worker beside which
    another one runs; and nothing is posted twice. But where the flow itself is about that."""
    if not faults or set(faults.values()) - {"retried", *MEANWHILE} or FLOWS[flow][1] is tick:
        return []
    ledger = history.stores["ledger"].peek("environment/")
    claims = [each.name for each in ledger if "/rollout/" in each.name and "/claim." in each.name]
    found = [("stuck", f"{name} was claimed again, though no worker failed") for name in claims if name[-2:] != ".1"]
    if history.spinnaker.posts > len(claims):
        found.append(("double", f"{history.spinnaker.posts} posts for {len(claims)} claims, though no worker failed"))
    return found


@dataclass(frozen=True, slots=True)
class Job:
    """One single fault, or with `pairs` every second one after it."""

    flow: str
    faults: Faults
    backwards: bool
    pairs: bool
    off: frozenset[str]

    @without_collector()
    def run(self) -> tuple[int, list[Failure]]:
        silence()
        if not self.pairs:
            failure = play(self.flow, self.faults, self.off, backwards=self.backwards)[1]
            return 1, [failure] if failure else []
        fate, _ = play(self.flow, self.faults, self.off, ticks=0)
        (first,) = self.faults
        seconds = [(index, kind) for index in range(first + 1, len(fate.offered)) for kind in fate.offered[index]]
        found = (play(self.flow, {**self.faults, index: kind}, self.off, ticks=0)[1] for index, kind in seconds)
        return len(seconds), [failure for failure in found if failure]


def jobs_of(flow: str, off: frozenset[str], *, pairs: bool) -> list[Job]:
    jobs = []
    is_whole = FLOWS[flow][1] is whole
    for backwards in (False,) if is_whole else (False, True):
        fate, _ = play(flow, {}, off, backwards=backwards)
        jobs += [
            Job(flow, {index: kind}, backwards, False, off)
            for index, kinds in enumerate(fate.offered)
            for kind in (*kinds, *MEANWHILE)
        ]
    if pairs and not is_whole:
        fate, _ = play(flow, {}, off, ticks=0)
        jobs += [
            Job(flow, {index: kind}, False, True, off) for index, kinds in enumerate(fate.offered) for kind in kinds
        ]
    return jobs


def orders() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Of each six: every order of every choice of up to all of them; what is left out comes afterwards."""
    for six in SIXES:
        for count in range(1, 7):
            for order in permutations(range(6), count):
                yield six, order


def play_order(one: tuple[str, tuple[int, ...]], off: frozenset[str] = frozenset()) -> Failure | None:
    silence()
    six, order = one
    history = History(0, fate=Written({}), kind=SHORT_KINDS[0], off=off)
    try:
        acts, held = SIXES[six](history)
        for index in order:
            acts[index]()
            history.scheduler.run(history.scheduler.now + 9)
        for letter in held:
            if not letter.settled:
                history.pubsub.replay(letter)
        history.settle()
        violations = history.verdict().violations
    except AssertionError as error:
        violations = [("stuck", str(error))]
    return Failure(f"{six}, order {order}", {}, violations) if violations else None


def main(*, pairs: bool, jobs: int, off: frozenset[str], quiet: bool, chosen: tuple[str, ...] = ()) -> int:
    """`chosen`: these flows alone, and no orders."""
    began = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[Failure] = []
    with ProcessPoolExecutor(jobs) as pool:
        for flow in chosen or FLOWS:
            todo = jobs_of(flow, off, pairs=pairs)
            for job, (runs, found) in zip(todo, pool.map(Job.run, todo, chunksize=4), strict=True):
                counts["pairs" if job.pairs else "singles"] += runs
                failures += found
            if not quiet:
                print(
                    f"{flow}: {counts['singles']} singles, {counts['pairs']} pairs, {len(failures)} failures so far",
                    flush=True,
                )
        everything = [] if chosen else list(orders())
        failures += [each for each in pool.map(partial(play_order, off=off), everything, chunksize=20) if each]
    counts["orders"] = len(everything)
    if not quiet:
        print(f"orders of up to six messages: {len(everything)}, {len(failures)} failures so far")
        for each in failures[:20]:
            print(f"{each.flow} {each.faults}: {each.violations[0]}")
    line = {**counts, "failures": len(failures), "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(line))
    return 1 if failures else 0


def copies(history: History, count: int) -> tuple[int, int]:
    """So many deliveries of one push at once, and of its build's end: entries made, executions started."""
    for kind in ("push", "build"):
        if kind == "push":
            history.outside.push(history.kind.refs[0])
        else:
            until(history, lambda: told(history, "build", "SUCCESS"))
        letter = next(each for each in reversed(history.pubsub.letters) if each.kind == kind)
        for _ in range(count):
            history.pubsub.replay(letter)
        while not letter.settled or history.scheduler.workers:
            next_thing(history)
    history.settle()
    assert not history.verdict().violations, history.verdict().violations
    log = history.stores["ledger"].peek(names.log("shop", "staging"))
    return len(log), len(history.spinnaker.executions)


def replayed(history: History, count: int) -> int:
    """Plays some releases to their end, then their messages again in a shuffled order: effects that came of it."""
    for _ in range(3):
        history.outside.push(history.kind.refs[0])
        history.settle()
        history.fate.over = False
    before = _effects(history)
    letters = [letter for letter in history.pubsub.letters if letter.kind != "execution"]
    for index in range(count):
        history.pubsub.replay(letters[(index * 7919) % len(letters)])
        if index % 500 == 499:
            history.scheduler.run(history.scheduler.now + 20)
    history.settle()
    return _effects(history) - before


def _effects(history: History) -> int:
    """Whatever a person or another system could notice."""
    return (
        history.spinnaker.posts
        + len(history.spinnaker.cancellations)
        + len(history.outside.builds.runs)
        + len(history.publisher.published)
        + len(history.stores["ledger"].peek("environment/"))
        + len(history.stores["bundles"].peek(""))
    )
