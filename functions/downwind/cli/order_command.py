"""`downwind deploy` and `downwind promote`: requests on topic `rollout-requests`, until operators have a door of their own."""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.identity import claimed
from downwind.errors import Refused
from downwind.events import request as parser
from downwind.model.catalog import Registered
from downwind.model.event import Message, Request
from downwind.perform import applications
from downwind.perform.find import commit as full_commit
from downwind.reconcile.recording import record_request
from downwind.reconcile.words import short

TOPIC = "rollout-requests"


def _shared(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--timeout", type=click.IntRange(1), default=3600, show_default=True, help="Seconds to --wait."),
        click.option("--wait", is_flag=True, help="Follow it to its outcome; exit code 0 only if it succeeded."),
        click.option(
            "--id", "identifier", help="The request's id, which makes a repeat harmless; left out: a new one."
        ),
        click.option("--why", help="For the record."),
    ):
        function = option(function)
    return function


@click.command("deploy")
@click.argument("application")
@click.argument("environment")
@click.option("--commit", required=True, help="The commit; an abbreviation of one that Downwind knows will do.")
@click.option("--build", help="The Cloud Build build whose images are meant, where there are several.")
@click.option("--image", "images", multiple=True, metavar="NAME=DIGEST", help="An image by digest; may be repeated.")
@_shared
@pass_session
def deploy_command(
    session: Session, /, application: str, environment: str, commit: str, images: Sequence[str], **more: Any
) -> None:
    """Order COMMIT into an environment, whatever is newer there. A freeze window does not stop an order.

    The environment must take orders from the topic (requests: topic in the catalog).

    Exit code with --wait: 0 succeeded, 1 it ended otherwise, 3 not ended within --timeout.

    \b
    Examples:
      downwind deploy shop production --commit 5d6e7f8 --why CHG-1234
      downwind deploy shop production --commit 5d6e7f8 --wait
      downwind deploy shop staging --commit 5d6e7f8 --image us-central1-docker.pkg.dev/acme/apps/shop=sha256:0f1e...
    """
    _place(session, application, environment)
    named = {"commit": full_commit(session.world, commit), "build": more.pop("build"), "images": _images(images)}
    _order(session, "deploy", application, environment, named, **more)


@click.command("promote")
@click.argument("application")
@click.argument("environment")
@click.option("--commit", help="Promote this commit, not the newest success upstream.")
@_shared
@pass_session
def promote_command(session: Session, /, application: str, environment: str, commit: str | None, **more: Any) -> None:
    """Order what succeeded upstream into an environment.

    Exit code with --wait: 0 succeeded, 1 it ended otherwise, 3 not ended within --timeout.

    \b
    Examples:
      downwind promote shop production
      downwind promote shop production --commit 5d6e7f8 --wait
    """
    _place(session, application, environment)
    named = {"commit": full_commit(session.world, commit) if commit else None}
    _order(session, "promote", application, environment, named, **more)


def _images(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, digest = each.rpartition("=")
        if not equals:
            raise click.BadParameter(f"{each!r} is not NAME=DIGEST", param_hint="--image")
        found[name] = digest
    return found


def _order(
    session: Session,
    verb: str,
    application: str,
    environment: str,
    named: dict[str, Any],
    *,
    why: str | None,
    identifier: str | None,
    wait: bool,
    timeout: int,
) -> None:
    body = {
        "id": identifier or str(uuid.uuid4()),
        "verb": verb,
        "application": application,
        "environment": environment,
        **{name: value for name, value in named.items() if value},
        "who": claimed(session.environment),
        **({"why": why} if why else {}),
    }
    data = json.dumps(body).encode()
    request, registered = _checked(session, data)
    message = session.world.publisher.publish(TOPIC, data, {})
    what = f"{verb} {short(request.commit)}" if request.commit else verb
    click.echo(f"request {request.id}: {what} into {application}/{environment}, published as message {message}")
    if not wait:
        click.echo(f"what becomes of it: downwind why {request.id}")
        return
    from downwind.cli.follow import follow

    click.get_current_context().exit(follow(session, registered, request, timeout))


def _place(session: Session, application: str, environment: str) -> None:
    """Asked first: a commit can only be unknown in an environment that there is."""
    found = applications.read(session.world.catalog, [application])
    if not found:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    known = found[0].application
    if known.environment(environment) is None:
        names = ", ".join(each.name for each in known.environments)
        raise Refused(f"{application} has no environment {environment!r}", fix=f"use one of: {names}")


def _checked(session: Session, data: bytes) -> tuple[Request, Registered]:
    """By the parser and the rules that the function itself uses. Refused when it would not be taken."""
    events = parser.parse(Message(id="unpublished", data=data, attributes={}))
    request = events[0] if isinstance(events, tuple) else None
    assert isinstance(request, Request)
    found = applications.read(session.world.catalog, [request.application])
    if not found:
        raise Refused(f"the catalog has no application {request.application!r}", fix="downwind app list")
    record_request(request, found[0])
    return request, found[0]
