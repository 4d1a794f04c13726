"""Watches one application's ledger while a commit makes its way, and hands out each new fact once."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from downwind.errors import TransientError
from downwind.model.catalog import Registered
from downwind.perform import applications, ledger
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import Fact
from downwind.reconcile.releases import build_prefix
from downwind.reconcile.wanted import Query

SHOWN = frozenset(
    {"push", "build-event", "completed", "blocked", "entry", "bundle", "claim", "started", "cancel", "ended", "outcome"}
)
PAUSE = 0.15


_BUILD_STEPS = {"PENDING": 0, "QUEUED": 1, "WORKING": 2}


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Oldest first. A build's messages come by Pub/Sub in any order: an earlier step is put before the later ones."""
    ordered: list[Fact] = []
    for fact in sorted(facts, key=lambda fact: fact.created):
        later = (i for i, other in enumerate(ordered) if _same_build(fact, other) and _step(other) > _step(fact))
        ordered.insert(next(later, len(ordered)), fact)
    return ordered


def _same_build(one: Fact, other: Fact) -> bool:
    both = (one.body.get("kind"), other.body.get("kind")) == ("build-event", "build-event")
    return both and bool(one.body["build"] == other.body["build"])


def _step(fact: Fact) -> int:
    return _BUILD_STEPS.get(str(fact.body["status"]), len(_BUILD_STEPS))


class Follower:
    """`seen`: facts that were there before this story began are not told."""

    def __init__(self, world: World, application: str) -> None:
        self._world = world
        self._name = application
        self._seen: set[str] = set()
        self._told: list[Fact] = []
        self.registered = self._registered()
        self.commits: list[str] = []

    def _registered(self) -> Registered:
        return applications.read(self._world.catalog, [self._name])[0]

    def _prefixes(self) -> Iterator[str]:
        for environment in self.registered.application.environments:
            yield names.log(self._name, environment.name)
            yield names.rollouts(self._name, environment.name)
        for commit in self.commits:
            yield names.release(self._name, commit)
            build = build_prefix(self.registered, commit)
            if build is not None:
                yield build

    def news(self) -> list[Fact]:
        """Facts that were not there at the last look, oldest first."""
        queries = [Query(prefix=prefix, limit=500) for prefix in self._prefixes()]
        found: list[Fact] = []
        for facts, _ in ledger.load(self._world.ledger, queries):
            found += [fact for fact in facts if fact.name not in self._seen]
        self._seen.update(fact.name for fact in found)
        return in_order(fact for fact in found if fact.body.get("kind") in SHOWN)

    def until(self, met: Callable[[Fact], bool], tell: Callable[[Fact], None], seconds: float, what: str) -> Fact:
        """The first fact of which `met` is true, told already or yet to come; every new one is told once.
        TransientError after `seconds`: it says what never came."""
        deadline = time.monotonic() + seconds
        known = next((fact for fact in self._told if met(fact)), None)
        if known is not None:
            return known
        while time.monotonic() < deadline:
            try:
                news = self.news()
            except TransientError:
                news = []  # a part of the world is being started again
            answer = None
            self._told += news
            for fact in news:
                tell(fact)
                if answer is None and met(fact):
                    answer = fact
            if answer is not None:
                return answer
            time.sleep(PAUSE)
        raise TransientError(f"{what} did not come within {seconds:.0f} s")


def outcome(environment: str, commit: str) -> Callable[[Fact], bool]:
    def met(fact: Fact) -> bool:
        body = fact.body
        return (body.get("kind"), body.get("environment"), body.get("commit")) == ("outcome", environment, commit)

    return met


def started(environment: str, commit: str) -> Callable[[Fact], bool]:
    def met(fact: Fact) -> bool:
        body = fact.body
        return (body.get("kind"), body.get("environment"), body.get("commit")) == ("started", environment, commit)

    return met


def report(world: World, registered: Registered, pushed: Mapping[str, datetime]) -> list[dict[str, Any]]:
    """Every rollout of the application: its entry, what it deployed, how it ended and how long after its push."""
    application = registered.application
    found = []
    for environment in application.environments:
        queries = [
            Query(prefix=prefix, limit=1000)
            for prefix in (
                names.log(application.name, environment.name),
                names.rollouts(application.name, environment.name),
            )
        ]
        (entries, _), (facts, _) = ledger.load(world.ledger, queries)
        for entry in sorted(entries, key=lambda fact: int(fact.body["n"])):
            prefix = names.rollout(application.name, environment.name, entry.body["n"])
            rollout = [fact for fact in facts if fact.name.startswith(prefix)]
            if not any(fact.body.get("kind") == "claim" for fact in rollout):
                continue
            end = next((fact for fact in rollout if fact.body.get("kind") == "outcome"), None)
            commit = entry.body["commit"]
            images = _images(world, application.name, commit, environment.name)
            seconds = (end.created - pushed[commit]).total_seconds() if end and commit in pushed else None
            found.append(
                {
                    "application": application.name,
                    "environment": environment.name,
                    "sequence": entry.body["n"],
                    "commit": commit,
                    "images": [f"{name}@{digest}" for name, digest in sorted(images.items())],
                    "status": end.body["status"] if end else "running",
                    "seconds": round(seconds, 3) if seconds is not None else None,
                }
            )
    return found


def _images(world: World, application: str, commit: str, environment: str) -> Mapping[str, str]:
    prefix = f"{names.release(application, commit)}bundle/{environment}/"
    bundles, _ = ledger.load(world.ledger, [Query(prefix=prefix, limit=10)])[0]
    return bundles[0].body["images"] if bundles else {}
