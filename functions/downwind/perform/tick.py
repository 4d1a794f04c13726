"""The minute's round: what is open, then the patrol of repositories, then what Pub/Sub gave up on."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from downwind import logs
from downwind.errors import DownwindError
from downwind.model.catalog import Registered, RepositoryAddress
from downwind.model.patterns import ref_matches, repository_key
from downwind.perform import applications, markers, parking
from downwind.perform.reconciler import ask_tips, reconcile
from downwind.perform.world import World
from downwind.ports import NewObject, StoredObject
from downwind.reconcile import names
from downwind.reconcile.facts import Hints, RefTip, Snapshot

APPLICATIONS = 200
"""Applications reconciled in one run,"""
BUDGET = 240.0
"""and seconds spent on them."""
PATROL_SLOTS = 60
_INDEXED = re.compile(r"index/repository/(?P<key>[0-9a-f]{32})/(?P<name>[^/]+)")


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
    period = int(published.timestamp()) // world.timing.tick
    lock = _lock(world, period)
    if lock is not None and int(lock.created.timestamp()) // world.timing.tick > period + 1:
        # Delivered late, perhaps with many others: all of them together are one tick, that of now.
        period = int(lock.created.timestamp()) // world.timing.tick
        lock = _lock(world, period)
    if lock is None:
        return "another instance has this tick"
    began = world.monotonic()
    done = _open(world, lock.created, period, began)
    parking.tell_waiting(world, lock.created)
    _patrol(world, lock.created, period, began)
    dead = parking.dead_letters(world)
    return f"{done} applications, {dead} dead letters"


def _lock(world: World, period: int) -> StoredObject | None:
    return world.work.create(NewObject(name=f"tick/{period}", data=b"{}"))


def _open(world: World, now: datetime, tick_id: int, began: float) -> int:
    """Reconciles every application with a marker."""
    groups: dict[str, list[StoredObject]] = {}
    for each in world.work.list("open/"):
        groups.setdefault(each.name.split("/")[1], []).append(each)
    groups.pop(parking.PARKED, None)
    done = 0
    for name in _turn(sorted(groups), tick_id):
        if world.monotonic() - began > BUDGET:
            break
        _application(world, name, groups[name], now, tick_id)
        done += 1
    return done


def _turn(ordered: list[str], tick_id: int) -> list[str]:
    """The applications of one run: where there are more than it takes, each tick goes on where the one before it ended; and it
    begins anywhere among them, so that a few slow ones never starve the rest."""
    start = tick_id * APPLICATIONS % len(ordered) if len(ordered) > APPLICATIONS else 0
    chosen = (ordered[start:] + ordered[:start])[:APPLICATIONS]
    first = int(names.h8(str(tick_id)), 16) % len(chosen) if chosen else 0
    return chosen[first:] + chosen[:first]


def _application(world: World, name: str, listed: Sequence[StoredObject], now: datetime, tick_id: int) -> None:
    """One application that can't be read must not stop the others: its markers stand, the next tick tries again."""
    try:
        found, may_go = markers.read(world, listed, now)
        hints = Hints()
        for each in found.values():
            hints |= each
        (registered,) = applications.read(world.catalog, [name]) or [None]
        left = reconcile(world, registered, hints, now, tick=tick_id) if registered else None
        markers.close(world, name, tick_id, found, may_go, left)
    except DownwindError as error:
        logs.error(f"left open: {error}", application=name)
    except Exception as error:
        # The text may hold anything.
        logs.error(f"left open: {type(error).__name__}", application=name)


def _patrol(world: World, now: datetime, tick_id: int, began: float) -> None:
    """Asks every repository once in sixty ticks, so that a push which nobody announced is found."""
    groups: dict[str, set[str]] = {}
    for each in world.catalog.list("index/repository/"):
        match = _INDEXED.fullmatch(each.name)
        if match is None:
            continue  # not written by us
        key, name = match["key"], match["name"]
        if int(key[:8], 16) % PATROL_SLOTS == tick_id % PATROL_SLOTS:
            groups.setdefault(f"index/repository/{key}/", set()).add(name)
    for prefix, applications_of in sorted(groups.items()):
        if world.monotonic() - began > BUDGET:
            break
        try:
            found, unreadable = applications.readable(world.catalog, sorted(applications_of))
            for problem in unreadable:
                logs.error(f"patrol: {problem}")
            # Under its other names a repository has slots of its own.
            _ask(world, [each for each in found if _index(each) == prefix], now, tick_id)
        except DownwindError as error:
            logs.warning(f"patrol: {error}")
        except Exception as error:
            # One repository must not stop the others; the text may hold anything.
            logs.error(f"patrol: {type(error).__name__}", repository=prefix)


def _index(registered: Registered) -> str:
    return names.repository_index(repository_key(registered.application.repository.address))


def _ask(world: World, found: Sequence[Registered], now: datetime, tick_id: int) -> None:
    """What it finds open gets a marker, so that the ticks go on with it. A marker that is lost here costs one patrol."""
    tips: dict[RepositoryAddress, dict[str, RefTip]] = {}
    for registered in found:
        application = registered.application
        if application.repository not in tips:
            tips[application.repository] = dict(ask_tips(world, application.repository) or {})
        known = tips[application.repository]
        fed = {ref for ref in known if any(ref_matches(each.refs, ref) for each in application.environments)}
        if not fed:
            continue
        left = reconcile(
            world, registered, Hints(refs=frozenset(fed)), now, tick=tick_id, snapshot=Snapshot(tips=known)
        )
        if left is not None:
            world.work.create(markers.of_round(application.name, f"patrol-{tick_id}", left))
