"""Markers in the work bucket: what is open, with the hints for those who go on with it. A marker is written before the facts
of its event; only the tick deletes one, and only when all that its event says was written down before the facts were read."""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from downwind.perform.world import World
from downwind.ports import NewObject, StoredObject
from downwind.reconcile import names
from downwind.reconcile.due import ANNOUNCED
from downwind.reconcile.facts import Hints, NewFact

METADATA_LIMIT = 4000
"""Hints up to this size stand in the metadata too, so that a list is enough."""
FORSAKEN = timedelta(hours=1)
"""Longer than any worker lives and any message waits for its next delivery: a marker without a record is nobody's by then."""
LISTED = 5000
"""Markers of which `applications` tells."""
_EVENT = re.compile(r"[0-9a-f]{64}")


def of_event(application: str, event_prefix: str, hints: Hints) -> NewObject:
    return _new(names.marker(application, event_prefix), hints)


def of_round(application: str, round_name: str, hints: Hints) -> NewObject:
    """What a tick or a patrol left open; all it is about stands in the ledger already."""
    return _new(f"open/{application}/{round_name}", hints)


def _new(name: str, hints: Hints) -> NewObject:
    body = {
        "v": 1,
        "refs": sorted(hints.refs),
        "commits": sorted(hints.commits),
        "requests": sorted(map(list, hints.requests)),
        "executions": sorted(hints.executions),
        "notices": sorted(map(list, hints.notices)),
    }
    data = json.dumps(body).encode()
    return NewObject(name=name, data=data, metadata={"hints": data.decode()} if len(data) <= METADATA_LIMIT else {})


def read_hints(data: bytes | str) -> Hints:
    """Of every revision: what an older one did not know is empty."""
    body = json.loads(data)
    return Hints(
        refs=frozenset(body.get("refs", ())),
        commits=frozenset(body.get("commits", ())),
        requests=frozenset((environment, identifier) for environment, identifier in body.get("requests", ())),
        executions=frozenset(body.get("executions", ())),
        notices=frozenset((environment, n) for environment, n in body.get("notices", ())),
    )


def applications(world: World) -> list[str]:
    """Those with something open; folders that are none begin with `_`."""
    found = {each.name.split("/")[1] for each in world.work.list("open/", limit=LISTED)}
    return sorted(name for name in found if not name.startswith("_"))


def read(world: World, listed: Sequence[StoredObject], now: datetime) -> tuple[dict[str, Hints], set[str]]:
    """Hints by marker; and the names of those that may go once nothing is open. Read this before the facts."""
    events = [each for each in listed if _EVENT.fullmatch(_leaf(each))]
    large = [each.name for each in listed if "hints" not in each.metadata]
    recorded, bodies = world.side_by_side(
        [
            lambda: world.ledger.read_all([f"event/{_leaf(each)}/recorded" for each in events]),
            lambda: world.work.read_all(large),
        ]
    )
    found = {each.name: read_hints(each.metadata["hints"]) for each in listed if "hints" in each.metadata}
    found |= {each.name: read_hints(each.data) for each in bodies if each is not None and each.data is not None}
    # What an execution is about stands in Gate, not in facts: its marker waits for nothing.
    waiting = {
        each.name
        for each, fact in zip(events, recorded, strict=True)
        if fact is None and not forsaken(each, now) and not found.get(each.name, Hints()).executions
    }
    return found, {each.name for each in listed} - waiting


def forsaken(marker: StoredObject, now: datetime) -> bool:
    return now - marker.created > FORSAKEN


def close(
    world: World, application: str, tick_id: int, found: dict[str, Hints], may_go: set[str], left: Hints | None
) -> None:
    """Deletes what may go. Where something is open yet, one marker with what is left takes the place of all."""
    if left is not None:
        if not may_go or (len(may_go) == 1 and found.get(next(iter(may_go))) == left):
            return
        if world.work.create(of_round(application, f"tick-{tick_id}", left)) is None:
            return
    world.side_by_side([partial(world.work.delete, name) for name in sorted(may_go)])


def announced_releases(facts: Sequence[NewFact]) -> frozenset[str]:
    """Commits of the releases of which one of these is to be announced. A decision reads a release only until a newer entry is
    claimed; what is announced of rollouts stands in their own list."""
    return frozenset(
        str(fact.body["commit"])
        for fact in facts
        if fact.name.startswith("release/") and fact.body["kind"] in ANNOUNCED
    )


def of_release(application: str, commit: str, now: datetime) -> NewObject:
    """By a new name: a tick that read before may be about to delete whatever stands already."""
    name = f"release-{commit}-{int(now.timestamp() * 1000)}"
    return of_round(application, name, Hints(commits=frozenset({commit})))


def _leaf(marker: StoredObject) -> str:
    return marker.name.rpartition("/")[2]
