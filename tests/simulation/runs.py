"""The runs on record: ranges of seeds that do not overlap, and nothing went wrong in them. They add up toward a million."""

from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from tests.simulation.run import Total

FILE = Path(__file__).with_name("runs.tsv")


@dataclass(frozen=True, slots=True, order=True)
class Run:
    first_seed: int
    histories: int
    points: int
    crashes: int
    orders: int
    spare: int
    day: str
    trace_sha256: str

    @classmethod
    def of(cls, first_seed: int, total: Total) -> "Run":
        day = datetime.now(UTC).date().isoformat()
        return cls(
            first_seed, total.histories, total.points, total.crashes, total.orders, total.spare, day, total.trace_sha256
        )


def read(file: Path = FILE) -> list[Run]:
    if not file.exists():
        return []
    rows = (line.split("\t") for line in file.read_text().splitlines()[1:])
    found = []
    for first, histories, points, crashes, orders, spare, day, trace in rows:
        found.append(Run(int(first), int(histories), int(points), int(crashes), int(orders), int(spare), day, trace))
    return sorted(found)


def overlapping(runs: list[Run]) -> list[tuple[Run, Run]]:
    ordered = sorted(runs)
    return [(one, two) for one, two in pairwise(ordered) if one.first_seed + one.histories > two.first_seed]


def add(run: Run, file: Path = FILE) -> None:
    """ValueError: some of these seeds were played already, and the same history proves nothing twice."""
    runs = sorted([*read(file), run])
    if overlapping(runs):
        raise ValueError(f"seeds {run.first_seed} to {run.first_seed + run.histories - 1}: some were played already")
    head = "\t".join(each.name for each in fields(Run))
    file.write_text("\n".join([head, *("\t".join(map(str, astuple(each))) for each in runs)]) + "\n")
