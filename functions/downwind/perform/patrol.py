"""The hour's round: every repository is asked where its refs are, and every application is gone through as if all its markers
were lost. So a push that nobody announced is found, and so is whatever a lost marker stood for."""

import re
from collections.abc import Mapping, Sequence

from downwind import logs
from downwind.errors import DownwindError
from downwind.model.catalog import Registered, RepositoryAddress
from downwind.model.patterns import ref_matches, repository_key
from downwind.perform import applications, ledger, markers
from downwind.perform.moment import Moment
from downwind.perform.reconciler import ask_execution, ask_tips, reconcile
from downwind.perform.slots import in_slot, some
from downwind.perform.turns import turn
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Hints, RefTip, Snapshot
from downwind.reconcile.unmarked import unmarked
from downwind.reconcile.wanted import LOG_LIMIT, Query

BUDGET = 60.0
"""Seconds of one run."""
REPOSITORIES = 5000
"""In one slot, one in sixty of all."""
ROLLOUTS = 1000
"""Objects of rollouts read in an environment, in one list: deeper than the minute's round looks."""
ORDERS = 1000
"""Objects of requests read in an environment: a round for some three hundred requests, more rounds for more."""
_INDEXED = re.compile(r"index/repository/[0-9a-f]{32}/(?P<name>[^/]+)")


def patrol(world: World, moment: Moment, tick_id: int) -> None:
    """The repositories of this tick's slot, and their applications."""
    began = world.monotonic()
    groups: dict[str, set[str]] = {}
    for each in in_slot(world.catalog, "index/repository/", tick_id, REPOSITORIES):
        match = _INDEXED.fullmatch(each.name)
        if match is not None:  # else not written by us
            groups.setdefault(each.name.removesuffix(match["name"]), set()).add(match["name"])
    for prefix in turn(sorted(groups), tick_id, len(groups)):
        if world.monotonic() - began > BUDGET:
            logs.warning("patrol: no time for all of this minute; the others have their turn in an hour")
            break
        try:
            found, unreadable = applications.readable(world.catalog, sorted(groups[prefix]))
            for problem in unreadable:
                logs.error(f"patrol: {problem}")
            # Under its other names a repository has slots of its own.
            _visit(world, [each for each in found if _index(each) == prefix], moment, tick_id)
        except Exception as error:
            # One repository must not stop the others; the text may hold anything.
            logs.error(f"patrol: {_said(error)}", repository=prefix)


def _index(registered: Registered) -> str:
    return names.repository_index(repository_key(registered.application.repository.address))


def _visit(world: World, found: Sequence[Registered], moment: Moment, tick_id: int) -> None:
    """One ls-remote for all applications in a repository. A host that is silent hides its refs, and nothing else."""
    tips: dict[RepositoryAddress, Mapping[str, RefTip] | None] = {}
    for registered in found:
        repository = registered.application.repository
        if repository not in tips:
            tips[repository] = ask_tips(world, repository)
        try:
            _application(world, registered, tips[repository], moment.fresh(world), tick_id)
        except Exception as error:
            logs.error(f"patrol: {_said(error)}", application=registered.application.name)


def _said(error: Exception) -> str:
    """The text of a foreign error may hold anything."""
    return str(error) if isinstance(error, DownwindError) else type(error).__name__


def _application(
    world: World, registered: Registered, tips: Mapping[str, RefTip] | None, moment: Moment, tick_id: int
) -> None:
    """What it finds open gets a marker, so that the ticks go on with it. A marker that is lost here costs one patrol."""
    application = registered.application
    snapshot = Snapshot(tips=tips)
    orders = _read(world, registered, snapshot, tick_id)
    refs = frozenset(ref for ref in tips or () if any(ref_matches(each.refs, ref) for each in application.environments))
    hints = Hints(refs=refs) | unmarked(registered, snapshot, orders, moment.now(world), world.timing)
    for execution in sorted(hints.executions):
        ask_execution(world, snapshot, execution)
    left = reconcile(world, registered, hints, moment, tick=tick_id, snapshot=snapshot, later=[])
    if left is not None:
        world.work.create(markers.of_round(application.name, f"patrol-{tick_id}", left))


def _read(world: World, registered: Registered, snapshot: Snapshot, tick_id: int) -> list[Fact]:
    """Logs and rollouts into the snapshot, the rollouts deeper than a decision reads them; gives back the facts of requests."""
    application = registered.application
    queries = []
    for each in application.environments:
        queries.append(Query(prefix=names.log(application.name, each.name), limit=LOG_LIMIT))
        queries.append(Query(prefix=names.rollouts(application.name, each.name), limit=ROLLOUTS))
    for query, (facts, cut) in zip(queries, ledger.load(world.ledger, queries), strict=True):
        snapshot.add(facts)
        snapshot.loaded[query.prefix] = cut
    places = [names.requests(application.name, each.name) for each in application.environments]
    listed = [each for place in places for each in some(world.ledger, place, ORDERS, tick_id)]
    return ledger.read_listed(world.ledger, listed)
