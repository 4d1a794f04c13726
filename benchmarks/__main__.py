"""`scripts/bench`: takes the figures, prints a table, and writes JSON with `--json FILE`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import bootstrap, latency, rendering, startup, throughput
from benchmarks.figures import Figure, report, table
from benchmarks.stage import Stage, stage
from downwind.errors import Misconfigured

Chapter = Callable[[Stage, int], list[Figure]]
CHAPTERS: dict[str, Chapter] = {
    "start": lambda on, runs: startup.start(on, max(5, runs // 2)),
    "memory": lambda on, _runs: startup.memory(on),
    "latency": latency.latency,
    "processor": lambda on, _runs: throughput.processor(on),
    "store": lambda on, _runs: throughput.store(on, 300),
}


WITHOUT_WORLD: dict[str, Callable[[int], list[Figure]]] = {
    "render": rendering.rendering,
    "bootstrap": bootstrap.bootstrap,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Figures as docs/reference/performance.md explains them."
    )
    known = [*CHAPTERS, *WITHOUT_WORLD]
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help=f"of {', '.join(known)}; all by default")
    parser.add_argument("--runs", type=int, default=20, help="samples of each latency (default 20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a figure is over its limit")
    given = parser.parse_args()
    chosen = given.chapters or known
    if unknown := set(chosen) - set(known):
        parser.error(f"there is no chapter {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    figures: list[Figure] = []
    in_world = [name for name in chosen if name in CHAPTERS]
    if in_world:
        with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as on:
            for name in in_world:
                print(f"{name} ...", file=sys.stderr, flush=True)
                figures += CHAPTERS[name](on, given.runs)
    for name in (each for each in chosen if each in WITHOUT_WORLD):
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            figures += WITHOUT_WORLD[name](given.runs)
        except Misconfigured as error:
            if given.chapters:
                raise
            print(f"LEFT OUT: {name}: {error}", file=sys.stderr)
    print(table(figures))
    if given.json:
        given.json.write_text(json.dumps(report(figures), indent=2) + "\n")
    return int(given.strict and any(figure.over for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
