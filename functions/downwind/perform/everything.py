"""A hold over everything, and its end: one object over all environments, so that a stop is one write (docs/decisions/0019)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from downwind.errors import DownwindError, Refused
from downwind.model.catalog import Registered
from downwind.perform import applications, ledger, markers
from downwind.perform.look import View, load, observe_open
from downwind.perform.operate import check_repeated, rounds, then
from downwind.perform.world import World
from downwind.reconcile import names, words
from downwind.reconcile.facts import Fact, NewFact, Snapshot
from downwind.reconcile.wanted import Query

APPLICATIONS = 20
"""Applications with something open of which the answer tells,"""
LINES = 60
"""and lines in it. `downwind queue` has them all."""
_TRIES = 12
"""Others may hold and resume everything at the same moment."""


def hold_everything(
    world: World, verb: str, identifier: str, who: str, why: str | None, now: datetime, *, dry_run: bool
) -> dict[str, Any]:
    """What `Answer.document` has. Refused: there is nothing to resume."""
    for _ in range(_TRIES):
        ((facts, _cut),) = ledger.load(world.ledger, [Query(prefix=names.ALL_HOLDS, limit=20)])
        standing = next((fact for fact in facts if fact.body["request"] == identifier), None)
        if standing is not None:
            check_repeated(standing.body, {"id": identifier, "verb": verb, "who": who})
            return _answer(world, standing.body, "done", now)
        if verb == "resume" and (not facts or facts[0].body["verb"] != "hold"):
            raise Refused("nothing holds everything", fix="downwind status names what holds an environment")
        number = int(facts[0].body["n"]) + 1 if facts else 1
        body = {"kind": "all-hold", "n": number, "verb": verb, "request": identifier, "who": who, "why": why}
        if dry_run:
            return _answer(world, body, "would", now)
        if ledger.create(world.ledger, [NewFact(name=names.all_hold(number), body=body)])[0] is not None:
            return _answer(world, body, "done", now)
    raise Refused(
        "others hold and resume everything at the same moment", fix="look at downwind status, and order again"
    )


def _answer(world: World, body: Mapping[str, Any], state: str, now: datetime) -> dict[str, Any]:
    try:
        follows = _then(world, body, now)
    except DownwindError as error:
        follows = [f"what follows could not be looked up: {error}"]  # the hold stands all the same
    return {
        "request": body["request"],
        "application": None,
        "environment": None,
        "verb": body["verb"],
        "state": state,
        "sequence": body["n"],
        "says": words.of_body(body),
        "then": follows,
    }


def _then(world: World, body: Mapping[str, Any], now: datetime) -> list[str]:
    """What runs, waits or goes wherever something is open, by the very rules, with this object counted as written."""
    marked = markers.applications(world)
    found, _ = applications.readable(world.catalog, marked[:APPLICATIONS])
    fact = Fact(name=names.all_hold(int(body["n"])), body=body, created=now)
    told: Sequence[list[str]] = world.side_by_side([partial(_of, world, each, fact, now) for each in found])
    lines = [line for each in told for line in each]
    more = [f"and {len(lines) - LINES} more lines: downwind queue"] if len(lines) > LINES else []
    if len(marked) > APPLICATIONS:
        more.append(f"and {len(marked) - APPLICATIONS} more applications with something open: downwind queue")
    return [*lines[:LINES], *more]


def _of(world: World, registered: Registered, fact: Fact, now: datetime) -> list[str]:
    found = View(registered=registered, snapshot=Snapshot())
    load(world, found)
    observe_open(world, found)
    found.snapshot.add([fact])
    *_, due = rounds(world, found, now)
    lines = [line for each in registered.application.environments for line in then(found, each.name, due)]
    return [f"{registered.application.name}: {line}" for line in dict.fromkeys(lines)]
