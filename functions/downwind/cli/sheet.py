"""A table that may be looked at again: as columns for people, or as one line for each row that has changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from downwind.cli.output import ago, columns, moment

Cell = str | datetime | None
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The first `key` cells say which row it is; several rows may have one key. A time is an age among columns and a moment
    in a line. `notes` stand below the rows, or instead of them. `gone`: what a line says of a row that is there no more;
    None: nothing."""

    headings: tuple[str, ...]
    key: int
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    gone: str | None = None

    def lines(self, now: datetime) -> list[str]:
        if not self.rows:
            return list(self.notes)
        rows = [[ago(cell, now) if isinstance(cell, datetime) else cell for cell in row] for row in self.rows]
        return [*columns(self.headings, rows), *self.notes]


class Changes:
    """What is new from one look to the next, as lines that fit under each other as far as can be known."""

    def __init__(self) -> None:
        self._known: dict[Row, list[Row]] | None = None
        self._notes: tuple[str, ...] = ()
        self._widths: list[int] = []

    def lines(self, sheet: Sheet, now: datetime) -> Iterator[str]:
        """Of the first look every row, under the headings. A row that only grew older is no change."""
        found: dict[Row, list[Row]] = {}
        for row in sheet.rows:
            found.setdefault(row[: sheet.key], []).append(row)
        known = self._known or {}
        changed = [row for key, rows in found.items() for row in rows if row not in known.get(key, ())]
        lost = [(*key, sheet.gone) for key in known if key not in found] if sheet.gone is not None else []
        written = [[moment(now) or "", *map(_text, row)] for row in (*lost, *changed)]
        first = self._known is None
        self._known = found
        if first and written:
            written.insert(0, ["TIME", *sheet.headings])
        self._widen(written)
        for line in written:
            yield "   ".join(cell.ljust(width) for cell, width in zip(line, self._widths, strict=False)).rstrip()
        yield from (note for note in sheet.notes if note not in self._notes)
        self._notes = sheet.notes

    def _widen(self, lines: Sequence[Sequence[str]]) -> None:
        self._widths += [0] * (max(map(len, lines), default=0) - len(self._widths))
        for line in lines:
            # The last cell is a sentence: nothing stands behind it.
            for index, cell in enumerate(line[:-1]):
                self._widths[index] = max(self._widths[index], len(cell))


def _text(cell: Cell) -> str:
    return (moment(cell) if isinstance(cell, datetime) else cell) or "-"
