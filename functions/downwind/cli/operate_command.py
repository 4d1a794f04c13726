"""Operators' orders from the command line: what all of them share, and those that only operators may give."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.output import output_option, show
from downwind.cli.places import registered_of
from downwind.errors import Misconfigured
from downwind.perform.find import commit as full_commit


def shared(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        output_option,
        click.option("--timeout", type=click.IntRange(1), default=3600, show_default=True, help="Seconds to --wait."),
        click.option("--wait", is_flag=True, help="Follow it to its end, with a line for each thing that happens."),
        click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing."),
        click.option("--id", "identifier", help="The order's id, which makes a repeat harmless; left out: a new one."),
        click.option("--why", help="For the record: a ticket, an incident."),
    ):
        function = option(function)
    return function


def order(
    session: Session,
    verb: str,
    application: str | None,
    environment: str | None,
    more: Mapping[str, Any],
    *,
    why: str | None,
    identifier: str | None,
    dry_run: bool,
    wait: bool,
    timeout: int,
    output: str,
) -> None:
    """Sends one order to operate and shows its answer; exits 1 where it was refused for some of several environments."""
    if session.settings.operate_url is None:
        raise Misconfigured(f"nothing says where to {verb}", fix="set DOWNWIND_OPERATE_URL to the address of operate")
    body = {
        "id": identifier or str(uuid.uuid4()),
        "verb": verb,
        "application": application,
        "environment": environment,
        "why": why,
        "dry_run": dry_run,
        **more,
    }
    answer = session.post_order(session.settings, session.environment, {k: v for k, v in body.items() if v})
    show(answer, output, lambda: _lines(answer))
    code = 1 if answer["refused"] else 0
    if wait and not dry_run and application is not None:
        from downwind.cli.follow import follow_order

        registered = registered_of(session, application)
        codes = [follow_order(session, registered, each, timeout, err=output != "table") for each in answer["orders"]]
        code = max([code, *codes])
    click.get_current_context().exit(code)


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    for each in answer["orders"]:
        would = "would be: " if each["state"] == "would" else ""
        where = f" (order {each['request']})" if each["state"] == "accepted" else ""
        yield f"{would}{each['says']}{where}"
        for line in each["then"]:
            yield f"  {'then' if would else 'now'}: {line}"
    for each in answer["refused"]:
        yield f"refused in {each['environment']}: {each['reason']}"


@click.command("rollback")
@click.argument("application")
@click.argument("environment", required=False)
@click.option("--to", help="The commit or the sequence to go back to; left out: the last good one.")
@shared
@pass_session
def rollback_command(
    session: Session, /, application: str, environment: str | None, to: str | None, **more: Any
) -> None:
    """Bring an earlier success again, with the very manifests that it had, and hold the environment.

    Left out, --to is the newest success whose manifests differ from what is live. The images must still be in their registry.
    Automation then leaves the environment alone until somebody resumes it.

    \b
    Examples:
      downwind rollback shop production --why INC-7
      downwind rollback shop production --to 41 --dry-run
      downwind rollback shop production --to 5d6e7f8 --wait
    """
    named: dict[str, Any] = {}
    if to is not None and to.isdigit() and len(to) < 7:
        named["sequence"] = int(to)
    elif to is not None:
        named["commit"] = full_commit(session.world, to)
    order(session, "rollback", application, environment, named, **more)


@click.command("hold")
@click.argument("application", required=False)
@click.argument("environment", required=False)
@click.option("--all", "everything", is_flag=True, help="Everything: all environments of all applications.")
@shared
@pass_session
def hold_command(session: Session, /, application: str | None, environment: str | None, **more: Any) -> None:
    """Have automation leave one environment, all of an application, or everything alone.

    Pushes are still recorded, built and rendered; nothing is started. What runs already runs on. Orders pass.

    \b
    Examples:
      downwind hold shop production --why INC-7 --dry-run
      downwind hold shop
      downwind hold --all --why "the cluster is on fire"
    """
    _hold(session, "hold", application, environment, **more)


@click.command("resume")
@click.argument("application", required=False)
@click.argument("environment", required=False)
@click.option("--all", "everything", is_flag=True, help="End a hold over everything; single holds stand on.")
@shared
@pass_session
def resume_command(session: Session, /, application: str | None, environment: str | None, **more: Any) -> None:
    """End a hold: the newest release goes, if no rollback came after it. What was passed over meanwhile never does.

    \b
    Examples:
      downwind resume shop production --why "INC-7 is over" --wait
      downwind resume --all
    """
    _hold(session, "resume", application, environment, **more)


def _hold(
    session: Session, verb: str, application: str | None, environment: str | None, *, everything: bool, **more: Any
) -> None:
    if everything == (application is not None):
        raise click.UsageError("give an APPLICATION, or --all")
    if everything and more["wait"]:
        raise click.UsageError("--wait follows one application, not --all; downwind status --watch shows all of them")
    order(session, verb, application, environment, {"all": everything}, **more)


def _about_a_run(verb: str, text: str) -> click.Command:
    """The command of an order about one entry's run."""

    @click.argument("application")
    @click.argument("environment", required=False)
    @click.option("--sequence", type=click.IntRange(1), help="Which entry; left out: the only one it can be.")
    @shared
    @pass_session
    def command(
        session: Session, /, application: str, environment: str | None, sequence: int | None, **more: Any
    ) -> None:
        order(session, verb, application, environment, {"sequence": sequence}, **more)

    return click.command(verb, help=text)(command)


cancel_command = _about_a_run(
    "cancel",
    """End the run of an entry, with no new attempt; or take out one that waits.

    \b
    Examples:
      downwind cancel shop production
      downwind cancel shop production --sequence 42 --why "wrong branch"
    """,
)
retry_command = _about_a_run(
    "retry",
    """Try the newest release or rollback once more, beyond the attempts that automation makes.

    \b
    Example:
      downwind retry shop production --wait
    """,
)
approve_command = _about_a_run(
    "approve",
    """Answer the manual judgment that waits: go on.

    \b
    Example:
      downwind approve shop production --why CHG-1234 --wait
    """,
)
reject_command = _about_a_run(
    "reject",
    """Answer the manual judgment that waits: stop.

    \b
    Example:
      downwind reject shop production --why "not before the sale"
    """,
)
