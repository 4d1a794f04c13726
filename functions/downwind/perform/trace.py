"""The whole chain of one release: each thing that happened to it, with the object that proves it, and what it waits for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from downwind.errors import DownwindError
from downwind.model.catalog import Registered
from downwind.perform import ledger
from downwind.perform.effects import Effects
from downwind.perform.find import event_facts
from downwind.perform.look import View, environments, load, promotions, view
from downwind.perform.operate import SOURCE as OPERATE
from downwind.perform.rules import rule_of
from downwind.perform.world import World
from downwind.reconcile import names, words
from downwind.reconcile.admit import ref_records
from downwind.reconcile.due import next_steps
from downwind.reconcile.facts import Fact, Hints, RefTip
from downwind.reconcile.log import LogEntry, read_entry
from downwind.reconcile.steps import Append, Compare
from downwind.reconcile.wanted import FACT_LIMIT, Query

EVENTS = 20
"""Events of one commit that are told; more are counted."""
_LOG_DEPTH = 1000
_STEPS = {
    "raw": "received",
    "build-event": "build",
    "winner": "build",
    "build-claim": "build",
    "build-started": "build",
    "seen": "image",
    "completed": "complete",
    "bundle": "rendered",
    "entry": "admitted",
    "claim": "claimed",
    "started": "triggered",
    "cancel": "cancelled",
    "order": "ordered",
    "all-hold": "ordered",
    "cancel-order": "ordered",
    "retry-order": "ordered",
}
"""The step's word where it is not the fact's kind."""
_UNTOLD = frozenset({"pointer", "ref"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """`step`: received, verified, recorded, ignored, parked, push, build, image, complete, blocked, matched, admitted,
    rendered, claimed, triggered, cancelled, ended, outcome, ordered, refused, announced, passed over or waits. `object`
    (in bucket `store`) proves it; waits have none, they are what the rules make of the facts now."""

    step: str
    text: str
    time: datetime | None = None
    environment: str | None = None
    n: int | None = None
    store: str | None = None
    object: str | None = None
    generation: int | None = None


@dataclass(slots=True, kw_only=True)
class Chain:
    application: str
    commit: str
    lines: list[Line] = field(default_factory=list)
    silent: str | None = None


def event_lines(world: World, prefixes: Sequence[str], *, tokens: bool) -> list[Line]:
    """received, verified, and recorded, ignored or parked; of a request, what it asked and became. `tokens`: this installation
    checks Pub/Sub's."""
    lines = []
    orders: list[str] = []
    for facts in event_facts(world, prefixes[:EVENTS]):
        raw = next((fact for fact in facts if fact.body["kind"] == "raw"), None)
        name = f"message {raw.body['id']}: " if raw is not None else ""
        for fact in sorted(facts, key=lambda fact: fact.created):
            if fact.body["kind"] == "announced":
                continue
            orders += [each.removesuffix("order") for each in fact.body.get("facts") or () if each.endswith("/order")]
            line = line_of(fact)
            lines.append(line if fact is raw else replace(line, text=name + line.text))
            if fact is raw:
                proof = name + _verified(fact, tokens=tokens)
                lines.append(Line(step="verified", text=proof, time=fact.created, store="ledger", object=fact.name))
    for facts in event_facts(world, orders):
        lines += [line_of(fact) for fact in (*facts, *_unreleased(world, facts))]
    if len(prefixes) > EVENTS:
        lines.append(Line(step="received", text=f"and {len(prefixes) - EVENTS} more events"))
    return lines


def _unreleased(world: World, facts: Sequence[Fact]) -> list[Fact]:
    """The entry of an order that brings no release, so that no release's chain has it."""
    by_kind = {fact.body["kind"]: fact.body for fact in facts}
    asked, became = by_kind.get("order", {}), by_kind.get("ordered")
    if became is None or asked.get("verb") not in {"hold", "resume"}:
        return []
    stored = world.ledger.read(names.entry(asked["application"], became["environment"], int(became["n"])))
    return [ledger.read_fact(stored)] if stored is not None else []


def _verified(raw: Fact, *, tokens: bool) -> str:
    attributes = raw.body.get("attributes") or {}
    if raw.body.get("topic") == OPERATE:
        return "operate checked whose ID token it was, and that the catalog or the installation lists this person"
    if raw.body.get("topic") == "dead-letters":
        return "not handled: Pub/Sub gave it up, and the tick took it from dead-letters"
    token = "Pub/Sub's ID token was checked"
    if not tokens:
        token = "no token was checked: this local world has switched that off"
    elif raw.body.get("token") is False:
        token = "it came by hand without a token, which this local world allows"
    if attributes.get("source") == "github":
        return (
            f"{token}; receive checked GitHub's signature of delivery {attributes.get('delivery')} before it published"
        )
    return token


