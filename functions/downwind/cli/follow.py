"""Follows one request to its outcome: a line for each fact as it comes, and for each new thing it waits for."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import click

from downwind.cli.context import Session
from downwind.cli.output import printable
from downwind.errors import TransientError
from downwind.model.catalog import Registered
from downwind.model.event import Request
from downwind.perform.find import event_facts
from downwind.perform.look import Standing, View, environments, view
from downwind.reconcile import names, words
from downwind.reconcile.facts import Fact, Hints
from downwind.reconcile.rollouts import read_rollouts

_UNTOLD = frozenset({"pointer", "announced", "raw", "recorded", "ref", "order"})
_LOCAL, _CLOUD = 0.5, 3.0
"""Seconds between two looks."""


def follow(session: Session, registered: Registered, request: Request, timeout: int) -> int:
    """The exit code: 0 succeeded, 1 ended otherwise or refused, 3 not ended within `timeout` seconds."""
    follower = _Follower(session, registered, request)
    end = session.now() + timedelta(seconds=timeout)
    while session.now() < end:
        try:
            code = follower.look()
        except TransientError as error:
            follower.say(f"no answer: {error}; looking again")
            code = None
        if code is not None:
            return code
        session.sleep(_LOCAL if session.settings.local else _CLOUD)
    click.echo(f"not ended after {timeout} s; it goes on without you: downwind why {request.id}", err=True)
    return 3


class _Follower:
    def __init__(self, session: Session, registered: Registered, request: Request) -> None:
        self.session = session
        self.registered = registered
        self.request = request
        self.began: datetime | None = None
        self._told: set[str] = set()
        self._last = ""

    def say(self, text: str) -> None:
        """Once in a row: a wait that goes on is no news."""
        if text != self._last:
            self._last = text
            click.echo(printable(text))

    def look(self) -> int | None:
        event = names.event("request", self.request.id)
        for fact in event_facts(self.session.world, [event])[0]:
            if fact.body["kind"] == "parked":
                self.say(words.of_fact(fact))
                return 1
        hints = Hints(requests=frozenset({(self.request.environment, self.request.id)}))
        found = view(self.session.world, self.registered, self.session.now(), hints)
        name = self.registered.application.name
        prefix = names.request(name, self.request.environment, self.request.id)
        order = found.snapshot.facts.get(prefix + "order")
        if order is None:
            return None
        ordered = found.snapshot.facts.get(prefix + "entry")
        number = int(ordered.body["n"]) if ordered else None
        for fact in sorted(self._facts(found, prefix, number), key=lambda each: each.created):
            # What stood before the order was told to somebody else.
            if fact.name not in self._told and fact.created >= order.created and fact.body.get("kind") not in _UNTOLD:
                self.say(words.of_fact(fact))
            self._told.add(fact.name)
        if prefix + "refused" in found.snapshot.facts:
            return 1
        return self._standing(found, number) if number is not None else None

    def _facts(self, found: View, prefix: str, number: int | None) -> Iterator[Fact]:
        yield from found.snapshot.under(prefix)
        if number is None:
            return
        name = self.registered.application.name
        entry = found.snapshot.facts.get(names.entry(name, self.request.environment, number))
        if entry is not None:
            yield entry
            yield from found.snapshot.under(names.release(name, entry.body["commit"]))
            yield from (
                fact for fact in found.snapshot.under("build/") if fact.body.get("commit") == entry.body["commit"]
            )
        yield from found.snapshot.under(names.rollout(name, self.request.environment, number))

    def _standing(self, found: View, number: int) -> int | None:
        application = self.registered.application
        place = next(each for each in application.environments if each.name == self.request.environment)
        rollout = read_rollouts(application, place, found.snapshot).get(number)
        if rollout is not None and rollout.outcome is not None:
            return 0 if rollout.succeeded else 1
        here = next(each for each in environments(found) if each.environment.name == self.request.environment)
        standing = next((each for each in (*here.running, *here.next) if each.n == number), None)
        if standing is None:
            self.say(f"{self.request.environment} {number} was never triggered: a newer entry went first")
            return 1
        self._waits(standing)
        if standing.state == "blocked":
            self.say(
                f"{self.request.environment} {number} is blocked: {standing.reason}; a later success takes it up again"
            )
            return 1
        return None

    def _waits(self, standing: Standing) -> None:
        if standing.waits:
            self.say(f"{self.request.environment} {standing.n} waits for {', and for '.join(standing.waits)}")
