"""`downwind status`: every environment at a glance."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from downwind.cli.app_command import EMPTY
from downwind.cli.context import Session, pass_session
from downwind.cli.output import moment, output_option
from downwind.cli.sheet import Row, Sheet
from downwind.cli.watch import Look, present, watch_options
from downwind.errors import Refused
from downwind.perform import applications
from downwind.perform.look import EnvironmentStanding, Held, Standing, View, environments, views
from downwind.perform.queue import Open
from downwind.reconcile import names
from downwind.reconcile.words import short

_HEADINGS = ("APPLICATION", "ENVIRONMENT", "LIVE", "SINCE", "NEXT", "STATE", "HELD BY", "WHY")


@click.command("status")
@click.argument("application", required=False)
@click.option(
    "--live", is_flag=True, help="What Spinnaker sees in the clusters, beside the release, and where they differ."
)
@watch_options
@output_option
@pass_session
@click.pass_context
def status_command(
    context: click.Context,
    session: Session,
    application: str | None,
    output: str,
    *,
    live: bool,
    watch: bool,
    interval: float | None,
) -> None:
    """Say what is live, what comes next and what it waits for, in all environments of all applications or of one.

    One line is one environment. NEXT is the entry that runs, goes or waits there, or that failed after what is live; with
    others behind it, their number. HELD BY says whose hold keeps automation away.

    Open executions are asked of Spinnaker; where it does not answer, the status says so and tells what the ledger knows.

    \b
    Examples:
      downwind status
      downwind status shop --watch
      downwind status shop --live
      downwind status shop -o json
    """
    context.exit(
        present(session, lambda: _look(session, application, live=live), output, watch=watch, interval=interval)
    )


def _look(session: Session, application: str | None, *, live: bool = False) -> Look:
    catalog = session.world.catalog
    found, unreadable = applications.readable(
        catalog, [application] if application else applications.all_names(catalog)
    )
    if application and not found and not unreadable:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    if live:
        from downwind.cli.live import look

        return look(session, found, unreadable)
    seen = views(session.world, found, session.now())
    standings = [(each, environments(each)) for each in seen]
    notes = [*([] if seen or unreadable else [EMPTY]), *_everything(seen), *silences(seen)]
    sheet = Sheet(
        headings=_HEADINGS,
        key=2,
        rows=tuple(_row(each, place) for each, places in standings for place in places),
        notes=tuple(notes),
        gone="not in the catalog any more",
    )
    document = {"applications": [_json(each, standing) for each, standing in standings]}
    return Look(document=document, sheet=sheet, problems=unreadable)


def _row(found: View, place: EnvironmentStanding) -> Row:
    live, ahead, held = place.live, place.ahead, place.held
    state, because = None, []
    if held:
        since = f" since {moment(held.since)}" if held.since else ""
        because.append(f"held{since}" + (f": {held.hold.why}" if held.hold.why else ""))
    if ahead:
        state = ahead[0].state
        waits = tuple(each for each in ahead[0].waits if held is None or each != held.hold.says)
        if (waits or not ahead[0].waits) and not _is_why(held, ahead[0]):
            because.append(because_of(replace(ahead[0], waits=waits)))
        last = place.last
        if last and last is not ahead[0] and last.state == "failed" and not _is_why(held, last):
            because.append(f"{last.n} failed: {last.reason}")
    elif place.due:
        state = "due"
    elif live is None:
        because.append("nothing has been rolled out yet")
    because += place.due
    return (
        found.registered.application.name,
        place.environment.name,
        _named(live) if live else None,
        live.since if live else None,
        (_named(ahead[0]) + (f" (+{len(ahead) - 1})" if ahead[1:] else "")) if ahead else None,
        state,
        (held.hold.who or "automation") if held else None,
        "; ".join(text for text in because if text),
    )


def _is_why(held: Held | None, line: Standing) -> bool:
    """Has this very failure made automation hold, so that it was told already?"""
    why = held.hold.why if held else None
    return why is not None and why.endswith(f" {line.n} failed: {line.reason}")


def _everything(seen: Sequence[View]) -> list[str]:
    """The hold over everything, once: an environment's row may tell of a hold of its own, and that one ends without the other."""
    over_all = next(iter(seen[0].snapshot.under(names.ALL_HOLDS)), None) if seen else None
    if over_all is None or over_all.body["verb"] != "hold":
        return []
    why = f": {over_all.body['why']}" if over_all.body["why"] else ""
    since = moment(over_all.created)
    return [f"everything is held since {since} by {over_all.body['who']}{why}; downwind resume --all"]


def _named(line: Standing) -> str:
    return f"{line.n} {short(line.commit)}"


def silences(seen: Sequence[View]) -> list[str]:
    silent = dict.fromkeys(each.silent for each in seen if each.silent)
    return [f"Spinnaker did not say how open executions are: {each}" for each in silent]


def because_of(line: Standing | Open) -> str:
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
                "hold": _hold_json(each.held) if each.held else None,
                "live": entry_json(each.live) if each.live else None,
                "last": entry_json(each.last) if each.last else None,
                "running": [entry_json(line) for line in each.running],
                "next": [entry_json(line) for line in each.next],
                "due": list(each.due),
            }
            for each in standings
        ],
    }


def _hold_json(held: Held) -> dict[str, Any]:
    hold = held.hold
    return {"sequence": hold.n, "by": hold.by, "who": hold.who, "why": hold.why, "since": moment(held.since)}


def entry_json(line: Standing) -> dict[str, Any]:
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
