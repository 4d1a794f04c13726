"""What may be open in one application although no marker says so: the patrol's hints, from facts alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from downwind.model.catalog import Environment, Registered
from downwind.reconcile.facts import Fact, Hints, Snapshot
from downwind.reconcile.log import read_log
from downwind.reconcile.rollouts import read_rollouts
from downwind.timing import Timing

ROUND = 60
"""Ticks from one patrol to the next."""
RELEASES = 20
"""Of each environment, at most;"""
EXECUTIONS = 20
"""as well as of these"""
ORDERS = 100
"""and of these. The others have their turn when these are done."""


def unmarked(
    registered: Registered, snapshot: Snapshot, orders: Sequence[Fact], now: datetime, timing: Timing
) -> Hints:
    """Hints that the minute's round would have had from markers. What it finds by itself (entries that nobody has claimed and
    their releases, rollouts without outcome) needs none.

    `orders`: facts of requests, in any order. One older than `timing.wait` is not taken up: nobody expects it any more.
    """
    hints = Hints()
    for environment in registered.application.environments:
        hints |= _settled(registered, environment, snapshot, now, timing) | _running(registered, environment, snapshot)
    return hints | _orders(orders, now, timing)


def _settled(
    registered: Registered, environment: Environment, snapshot: Snapshot, now: datetime, timing: Timing
) -> Hints:
    """Releases that a claim of the last two rounds has decided, for or against: a decision reads them no more, and something of
    them may not be announced yet."""
    since = now - timedelta(seconds=2 * ROUND * timing.tick)
    rollouts = read_rollouts(registered.application, environment, snapshot)
    claimed = sorted(number for number, rollout in rollouts.items() if rollout.claims)
    recent = [number for number in claimed if rollouts[number].first.created >= since]
    if not recent:
        return Hints()
    oldest = max((number for number in claimed if number < recent[0]), default=0)
    log = read_log(registered.application, environment, snapshot)
    commits = (entry.commit for entry in log if oldest < entry.n <= recent[-1])
    return Hints(commits=frozenset(islice(commits, RELEASES)))


def _running(registered: Registered, environment: Environment, snapshot: Snapshot) -> Hints:
    """Executions of which no end was written down, however many newer ones there are; the newest first."""
    rollouts = read_rollouts(registered.application, environment, snapshot)
    open_ = (
        run.execution
        for number in sorted(rollouts, reverse=True)
        for run in rollouts[number].runs
        if rollouts[number].claims and rollouts[number].outcome is None and run.end is None
    )
    return Hints(executions=frozenset(islice(open_, EXECUTIONS)))


def _orders(orders: Sequence[Fact], now: datetime, timing: Timing) -> Hints:
    """Requests that became no entry."""
    since = now - timedelta(seconds=timing.wait)
    ended = {fact.name.rpartition("/")[0] for fact in orders if fact.name.endswith("/entry")}
    standing = (
        (fact.body["environment"], fact.body["id"])
        for fact in orders
        if fact.body.get("kind") == "order" and fact.created >= since and fact.name.rpartition("/")[0] not in ended
    )
    return Hints(requests=frozenset(islice(standing, ORDERS)))
