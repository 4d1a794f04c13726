"""`downwind queue`: what is open now, and why."""

from collections.abc import Iterator
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.output import moment, output_option
from downwind.cli.sheet import Row, Sheet
from downwind.cli.status_command import because_of
from downwind.cli.watch import Look, present, watch_options
from downwind.errors import Refused
from downwind.perform import applications
from downwind.perform.queue import LIMIT, Marker, OpenApplication, queue
from downwind.reconcile.words import count, short

_HEADINGS = ("APPLICATION", "ENVIRONMENT", "ENTRY", "COMMIT", "STATE", "SINCE", "WHY")

_UNRECORDED = "its message comes again, and after an hour the tick goes on without it"
_MISSING = "the catalog does not have it, or it can't be read: what is open there stays open"
_NOTHING = "nothing is due any more: the next tick closes it"


@click.command("queue")
@click.argument("application", required=False)
@click.option(
    "--limit", type=click.IntRange(1), default=LIMIT, show_default=True, help="Look at so many applications at most."
)
@watch_options
@output_option
@pass_session
@click.pass_context
def queue_command(
    context: click.Context,
    session: Session,
    application: str | None,
    limit: int,
    output: str,
    *,
    watch: bool,
    interval: float | None,
) -> None:
    """Say what is open now and why, in all applications or in one: what runs, what waits and for what, what is due.

    It goes by the markers that the tick goes by, so it costs by what is open, not by what there is. What is held, blocked or
    done is not open: `downwind status` tells of that. Open executions are asked of Spinnaker, and moved refs of their
    repository.

    \b
    Examples:
      downwind queue
      downwind queue --watch
      downwind queue shop -o json
    """
    context.exit(present(session, lambda: _look(session, application, limit), output, watch=watch, interval=interval))


def _look(session: Session, application: str | None, limit: int) -> Look:
    found = queue(session.world, session.now(), application, limit)
    if application and not found.applications and application not in applications.all_names(session.world.catalog):
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    rows = tuple(row for each in found.applications for row in _rows(each))
    silences = dict.fromkeys(f"{each.name}: no answer: {text}" for each in found.applications for text in each.silent)
    notes = [*([] if rows else ["nothing is open; what is held or blocked: downwind status"]), *silences]
    if found.parked:
        notes.append(f"{count(len(found.parked), 'parked message')} not announced yet: downwind parked list")
    if found.more:
        notes.append(f"and {count(found.more, 'application')} more: raise --limit, or name one")
    sheet = Sheet(headings=_HEADINGS, key=3, rows=rows, notes=tuple(notes), gone="not open any more")
    document = {
        "applications": [_json(session, each) for each in found.applications],
        "parked": len(found.parked),
        "more": found.more,
    }
    return Look(document=document, sheet=sheet, problems=found.problems)


def _rows(found: OpenApplication) -> Iterator[Row]:
    for each in found.open:
        yield (
            found.name,
            each.environment,
            str(each.n) if each.n is not None else None,
            short(each.commit) if each.commit else None,
            each.state,
            each.since,
            because_of(each),
        )
    for marker in found.markers:
        if not marker.recorded:
            yield _about(
                found, "waiting", marker, f"waits for event {_leaf(marker)[:12]} to be written down: {_UNRECORDED}"
            )
    if not found.open and all(marker.recorded for marker in found.markers):
        oldest = min(found.markers, key=lambda marker: marker.since)
        yield _about(found, "open", oldest, _MISSING if found.missing else _NOTHING)


def _about(found: OpenApplication, state: str, marker: Marker, text: str) -> Row:
    return found.name, None, None, None, state, marker.since, text


def _leaf(marker: Marker) -> str:
    return marker.name.rpartition("/")[2]


def _json(session: Session, found: OpenApplication) -> dict[str, Any]:
    return {
        "application": found.name,
        "missing": found.missing,
        "silent": list(found.silent),
        "open": [
            {
                "environment": each.environment,
                "sequence": each.n,
                "commit": each.commit,
                "state": each.state,
                "reason": each.reason,
                "waits": list(each.waits),
                "since": moment(each.since),
                "execution": each.execution,
            }
            for each in found.open
        ],
        "markers": [
            {
                "object": session.uri("work", each.name),
                "since": moment(each.since),
                "recorded": each.recorded,
                "refs": sorted(each.hints.refs),
                "commits": sorted(each.hints.commits),
                "requests": sorted(identifier for _, identifier in each.hints.requests),
                "executions": sorted(each.hints.executions),
            }
            for each in found.markers
        ],
    }
