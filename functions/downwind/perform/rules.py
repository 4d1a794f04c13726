"""Which rule of which catalog generation made an entry, in words."""

from downwind.errors import PermanentError
from downwind.model.catalog import Application, Environment, Registered
from downwind.model.patterns import ref_matches
from downwind.perform.applications import registered
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.log import LogEntry


def rule_of(world: World, now: Registered, environment: str, entry: LogEntry) -> str:
    """Of the generation that the entry names; where the catalog has it no more, that is said."""
    application = _at(world, now, entry.generation)
    if application is None:
        return f"catalog generation {entry.generation}, which the catalog does not hold any more"
    found = application.environment(environment)
    if found is None:
        return f"catalog generation {entry.generation}"
    index = application.environments.index(found)
    return f"environments[{index}].{_rule(found, entry)} (catalog generation {entry.generation})"


def _rule(environment: Environment, entry: LogEntry) -> str:
    if entry.by == "push":
        pattern = next((each for each in environment.refs if ref_matches([each], entry.ref or "")), None)
        return f"refs has {pattern}" if pattern else "refs"
    if entry.by == "promotion":
        return f"after is {environment.after}, promotion is {environment.promotion}"
    if entry.by == "on_failure":
        return f"on_failure is {environment.on_failure}"
    if entry.by == "operator":
        return f"operators are {', '.join(environment.operators)}"
    return f"requests is {environment.requests}"


def _at(world: World, now: Registered, generation: int | None) -> Application | None:
    if generation == now.generation:
        return now.application
    stored = world.catalog.read(names.application(now.application.name), generation)
    try:
        return registered(stored).application if stored is not None else None
    except PermanentError:
        return None
