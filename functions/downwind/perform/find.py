"""What a person means by a word: a commit, a digest, a build, an execution or an event; abbreviated where names allow it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from downwind.errors import DownwindError, Refused
from downwind.model.catalog import Registered
from downwind.perform import applications, ledger
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import Fact
from downwind.reconcile.wanted import FACT_LIMIT, Query

SOURCES = ("repo-pushes", "cloud-builds", "gcr", "rollout-requests", "executions", "request", "github", "dead-letters")
"""Under which an event's id may stand: topics, and the senders whose own ids outlive a message."""
SHORTEST = 7
_LOG_LIMIT = 1000
_MANY = 50
_ASKED = 20
"""Repositories asked for a commit that the ledger does not know."""
_HEX = re.compile(r"[0-9a-f]{7,64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`kind`: commit, digest, build, execution, event, or order (of a hold over everything); `releases` are (application,
    commit), `events` prefixes of events that name the subject itself."""

    kind: str
    id: str
    releases: tuple[tuple[str, str], ...] = ()
    events: tuple[str, ...] = ()


def find(world: World, word: str) -> list[Subject]:
    """Everything that the word names: mostly one. Refused, with where we looked, when it names nothing or too much."""
    word = word.strip()
    if "@" in word:
        word = word.rpartition("@")[2]
    found = _named(world, word)
    if not found:
        raise Refused(
            f"nothing is known of {word!r}: looked for an event, commit, digest, build or execution of that name in the "
            "ledger, in the logs of all environments, and at the tips of the catalog's repositories",
            fix="give 7 characters or more; a message that says nothing to us leaves no trace, `downwind events read` tells why",
        )
    return found


def _named(world: World, word: str) -> list[Subject]:
    """All that the word names, or nothing. Refused when that is too much."""
    found = _by_name(world, word)
    if not found and _HEX.fullmatch(word):
        found = _in_logs(world, word) or _at_tips(world, word)
    commits = sorted({each.id for each in found if each.kind == "commit"})
    if len(commits) > 1 or len(found) > _MANY:
        raise Refused(
            f"{word!r} is short for {len(found)}: {', '.join(each.id for each in found[:5])}",
            fix="give more characters",
        )
    return found


def commit(world: World, word: str) -> str:
    """The full id behind a commit or its abbreviation."""
    if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", word):
        return word
    if not _HEX.fullmatch(word):
        raise Refused(f"{word!r} is no commit", fix="give at least 7 hex digits: git rev-parse HEAD")
    ids = [each.id for each in _named(world, word) if each.kind == "commit"]
    if not ids:
        raise Refused(f"no commit that begins with {word} is known here", fix="give the full id: git rev-parse REF")
    return ids[0]


def event_facts(world: World, prefixes: Sequence[str]) -> list[list[Fact]]:
    """raw, then what was made of it; for each event."""
    queries = [Query(prefix=prefix, limit=FACT_LIMIT) for prefix in prefixes]
    return [facts for facts, _ in ledger.load(world.ledger, queries)] if queries else []


def _by_name(world: World, word: str) -> list[Subject]:
    """Names that begin with the word, in one round of lists."""
    end = "" if len(word) >= SHORTEST else "/"
    events = {names.event(source, word): source for source in SOURCES}
    prefixes = {
        "build": names.build_pointer(word).removesuffix("/") + end,
        "execution": names.execution_pointer(word).removesuffix("/") + end,
    }
    if _HEX.fullmatch(word):
        prefixes["commit"] = names.commit_events(word).removesuffix("/")
        prefixes["event"] = f"event/{word}"
    if _DIGEST.fullmatch(word):
        prefixes["digest"] = names.image(word).removesuffix("/")
    listed = world.ledger.list_all([*prefixes.values(), *events], limit=FACT_LIMIT)
    found: list[Subject] = []
    for kind, objects in zip(prefixes, listed[: len(prefixes)], strict=True):
        found += _subjects(kind, [each.name for each in objects])
    for prefix, objects in zip(events, listed[len(prefixes) :], strict=True):
        if objects:
            found.append(Subject(kind="event", id=prefix.split("/")[1], events=(prefix,)))
    found += [
        Subject(kind="order", id=word, events=(fact.name,))
        for fact in ledger.page(world.ledger, names.ALL_HOLDS, limit=_LOG_LIMIT)
        if fact.body["request"] == word
    ]
    complete = {"event": _of_events, "commit": _of_commit, "execution": _of_execution}
    return [complete[each.kind](world, each) if each.kind in complete else each for each in found]


def _subjects(kind: str, listed: Sequence[str]) -> list[Subject]:
    """Names of one kind, by the id that stands in them."""
    place = {"digest": 1, "event": 1}.get(kind, 2)
    grouped: dict[str, list[str]] = {}
    for name in listed:
        grouped.setdefault(name.split("/")[place], []).append(name)
    subjects = []
    for identifier, group in grouped.items():
        releases = [release for name in group if (release := names.release_in(name))]
        if kind == "event":
            events = [f"event/{identifier}/"]
        else:
            events = [
                f"event/{name.rpartition('/')[2]}/" for name in group if name.startswith(_pointing(kind, identifier))
            ]
        if kind == "execution":
            entries = [tuple(name.split("/")[3:]) for name in group if name.count("/") == 5]
            releases = [(application, f"{environment}/{n}") for application, environment, n in entries]
        subjects.append(
            Subject(
                kind=kind, id=identifier, releases=tuple(dict.fromkeys(releases)), events=tuple(dict.fromkeys(events))
            )
        )
    return subjects


def _pointing(kind: str, identifier: str) -> str:
    return names.image_events(identifier) if kind == "digest" else names.commit_events(identifier)


def _of_execution(world: World, subject: Subject) -> Subject:
    """The release behind the entry that an execution serves."""
    releases = []
    for application, place in subject.releases:
        environment, _, number = place.partition("/")
        stored = world.ledger.read(names.entry(application, environment, int(number)))
        if stored is not None:
            releases.append((application, str(ledger.read_fact(stored).body["commit"])))
    return Subject(kind=subject.kind, id=subject.id, releases=tuple(dict.fromkeys(releases)), events=subject.events)


def _of_commit(world: World, subject: Subject) -> Subject:
    """Those of its events' facts that are of this commit, and the logs that have it."""
    found = _of_events(world, subject).releases or tuple(
        release for each in _in_logs(world, subject.id) for release in each.releases
    )
    return Subject(kind=subject.kind, id=subject.id, releases=found, events=subject.events)


