"""`scripts/simulate`: histories by seed, one history as a story, or every point times every fault."""

import argparse
import json
import sys

from tests.simulation import exhaustive, runs
from tests.simulation.fate import Written
from tests.simulation.flows import FLOWS
from tests.simulation.history import History
from tests.simulation.run import Total, play_one, run, silence
from tests.simulation.shop import SHORT_KINDS
from tests.simulation.spinnaker import OFF
from tests.simulation.story import tell

EXAMPLES = """examples:
  scripts/simulate --histories 2000 --seed 1
  scripts/simulate --replay 4711
  scripts/simulate --histories 2000 --layer-off fence --layer-off guard
  scripts/simulate --exhaustive
"""


def storm() -> int:
    made = exhaustive.copies(History(0, fate=Written({}), kind=SHORT_KINDS[0]), 10_000)
    again = exhaustive.replayed(History(0, fate=Written({}), kind=SHORT_KINDS[0]), 100_000)
    print(
        json.dumps({"copies": 10_000, "entries": made[0], "executions": made[1], "replayed": 100_000, "effects": again})
    )
    return 0 if (made, again) == ((1, 1), 0) else 1


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/simulate", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=2000, metavar="N", help="how many (2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first one's seed (0)")
    parser.add_argument(
        "--layer-off", action="append", default=[], choices=OFF, help="take a layer of the protocol away"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1)")
    parser.add_argument("--replay", type=int, metavar="SEED", help="tell one history as a story, point by point")
    parser.add_argument("--exhaustive", action="store_true", help="every point times every fault, pairs and orders")
    parser.add_argument("--singles", action="store_true", help="with --exhaustive: without the pairs")
    parser.add_argument(
        "--flow",
        action="append",
        default=[],
        metavar="NAME",
        choices=FLOWS,
        help="with --exhaustive: this flow alone, without orders",
    )
    parser.add_argument(
        "--storm", action="store_true", help="10,000 copies of one message at once; 100,000 old ones again"
    )
    parser.add_argument(
        "--record", action="store_true", help=f"add the run to {runs.FILE.name}, where nothing went wrong"
    )
    parser.add_argument("--json", action="store_true", help="nothing but the JSON line")
    chosen = parser.parse_args()
    off = frozenset(chosen.layer_off)
    silence()
    if chosen.replay is not None:
        verdict = play_one(chosen.replay, off)
        print(tell(verdict))
        return 1 if verdict.violations else 0
    if chosen.exhaustive:
        return exhaustive.main(
            pairs=not chosen.singles, jobs=chosen.jobs, off=off, quiet=chosen.json, chosen=tuple(chosen.flow)
        )
    if chosen.storm:
        return storm()

    def progress(total: Total) -> None:
        if not chosen.json and sys.stderr.isatty():
            print(
                f"\r{total.histories} of {chosen.histories} histories, {total.violations} violations",
                end="",
                file=sys.stderr,
            )

    total = run(chosen.histories, chosen.seed, off, jobs=chosen.jobs, progress=progress)
    if not chosen.json:
        if sys.stderr.isatty():
            print(file=sys.stderr)
        for seed, violations in total.failed[:20]:
            for kind, text in violations:
                print(f"seed {seed}: {kind}: {text}")
            print(
                f"  tell it: scripts/simulate --replay {seed}" + "".join(f" --layer-off {each}" for each in sorted(off))
            )
    print(json.dumps(total.line()))
    if chosen.record and not total.violations and not off:
        runs.add(runs.Run.of(chosen.seed, total))
    return 1 if total.violations else 0


if __name__ == "__main__":
    sys.exit(main())
