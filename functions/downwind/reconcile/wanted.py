"""Which lists a decision still needs. Asked again after each round of lists until nothing is missing; every list is bounded,
so the cost does not grow with applications, releases or old facts."""

from dataclasses import dataclass

from downwind.model.catalog import Application, Registered
from downwind.reconcile import names
from downwind.reconcile.admit import frontier, pushes_prefix
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.log import read_log
from downwind.reconcile.releases import build_prefix
from downwind.reconcile.rollouts import read_rollouts

LOG_LIMIT = 50
"""What the rest of the log has to say is carried forward from entry to entry."""
ROLLOUT_LIMIT = 200
"""Objects, not rollouts: some twenty rollouts or more."""
WHOLE_LIMIT = 2000
"""Objects of one rollout: while Gate is down, each tick that takes over adds a claim."""
NOTICE_LIMIT = 1000
"""Objects: two for each state of a message, and two more for each attempt that failed."""
REF_LIMIT = 20
FACT_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    prefix: str
    limit: int


def wanted(registered: Registered, snapshot: Snapshot) -> tuple[Query, ...]:
    """The lists to make side by side now; empty when the decision can be made."""
    application = registered.application
    queries: dict[str, int] = {names.ALL_HOLDS: 1}
    for environment in application.environments:
        queries[names.log(application.name, environment.name)] = LOG_LIMIT
        queries[names.rollouts(application.name, environment.name)] = ROLLOUT_LIMIT
        if application.notify:
            queries[names.notices(application.name, environment.name)] = NOTICE_LIMIT
    for name, n in sorted(snapshot.hints.notices):
        queries[names.notices_of(application.name, name, n)] = FACT_LIMIT
    for commit in sorted(snapshot.hints.commits):
        queries.update(_release(registered, commit))
    for name, identifier in sorted(snapshot.hints.requests):
        queries[names.request(application.name, name, identifier)] = REF_LIMIT
        queries[names.event("request", identifier)] = FACT_LIMIT
    for ref in sorted(snapshot.hints.refs):
        for environment in application.fed_by(ref):
            queries[names.ref(application.name, environment.name, ref)] = REF_LIMIT
    missing = _missing(queries, snapshot)
    if missing:
        return missing
    more = (
        _cut(application, snapshot),
        _candidates(registered, snapshot),
        _admission(application, snapshot),
        _heard_of(application, snapshot),
        _targets(application, snapshot),
    )
    return _missing({prefix: limit for queries in more for prefix, limit in queries.items()}, snapshot)


def _missing(queries: dict[str, int], snapshot: Snapshot) -> tuple[Query, ...]:
    return tuple(
        Query(prefix=prefix, limit=limit) for prefix, limit in queries.items() if prefix not in snapshot.loaded
    )


def _release(registered: Registered, commit: str) -> dict[str, int]:
    """Two lists read a release: its own and its build's."""
    prefixes = [names.release(registered.application.name, commit)]
    build = build_prefix(registered, commit)
    if build is not None:
        # A commit that is built every night has more facts than one list takes; the one that counts has a list of its own.
        prefixes += [build, f"{build}winner"]
    return dict.fromkeys(prefixes, FACT_LIMIT)


def _cut(application: Application, snapshot: Snapshot) -> dict[str, int]:
    """The newest rollout, where one list could not hold it: what started and ended sorts behind its claims."""
    queries: dict[str, int] = {}
    for environment in application.environments:
        rollouts = read_rollouts(application, environment, snapshot)
        if snapshot.loaded[names.rollouts(application.name, environment.name)] and len(rollouts) == 1:
            queries[names.rollout(application.name, environment.name, max(rollouts))] = WHOLE_LIMIT
    return queries


def _candidates(registered: Registered, snapshot: Snapshot) -> dict[str, int]:
    """The releases of entries above the newest that was claimed for trigger."""
    queries: dict[str, int] = {}
    for environment in registered.application.environments:
        rollouts = read_rollouts(registered.application, environment, snapshot)
        claimed = max((number for number, rollout in rollouts.items() if rollout.claims), default=0)
        for entry in read_log(registered.application, environment, snapshot):
            if entry.n > claimed and entry.release:
                queries.update(_release(registered, entry.commit))
    return queries


def _targets(application: Application, snapshot: Snapshot) -> dict[str, int]:
    """Older rollouts that orders are about; and the newest release where many orders came after it."""
    queries: dict[str, int] = {}
    for environment in application.environments:
        log = read_log(application, environment, snapshot)
        wanted = {entry.target for entry in log if entry.verb in {"cancel", "retry"}}
        for name, identifier in snapshot.hints.requests:
            order = snapshot.facts.get(names.request(application.name, name, identifier) + "order")
            if order is not None and name == environment.name:
                wanted.add(order.body.get("target"))
        standing = read_rollouts(application, environment, snapshot)
        if snapshot.loaded[names.rollouts(application.name, environment.name)]:
            for target in wanted - standing.keys() - {None}:
                queries[names.rollout(application.name, environment.name, int(target or 0))] = FACT_LIMIT
        if log and log[0].newest_release and log[0].newest_release < min(entry.n for entry in log):
            queries[names.entry(application.name, environment.name, log[0].newest_release)] = 1
    return queries


def _heard_of(application: Application, snapshot: Snapshot) -> dict[str, int]:
    """The rollouts of executions that are older than the newest ones, which one list reads."""
    queries: dict[str, int] = {}
    for execution in snapshot.executions.values():
        environment = application.environment(execution.downwind_environment or "")
        if environment is None or execution.sequence is None or execution.downwind_application != application.name:
            continue
        if execution.sequence not in read_rollouts(application, environment, snapshot):
            queries[names.rollout(application.name, environment.name, execution.sequence)] = FACT_LIMIT
    return queries


def _admission(application: Application, snapshot: Snapshot) -> dict[str, int]:
    queries: dict[str, int] = {}
    for ref in sorted(snapshot.hints.refs):
        tip = (snapshot.tips or {}).get(ref)
        for environment in application.fed_by(ref):
            for after in frontier(application, environment, ref, snapshot):
                queries[pushes_prefix(application, ref, after)] = FACT_LIMIT
            if tip is not None and snapshot.tick is not None:
                queries[names.tip(application.name, environment.name, ref, tip.object)] = REF_LIMIT
    return queries