def line_of(fact: Fact) -> Line:
    kind = str(fact.body.get("kind"))
    number = fact.body.get("n")
    return Line(
        step=_STEPS.get(kind, kind),
        text=words.of_fact(fact),
        time=fact.created,
        environment=fact.body.get("environment"),
        n=number if isinstance(number, int) else None,
        store="ledger",
        object=fact.name,
    )


def chain(
    world: World, registered: Registered, commit: str, events: Sequence[str], now: datetime, *, tokens: bool
) -> Chain:
    """Everything of one commit (or of the tag object that stands for one) in one application, oldest first, waits last."""
    application = registered.application
    found = view(world, registered, now, Hints(commits=frozenset({commit})))
    entries = _entries(world, found, commit)
    objects = {commit, *(entry.commit for entry, _ in entries), *(entry.object for entry, _ in entries if entry.object)}
    found.snapshot.hints = Hints(commits=frozenset(objects))
    load(world, found)
    facts = [fact for each in objects for fact in found.snapshot.under(names.release(application.name, each))]
    facts += [fact for fact in found.snapshot.facts.values() if _is_build(fact, objects)]
    pointed, seen = _pointed(world, objects, facts)
    orders = [names.event("request", entry.request) for entry, _ in entries if entry.request]
    lines = event_lines(world, tuple(dict.fromkeys([*events, *pointed, *orders])), tokens=tokens)
    facts += seen
    lines += [line_of(fact) for fact in facts if fact.body.get("kind") not in _UNTOLD]
    for entry, fact in entries:
        lines += _entry_lines(world, found, entry, fact)
    lines.sort(key=lambda line: (line.time is None, line.time or now))
    lines += _open(found, entries)
    pushed = sorted({fact.body["ref"] for fact in facts if fact.body.get("kind") == "push"})
    fed = {entry.ref for entry, _ in entries}
    missing = [ref for ref in pushed if ref not in fed]
    if missing:
        lines += _not_admitted(world, found, commit, missing, now)
    return Chain(application=application.name, commit=commit, lines=lines, silent=found.silent)


def _pointed(world: World, objects: set[str], facts: list[Fact]) -> tuple[list[str], list[Fact]]:
    """The events that named one of these commits or the digest of one of their images; and what registries have shown."""
    complete = (fact.body["images"] for fact in facts if fact.body.get("kind") == "completed")
    digests = {digest for images in complete for digest in images.values()}
    digests |= {fact.body["digest"] for fact in facts if fact.body.get("kind") == "image"}
    places = [*map(names.commit_events, sorted(objects)), *map(names.image_events, sorted(digests))]
    seen = [names.image(digest) + "seen" for digest in sorted(digests)]
    queries = [Query(prefix=prefix, limit=FACT_LIMIT) for prefix in [*places, *seen]]
    loaded = [found for found, _ in ledger.load(world.ledger, queries)]
    pointed = [f"event/{fact.name.rpartition('/')[2]}/" for found in loaded[: len(places)] for fact in found]
    return pointed, [fact for found in loaded[len(places) :] for fact in found]


def _is_build(fact: Fact, objects: set[str]) -> bool:
    return fact.name.startswith("build/") and fact.body.get("commit") in objects


def _entries(world: World, found: View, commit: str) -> list[tuple[LogEntry, Fact]]:
    """Of all environments, as deep as logs are read for people."""
    application = found.registered.application
    queries = [
        Query(prefix=names.log(application.name, environment.name), limit=_LOG_DEPTH)
        for environment in application.environments
    ]
    facts = [fact for listed, _ in ledger.load(world.ledger, queries) for fact in listed]
    return [(read_entry(fact), fact) for fact in facts if commit in (fact.body["commit"], fact.body.get("object"))]