def _of_events(world: World, subject: Subject) -> Subject:
    """The releases that their facts belong to; of a request, the one it became; of an execution, the one it serves."""
    releases: list[tuple[str, str]] = []
    for fact in (fact for facts in event_facts(world, subject.events[:_MANY]) for fact in facts):
        for name in fact.body.get("facts") or ():
            release = names.release_in(name)
            releases += [release] if release else []
            if name.startswith("environment/") and name.endswith("/order"):
                releases += _ordered(world, name)
        execution = (fact.body.get("attributes") or {}).get("execution")
        if execution:
            listed = world.ledger.list(names.execution_pointer(execution), limit=_MANY)
            for each in _subjects("execution", [item.name for item in listed]):
                releases += _of_execution(world, each).releases
    if subject.kind == "commit":
        releases = [release for release in releases if release[1] == subject.id]
    return Subject(kind=subject.kind, id=subject.id, releases=tuple(dict.fromkeys(releases)), events=subject.events)


def _ordered(world: World, order: str) -> list[tuple[str, str]]:
    prefix = order.removesuffix("order")
    facts = {fact.body["kind"]: fact.body for fact in event_facts(world, [prefix])[0]}
    asked, became = facts.get("order", {}), facts.get("ordered")
    if became is not None:
        stored = world.ledger.read(names.entry(asked["application"], asked["environment"], int(became["n"])))
        brought = ledger.read_fact(stored).body["commit"] if stored is not None else None
        return [(asked["application"], brought)] if brought else []  # a hold brings none
    return [(asked["application"], asked["commit"])] if asked.get("commit") else []


def _in_logs(world: World, word: str) -> list[Subject]:
    """Entries that no event pointed to: a tip that the patrol found, or facts of an older revision."""
    registered, _ = applications.readable(world.catalog, applications.all_names(world.catalog))
    places = [
        (each.application.name, environment.name)
        for each in registered
        for environment in each.application.environments
    ]
    if not places:
        return []
    queries = [Query(prefix=names.log(*place), limit=_LOG_LIMIT) for place in places]
    found: dict[str, dict[tuple[str, str], None]] = {}
    for (application, _), (facts, _cut) in zip(places, ledger.load(world.ledger, queries), strict=True):
        for fact in facts:
            if not fact.body["commit"]:
                continue  # an order that brings none
            for identifier in {fact.body["commit"], fact.body.get("object") or fact.body["commit"]}:
                if identifier.startswith(word):
                    found.setdefault(identifier, {})[application, fact.body["commit"]] = None
    return [Subject(kind="commit", id=each, releases=tuple(releases)) for each, releases in sorted(found.items())]


def _at_tips(world: World, word: str) -> list[Subject]:
    """What a repository has at a tip and nobody told us of. Asked of a few only."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    for registered in applications.readable(world.catalog, applications.all_names(world.catalog)[:_ASKED])[0]:
        for tip in _tips(world, registered):
            if tip.startswith(word):
                found.setdefault(tip, {})[registered.application.name, tip] = None
    return [Subject(kind="commit", id=each, releases=tuple(releases)) for each, releases in sorted(found.items())]


def _tips(world: World, registered: Registered) -> set[str]:
    repository = registered.application.repository
    try:
        tips = world.repository.tips(repository.address, repository.credentials)
    except DownwindError:
        return set()  # the answer then says that no repository has it at a tip, as far as it can be asked
    return {identifier for tip in tips.values() for identifier in (tip.commit, tip.object)}
