"""`downwind deploy` and `downwind promote`: orders to the function `operate`; where an installation has none, requests on topic
`rollout-requests`, as other systems send them."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.identity import claimed
from downwind.cli.operate_command import order, shared
from downwind.cli.places import places_of, registered_of
from downwind.errors import Refused
from downwind.events import request as parser
from downwind.model.catalog import Registered
from downwind.model.event import Message, Request
from downwind.perform.find import commit as full_commit
from downwind.reconcile.recording import record_request
from downwind.reconcile.words import short

TOPIC = "rollout-requests"


@click.command("deploy")
@click.argument("application")
@click.argument("environment", required=False)
@click.option("--commit", required=True, help="The commit; an abbreviation of one that Downwind knows will do.")
@click.option("--build", help="The Cloud Build build whose images are meant, where there are several.")
@click.option("--image", "images", multiple=True, metavar="NAME=DIGEST", help="An image by digest; may be repeated.")
@shared
@pass_session
def deploy_command(
    session: Session, /, application: str, environment: str | None, commit: str, images: Sequence[str], **more: Any
) -> None:
    """Order COMMIT into an environment, whatever is newer there. Neither a hold nor a freeze window stops an order.

    Whom the catalog lists under operators may order. Where an installation has no operate (DOWNWIND_OPERATE_URL), it goes by
    the topic, and the environment must take orders from there (requests: topic).

    Exit code with --wait: 0 succeeded, 1 it ended otherwise, 3 not ended within --timeout.

    \b
    Examples:
      downwind deploy shop production --commit 5d6e7f8 --why CHG-1234
      downwind deploy shop production --commit 5d6e7f8 --wait
      downwind deploy shop staging --commit 5d6e7f8 --image us-central1-docker.pkg.dev/acme/apps/shop=sha256:0f1e...
    """
    environment = _place(session, application, environment)
    named = {"commit": full_commit(session.world, commit), "build": more.pop("build"), "images": _images(images)}
    _send(session, "deploy", application, environment, named, **more)


@click.command("promote")
@click.argument("application")
@click.argument("environment", required=False)
@click.option("--commit", help="Promote this commit, not the newest success upstream.")
@shared
@pass_session
def promote_command(
    session: Session, /, application: str, environment: str | None, commit: str | None, **more: Any
) -> None:
    """Order what succeeded upstream into an environment.

    Exit code with --wait: 0 succeeded, 1 it ended otherwise, 3 not ended within --timeout.

    \b
    Examples:
      downwind promote shop production
      downwind promote shop production --commit 5d6e7f8 --wait
    """
    environment = _place(session, application, environment)
    named = {"commit": full_commit(session.world, commit) if commit else None}
    _send(session, "promote", application, environment, named, **more)


def _images(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, digest = each.rpartition("=")
        if not equals:
            raise click.BadParameter(f"{each!r} is not NAME=DIGEST", param_hint="--image")
        found[name] = digest
    return found


def _send(session: Session, verb: str, application: str, environment: str, named: dict[str, Any], **more: Any) -> None:
    if session.settings.operate_url is not None:
        order(session, verb, application, environment, named, **more)
    elif more.pop("dry_run") or more.pop("output") != "table":
        raise Refused(
            "by the topic there is no answer to show", fix="set DOWNWIND_OPERATE_URL to the address of operate"
        )
    else:
        _publish(session, verb, application, environment, named, **more)


def _publish(
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


def _place(session: Session, application: str, environment: str | None) -> str:
    """Asked first: a commit can only be unknown in an environment that there is. The only one may be left out."""
    _, places = places_of(session, application, environment)
    if len(places) > 1:
        raise Refused(
            f"{application} has several environments", fix=f"name one: {', '.join(each.name for each in places)}"
        )
    return places[0].name


def _checked(session: Session, data: bytes) -> tuple[Request, Registered]:
    """By the parser and the rules that the function itself uses. Refused when it would not be taken."""
    events = parser.parse(Message(id="unpublished", data=data, attributes={}))
    request = events[0] if isinstance(events, tuple) else None
    assert isinstance(request, Request)
    registered = registered_of(session, request.application)
    record_request(request, registered)
    return request, registered
