"""Who is to be told what of each rollout (docs/decisions/0022): one message for each rollout and channel, brought from state
to state by deliveries that are claimed. No environment ever waits for one.

Two sends of one message could arrive in the other order, so one follows another only when that has an answer or its claim's
lease has passed, and none is sent where another was claimed since it was decided (docs/decisions/0026). What is sent again after
that depends on what the receiver can tell: see `Channel.target`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from downwind.model.catalog import Environment, Registered
from downwind.model.channels import Channel, CommitStatus
from downwind.model.notice import FAILURES
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Snapshot
from downwind.reconcile.news import News, Told, left_over, listed, rank, read_news, read_told
from downwind.reconcile.steps import Collector, Notify
from downwind.timing import Timing

ATTEMPTS = 10
"""Of one state: over four hours."""
LONGEST = 3600
"""Seconds between two attempts."""
AGE = timedelta(days=1)
"""What is older is nobody's news."""


def collect(registered: Registered, snapshot: Snapshot, now: datetime, timing: Timing, collector: Collector) -> None:
    """Adds the deliveries that are due, and what is waited for."""
    for environment in registered.application.environments:
        channels = [each for each in registered.application.notify if each.hears_of(environment.name)]
        if not channels:
            continue
        whole = listed(registered, environment, snapshot)
        news = [each for each in read_news(registered, environment, snapshot) if whole(each.n)]
        found = read_told(registered, environment, snapshot)
        told = {(n, name): each for (n, name), each in found.items() if whole(n)}
        for channel in channels:
            heard = [each for each in news if _concerns(registered, channel, each)]
            heard += left_over(channel, told, {each.n for each in news})
            for each in heard:
                if not _overtaken(channel, each, heard, found):
                    delivery = _Delivery(
                        registered=registered, environment=environment, channel=channel, news=each, told=told
                    )
                    delivery.collect(_same_place(channel, each, heard), snapshot, now, timing, collector)


def _concerns(registered: Registered, channel: Channel, news: News) -> bool:
    """A channel hears of what happened since it is there, as much of it as it wants; failures always."""
    silent = registered.silent_up_to.get(channel.name, 0)
    if silent and (news.generation or 0) <= silent:
        return False
    if news.state in FAILURES:
        return True
    if news.state == "started":
        return channel.when == "all" and channel.target.edits
    return channel.when != "failed"


def _overtaken(channel: Channel, news: News, all_news: list[News], told: Mapping[tuple[int, str], Told]) -> bool:
    """Is there something newer to say in the same place? A commit has one status for each environment: the newest rollout of
    the commit has it. What was told counts too: it may be newer than the rollouts that this worker has read."""
    own = told.get((news.n, channel.name), Told())
    if any(rank(phase) > rank(news.phase) for phase, _ in own.claims):
        return True
    if not isinstance(channel.target, CommitStatus):
        return False
    newer = {other.n for other in all_news if other.commit == news.commit}
    newer |= {
        n
        for (n, name), each in told.items()
        for claim in each.claims.values()
        if name == channel.name and (claim.body.get("fields") or {}).get("commit") == news.commit
    }
    return max(newer) > news.n


def _same_place(channel: Channel, news: News, all_news: list[News]) -> list[int]:
    """The rollouts whose sends write where this one's does."""
    if not isinstance(channel.target, CommitStatus):
        return [news.n]
    return [other.n for other in all_news if other.commit == news.commit]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    """One state of one message. `told` is what all channels of the environment were told so far."""

    registered: Registered
    environment: Environment
    channel: Channel
    news: News
    told: Mapping[tuple[int, str], Told]

    def collect(
        self, same_place: Sequence[int], snapshot: Snapshot, now: datetime, timing: Timing, collector: Collector
    ) -> None:
        told, phase = self._told(self.news.n), self.news.phase
        newest = max((epoch for each, epoch in told.claims if each == phase), default=0)
        if told.settled(phase) or (not newest and now - self.news.since > AGE):
            return
        under_way = [
            claim
            for n in same_place
            for claim in self._told(n).unanswered()
            if (now - claim.created).total_seconds() <= timing.lease
        ]
        collector.keep(notices=frozenset({(self.environment.name, self.news.n)}))
        if under_way or (newest and snapshot.tick is None):
            self._wait(newest, collector)
        elif newest and (reason := self._hopeless(told, newest, now)):
            collector.record(f"{self._prefix}{phase}.dropped", kind="notice-dropped", **self._about, reason=reason)
        elif newest and (now - told.claims[phase, newest].created).total_seconds() <= pause(newest, timing):
            self._wait(newest, collector)
        else:
            collector.add(self._step(told, newest + 1, snapshot))

    def _told(self, n: int) -> Told:
        return self.told.get((n, self.channel.name), Told())

    def _hopeless(self, told: Told, newest: int, now: datetime) -> str | None:
        """Why it is not sent again."""
        if now - self.news.since > AGE:
            return f"it is older than a day; {told.last_failure(self.news.phase)}"
        if newest >= ATTEMPTS:
            return f"{ATTEMPTS} attempts failed; {told.last_failure(self.news.phase)}"
        if told.unanswered() and not self.channel.target.asked and self.news.state not in FAILURES:
            return "it may have arrived, and the receiver cannot be asked; only a failure is sent again then"
        return None

    def _step(self, told: Told, epoch: int, snapshot: Snapshot) -> Notify:
        unanswered = told.unanswered()
        place = names.notices(self.registered.application.name, self.environment.name)
        return Notify(
            environment=self.environment.name,
            n=self.news.n,
            channel=self.channel,
            prefix=self._prefix,
            phase=self.news.phase,
            state=self.news.state,
            epoch=epoch,
            fields=self.news.fields,
            receipt=told.receipt(),
            look=bool(unanswered),
            since=min((claim.created for claim in unanswered), default=None),
            known=claims_at(self.channel, self.news.n, self.news.commit, snapshot.under(place)),
        )

    def _wait(self, newest: int, collector: Collector) -> None:
        # Without environment: no rollout waits for it.
        attempt = f" (attempt {newest + 1})" if newest else ""
        n = self.news.n
        collector.wait(f"{self.channel.name} to be told of {self.environment.name} {n}{attempt}")

    @property
    def _prefix(self) -> str:
        place = names.notices_of(self.registered.application.name, self.environment.name, self.news.n)
        return f"{place}{self.channel.name}/"

    @property
    def _about(self) -> dict[str, object]:
        return {
            "environment": self.environment.name,
            "n": self.news.n,
            "channel": self.channel.name,
            "phase": self.news.phase,
            "state": self.news.state,
        }


def claims_at(channel: Channel, n: int, commit: str, facts: Iterable[Fact]) -> frozenset[str]:
    """Names of the claims whose sends write where this one's does, of all that a channel's environment was told."""
    claims = (fact for fact in facts if fact.body["kind"] == "notice-claim" and fact.body["channel"] == channel.name)
    status = isinstance(channel.target, CommitStatus)
    return frozenset(
        claim.name
        for claim in claims
        if claim.body["n"] == n or (status and (claim.body.get("fields") or {}).get("commit") == commit)
    )


def pause(epoch: int, timing: Timing) -> float:
    """Seconds from the claim of this epoch to the next: the lease, then twice as long each time."""
    return float(min(timing.lease * 2 ** (epoch - 1), LONGEST))
