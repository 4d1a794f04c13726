"""Whether a push changed what an application of a larger repository is made of."""

from downwind import logs
from downwind.errors import Refused
from downwind.model.catalog import Registered
from downwind.model.patterns import path_matches
from downwind.perform.world import World
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.steps import Compare


def compare(world: World, registered: Registered, snapshot: Snapshot, step: Compare) -> None:
    """Into the snapshot: is there a file among the application's own that differs between the two commits?"""
    application = registered.application
    repository = application.repository
    try:
        before, after = (
            world.repository.blobs(repository.address, commit, repository.credentials)
            for commit in (step.before, step.after)
        )
    except Refused as error:
        # A forced push may have taken the older commit away for good. One rollout too many does no harm, one too few does.
        logs.warning(f"taken as changed: {error.reason}", application=application.name)
        snapshot.changed[step.before, step.after] = True
        return
    differing = (path for path in {*before, *after} if before.get(path) != after.get(path))
    snapshot.changed[step.before, step.after] = any(path_matches(application.paths, path) for path in differing)
