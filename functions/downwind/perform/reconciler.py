"""The loop: read what the decision wants, ask `next_steps`, perform, and again until nothing more can be done now."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from downwind import logs
from downwind.errors import DownwindError, TransientError
from downwind.model.catalog import Registered, RepositoryAddress
from downwind.perform import ledger
from downwind.perform.effects import Effects
from downwind.perform.moment import Moment
from downwind.perform.observe import observe
from downwind.perform.world import World
from downwind.reconcile.due import next_steps
from downwind.reconcile.facts import Hints, RefTip, Snapshot
from downwind.reconcile.steps import Announce, Due, Notify, Record, Step
from downwind.reconcile.wanted import wanted

ROUNDS = 25
"""More would be a loop; what is left then is the tick's."""


def reconcile(
    world: World,
    registered: Registered,
    hints: Hints,
    moment: Moment,
    *,
    tick: int | None = None,
    snapshot: Snapshot | None = None,
    alongside: Callable[[], object] | None = None,
    later: list[Callable[[], None]] | None = None,
) -> Hints | None:
    """Performs everything that is due for one application. None: nothing is open, its markers may go; else the part of the
    hints that the next run needs again (often none: most of what is open is found without).

    `snapshot` holds what the caller has asked already (tips, executions); without it all that is hinted at is asked here.
    `alongside` is made together with the first reads. `later` takes the notices instead of sending them here: a slow chat
    must not hold up a caller who has other applications to see to. Raises only what `alongside` raises or a read of the
    ledger itself: a step that fails is logged and left for the tick.
    """
    asked: list[Callable[[], None]] = []
    if snapshot is None:
        snapshot = Snapshot()
        asked = _questions(world, registered, hints, snapshot)
    snapshot.hints, snapshot.tick = hints, tick
    effects = Effects(world, registered, snapshot, moment)
    world.side_by_side([*([alongside] if alongside else []), *asked, partial(_load, world, registered, snapshot)])
    tried: list[Step] = []
    due = Due()
    for _ in range(ROUNDS):
        while _load(world, registered, snapshot):
            pass
        due = next_steps(registered, snapshot, moment.now(world), world.timing, tried)
        steps = _now(step for step in due.steps if step not in tried)
        if not steps:
            break
        tried += steps
        if later is not None and isinstance(steps[0], Notify):
            later += [partial(effects.perform, each) for each in steps if isinstance(each, Notify)]
            continue
        _perform(world, effects, registered, steps)
    left = sorted({type(step).__name__ for step in due.steps})
    if left:
        logs.info("left for the tick", application=registered.application.name, steps=left)
    unheard = hints.executions - frozenset(snapshot.executions) - snapshot.gone
    if all(wait.closed for wait in due.waits) and not due.steps and not unheard and not effects.doubtful:
        return None
    return due.open | Hints(executions=unheard, commits=effects.doubtful)


def _questions(world: World, registered: Registered, hints: Hints, snapshot: Snapshot) -> list[Callable[[], None]]:
    """What the ledger can't say: where refs are, and what became of executions."""
    repository = registered.application.repository
    calls: list[Callable[[], None]] = []
    if hints.refs:
        calls.append(lambda: setattr(snapshot, "tips", ask_tips(world, repository)))
    return calls + [partial(ask_execution, world, snapshot, each) for each in sorted(hints.executions)]


def ask_execution(world: World, snapshot: Snapshot, identifier: str) -> None:
    """Into the snapshot; where Gate does not answer, it is left open."""
    try:
        observe(world, snapshot, identifier)
    except DownwindError as error:
        logs.warning(f"Gate did not say how {identifier} is: {error}")


def _now(steps: Iterable[Step]) -> list[Step]:
    """Announcements come after all else, in one round, and notices after those."""
    found = list(steps)
    for last in (Announce | Notify, Notify):
        if first := [step for step in found if not isinstance(step, last)]:
            return first
    return found


def _perform(world: World, effects: Effects, registered: Registered, steps: list[Step]) -> None:
    """Side by side, but for one environment in the order given; facts that only follow from others in one call."""
    records = [step for step in steps if isinstance(step, Record)]
    announcements = [step for step in steps if isinstance(step, Announce)]
    chains: dict[str, list[Callable[[], None]]] = {}
    if records:
        chains["records"] = [partial(effects.record, records)]
    if announcements:
        chains["announcements"] = [partial(effects.announce, announcements)]
    for index, step in enumerate(steps):
        if isinstance(step, Notify):
            chains[f"notice {index}"] = [partial(effects.perform, step)]
        elif not isinstance(step, Record | Announce):
            chains.setdefault(getattr(step, "environment", str(index)), []).append(partial(effects.perform, step))

    def follow(chain: list[Callable[[], None]]) -> None:
        for act in chain:
            try:
                act()
            except DownwindError as error:
                write = logs.info if isinstance(error, TransientError) else logs.error
                write(f"{type(error).__name__}: {error}", application=registered.application.name)

    world.side_by_side([partial(follow, chain) for chain in chains.values()])


def _load(world: World, registered: Registered, snapshot: Snapshot) -> bool:
    """Makes the lists that are still missing, side by side. False when there was none."""
    queries = wanted(registered, snapshot)
    if not queries:
        return False
    snapshot.rounds += 1
    for query, (facts, cut) in zip(queries, ledger.load(world.ledger, queries), strict=True):
        snapshot.add(facts)
        snapshot.loaded[query.prefix] = cut
    return True


def ask_tips(world: World, repository: RepositoryAddress) -> Mapping[str, RefTip] | None:
    """None when the host does not say: the tick asks again."""
    try:
        tips = world.repository.tips(repository.address, repository.credentials)
    except DownwindError as error:
        logs.warning(f"{repository.address} did not say where its refs are: {error}")
        return None
    return {ref: RefTip(object=tip.object, commit=tip.commit) for ref, tip in tips.items()}
