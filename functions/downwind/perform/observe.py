"""Asking Gate how one execution is."""

from downwind.perform.world import World
from downwind.reconcile.facts import Snapshot


def observe(world: World, snapshot: Snapshot, identifier: str) -> None:
    """What Gate says of one execution now, into the snapshot."""
    execution = world.pipelines.execution(identifier)
    if execution is None:
        snapshot.gone.add(identifier)
    else:
        snapshot.executions[identifier] = execution
