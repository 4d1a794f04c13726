"""Reading the ledger for people: where one application stands. Nothing here writes, or decides anything of its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from downwind.errors import DownwindError
from downwind.model.catalog import Environment, Registered
from downwind.perform import ledger, verification
from downwind.perform.world import World
from downwind.reconcile import names, words
from downwind.reconcile.due import next_steps
from downwind.reconcile.facts import Hints, RefTip, Snapshot
from downwind.reconcile.log import Hold, LogEntry, read_log, standing_hold
from downwind.reconcile.rollouts import Rollout, read_rollouts
from downwind.reconcile.steps import (
    Append,
    CancelRollout,
    Due,
    RenderBundle,
    ResolveImage,
    StartBuild,
    Step,
    TriggerRollout,
    Wait,
)
from downwind.reconcile.wanted import Query, wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One entry as it stands. `state`: succeeded, failed, cancelled or superseded (ended); running; blocked, waiting, due
    or passed over (not triggered). `reason` is a sentence, `waits` are several. `since` is the fact that says so."""

    n: int
    commit: str
    by: str
    state: str
    reason: str | None = None
    waits: tuple[str, ...] = ()
    since: datetime | None = None
    attempt: int | None = None
    execution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The hold that stands in an environment, and since when."""

    hold: Hold
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStanding:
    """`live` is the newest success, `last` the newest end where that is another; `next` the entries above the newest
    triggered, newest first; `due`: what is on its way into the log."""

    environment: Environment
    held: Held | None = None
    live: Standing | None = None
    last: Standing | None = None
    running: tuple[Standing, ...] = ()
    next: tuple[Standing, ...] = ()
    due: tuple[str, ...] = ()

    @property
    def ahead(self) -> tuple[Standing, ...]:
        """What is not live (yet), in the order in which people ask: what runs, what goes, what waits, what is blocked, what
        ended badly after all that is live; and what still runs although something newer is live."""
        live = self.live.n if self.live else 0
        going = sorted(self.next, key=lambda each: ({"due": 0, "waiting": 1}.get(each.state, 2), -each.n))
        ended = (self.last,) if self.last else ()
        late = [each for each in self.running if each.n < live]
        return (*(each for each in self.running if each.n > live), *going, *ended, *late)


@dataclass(slots=True, kw_only=True)
class View:
    """What was read of one application, and what the rules make of it now. `silent`: why Gate said nothing."""

    registered: Registered
    snapshot: Snapshot
    due: Due = field(default_factory=Due)
    silent: str | None = None


def view(
    world: World,
    registered: Registered,
    now: datetime,
    hints: Hints | None = None,
    tips: Mapping[str, RefTip] | None = None,
) -> View:
    """Reads what a decision reads, asks Gate for the open executions, and decides without doing. `tips`: what the repository
    has answered, where somebody asked it."""
    found = View(registered=registered, snapshot=Snapshot(hints=hints or Hints(), tips=tips))
    load(world, found)
    _load_holds(world, found)
    observe_open(world, found)
    found.due = decide(world, found, now)
    return found


def _load_holds(world: World, found: View) -> None:
    """The entries that hold, where many others came after them."""
    application = found.registered.application
    holds = [(each.name, standing_hold(application, each, found.snapshot)) for each in application.environments]
    entries = [names.entry(application.name, name, hold.n) for name, hold in holds if hold and hold.n is not None]
    queries = [Query(prefix=name, limit=1) for name in entries if name not in found.snapshot.facts]
    for facts, _ in ledger.load(world.ledger, queries) if queries else ():
        found.snapshot.add(facts)


def observe_open(world: World, found: View) -> None:
    """What Gate says of the open executions; it is not asked twice when it is silent."""
    for execution in _open_executions(found):
        try:
            seen = world.pipelines.execution(execution)
        except DownwindError as error:
            found.silent = str(error)
            break
        if seen is not None:
            found.snapshot.executions[execution] = seen


def views(world: World, found: Sequence[Registered], now: datetime) -> list[View]:
    """`view` of each application, side by side."""
    return world.side_by_side([partial(view, world, each, now) for each in found])


def decide(world: World, found: View, now: datetime) -> Due:
    """Entries that are due would come first and alone; people want to hear of everything else as well."""
    first = next_steps(found.registered, found.snapshot, now, world.timing)
    after = next_steps(found.registered, found.snapshot, now, world.timing, first.steps)
    steps = (*first.steps, *(step for step in after.steps if step not in first.steps))
    asked = verification.waits(world, found.registered.application, steps)
    return Due(steps=steps, waits=tuple(dict.fromkeys((*first.waits, *after.waits, *asked))))


def load(world: World, found: View) -> None:
    while queries := wanted(found.registered, found.snapshot):
        for query, (facts, cut) in zip(queries, ledger.load(world.ledger, queries), strict=True):
            found.snapshot.add(facts)
            found.snapshot.loaded[query.prefix] = cut


def _open_executions(found: View) -> list[str]:
    application = found.registered.application
    return [
        run.execution
        for environment in application.environments
        for rollout in read_rollouts(application, environment, found.snapshot).values()
        if rollout.claims and rollout.outcome is None
        for run in rollout.runs
        if run.end is None
    ]


def environments(found: View) -> list[EnvironmentStanding]:
    return [_environment(found, each) for each in found.registered.application.environments]


def _environment(found: View, environment: Environment) -> EnvironmentStanding:
    application = found.registered.application
    rollouts = read_rollouts(application, environment, found.snapshot)
    entries = {entry.n: entry for entry in read_log(application, environment, found.snapshot)}
    ended = [standing(found, environment, rollout, entries) for rollout in rollouts.values() if rollout.outcome]
    ended.sort(key=lambda each: each.n)
    live = next((each for each in reversed(ended) if each.state == "succeeded"), None)
    claimed = max((number for number, rollout in rollouts.items() if rollout.claims), default=0)
    return EnvironmentStanding(
        environment=environment,
        held=_held(found, environment),
        live=live,
        last=ended[-1] if ended and ended[-1] is not live else None,
        running=tuple(
            standing(found, environment, rollouts[number], entries)
            for number in sorted(rollouts, reverse=True)
            if rollouts[number].claims and rollouts[number].outcome is None
        ),
        next=tuple(
            candidate(found, environment, entries[number])
            for number in sorted(entries, reverse=True)
            if (entries[number].release or entries[number].rollback)
            and number > claimed
            and not (number in rollouts and rollouts[number].outcome)
        ),
        due=(
            *(
                words.of_step(step)
                for step in found.due.steps
                if isinstance(step, Append) and step.environment == environment.name
            ),
            *(words.of_wait(wait) for wait in promotions(found, environment.name)),
        ),
    )


def promotions(found: View, environment: str) -> list[Wait]:
    """What waits to be promoted there: it has no number yet."""
    return [wait for wait in found.due.waits if wait.environment == environment and wait.n is None and wait.commit]


def _held(found: View, environment: Environment) -> Held | None:
    application = found.registered.application
    hold = standing_hold(application, environment, found.snapshot)
    if hold is None:
        return None
    over_all = found.snapshot.under(names.ALL_HOLDS)
    name = over_all[0].name if hold.n is None else names.entry(application.name, environment.name, hold.n)
    fact = found.snapshot.facts.get(name)
    return Held(hold=hold, since=fact.created if fact else None)


def standing(found: View, environment: Environment, rollout: Rollout, entries: Mapping[int, LogEntry]) -> Standing:
    """A rollout that was claimed, or that Gate refused before any claim could be read."""
    entry = entries.get(rollout.n)
    by = entry.by if entry else "-"
    outcome = rollout.outcome
    if outcome is not None:
        return Standing(
            n=rollout.n,
            commit=outcome["commit"],
            by=by,
            state=outcome["status"],
            reason=outcome["reason"],
            since=rollout.settled_at,
            attempt=outcome["attempt"],
            execution=outcome["execution"],
        )
    runs = rollout.runs_of(rollout.attempt)
    steps = [
        words.of_step(step)
        for step in found.due.steps
        if isinstance(step, TriggerRollout | CancelRollout)
        and (step.environment, step.n) == (environment.name, rollout.n)
    ]
    return Standing(
        n=rollout.n,
        commit=rollout.first_claim.body["commit"],
        by=by,
        state="running",
        waits=(*_waits(found, environment, rollout.n, None), *steps),
        since=runs[-1].started if runs else rollout.claim.created,
        attempt=rollout.attempt,
        execution=runs[-1].execution if runs else None,
    )


def candidate(found: View, environment: Environment, entry: LogEntry) -> Standing:
    """An entry that nobody has claimed for trigger, above the newest that somebody has."""
    state, reason = "waiting", None
    waits = _waits(found, environment, entry.n, entry.commit)
    steps = [words.of_step(step) for step in found.due.steps if _moves(step, environment, entry)]
    blocked = [fact.body["reason"] for fact in blocks(found, environment, entry)] if entry.release else []
    if not waits and steps:
        state, reason = "due", steps[0]
    elif not waits and blocked:
        state, reason = "blocked", blocked[0]
    elif not waits:
        state, reason = "waiting", "a newer entry goes first"
    return Standing(
        n=entry.n, commit=entry.commit, by=entry.by, state=state, reason=reason, waits=waits, since=entry.created
    )


def _moves(step: Step, environment: Environment, entry: LogEntry) -> bool:
    match step:
        case TriggerRollout():
            return (step.environment, step.n) == (environment.name, entry.n)
        case RenderBundle():
            return entry.release and (step.environment, step.commit) == (environment.name, entry.commit)
        case StartBuild() | ResolveImage():
            return step.commit == entry.commit
    return False


def blocks(found: View, environment: Environment, entry: LogEntry) -> Iterable[Any]:
    """What stops this entry's release; of manifests, only this environment's."""
    prefix = names.release(found.registered.application.name, entry.commit) + "blocked."
    for fact in found.snapshot.under(prefix):
        leaf = fact.name.removeprefix(prefix)
        if not leaf.startswith("render-") or leaf.startswith(f"render-{environment.name}-"):
            yield fact


def _waits(found: View, environment: Environment, number: int, commit: str | None) -> tuple[str, ...]:
    """Each once: several environments can wait for the same build."""
    return tuple(
        dict.fromkeys(
            wait.what
            for wait in found.due.waits
            if wait.environment in (None, environment.name)
            and (wait.n == number if wait.environment else wait.commit is not None and wait.commit == commit)
        )
    )
