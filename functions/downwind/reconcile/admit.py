"""When something becomes an entry by itself: a ref's tip, an upstream's success (design.md section 4, Admit and Promotion)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise, zip_longest

from downwind.model.catalog import Application, Environment, Registered
from downwind.model.cron import length
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Hints, RefTip, Snapshot
from downwind.reconcile.log import LogEntry, new_entry, read_log, ref_fact
from downwind.reconcile.rollouts import read_rollouts
from downwind.reconcile.steps import Append, Collector, Compare, Record
from downwind.timing import Timing

NEAR = 5
"""Ticks between two answers that still count as one after the other: a tick may be missed or find the host silent."""
LINKS = 30
"""How many pushes the way from the newest entry to the tip may have before the two-tick rule decides instead."""
ROUNDS_IN_HANDLER = 2
"""Rounds of lists after which a handler leaves a longer way to the tick: a message costs the same, however far behind we are."""


def admit_tip(
    registered: Registered,
    environment: Environment,
    ref: str,
    snapshot: Snapshot,
    collector: Collector,
    now: datetime,
    timing: Timing,
) -> None:
    """Append an entry when the tip differs from the newest entry of the same ref, and recorded pushes link the two or the
    tip has answered the same on two ticks; on ten in a row where the ref has left that object before."""
    application = registered.application
    records = ref_records(application, environment, ref, snapshot)
    newest = records[0] if records else None
    if newest is not None and newest.body["kind"] == "entry":
        collector.keep(refs=frozenset({ref}))
        collector.add(Record(fact=ref_fact(application, newest.body)))
    if snapshot.tips is None:
        collector.keep(refs=frozenset({ref}))
        collector.wait(f"the repository to say where {ref} is", environment=environment.name)
        return
    tip = snapshot.tips.get(ref)
    still = newest is not None and tip is not None and newest.body["object"] == tip.object
    coming = None if tip is None or still else tip.object
    _await_push(application, environment, ref, records, snapshot, collector, now, timing, coming)
    if tip is None or still:
        return
    # The push that told of it too: where the entry can't be written now, the host may answer the next tick from before.
    told = snapshot.hints.commits & {tip.object}
    kept, collector.open = collector.open, collector.open | Hints(refs=frozenset({ref}), commits=told)
    via = _link(application, ref, tip, records, snapshot)
    if via is None:
        if snapshot.tick is None:
            collector.wait(
                f"two ticks on which {ref} answers the same: no recorded push leads there", environment=environment.name
            )
            return
        prefix = names.tip(application.name, environment.name, ref, tip.object)
        answers = [fact for fact in snapshot.under(prefix) if newest is None or fact.created > newest.created]
        back = any(tip.object in pair for pair in _spent(records))
        if not (_shown_for(answers, now, timing) if back else _shown_twice(answers, snapshot.tick, now, timing)):
            name = prefix + names.down(snapshot.tick)
            collector.record(
                name, kind="tip", environment=environment.name, ref=ref, object=tip.object, tick=snapshot.tick
            )
            collector.wait(f"the next tick to hear the same of {ref}", environment=environment.name)
            return
        via = ()
    if newest is not None and application.paths != ("**",):
        changed = snapshot.changed.get((newest.body["commit"], tip.commit))
        if changed is None:
            collector.add(Compare(before=newest.body["commit"], after=tip.commit))
            return
        if not changed:
            collector.open = kept
            return
    body: dict[str, object] = {"by": "push", "ref": ref, "commit": tip.commit, "object": tip.object, "via": list(via)}
    append(registered, environment, snapshot, collector, body)


def _await_push(
    application: Application,
    environment: Environment,
    ref: str,
    records: list[Fact],
    snapshot: Snapshot,
    collector: Collector,
    now: datetime,
    timing: Timing,
    coming: str | None,
) -> None:
    """A push that was told of, and of which the repository shows nothing: its answer may be one from before. It is asked again
    on the next ticks, for a while. `coming`: what is on its way into the log already."""
    spent = _spent(records)
    for commit in sorted(snapshot.hints.commits - {coming}):
        told = snapshot.under(names.pushes(application.name, ref, commit))
        new = [fact for fact in told if (fact.body["before"], commit) not in spent]
        if any((now - fact.created).total_seconds() < timing.show for fact in new):
            collector.keep(refs=frozenset({ref}), commits=frozenset({commit}))
            collector.wait(f"the repository to show {commit[:7]} on {ref}", environment=environment.name)


def _shown_twice(answers: list[Fact], tick: int, now: datetime, timing: Timing) -> bool:
    """Did an earlier tick, but one of the last few, hear the same, a period ago or more? Two stale answers that lie far apart,
    an answer from before the newest entry, or two ticks that were delivered at once, prove nothing."""
    apart = now - timedelta(seconds=timing.tick)
    return any(0 < tick - int(each.body["tick"]) <= NEAR and each.created <= apart for each in answers)


def _shown_for(answers: list[Fact], now: datetime, timing: Timing) -> bool:
    """Has every tick heard the same for as long as a host may lag? Going back is believed only then: an answer from before
    looks just like it."""
    recent = [each for each in answers if (now - each.created).total_seconds() < timing.show + 2 * timing.tick]
    return len(recent) >= timing.show // timing.tick


def append(
    registered: Registered, environment: Environment, snapshot: Snapshot, collector: Collector, body: dict[str, object]
) -> None:
    application = registered.application
    log = read_log(application, environment, snapshot)
    entry = new_entry(application, environment, log, {"generation": registered.generation, **body})
    manifests = application.manifests_of(environment)
    other = None
    if manifests.repository is not None and manifests.ref is not None:
        other = (manifests.repository.address, manifests.ref, manifests.repository.credentials)
    collector.add(Append(environment=environment.name, entry=entry, manifests=other))


def ref_records(application: Application, environment: Environment, ref: str, snapshot: Snapshot) -> list[Fact]:
    """The entries of one ref, newest first, the baseline last. An entry that has no pointer yet is found in the log itself."""
    prefix = names.ref(application.name, environment.name, ref)
    found = {fact.body["n"]: fact for fact in snapshot.under(prefix)}
    for fact in snapshot.under(names.log(application.name, environment.name)):
        if fact.body.get("ref") == ref:
            found.setdefault(fact.body["n"], fact)
    return [found[number] for number in sorted(found, reverse=True)]


def pushes_into(application: Application, ref: str, after: str | None, snapshot: Snapshot) -> Iterator[str | None]:
    """What recorded pushes of `ref` moved to `after`; None for a creation."""
    for fact in snapshot.under(names.pushes(application.name, ref, after)):
        yield fact.body["before"]


def _link(
    application: Application, ref: str, tip: RefTip, records: list[Fact], snapshot: Snapshot
) -> tuple[str | None, ...] | None:
    """The objects between the newest entry (or nothing) and the tip, over recorded pushes; None where they do not lead there.

    A push counts once: one that an older entry of the ref already went over proves nothing when a tip lags (A, B, A, then a
    stale B: the first push to B is no reason to go there again).
    """
    start = records[0].body["object"] if records else None
    spent = _spent(records)
    frontier: list[tuple[str | None, tuple[str | None, ...]]] = [(tip.object, ())]
    seen: set[str | None] = {tip.object}
    for _ in range(LINKS):
        following = []
        for after, way in frontier:
            for before in pushes_into(application, ref, after, snapshot):
                if (before, after) in spent:
                    continue
                if before == start:
                    return way
                if before not in seen:
                    seen.add(before)
                    following.append((before, (before, *way)))
        frontier = following
    return None


def _spent(records: list[Fact]) -> set[tuple[str | None, str | None]]:
    spent: set[tuple[str | None, str | None]] = set()
    for newer, older in zip_longest(records, records[1:]):
        way = [older.body["object"] if older else None, *(newer.body.get("via") or ()), newer.body["object"]]
        spent.update(pairwise(way))
    return spent


def frontier(application: Application, environment: Environment, ref: str, snapshot: Snapshot) -> list[str | None]:
    """The objects whose pushes are not loaded yet, on the way back from the tip. Bounded as the link is."""
    tip = (snapshot.tips or {}).get(ref)
    records = ref_records(application, environment, ref, snapshot)
    if tip is None or (records and records[0].body["object"] == tip.object):
        return []
    if snapshot.tick is None and snapshot.rounds >= ROUNDS_IN_HANDLER:
        return []
    if _link(application, ref, tip, records, snapshot) is not None:
        return []
    missing: list[str | None] = []
    level: list[str | None] = [tip.object]
    seen: set[str | None] = set(level)
    for _ in range(LINKS):
        following: list[str | None] = []
        for after in level:
            if pushes_prefix(application, ref, after) not in snapshot.loaded:
                missing.append(after)
            for before in pushes_into(application, ref, after, snapshot):
                if before not in seen:
                    seen.add(before)
                    following.append(before)
        level = following
    return missing


def pushes_prefix(application: Application, ref: str, after: str | None) -> str:
    """What to list to know how `ref` came to `after`: the whole release, which is read anyway; of deletions only the ref's."""
    return names.release(application.name, after) if after else names.pushes(application.name, ref, None)


