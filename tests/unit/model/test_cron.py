"""When a freeze window stands open: five cron fields, a length, and the clocks of its own time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.model.catalog import Freeze
from downwind.model.cron import LONGEST, frozen_until, read_cron, read_length, read_timezone

MINUTE = timedelta(minutes=1)
ZONES = ["UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
# Both changes of 2026 in each of the zones above, and a plain day.
CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 7, 15, 12, tzinfo=UTC),
]


def values(text: str, place: int) -> set[int]:
    fields = ["*"] * 5
    fields[place] = text
    return set(read_cron(" ".join(fields))[place])


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("*", 1, set(range(24))),
        ("7", 0, {7}),
        ("1,5,9", 0, {1, 5, 9}),
        ("8-11", 1, {8, 9, 10, 11}),
        ("*/20", 0, {0, 20, 40}),
        ("10-40/15", 0, {10, 25, 40}),
        ("50/5", 0, {50, 55}),
        ("JAN,mar", 3, {1, 3}),
        ("OCT-DEC", 3, {10, 11, 12}),
        ("MON-FRI", 4, {1, 2, 3, 4, 5}),
        ("FRI-7", 4, {5, 6, 0}),
        ("7", 4, {0}),
        ("SUN", 4, {0}),
        ("31", 2, {31}),
    ],
)
def test_a_cron_field_names_its_values(text: str, place: int, wanted: set[int]) -> None:
    assert values(text, place) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "60",
        "x",
        "",
        "1-",
        "-1",
        "1-2-3",
        "*/0",
        "5-1",
        "*/",
        "1/",
        "*-5",
        "+5",
        "1_0",
        "٣",
        "MON",
        "1.5",
        "*/x",
        "1,,2",
    ],
)
def test_what_is_no_minute_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"five fields|not a cron field|outside 0-59"):
        values(text, 0)


@pytest.mark.parametrize(
    ("text", "place"), [("24", 1), ("0", 2), ("32", 2), ("0", 3), ("13", 3), ("8", 4), ("SAT-SUN", 4)]
)
def test_a_value_outside_its_field_is_refused_with_the_bounds(text: str, place: int) -> None:
    with pytest.raises(ValueError, match=r"is outside \d-\d"):
        values(text, place)


def test_a_cron_has_exactly_five_fields() -> None:
    for text in ("* * * *", "* * * * * *", ""):
        with pytest.raises(ValueError, match="five fields"):
            read_cron(text)


def test_lengths_are_seconds_from_a_minute_to_31_days() -> None:
    assert [read_length(text) for text in ("1m", "90m", "64h", "3d", "31d")] == [60, 5400, 230400, 259200, LONGEST]
    for text in ("0m", "32d", "745h", "64", "h", "-1h", "1.5h", "1w", "٣h", "1h "):
        with pytest.raises(ValueError, match="is not a length of 1m to 31d"):
            read_length(text)


def test_a_time_zone_has_to_exist() -> None:
    assert read_timezone("Europe/Vienna").key == "Europe/Vienna"
    for name in ("Europe/Atlantis", "Europe", "../etc/passwd", "/etc/passwd", "a" * 1000, "a\0b"):
        with pytest.raises(ValueError, match="is not a time zone"):
            read_timezone(name)


def open_at(freeze: Freeze, *moment: int) -> str | None:
    """At that wall time of Vienna; the end is given back as wall time too."""
    zone = ZoneInfo("Europe/Vienna")
    until = frozen_until(freeze, datetime(*moment, tzinfo=zone).astimezone(UTC))  # type: ignore[misc, arg-type]  # year to minute
    return f"{until.astimezone(zone):%m-%d %H:%M}" if until else None


def test_the_weekend_of_the_catalogs_example_is_frozen_to_the_minute() -> None:
    weekend = Freeze(cron="0 16 * * FRI", lasts=64 * 3600, timezone="Europe/Vienna")
    assert open_at(weekend, 2026, 11, 27, 15, 59) is None
    assert open_at(weekend, 2026, 11, 27, 16, 0) == "11-30 08:00"
    assert open_at(weekend, 2026, 11, 30, 7, 59) == "11-30 08:00"
    assert open_at(weekend, 2026, 11, 30, 8, 0) is None


def test_the_end_is_given_in_utc() -> None:
    freeze = Freeze(cron="0 16 * * FRI", lasts=3600, timezone="Europe/Vienna")
    until = frozen_until(freeze, datetime(2026, 11, 27, 16, 30, tzinfo=ZoneInfo("Europe/Vienna")))
    assert until is not None
    assert (until, until.utcoffset()) == (datetime(2026, 11, 27, 16, 0, tzinfo=UTC), timedelta())


def test_windows_that_overlap_end_with_the_last() -> None:
    hourly = Freeze(cron="0 * * * *", lasts=90 * 60, timezone="UTC")
    assert frozen_until(hourly, datetime(2026, 11, 24, 12, 10, tzinfo=UTC)) == datetime(
        2026, 11, 24, 13, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 0 1 * *", {1}),
        ("0 0 * * SUN", {7, 14, 21, 28}),
        ("0 0 1 * SUN", {1, 7, 14, 21, 28}),  # where both are restricted, one of them is enough
        ("0 0 1-31 * SUN", {7, 14, 21, 28}),
        ("0 0 1 * 0-6", {1}),
        ("0 0 1 * 0-5,7", {*range(1, 31)} - {6, 13, 20, 27}),  # Saturdays are restricted
        ("0 0 1 7 *", set()),
    ],
)
def test_days_join_as_in_cron(cron: str, days: set[int]) -> None:
    freeze = Freeze(cron=cron, lasts=60)
    june = range(1, 31)
    assert {day for day in june if frozen_until(freeze, datetime(2026, 6, day, tzinfo=UTC))} == days


def test_a_window_whose_beginning_the_clocks_skip_opens_after_the_gap() -> None:
    night = Freeze(cron="30 2 * * *", lasts=3600, timezone="Europe/Vienna")
    assert open_at(night, 2026, 3, 29, 1, 59) is None
    assert open_at(night, 2026, 3, 29, 3, 0) == "03-29 04:00"
    assert open_at(night, 2026, 3, 28, 3, 0) == "03-28 03:30"


def test_a_beginning_that_comes_twice_opens_the_window_twice() -> None:
    night = Freeze(cron="30 2 * * *", lasts=1800, timezone="Europe/Vienna")
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert frozen_until(night, first) == first + 30 * MINUTE
    assert frozen_until(night, first + 30 * MINUTE) is None
    assert frozen_until(night, second) == second + 30 * MINUTE


def opens(fields: list[set[int]], wall: datetime) -> bool:
    """Written the other way round than the code: from what crontab(5) says."""
    minute, hour, day, month, weekday = fields
    in_time = wall.minute in minute and wall.hour in hour and wall.month in month
    restricted_day, restricted_weekday = len(day) < 31, len(weekday) < 7
    day_fits, weekday_fits = wall.day in day, (wall.weekday() + 1) % 7 in weekday
    if restricted_day and restricted_weekday:
        return in_time and (day_fits or weekday_fits)
    return in_time and day_fits and weekday_fits


def model(fields: list[set[int]], lasts: int, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Forward from long before, each minute of UTC with all the wall minutes that passed since the one before."""
    until = None
    moment = now - timedelta(seconds=lasts) - 3 * 60 * MINUTE
    shown = moment.astimezone(zone).replace(tzinfo=None)
    while moment < now:
        moment += MINUTE
        wall = moment.astimezone(zone).replace(tzinfo=None)
        passed = [wall]
        while passed[0] - MINUTE > shown:
            passed.insert(0, passed[0] - MINUTE)
        if any(opens(fields, each) for each in passed):
            until = moment + timedelta(seconds=lasts)
        shown = wall
    return until if until is not None and until > now else None


