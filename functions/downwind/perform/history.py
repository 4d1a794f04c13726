"""The log of an application for people: each entry, who made it and why, and what became of it. Nothing here writes, or
decides anything of its own."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from downwind.model.catalog import Environment, Registered
from downwind.perform import ledger
from downwind.perform.look import Standing, View, environments, standing, view
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import Fact
from downwind.reconcile.log import LogEntry, read_entry, standing_hold
from downwind.reconcile.releases import FAILED, build_prefix
from downwind.reconcile.rollouts import Rollout, read_rollouts
from downwind.reconcile.wanted import FACT_LIMIT, WHOLE_LIMIT, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The build whose images count, else the newest that is known. `log`: where Cloud Build says its log is."""

    id: str
    status: str
    log: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """An operator's answer to a manual judgment: `continue` or `stop`."""

    decision: str
    who: str
    why: str | None
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One entry of a log. `standing` says what became of it. Beside the states of `look` there are `passed over`: a newer entry
    was triggered first; and, of an order that brings no release, `holds` while that hold stands, and `done`. `started` and
    `ended` are its first claim and its outcome."""

    environment: Environment
    entry: LogEntry
    standing: Standing
    judgments: tuple[Judgment, ...] = ()
    started: datetime | None = None
    ended: datetime | None = None
    build: Build | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverAll:
    """A hold over everything, or its end. `holds`: it stands."""

    n: int
    verb: str
    request: str
    who: str
    why: str | None
    time: datetime
    holds: bool


OVER_ALL = "ALL"
"""Stands for what was ordered over everything where environments are named: no environment can be called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Newest first. `following`: by environment (or OVER_ALL) the entry with which the next page begins; empty: that was all."""

    entries: tuple[Past | OverAll, ...]
    following: Mapping[str, int]
    silent: str | None = None


def history(
    world: World,
    registered: Registered,
    places: Sequence[Environment],
    now: datetime,
    *,
    limit: int,
    start: Mapping[str, int] | None = None,
) -> Page:
    """At most `limit` entries of these environments, among them what was ordered over everything. `start`: `following` of the
    page before; an environment that is not in it has no more. Costs a look at the application, one list for each environment and
    one more, and up to three for each entry."""
    chosen: list[Environment | None] = [each for each in places if start is None or each.name in start]
    chosen += [None] if start is None or OVER_ALL in start else []
    lists = world.side_by_side([partial(_log, world, registered, each, limit, start or {}) for each in chosen])
    merged = heapq.merge(
        *([(each, fact) for fact in facts] for each, facts in zip(chosen, lists, strict=True)),
        key=lambda pair: pair[1].created,
        reverse=True,
    )
    both = [pair for pair, _ in zip(merged, range(limit), strict=False)]
    taken = [(each, fact) for each, fact in both if each is not None]
    shown = {fact.name for _, fact in both}
    left = {
        each.name if each is not None else OVER_ALL: min(facts, key=lambda fact: fact.name)
        for each, listed in zip(chosen, lists, strict=True)
        if (facts := [fact for fact in listed if fact.name not in shown])
    }
    found = view(world, registered, now)
    open_entries = {
        (place.environment.name, each.n): each
        for place in environments(found)
        for each in (*place.running, *place.next)
    }
    builds = _load(world, found, taken)
    return Page(
        entries=tuple(
            _past(found, each, fact, open_entries, builds)
            if each is not None
            else _over_all(fact, found.snapshot.under(names.ALL_HOLDS))
            for each, fact in both
        ),
        following={name: int(fact.body["n"]) for name, fact in left.items()},
        silent=found.silent,
    )


def history_over_all(world: World, *, limit: int, start: Mapping[str, int] | None = None) -> Page:
    """What was ordered over everything, alone."""
    first = (start or {}).get(OVER_ALL)
    begin = names.all_hold(first) if first else None
    facts = ledger.page(world.ledger, names.ALL_HOLDS, limit=limit + 1, start=begin)
    newest = facts[:1] if first is None else ledger.page(world.ledger, names.ALL_HOLDS, limit=1)
    following = {OVER_ALL: int(facts[limit].body["n"])} if len(facts) > limit else {}
    return Page(entries=tuple(_over_all(each, newest) for each in facts[:limit]), following=following)


def _over_all(fact: Fact, newest: Sequence[Fact]) -> OverAll:
    body = fact.body
    return OverAll(
        n=int(body["n"]),
        verb=body["verb"],
        request=body["request"],
        who=body["who"],
        why=body.get("why"),
        time=fact.created,
        holds=body["verb"] == "hold" and any(each.name == fact.name for each in newest[:1]),
    )


def _log(
    world: World, registered: Registered, environment: Environment | None, limit: int, start: Mapping[str, int]
) -> list[Fact]:
    application = registered.application.name
    if environment is None:
        first = start.get(OVER_ALL)
        begin = names.all_hold(first) if first else None
        return ledger.page(world.ledger, names.ALL_HOLDS, limit=limit + 1, start=begin)
    first = start.get(environment.name)
    return ledger.page(
        world.ledger,
        names.log(application, environment.name),
        limit=limit + 1,
        start=names.entry(application, environment.name, first) if first else None,
    )


def _load(world: World, found: View, taken: Sequence[tuple[Environment, Fact]]) -> Mapping[str, Build]:
    """The rollouts of these entries into the snapshot; and the builds of their commits."""
    registered = found.registered
    application = registered.application.name
    rollouts = [names.rollout(application, each.name, int(fact.body["n"])) for each, fact in taken]
    commits = dict.fromkeys(str(fact.body["commit"]) for _, fact in taken if fact.body.get("commit"))
    prefixes = {commit: prefix for commit in commits if (prefix := build_prefix(registered, commit))}
    queries = [Query(prefix=prefix, limit=WHOLE_LIMIT) for prefix in rollouts]
    for prefix in prefixes.values():
        queries += [Query(prefix=f"{prefix}winner", limit=1), Query(prefix=f"{prefix}event/", limit=FACT_LIMIT)]
    if not queries:
        return {}
    loaded = ledger.load(world.ledger, queries)
    for query, (facts, _) in zip(queries, loaded, strict=True):
        found.snapshot.add(facts)
        found.snapshot.loaded[query.prefix] = False
    return {commit: build for commit, prefix in prefixes.items() if (build := _build(found, prefix))}


def _build(found: View, prefix: str) -> Build | None:
    winner = found.snapshot.facts.get(f"{prefix}winner")
    events = found.snapshot.under(f"{prefix}event/")
    fact = winner or max(events, key=lambda fact: fact.created, default=None)
    return Build(id=fact.body["build"], status=fact.body["status"], log=fact.body.get("log")) if fact else None


def _past(
    found: View,
    environment: Environment,
    fact: Fact,
    open_entries: Mapping[tuple[str, int], Standing],
    builds: Mapping[str, Build],
) -> Past:
    entry = read_entry(fact)
    rollout = read_rollouts(found.registered.application, environment, found.snapshot).get(entry.n)
    build = builds.get(entry.commit)
    now = open_entries.get((environment.name, entry.n)) or _standing(found, environment, entry, rollout, build)
    claims = rollout.claims.values() if rollout else ()
    beside = found.snapshot.under(names.rollout(found.registered.application.name, environment.name, entry.n))
    return Past(
        environment=environment,
        entry=entry,
        standing=now,
        judgments=tuple(_judgment(each) for each in beside if each.body.get("kind") == "judgment"),
        started=min((claim.created for claim in claims), default=None),
        ended=now.since if rollout is not None and rollout.outcome is not None else None,
        build=build,
    )


def _judgment(fact: Fact) -> Judgment:
    body = fact.body
    return Judgment(decision=body["decision"], who=body["who"], why=body.get("why"), time=fact.created)


def _standing(
    found: View, environment: Environment, entry: LogEntry, rollout: Rollout | None, build: Build | None
) -> Standing:
    if rollout is not None and (rollout.claims or rollout.outcome is not None):
        return standing(found, environment, rollout, {entry.n: entry})
    if not entry.release and not entry.rollback:
        hold = standing_hold(found.registered.application, environment, found.snapshot)
        state = "holds" if hold is not None and hold.n == entry.n else "done"
        return Standing(n=entry.n, commit=entry.commit, by=entry.by, state=state)
    failed = build is not None and build.status in FAILED
    reason = f"build {build.id} ended {build.status}" if build and failed else "a newer entry was triggered first"
    return Standing(n=entry.n, commit=entry.commit, by=entry.by, state="passed over", reason=reason)
