"""APPLICATION and ENVIRONMENT of a command line, as the catalog has them."""

from downwind.cli.context import Session
from downwind.errors import Refused
from downwind.model.catalog import Environment, Registered
from downwind.perform import applications


def registered_of(session: Session, application: str) -> Registered:
    """Refused where the catalog has none of that name."""
    found = applications.read(session.world.catalog, [application])
    if not found:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    return found[0]


def places_of(
    session: Session, application: str, environment: str | None
) -> tuple[Registered, tuple[Environment, ...]]:
    """The application, and its environment of that name or all of them. Refused, with what there is, where there is none."""
    registered = registered_of(session, application)
    known = registered.application
    if environment is None:
        return registered, known.environments
    place = known.environment(environment)
    if place is None:
        names = ", ".join(each.name for each in known.environments)
        raise Refused(f"{application} has no environment {environment!r}", fix=f"use one of: {names}")
    return registered, (place,)
