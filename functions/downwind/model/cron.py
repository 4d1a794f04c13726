"""Freeze windows: when one stands open. Five cron fields (minute hour day month weekday): `*`, lists, ranges, steps, names."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from downwind.model.catalog import Freeze

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, _MONTHS),
    (0, 7, _DAYS),
)
_PART = re.compile(r"(\*|[A-Z0-9]{1,4})(?:-([A-Z0-9]{1,4}))?(?:/([0-9]{1,4}))?", re.ASCII)
_LENGTH = re.compile(r"([0-9]{1,4})(m|h|d)")
_UNITS = {"m": 60, "h": 3600, "d": 86400}
LONGEST = 31 * 86400
_MINUTE = timedelta(minutes=1)


def read_length(text: str) -> int:
    """`90m`, `64h`, `3d` in seconds, at most 31 days. ValueError otherwise."""
    match = _LENGTH.fullmatch(text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"{text!r} is not a length of 1m to 31d")
    return seconds


def length(seconds: int) -> str:
    """As the catalog would write it."""
    unit = next(unit for unit in ("d", "h", "m") if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def read_cron(text: str) -> tuple[frozenset[int], ...]:
    """The allowed values of the five fields. ValueError with the field's number otherwise."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} does not have five fields")
    return tuple(_read_field(field, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True))


def _read_field(text: str, low: int, high: int, names: list[str]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.upper().split(","):
        match = _PART.fullmatch(part)
        if match is None or (match[1] == "*" and match[2]):
            raise ValueError(f"{part!r} is not a cron field")
        first, last, step = match[1], match[2], int(match[3] or 1)
        if first == "*":
            ends = (low, high)
        else:
            start = _value(first, names)
            # As in cron: one value with a step means from there to the end.
            ends = (start, _value(last, names) if last else high if match[3] else start)
        if not (low <= ends[0] <= ends[1] <= high and step > 0):
            raise ValueError(f"{part!r} is outside {low}-{high}")
        found.update(range(ends[0], ends[1] + 1, step))
    return frozenset(value % 7 for value in found) if names is _DAYS else frozenset(found)


def _value(text: str, names: list[str]) -> int:
    if text in names:
        return names.index(text) + (1 if names is _MONTHS else 0)
    if not text.isdigit():
        raise ValueError(f"{text!r} is not a cron field")
    return int(text)


def read_timezone(name: str) -> ZoneInfo:
    """ValueError for a name that the time zone database does not have."""
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        raise ValueError(f"{name!r} is not a time zone") from None


def frozen_until(freeze: Freeze, now: datetime) -> datetime | None:
    """The end of the window of `freeze` that is open at `now`, else None.

    Looks back minute by minute over local time. A minute that comes twice (clocks go back) opens a window twice; one that
    never comes (clocks go forward) opens it at the first minute after the gap.
    """
    return _frozen_until(freeze, now.astimezone(UTC).replace(second=0, microsecond=0))


@lru_cache(maxsize=256)
def _frozen_until(freeze: Freeze, moment: datetime) -> datetime | None:
    """A month's window is 44,640 minutes to look at, and one minute is asked about again and again."""
    fields = read_cron(freeze.cron)
    zone = read_timezone(freeze.timezone)
    local = _wall(moment, zone)
    for _ in range(freeze.lasts // 60):
        before = _wall(moment - _MINUTE, zone)
        if _opens(fields, local) or any(_opens(fields, each) for each in _between(before, local)):
            return moment + timedelta(seconds=freeze.lasts)
        moment, local = moment - _MINUTE, before
    return None


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows."""
    return moment.astimezone(zone).replace(tzinfo=None)


def _between(before: datetime, after: datetime) -> Iterator[datetime]:
    """The minutes that no clock showed; none but where it went forward."""
    while (before := before + _MINUTE) < after:
        yield before


def _opens(fields: tuple[frozenset[int], ...], local: datetime) -> bool:
    minutes, hours, days, months, weekdays = fields
    if local.minute not in minutes or local.hour not in hours or local.month not in months:
        return False
    day, weekday = local.day in days, local.isoweekday() % 7 in weekdays
    # As in cron: where both days are restricted, one of them is enough.
    return (day and weekday) if len(days) == 31 or len(weekdays) == 7 else (day or weekday)
