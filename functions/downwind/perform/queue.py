"""What is open: the markers that the tick goes by, and what the rules make of each application that has one. Nothing here
writes, or decides anything of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from downwind.errors import DownwindError
from downwind.model.catalog import Registered
from downwind.perform import applications, markers
from downwind.perform.look import View, environments, view
from downwind.perform.parking import PARKED
from downwind.perform.world import World
from downwind.ports import StoredObject
from downwind.reconcile import words
from downwind.reconcile.facts import Hints, RefTip
from downwind.reconcile.rollouts import read_rollouts
from downwind.reconcile.steps import (
    Append,
    CancelRollout,
    Observe,
    Record,
    RenderBundle,
    ResolveImage,
    StartBuild,
    Step,
    TriggerRollout,
)

_OF_ENTRIES = Append | TriggerRollout | CancelRollout | RenderBundle | StartBuild | ResolveImage
"""Told with their entries."""
LIMIT = 200
"""Applications looked at, as many as one tick takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """`recorded`: all that its event says is written down; False: the message comes again, or after an hour the tick goes on
    without. `since`: when it was written, which is when the work began or the last tick found less left to do."""

    name: str
    since: datetime
    recorded: bool
    hints: Hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """`state`: running, waiting or due. `waits` are several, `reason` is what is to be done. An entry has `n`; what is about a
    whole environment or application has none."""

    state: str
    reason: str | None = None
    waits: tuple[str, ...] = ()
    environment: str | None = None
    n: int | None = None
    commit: str | None = None
    since: datetime | None = None
    execution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenApplication:
    """`silent`: why Gate or the repository said nothing. `missing`: the catalog does not have it, or it can't be read."""

    name: str
    markers: tuple[Marker, ...]
    open: tuple[Open, ...] = ()
    silent: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """`parked`: markers of parked messages that nobody was told of yet. `more`: applications beyond the limit."""

    applications: tuple[OpenApplication, ...]
    parked: tuple[StoredObject, ...] = ()
    problems: tuple[str, ...] = ()
    more: int = 0


def queue(world: World, now: datetime, application: str | None = None, limit: int = LIMIT) -> Queue:
    """Costs one list of markers, and of each application with one what a look at it costs (docs/reference/cli.md)."""
    groups: dict[str, list[StoredObject]] = {}
    for each in world.work.list(f"open/{application}/" if application else "open/"):
        groups.setdefault(each.name.split("/")[1], []).append(each)
    parked = groups.pop(PARKED, [])
    chosen = sorted(groups)[:limit]
    found, problems = applications.readable(world.catalog, chosen)
    known = {each.application.name: each for each in found}
    return Queue(
        applications=tuple(
            world.side_by_side(
                [partial(_application, world, name, groups[name], known.get(name), now) for name in chosen]
            )
        ),
        parked=tuple(parked),
        problems=tuple(problems),
        more=len(groups) - len(chosen),
    )


def _application(
    world: World, name: str, listed: Sequence[StoredObject], registered: Registered | None, now: datetime
) -> OpenApplication:
    hints, recorded = markers.read(world, listed, now)
    marked = tuple(
        Marker(name=each.name, since=each.created, recorded=each.name in recorded, hints=hints.get(each.name, Hints()))
        for each in listed
    )
    if registered is None:
        return OpenApplication(name=name, markers=marked, missing=True)
    together = Hints()
    for each in hints.values():
        together |= each
    tips, silent = _tips(world, registered, together)
    found = view(world, registered, now, together, tips)
    return OpenApplication(
        name=name,
        markers=marked,
        open=tuple(_open(found)),
        silent=tuple(text for text in (found.silent, silent) if text),
    )


def _tips(world: World, registered: Registered, hints: Hints) -> tuple[Mapping[str, RefTip] | None, str | None]:
    if not hints.refs:
        return None, None
    repository = registered.application.repository
    try:
        tips = world.repository.tips(repository.address, repository.credentials)
    except DownwindError as error:
        return None, str(error)
    return {ref: RefTip(object=tip.object, commit=tip.commit) for ref, tip in tips.items()}, None


def _open(found: View) -> Iterator[Open]:
    """The entries that are on their way, then what is due or waited for besides. What an order will go on with, and nobody
    else, is not open."""
    held = {(wait.environment, wait.n) for wait in found.due.waits if wait.closed}
    for place in environments(found):
        name = place.environment.name
        yield from (Open(state="due", reason=text, environment=name) for text in place.due)
        for each in (*place.running, *place.next):
            # Nobody has anything to do with what is blocked until something new comes.
            if each.state != "blocked" and (name, each.n) not in held:
                yield Open(
                    state=each.state,
                    reason=each.reason,
                    waits=each.waits,
                    environment=name,
                    n=each.n,
                    commit=each.commit,
                    since=each.since,
                    execution=each.execution,
                )
    for step in found.due.steps:
        if not isinstance(step, _OF_ENTRIES) and not _is_index(step):
            yield Open(
                state="due",
                reason=words.of_step(step),
                environment=getattr(step, "environment", None),
                n=getattr(step, "n", None),
            )
    for wait in found.due.waits:
        if wait.n is None:
            yield Open(state="waiting", waits=(wait.what,), environment=wait.environment)
    ended = {
        run.execution
        for place in found.registered.application.environments
        for rollout in read_rollouts(found.registered.application, place, found.snapshot).values()
        for run in rollout.runs
        if run.end is not None
    }
    for execution in sorted(found.snapshot.hints.executions - frozenset(found.snapshot.executions) - ended):
        yield Open(state="due", reason=words.of_step(Observe(execution=execution)), execution=execution)


def _is_index(step: Step) -> bool:
    """Written down with the facts that it leads to, which are told."""
    return isinstance(step, Record) and step.fact.body.get("kind") in {"pointer", "ref"}