def numbers(low: int, high: int) -> st.SearchStrategy[set[int]]:
    whole = set(range(low, high + 1))
    return st.just(whole) | st.sets(st.integers(low, high), min_size=1, max_size=4)


@given(
    zone=st.sampled_from(ZONES),
    change=st.sampled_from(CHANGES),
    offset=st.integers(-300, 300),
    lasts=st.integers(1, 240),
    minute=numbers(0, 59),
    hour=numbers(0, 5) | numbers(0, 23),
    day=numbers(1, 31),
    month=st.just(set(range(1, 13))) | numbers(1, 12),
    weekday=numbers(0, 6),
)
def test_a_freeze_is_open_exactly_when_a_clock_that_runs_forward_says_so(
    zone: str,
    change: datetime,
    offset: int,
    lasts: int,
    minute: set[int],
    hour: set[int],
    day: set[int],
    month: set[int],
    weekday: set[int],
) -> None:
    fields = [minute, hour, day, month, weekday]
    cron = " ".join(",".join(map(str, sorted(each))) for each in fields)
    now = change + offset * MINUTE
    freeze = Freeze(cron=cron, lasts=lasts * 60, timezone=zone)
    assert frozen_until(freeze, now) == model(fields, lasts * 60, ZoneInfo(zone), now)


@given(st.text(max_size=30))
def test_any_text_is_a_cron_a_length_and_a_zone_or_a_value_error(text: str) -> None:
    for read in (read_cron, read_length, read_timezone):
        try:
            read(text)
        except ValueError as error:
            assert str(error)
