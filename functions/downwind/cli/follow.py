"""Follows one request to its outcome: a line for each fact as it comes, and for each new thing it waits for."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import click

from downwind.cli.context import Session
from downwind.cli.output import printable
from downwind.errors import TransientError
from downwind.model.catalog import Registered
from downwind.model.event import Request
from downwind.perform.find import event_facts
from downwind.perform.look import EnvironmentStanding, Standing, View, environments, view
from downwind.reconcile import names, words
from downwind.reconcile.facts import Fact, Hints
from downwind.reconcile.rollouts import read_rollouts

_UNTOLD = frozenset({"pointer", "announced", "raw", "recorded", "ref", "order"})
_LOCAL, _CLOUD = 0.5, 3.0
"""Seconds between two looks."""


def follow(session: Session, registered: Registered, request: Request, timeout: int) -> int:
    """The exit code: 0 succeeded, 1 ended otherwise or refused, 3 not ended within `timeout` seconds."""
    return _until(session, _Follower(session, registered, request.environment, request.id), request.id, timeout)


def follow_order(
    session: Session, registered: Registered, answer: Mapping[str, Any], timeout: int, *, err: bool
) -> int:
    """The same of an operator's order, as operate has answered it. A hold is followed until nothing runs any more, a resume to
    the end of what it let go. `err`: the lines go to stderr."""
    heard = "" if err else answer["says"]
    where, identifier, verb = answer["environment"], answer["request"], answer["verb"]
    follower = _Follower(session, registered, where, identifier, verb=verb, err=err, heard=heard)
    return _until(session, follower, identifier, timeout)


def _until(session: Session, follower: "_Follower", identifier: str, timeout: int) -> int:
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
    click.echo(f"not ended after {timeout} s; it goes on without you: downwind why {identifier}", err=True)
    return 3


class _Follower:
    def __init__(
        self,
        session: Session,
        registered: Registered,
        environment: str,
        identifier: str,
        *,
        verb: str = "deploy",
        err: bool = False,
        heard: str = "",
    ) -> None:
        """`heard`: what the answer has said already."""
        self.session = session
        self.registered = registered
        self.environment = environment
        self.id = identifier
        self._wanted = "cancelled" if verb in {"cancel", "reject"} else "succeeded"
        self._verb = verb
        self._err = err
        self._number: int | None = None
        self._told: set[str] = set()
        self._last = ""
        self._heard = heard

    def say(self, text: str) -> None:
        """Once in a row: a wait that goes on is no news."""
        if text not in {self._last, self._heard}:
            self._last = text
            click.echo(printable(text), err=self._err)

    def look(self) -> int | None:
        event = names.event("request", self.id)
        for fact in event_facts(self.session.world, [event])[0]:
            if fact.body["kind"] == "parked":
                self.say(words.of_fact(fact))
                return 1
        hints = Hints(requests=frozenset({(self.environment, self.id)}))
        found = view(self.session.world, self.registered, self.session.now(), hints)
        name = self.registered.application.name
        prefix = names.request(name, self.environment, self.id)
        order = found.snapshot.facts.get(prefix + "order")
        if order is None:
            return None
        ordered = found.snapshot.facts.get(prefix + "entry")
        entry = int(ordered.body["n"]) if ordered else None
        number = self._about(found, entry) if entry is not None else None
        for fact in sorted(self._facts(found, prefix, entry, number), key=lambda each: each.created):
            # What stood before the order was told to somebody else.
            if fact.name not in self._told and fact.created >= order.created and fact.body.get("kind") not in _UNTOLD:
                self.say(words.of_fact(fact))
            self._told.add(fact.name)
        if prefix + "refused" in found.snapshot.facts:
            return 1
        if entry is None:
            return None
        if number is None:
            return 0
        return self._standing(found, number, order)

    def _about(self, found: View, entry: int) -> int | None:
        """The rollout that decides; None where there is none to wait for."""
        if self._verb in {"cancel", "retry"}:
            fact = found.snapshot.facts.get(names.entry(self.registered.application.name, self.environment, entry))
            return int(fact.body["target"]) if fact else entry
        if self._verb not in {"hold", "resume"}:
            return entry
        here = self._here(found)
        if self._verb == "hold" or self._number is None:
            ahead = [] if self._verb == "hold" else [each for each in here.next if each.state in {"due", "waiting"}]
            self._number = max((each.n for each in (*here.running, *ahead[:1])), default=None)
        return self._number

    def _here(self, found: View) -> EnvironmentStanding:
        return next(each for each in environments(found) if each.environment.name == self.environment)

    def _facts(self, found: View, prefix: str, entry: int | None, number: int | None) -> Iterator[Fact]:
        yield from found.snapshot.under(prefix)
        name = self.registered.application.name
        for each in dict.fromkeys((entry, number)):
            fact = found.snapshot.facts.get(names.entry(name, self.environment, each)) if each else None
            if fact is not None:
                yield fact
        if number is None or fact is None:
            return
        commit = fact.body["commit"]
        yield from found.snapshot.under(names.release(name, commit))
        yield from (each for each in found.snapshot.under("build/") if each.body.get("commit") == commit)
        yield from found.snapshot.under(names.rollout(name, self.environment, number))

    def _standing(self, found: View, number: int, order: Fact) -> int | None:
        here = self._here(found)
        rollout = read_rollouts(self.registered.application, here.environment, found.snapshot).get(number)
        if rollout is not None and rollout.outcome is not None and rollout.settled_at is not None:
            # The outcome of a rollout that is retried stands until the order has reached it.
            if rollout.settled_at >= order.created:
                return 0 if rollout.outcome["status"] == self._wanted else 1
            return None
        standing = next((each for each in (*here.running, *here.next) if each.n == number), None)
        if standing is None:
            self.say(f"{self.environment} {number} was never triggered: a newer entry went first")
            return 1
        self._waits(standing)
        if standing.state == "blocked":
            self.say(f"{self.environment} {number} is blocked: {standing.reason}; a later success takes it up again")
            return 1
        return None

    def _waits(self, standing: Standing) -> None:
        if standing.waits:
            self.say(f"{self.environment} {standing.n} waits for {', and for '.join(standing.waits)}")
