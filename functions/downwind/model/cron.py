"""Freeze windows: when one stands open. Five cron fields (minute hour day month weekday): `*`, lists, ranges, steps, names."""

import re
from datetime import datetime, timedelta
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
_LENGTH = re.compile(r"(\d{1,4})(m|h|d)")
_UNITS = {"m": 60, "h": 3600, "d": 86400}
LONGEST = 31 * 86400


def read_length(text: str) -> int:
    """`90m`, `64h`, `3d` in seconds, at most 31 days. ValueError otherwise."""
    match = _LENGTH.fullmatch(text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"{text!r} is not a length of 1m to 31d")
    return seconds


def read_cron(text: str) -> tuple[frozenset[int], ...]:
    """The allowed values of the five fields. ValueError with the field's number otherwise."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} does not have five fields")
    return tuple(_read_field(field, *bounds) for field, bounds in zip(fields, _FIELDS, strict=True))


def _read_field(text: str, low: int, high: int, names: list[str]) -> frozenset[int]:
    found: set[int] = set()
    offset = 1 if names is _MONTHS else 0
    for part in text.upper().split(","):
        body, _, step = part.partition("/")
        first, dash, last = body.partition("-")
        try:
            ends = [names.index(end) + offset if end in names else int(end) for end in (first, last or first)]
            by = int(step or 1)
        except ValueError:
            if body != "*" or (step and not step.isdigit()):
                raise ValueError(f"{part!r} is not a cron field") from None
            ends, by = [low, high], int(step or 1)
        if step and not dash and body != "*":
            ends[1] = high
        if not (low <= ends[0] <= ends[1] <= high and by > 0):
            raise ValueError(f"{part!r} is outside {low}-{high}")
        found.update(range(ends[0], ends[1] + 1, by))
    if names is _DAYS and 7 in found:
        found.add(0)
    return frozenset(found)


def frozen_until(freeze: Freeze, now: datetime) -> datetime | None:
    """The end of the window of `freeze` that is open at `now`, else None. Looks back minute by minute over whole local time."""
    minutes, hours, days, months, weekdays = read_cron(freeze.cron)
    any_day, any_weekday = len(days) == 31, len(weekdays) >= 7
    zone = ZoneInfo(freeze.timezone)
    moment = now.replace(second=0, microsecond=0)
    for _ in range(freeze.lasts // 60):
        local = moment.astimezone(zone)
        if local.minute in minutes and local.hour in hours and local.month in months:
            day, weekday = local.day in days, local.isoweekday() % 7 in weekdays
            # As in cron: where both days are restricted, one of them is enough.
            if (day and weekday) if any_day or any_weekday else (day or weekday):
                return moment + timedelta(seconds=freeze.lasts)
        moment -= timedelta(minutes=1)
    return None
