"""What there is to say of each entry, and what each channel was told of it so far (`reconcile.notices` decides what follows)."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from downwind.model.catalog import Environment, Registered
from downwind.model.channels import Channel
from downwind.model.notice import State
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Snapshot
from downwind.reconcile.log import LogEntry, read_log
from downwind.reconcile.rollouts import Rollout, read_rollouts
from downwind.reconcile.words import short

_PHASES = ("blocked", "started", "ended")


def rank(phase: str) -> tuple[int, int]:
    """Of two phases of one rollout the later is the greater."""
    word, _, attempt = phase.partition("-")
    return int(attempt or 0), _PHASES.index(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one channel was told of one rollout, by phase: `blocked`, `started` or `ended`; of a retry `started-1` and
    `ended-1`, by its first attempt."""

    claims: Mapping[tuple[str, int], Fact] = field(default_factory=dict)
    """(phase, epoch) to the claim"""
    failed: Mapping[tuple[str, int], Fact] = field(default_factory=dict)
    """(phase, epoch): it is certain that nothing arrived"""
    sent: Mapping[str, Fact] = field(default_factory=dict)
    dropped: Mapping[str, Fact] = field(default_factory=dict)

    def settled(self, phase: str) -> bool:
        return phase in self.sent or phase in self.dropped

    def unanswered(self) -> list[Fact]:
        """Claims of which nobody knows what became of them."""
        return [fact for (phase, epoch), fact in self.claims.items() if not self._answered(phase, epoch)]

    def _answered(self, phase: str, epoch: int) -> bool:
        ends = (self.sent.get(phase), self.dropped.get(phase))
        return (phase, epoch) in self.failed or any(end and end.body.get("epoch") == epoch for end in ends)

    def last_failure(self, phase: str) -> str:
        epochs = [epoch for each, epoch in self.failed if each == phase]
        return f"the last because {self.failed[phase, max(epochs)].body['reason']}" if epochs else "none was answered"

    def receipt(self) -> str | None:
        newest = max(self.sent.values(), key=lambda fact: fact.created, default=None)
        return newest.body["receipt"] if newest is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The newest that there is to say of entry n, and since when. `generation`: of the catalog, when the entry was made.
    `fields`: of `channels.FIELDS` all but the link, which the installation knows."""

    n: int
    phase: str
    state: State
    since: datetime
    fields: Mapping[str, str]
    generation: int | None = None

    @property
    def commit(self) -> str:
        return self.fields["commit"]


def listed(registered: Registered, environment: Environment, snapshot: Snapshot) -> Callable[[int], bool]:
    """Is all there that a number's channels were told? Where the list was cut, its last number may lack what was sent: that
    and all below count as told, but for those that a marker has named and that have a list of their own."""
    application = registered.application.name
    hinted = {n for name, n in snapshot.hints.notices if name == environment.name}
    whole = {n for n in hinted if names.notices_of(application, environment.name, n) in snapshot.loaded}
    prefix = names.notices(application, environment.name)
    others = {_number(prefix, fact) for fact in snapshot.under(prefix)} - whole
    oldest = min(others) if others and snapshot.loaded.get(prefix) else 0
    return lambda n: n > oldest or n in whole


def read_news(registered: Registered, environment: Environment, snapshot: Snapshot) -> Iterable[News]:
    """Newest first, of the entries and rollouts that were listed."""
    rollouts = read_rollouts(registered.application, environment, snapshot)
    for entry in read_log(registered.application, environment, snapshot):
        found = _of_entry(registered, environment, entry, rollouts, snapshot)
        if found is not None:
            yield found


def left_over(channel: Channel, told: Mapping[tuple[int, str], Told], known: Container[int]) -> list[News]:
    """What was begun, of rollouts that are too old by now for the lists: a claim says all that is to be sent."""
    found = []
    for (n, name), each in sorted(told.items(), reverse=True):
        if name != channel.name or n in known or not each.claims:
            continue
        newest = max(each.claims.values(), key=lambda claim: (rank(claim.body["phase"]), claim.created))
        phase = newest.body["phase"]
        if not each.settled(phase):
            since = each.claims[phase, 1].created
            fields, state = newest.body["fields"], newest.body["state"]
            found.append(News(n=n, phase=phase, state=state, since=since, fields=fields))
    return found


def _of_entry(
    registered: Registered,
    environment: Environment,
    entry: LogEntry,
    rollouts: Mapping[int, Rollout],
    snapshot: Snapshot,
) -> News | None:
    application = registered.application.name
    rollout = rollouts.get(entry.n)
    fields = partial(_fields, application, environment.name, entry)
    about = partial(News, n=entry.n, generation=entry.generation)
    # A retry is told in the same message, but it is another start and another end.
    again = f"-{rollout.retry}" if rollout is not None and rollout.retry else ""
    if rollout is not None and rollout.outcome is not None:
        outcome = rollout.outcome
        values = fields(
            outcome["status"], outcome["reason"], execution=outcome.get("execution") or "", attempt=outcome["attempt"]
        )
        since = rollout.settled_at or entry.created
        return about(phase=f"ended{again}", state=outcome["status"], since=since, fields=values)
    runs = [run for run in rollout.runs if run.attempt >= rollout.retry] if rollout is not None else []
    if runs:
        values = fields("started", execution=runs[-1].execution, attempt=runs[-1].attempt)
        since = min(run.started for run in runs)
        return about(phase=f"started{again}", state="started", since=since, fields=values)
    if rollout is not None or entry.n < max(rollouts, default=0):
        return None
    blocked = _blocked(application, environment, entry, snapshot)
    if blocked is None:
        return None
    return about(
        phase="blocked", state="blocked", since=blocked.created, fields=fields("blocked", blocked.body["reason"])
    )


def _blocked(application: str, environment: Environment, entry: LogEntry, snapshot: Snapshot) -> Fact | None:
    """Why this entry does not go: its manifests for this environment, or its release, unless that was completed after all."""
    release = names.release(application, entry.commit)
    manifests = snapshot.under(f"{release}blocked.render-{environment.name}-")
    if manifests or release + "completed" in snapshot.facts:
        return next(iter(manifests), None)
    found = [fact for fact in snapshot.under(f"{release}blocked.") if "/blocked.render-" not in fact.name]
    return next(iter(found), None)


def _number(prefix: str, fact: Fact) -> int:
    return names.HIGHEST - int(fact.name.removeprefix(prefix).split("/")[0])


def read_told(registered: Registered, environment: Environment, snapshot: Snapshot) -> Mapping[tuple[int, str], Told]:
    prefix = names.notices(registered.application.name, environment.name)
    return snapshot.remember(prefix, prefix, lambda: _grouped(snapshot.under(prefix)))


def _grouped(facts: Iterable[Fact]) -> dict[tuple[int, str], Told]:
    grouped: dict[tuple[int, str], list[Fact]] = {}
    for fact in facts:
        grouped.setdefault((fact.body["n"], fact.body["channel"]), []).append(fact)
    return {key: _told(found) for key, found in grouped.items()}


def _told(facts: list[Fact]) -> Told:
    def of(kind: str) -> list[Fact]:
        return [fact for fact in facts if fact.body["kind"] == kind]

    return Told(
        claims={(fact.body["phase"], fact.body["epoch"]): fact for fact in of("notice-claim")},
        failed={(fact.body["phase"], fact.body["epoch"]): fact for fact in of("notice-failed")},
        sent={fact.body["phase"]: fact for fact in of("notice-sent")},
        dropped={fact.body["phase"]: fact for fact in of("notice-dropped")},
    )


def _fields(
    application: str,
    environment: str,
    entry: LogEntry,
    status: str,
    reason: str = "",
    *,
    execution: str = "",
    attempt: int = 0,
) -> dict[str, str]:
    return {
        "application": application,
        "environment": environment,
        "sequence": str(entry.n),
        "attempt": str(attempt),
        "commit": entry.commit,
        "short_commit": short(entry.commit),
        "ref": entry.ref or "",
        "status": status,
        "reason": reason,
        "who": entry.who or "",
        "why": entry.why or "",
        "execution": execution,
    }
