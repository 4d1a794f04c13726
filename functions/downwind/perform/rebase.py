"""Takes a log up again that was lost or only half restored: reads what is live, and writes the first entry above it."""

from collections.abc import Mapping, Sequence

from downwind.errors import Refused, TransientError
from downwind.model.catalog import Environment, Registered
from downwind.perform import ledger
from downwind.perform.world import World
from downwind.ports import Cluster, Marked
from downwind.reconcile import names
from downwind.reconcile.facts import RefTip, Snapshot
from downwind.reconcile.rebase import (
    Known,
    Rebase,
    bundle_sequence,
    ledger_sequence,
    live_sequence,
    plan,
)
from downwind.reconcile.wanted import LOG_LIMIT, Query

TRIES = 5
_ALL = 1_000_000
"""A rebase is rare, and must not miss the one record that matters."""


def look(
    world: World,
    clusters: Sequence[Cluster],
    registered: Registered,
    environment: str | None,
    about: Mapping[str, str | None],
) -> list[Rebase]:
    """What `write` is to write: for one environment, or for all. Refused when a namespace is in none of the clusters: what is
    live there could not be read. Raises what a system says that does not answer; nothing is guessed."""
    application = registered.application
    chosen = [each for each in application.environments if environment in (None, each.name)]
    if not chosen:
        known = ", ".join(each.name for each in application.environments)
        raise Refused(f"{application.name} has no environment {environment!r}", fix=f"use one of: {known}")
    for each in application.environments:
        if not any(cluster.namespace(each.namespace) is not None for cluster in clusters):
            asked = ", ".join(cluster.name for cluster in clusters)
            raise Refused(
                f"namespace {each.namespace} of {application.name}/{each.name} is in none of the clusters asked ({asked})",
                fix="name its cluster too: --context",
            )
    marked: dict[str, Sequence[Marked]] = {cluster.name: cluster.marked() for cluster in clusters}
    snapshot = _snapshot(world, registered)
    numbers = {each.name: _known(world, registered, each, snapshot, marked) for each in application.environments}
    return plan(registered, snapshot, numbers, chosen, about)


def write(
    world: World,
    clusters: Sequence[Cluster],
    registered: Registered,
    environment: str | None,
    about: Mapping[str, str | None],
) -> list[Rebase]:
    """`look`, written down: refs before entries, so that no old push is taken for a new one in between. A function that
    appended meanwhile makes it look again. TransientError when that goes on."""
    for _ in range(TRIES):
        found = look(world, clusters, registered, environment, about)
        facts = [fact for each in found for fact in each.refs]
        if facts:
            ledger.create(world.ledger, facts)
        entries = [each.entry for each in found if each.entry is not None]
        if not entries or None not in ledger.create(world.ledger, entries):
            return found
    raise TransientError(f"{registered.application.name}: others keep appending to its logs; nothing is lost")


def _snapshot(world: World, registered: Registered) -> Snapshot:
    application, snapshot = registered.application, Snapshot()
    tips = world.repository.tips(application.repository.address, application.repository.credentials)
    snapshot.tips = {ref: RefTip(object=tip.object, commit=tip.commit) for ref, tip in tips.items()}
    places = [(application.name, each.name) for each in application.environments]
    queries = [Query(prefix=names.log(*place), limit=LOG_LIMIT) for place in places]
    queries += [Query(prefix=names.rollouts(*place), limit=1) for place in places]
    # Not with the others: a round of lists has one limit.
    every = [Query(prefix=names.refs(*place), limit=_ALL) for place in places]
    for batch in (queries, every):
        for query, (facts, cut) in zip(batch, ledger.load(world.ledger, batch), strict=True):
            snapshot.add(facts)
            snapshot.loaded[query.prefix] = cut
    return snapshot


def _known(
    world: World,
    registered: Registered,
    environment: Environment,
    snapshot: Snapshot,
    marked: Mapping[str, Sequence[Marked]],
) -> Known:
    application = registered.application
    place = (application.name, environment.name)
    stamped = world.bundles.list(names.stamped_under(*place))
    bundles = bundle_sequence(*place, (each.name for each in stamped))
    live = {name: live_sequence(*place, (each.annotations for each in found)) for name, found in marked.items()}
    ledgers = ledger_sequence(application, environment, snapshot)
    return Known(numbers={"ledger": ledgers, "bundles": bundles, **{f"cluster {name}": n for name, n in live.items()}})
