"""`downwind status`: every environment at a glance."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from downwind.cli.app_command import EMPTY
from downwind.cli.context import Session, pass_session, tell_unreadable
from downwind.cli.output import ago, columns, moment, output_option, show
from downwind.errors import Refused
from downwind.perform import applications
from downwind.perform.look import EnvironmentStanding, Standing, View, environments, view
from downwind.reconcile.words import short


@click.command("status")
@click.argument("application", required=False)
@output_option
@pass_session
@click.pass_context
def status_command(context: click.Context, session: Session, application: str | None, output: str) -> None:
    """Say what is live, what runs and what comes next, in all environments of all applications or of one.

    Open executions are asked of Spinnaker; where it does not answer, the status says so and tells what the ledger knows.

    \b
    Examples:
      downwind status
      downwind status shop
      downwind status shop -o json
    """
    catalog = session.world.catalog
    found, unreadable = applications.readable(
        catalog, [application] if application else applications.all_names(catalog)
    )
    tell_unreadable(unreadable)
    if application and not found and not unreadable:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    now = session.now()
    views = [view(session.world, each, now) for each in found]
    standings = [(each, environments(each)) for each in views]

    def table() -> Iterator[str]:
        if not views and not unreadable:
            yield EMPTY
        if not views:
            return
        headings = ["APPLICATION", "ENVIRONMENT", "ENTRY", "COMMIT", "STATE", "SINCE", "WHY"]
        rows = [row for each, standing in standings for row in _rows(each, standing, session)]
        yield from columns(headings, rows)
        for silent in dict.fromkeys(each.silent for each in views if each.silent):
            yield f"Spinnaker did not say how open executions are: {silent}"

    show({"applications": [_json(each, standing) for each, standing in standings]}, output, table)
    context.exit(1 if unreadable else 0)


def _rows(found: View, standings: Sequence[EnvironmentStanding], session: Session) -> Iterator[list[str | None]]:
    now = session.now()
    for each in standings:
        begin = [found.registered.application.name, each.environment.name]
        lines = [*each.next, *each.running, *([each.last] if each.last else []), *([each.live] if each.live else [])]
        for due in each.due:
            yield [*begin, None, None, "due", None, due]
        if not lines and not each.due:
            yield [*begin, None, None, "empty", None, "nothing has been rolled out yet"]
        for line in sorted(lines, key=lambda line: line.n, reverse=True):
            state = "live" if line is each.live else line.state
            since = ago(line.since, now) if line.since else None
            yield [*begin, str(line.n), short(line.commit), state, since, _because(line)]


def _because(line: Standing) -> str:
    if line.waits:
        return f"waits for {', and for '.join(line.waits)}"
    return line.reason or (f"execution {line.execution}" if line.execution else "")


def _json(found: View, standings: Sequence[EnvironmentStanding]) -> dict[str, Any]:
    return {
        "application": found.registered.application.name,
        "generation": found.registered.generation,
        "spinnaker": {"answered": found.silent is None, "error": found.silent},
        "environments": [
            {
                "environment": each.environment.name,
                "live": _entry(each.live) if each.live else None,
                "last": _entry(each.last) if each.last else None,
                "running": [_entry(line) for line in each.running],
                "next": [_entry(line) for line in each.next],
                "due": list(each.due),
            }
            for each in standings
        ],
    }


def _entry(line: Standing) -> dict[str, Any]:
    return {
        "sequence": line.n,
        "commit": line.commit,
        "by": line.by,
        "state": line.state,
        "reason": line.reason,
        "waits": list(line.waits),
        "since": moment(line.since),
        "attempt": line.attempt,
        "execution": line.execution,
    }
