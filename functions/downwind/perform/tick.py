"""The minute's round: what is open, what is to be replayed, the patrol, then what Pub/Sub gave up on."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from downwind import logs
from downwind.errors import DownwindError
from downwind.perform import applications, markers, parking, replay
from downwind.perform.moment import Moment, moment_of
from downwind.perform.patrol import patrol
from downwind.perform.reconciler import reconcile
from downwind.perform.turns import turn
from downwind.perform.world import World
from downwind.ports import NewObject, StoredObject
from downwind.reconcile.facts import Hints

T = TypeVar("T")
APPLICATIONS = 200
"""Applications reconciled in one run,"""
BUDGET = 180.0
"""and seconds spent on them; the patrol has its own."""
NOTICES = 16
"""Notices sent side by side,"""
NOTICES_BUDGET = 60.0
"""and seconds after which no more are begun."""


def time_of(published: str | None, now: datetime) -> datetime:
    """When the message was published (RFC 3339; without a zone, UTC); `now` where it does not say so in a form that can be
    read, since sending it again would not help."""
    try:
        time = datetime.fromisoformat(published or "")
    except ValueError:
        return now
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def tick(world: World, published: datetime) -> str:
    """One run for each period: the tick's own object is the lock and the clock. Says how the run went."""
    asked = world.monotonic()
    period = int(published.timestamp()) // world.timing.tick
    lock = _lock(world, period)
    if lock is not None and int(lock.created.timestamp()) // world.timing.tick > period + 1:
        # Delivered late, perhaps with many others: all of them together are one tick, that of now.
        period = int(lock.created.timestamp()) // world.timing.tick
        asked = world.monotonic()
        lock = _lock(world, period)
    if lock is None:
        return "another instance has this tick"
    now = lock.created
    moment = moment_of(world, now, asked)
    if moment is None:
        return "its own object took too long; the next tick goes on"
    marked = _attempt("the markers", partial(_marked, world)) or {}
    replays = [each.name for each in marked.pop(replay.FOLDER, [])]
    marked.pop(parking.PARKED, None)
    notices: list[Callable[[], None]] = []
    done = _open(world, marked, moment, period, notices)
    replayed = replay.replay_all(world, turn(replays, period, replay.LIMIT))
    _attempt("untold messages", partial(parking.find_untold, world, period))
    _attempt("what is parked", partial(parking.tell_waiting, world, now))
    _attempt("the patrol", partial(patrol, world, moment, period))
    dead = parking.dead_letters(world)
    _notify(world, notices)
    return f"{done} applications, {replayed} replays, {dead} dead letters"


def _attempt(what: str, part: Callable[[], T]) -> T | None:
    """A part that fails must not take the others with it: this tick comes only once."""
    try:
        return part()
    except DownwindError as error:
        logs.error(f"tick: {what}: {error}")
        return None


def _lock(world: World, period: int) -> StoredObject | None:
    return world.work.create(NewObject(name=f"tick/{period}", data=b"{}"))


def _marked(world: World) -> dict[str, list[StoredObject]]:
    """Markers by application."""
    groups: dict[str, list[StoredObject]] = {}
    for each in world.work.list("open/"):
        groups.setdefault(each.name.split("/")[1], []).append(each)
    return groups


def _notify(world: World, notices: Sequence[Callable[[], None]]) -> None:
    """Last, and not for long: nothing else waits for them. What does not fit in is the next tick's."""
    began = world.monotonic()
    for start in range(0, len(notices), NOTICES):
        if world.monotonic() - began > NOTICES_BUDGET:
            break
        world.side_by_side(notices[start : start + NOTICES])


def _open(
    world: World,
    marked: Mapping[str, Sequence[StoredObject]],
    moment: Moment,
    tick_id: int,
    notices: list[Callable[[], None]],
) -> int:
    """Reconciles every application with a marker."""
    began = world.monotonic()
    done = 0
    for name in turn(sorted(marked), tick_id, APPLICATIONS):
        if world.monotonic() - began > BUDGET:
            break
        _application(world, name, marked[name], moment.fresh(world), tick_id, notices)
        done += 1
    return done


def _application(
    world: World,
    name: str,
    listed: Sequence[StoredObject],
    moment: Moment,
    tick_id: int,
    notices: list[Callable[[], None]],
) -> None:
    """One application that can't be read must not stop the others: its markers stand, the next tick tries again."""
    try:
        found, may_go = markers.read(world, listed, moment.created)
        hints = Hints()
        for each in found.values():
            hints |= each
        (registered,) = applications.read(world.catalog, [name]) or [None]
        left = reconcile(world, registered, hints, moment, tick=tick_id, later=notices) if registered else None
        if not moment.late(world):
            markers.close(world, name, tick_id, found, may_go, left)
        elif left is not None:
            # Others were here meanwhile: their markers stay, and those of this one may be gone.
            world.work.create(markers.of_round(name, f"late-{tick_id}", left))
    except DownwindError as error:
        logs.error(f"left open: {error}", application=name)
    except Exception as error:
        # The text may hold anything.
        logs.error(f"left open: {type(error).__name__}", application=name)
