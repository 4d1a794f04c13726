"""The loop: read what the decision wants, ask `next_steps`, perform, and again until nothing more can be done now."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from downwind import logs
from downwind.errors import DownwindError, TransientError
from downwind.model.catalog import Registered
from downwind.perform import ledger
from downwind.perform.effects import Effects
from downwind.perform.world import World
from downwind.reconcile.due import next_steps
from downwind.reconcile.facts import Hints, RefTip, Snapshot
from downwind.reconcile.steps import Announce, Due, Record, Step
from downwind.reconcile.wanted import wanted

ROUNDS = 25
"""More would be a loop; what is left then is the tick's."""


def reconcile(
    world: World,
    registered: Registered,
    hints: Hints,
    now: datetime,
    *,
    tick: int | None = None,
    snapshot: Snapshot | None = None,
    alongside: Callable[[], object] | None = None,
) -> bool:
    """Performs everything that is due for one application. True: nothing is open, its markers may go.

    `alongside` is made together with the first reads. Raises only what `alongside` raises or a read of the ledger itself:
    a step that fails is logged and left for the tick.
    """
    snapshot = snapshot or Snapshot()
    snapshot.hints, snapshot.tick = hints, tick
    effects = Effects(world, registered, snapshot)
    asked = [lambda: _ask_tips(world, registered, snapshot)] if hints.refs and snapshot.tips is None else []
    calls = [*([alongside] if alongside else []), *asked, lambda: _load(world, registered, snapshot)]
    world.side_by_side(calls)
    tried: list[Step] = []
    due = Due()
    for _ in range(ROUNDS):
        while _load(world, registered, snapshot):
            pass
        due = next_steps(registered, snapshot, now, world.timing)
        steps = _this_round([step for step in due.steps if step not in tried])
        if not steps:
            break
        tried += steps
        _perform(effects, registered, steps)
    left = [step for step in due.steps if step in tried]
    if left:
        logs.info(
            "left for the tick", application=registered.application.name, steps=[type(step).__name__ for step in left]
        )
    return not due.waits and not due.steps


def _this_round(steps: list[Step]) -> list[Step]:
    """Announcements wait until nothing else is left to do, and go in one round."""
    return [step for step in steps if not isinstance(step, Announce)] or steps


def _perform(effects: Effects, registered: Registered, steps: list[Step]) -> None:
    """Facts that only follow from others go in one round, then effects in their order; announcements in one round."""
    records = [step for step in steps if isinstance(step, Record)]
    announcements = [step for step in steps if isinstance(step, Announce)]
    others = [step for step in steps if not isinstance(step, Record | Announce)]
    batches: list[Callable[[], None]] = []
    if records:
        batches.append(lambda: effects.record(records))
    batches += [partial(effects.perform, step) for step in others]
    if announcements:
        batches.append(lambda: effects.announce(announcements))
    for batch in batches:
        try:
            batch()
        except DownwindError as error:
            write = logs.info if isinstance(error, TransientError) else logs.error
            write(f"{type(error).__name__}: {error}", application=registered.application.name)


def _load(world: World, registered: Registered, snapshot: Snapshot) -> bool:
    """Makes the lists that are still missing, side by side. False when there was none."""
    queries = wanted(registered, snapshot)
    if not queries:
        return False
    for query, (facts, cut) in zip(queries, ledger.load(world.ledger, queries), strict=True):
        snapshot.add(facts)
        snapshot.loaded[query.prefix] = cut
    return True


def _ask_tips(world: World, registered: Registered, snapshot: Snapshot) -> None:
    repository = registered.application.repository
    try:
        tips = world.repository.tips(repository.address, repository.credentials)
    except DownwindError as error:
        logs.warning(
            f"{repository.address} did not say where its refs are: {error}", application=registered.application.name
        )
        return
    snapshot.tips = {ref: RefTip(object=tip.object, commit=tip.commit) for ref, tip in tips.items()}
