"""A figure: samples in one unit, what the same measurement gave for a bare functions-framework, and the limit if there is one."""

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`limit` is for `judged`: the ratio, the p50 or the difference to the bare function, as `limit_on` says."""

    name: str
    unit: str
    samples: Sequence[float]
    bare: Sequence[float] = ()
    limit: float | None = None
    limit_on: str = "ratio"

    @property
    def p50(self) -> float:
        return percentile(self.samples, 50)

    @property
    def p95(self) -> float:
        return percentile(self.samples, 95)

    @property
    def bare_p50(self) -> float | None:
        return percentile(self.bare, 50) if self.bare else None

    @property
    def ratio(self) -> float | None:
        """Median to median."""
        return self.p50 / self.bare_p50 if self.bare_p50 else None

    @property
    def judged(self) -> float | None:
        match self.limit_on:
            case "ratio":
                return self.ratio
            case "above":
                return self.p50 - self.bare_p50 if self.bare_p50 is not None else None
            case _:
                return self.p50

    @property
    def over(self) -> bool:
        return self.limit is not None and self.judged is not None and self.judged > self.limit

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "n": len(self.samples),
            "p50": _rounded(self.p50),
            "p95": _rounded(self.p95),
            "bare_p50": _rounded(self.bare_p50),
            "ratio": _rounded(self.ratio),
            "limit": self.limit,
            "limit_on": self.limit_on if self.limit is not None else None,
            "judged": _rounded(self.judged) if self.limit is not None else None,
            "over": self.over,
        }


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest rank: a value that was measured."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def report(figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "figures": [figure.as_json() for figure in figures],
    }


def table(figures: Sequence[Figure]) -> str:
    head = ("figure", "n", "p50", "p95", "unit", "bare p50", "ratio", "limit")
    rows = [head, *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([first.strip().ljust(widths[0]), *rest]).rstrip())
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    limit = ""
    if figure.limit is not None:
        limit = f"{figure.limit_on} {_text(figure.judged)} <= {_text(figure.limit)}{' OVER' if figure.over else ''}"
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    numbers = (_text(figure.p50), _text(figure.p95), figure.unit, _text(figure.bare_p50), ratio, limit)
    return (figure.name, str(len(figure.samples)), *numbers)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
