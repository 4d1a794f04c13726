"""`scripts/mutants`: plants each fault into a copy of the package and lets the simulator look for it.

First a thousand histories, then every fault at every point of a message, then histories up to a limit; each with all layers on,
and then without those behind which the fault hides.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import product
from pathlib import Path

from tests.simulation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "functions" / "downwind"
FIRST = 1000
LIMIT = 5000


def plant(mutant: Mutant, folder: Path) -> None:
    """A copy of the package below `folder`, with the fault in it. AssertionError: the code has moved on without the patch."""
    shutil.copytree(PACKAGE, folder / "downwind", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "downwind" / mutant.path
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.name}: {mutant.path} holds the text {text.count(mutant.old)} times"
    path.write_text(text.replace(mutant.old, mutant.new))


def first(off: frozenset[str], limit: int) -> str | None:
    return _histories(0, min(FIRST, limit), off)


def points(off: frozenset[str], limit: int) -> str | None:
    del limit
    from tests.simulation import exhaustive, flows

    for flow in flows.FLOWS:
        failure = exhaustive.play(flow, {}, off)[1]
        if failure is not None:
            return f"{flow}, without any fault: {failure.violations[0][0]}"
    for flow, (_, window) in flows.FLOWS.items():
        if window is flows.whole:
            continue
        for job in exhaustive.jobs_of(flow, off, pairs=False):
            failures = [] if job.backwards else job.run()[1]
            if failures:
                return f"{flow} {failures[0].faults}: {failures[0].violations[0][0]}"
    return None


def volume(off: frozenset[str], limit: int) -> str | None:
    found = _histories(FIRST, limit, off)
    return f"{found} (by volume)" if found else None


STAGES: dict[str, Callable[[frozenset[str], int], str | None]] = {"first": first, "points": points, "volume": volume}
"""What is tried, in this order, in this very process. Each gives what found the fault: a seed, or a flow with its fault."""


def _histories(begin: int, end: int, off: frozenset[str]) -> str | None:
    from tests.simulation.run import run

    found = run(end - begin, begin, off, stop_at_first=True) if end > begin else None
    return f"seed {found.failed[0][0]}: {found.failed[0][1][0][0]}" if found and found.failed else None


def _found(stage: str, off: tuple[str, ...], limit: int, package: Path) -> str | None:
    """In a process of its own, which imports that package. RuntimeError: it does not even get so far."""
    command = [sys.executable, "-m", "tests.simulation.hunt", "--inside", stage, "--limit", str(limit)]
    command += [part for layer in off for part in ("--layer-off", layer)]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-300:])
    found: str | None = json.loads(done.stdout.splitlines()[-1])["found"]
    return found


@cache
def sound(stage: str, off: tuple[str, ...], limit: int) -> str | None:
    """What the unharmed protocol does without these layers: nothing may be found there, or a kill says nothing."""
    return _found(stage, off, limit, PACKAGE.parent)


def hunt(mutant: Mutant, limit: int) -> tuple[Mutant, str | None, tuple[str, ...], float]:
    """What found it, with which layers off."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        plant(mutant, Path(folder))
        for stage, off in product(STAGES, dict.fromkeys(((), mutant.off))):
            found = _found(stage, off, limit, Path(folder))
            if found is None:
                continue
            if off and (as_well := sound(stage, off, limit)):
                raise RuntimeError(f"without {', '.join(off)} the protocol itself does not hold: {as_well}")
            return mutant, found, off, time.monotonic() - began
    return mutant, None, (), time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/mutants", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="mutants whose name holds this")
    parser.add_argument(
        "--limit", type=int, default=LIMIT, metavar="N", help=f"histories before one has survived ({LIMIT})"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    parser.add_argument("--inside", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--layer-off", action="append", default=[], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        from tests.simulation.run import silence

        silence()
        print(json.dumps({"found": STAGES[chosen.inside](frozenset(chosen.layer_off), chosen.limit)}))
        return 0
    wanted = [each for each in MUTANTS if chosen.only in each.name]
    killed = volume = 0
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for mutant, found, off, seconds in pool.map(partial(hunt, limit=chosen.limit), wanted):
            about = f" (off: {' '.join(off)})" if off else ""
            print(
                f"{'killed' if found else 'ALIVE':7} {mutant.name}: {found or 'nothing found it'}{about} [{seconds:.0f} s]",
                flush=True,
            )
            killed += found is not None
            volume += found is not None and "volume" in found
    print(json.dumps({"mutants": len(wanted), "killed": killed, "by_volume_only": volume}))
    return 0 if killed == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