def admit_promotion(
    registered: Registered, environment: Environment, snapshot: Snapshot, collector: Collector, now: datetime
) -> None:
    """The newest success upstream, if it is higher than the newest promoted, once it has been live for the catalog's `for`.
    A late success of an older one is not, nor one that upstream was rolled back from."""
    application = registered.application
    upstream = application.environment(environment.after) if environment.after else None
    if upstream is None or environment.promotion != "automatic":
        return
    source = newest_success(application, upstream, snapshot)
    log = read_log(application, environment, snapshot)
    if source is None or source.n <= (log[0].promoted if log else 0):
        return
    if source.n < read_log(application, upstream, snapshot)[0].newest_rollback:
        return
    if environment.soak:
        succeeded = read_rollouts(application, upstream, snapshot)[source.n].settled_at or now
        until = succeeded + timedelta(seconds=environment.soak)
        if now < until:
            what = f"{upstream.name} {source.n} to have been live for {length(environment.soak)}"
            what = f"{what}, at {until:%Y-%m-%d %H:%M:%S} UTC"
            collector.wait(what, environment=environment.name, commit=source.commit, until=until)
            return
    append(registered, environment, snapshot, collector, {**promotion_body(upstream, source), "by": "promotion"})


def promotion_body(upstream: Environment, source: LogEntry) -> dict[str, object]:
    return {
        "commit": source.commit,
        "upstream": upstream.name,
        "upstream_sequence": source.n,
        "promoted": source.n,
        "images": source.images,
        "build": source.build,
    }


def newest_success(
    application: Application, environment: Environment, snapshot: Snapshot, commit: str | None = None
) -> LogEntry | None:
    """Of the releases: a rollback is never promoted."""
    rollouts = read_rollouts(application, environment, snapshot)
    for entry in read_log(application, environment, snapshot):
        good = entry.release and entry.n in rollouts and rollouts[entry.n].succeeded
        if good and commit in (None, entry.commit):
            return entry
    return None