def _entry_lines(world: World, found: View, entry: LogEntry, fact: Fact) -> Iterator[Line]:
    application = found.registered.application.name
    environment = str(fact.body["environment"])
    rule = rule_of(world, found.registered, environment, entry)
    yield Line(
        step="matched",
        text=rule,
        time=fact.created,
        environment=environment,
        n=entry.n,
        store="catalog",
        object=names.application(application),
        generation=entry.generation,
    )
    yield line_of(fact)
    queries = [Query(prefix=names.rollout(application, environment, entry.n), limit=FACT_LIMIT)]
    if found.registered.application.notify:
        queries.append(Query(prefix=names.notices_of(application, environment, entry.n), limit=FACT_LIMIT))
    if entry.ref is not None and entry.object is not None:
        queries.append(Query(prefix=names.tip(application, environment, entry.ref, entry.object), limit=20))
    for facts, _ in ledger.load(world.ledger, queries):
        yield from (replace(line_of(each), environment=environment, n=entry.n) for each in facts)


def _open(found: View, entries: list[tuple[LogEntry, Fact]]) -> Iterator[Line]:
    """What the rules make of entries that have no outcome yet."""
    numbers = {(str(fact.body["environment"]), entry.n) for entry, fact in entries if entry.release or entry.rollback}
    commits = {entry.commit for entry, _ in entries}
    for each in environments(found):
        name = each.environment.name
        for wait in promotions(found, name):
            if wait.commit in commits:
                yield Line(step="waits", text=words.of_wait(wait), environment=name)
        for standing in (*each.running, *each.next):
            if (name, standing.n) not in numbers:
                continue
            texts = standing.waits or ((standing.reason,) if standing.reason else ())
            for text in texts:
                step = "waits" if standing.state in {"running", "waiting"} else standing.state
                told = f"{name} {standing.n} waits for {text}" if standing.waits else f"{name} {standing.n}: {text}"
                yield Line(step=step, text=told, environment=name, n=standing.n)
        newest = max((standing.n for standing in each.running), default=0)
        ended = [standing.n for standing in (each.live, each.last) if standing is not None]
        newest = max([newest, *ended])
        known = {fact.name for _, fact in entries}
        for environment, n in sorted(numbers):
            rollout = names.rollout(found.registered.application.name, name, n)
            if environment == name and n < newest and known and not found.snapshot.under(rollout):
                yield Line(
                    step="passed over",
                    text=f"{name} {n} was never triggered: {name} {newest} went first, and an environment never goes back",
                    environment=name,
                    n=n,
                )


def _not_admitted(world: World, found: View, commit: str, refs: list[str], now: datetime) -> Iterator[Line]:
    """Why a push made no entry: what the repository says now, and what the rules make of it."""
    application = found.registered.application
    repository = application.repository
    try:
        tips = world.repository.tips(repository.address, repository.credentials)
    except DownwindError as error:
        yield Line(step="waits", text=f"the repository did not say where {', '.join(refs)} is: {error}")
        return
    found.snapshot.tips = {ref: RefTip(object=tip.object, commit=tip.commit) for ref, tip in tips.items()}
    for ref in refs:
        tip = found.snapshot.tips.get(ref)
        if tip is None:
            yield Line(
                step="ignored", text=f"{ref} is gone from the repository: nothing is rolled out, nothing undeployed"
            )
        elif commit not in (tip.object, tip.commit):
            text = (
                f"{ref} is at {words.short(tip.commit)} now: an older tip is not rolled out any more, the newest wins"
            )
            yield Line(step="ignored", text=text)
        else:
            yield from _at_tip(world, found, ref, now)


def _at_tip(world: World, found: View, ref: str, now: datetime) -> Iterator[Line]:
    application = found.registered.application
    found.snapshot.hints = Hints(refs=frozenset({ref}))
    load(world, found)
    due = next_steps(found.registered, found.snapshot, now, world.timing)
    effects = Effects(world, found.registered, found.snapshot)
    for step in due.steps:
        if isinstance(step, Compare):
            effects.perform(step)  # only reads the two trees
    due = next_steps(found.registered, found.snapshot, now, world.timing)
    told = [words.of_step(step) for step in due.steps if isinstance(step, Append)]
    told += [words.of_wait(wait) for wait in due.waits if ref in wait.what]
    for text in told:
        yield Line(step="waits", text=text)
    for environment in () if told else application.fed_by(ref):
        records = ref_records(application, environment, ref, found.snapshot)
        if records and not records[0].body["n"]:
            text = f"{ref} stood here already when the catalog was applied: that is the baseline, and no release"
        else:
            text = f"nothing under {', '.join(application.paths)} changed since the entry before: no release"
        yield Line(step="ignored", text=f"{environment.name}: {text}", environment=environment.name)
