"""`downwind history`: the logs of an application, with who, why, when and what became of it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.output import moment, output_option, span
from downwind.cli.places import places_of
from downwind.cli.sheet import Row, Sheet
from downwind.cli.status_command import because_of
from downwind.cli.watch import Look, present, watch_options
from downwind.perform.history import OVER_ALL, OverAll, Past, history, history_over_all
from downwind.reconcile.links import page_of
from downwind.reconcile.log import LogEntry
from downwind.reconcile.words import short

_HEADINGS = ("ENVIRONMENT", "ENTRY", "TIME", "COMMIT", "WHAT", "WHO", "STATE", "TOOK")
_MOST = 500
_NAMES = (
    *("environment", "sequence", "entered", "commit", "by", "verb", "ref", "upstream", "upstream_sequence", "target"),
    *("request", "who", "why", "judgments", "state", "reason", "waits", "started", "ended", "attempt", "execution"),
    *("execution_page", "build", "build_status", "build_log", "generation"),
)
"""Of an entry in JSON. Of what was ordered over everything most are null, the environment among them."""


@click.command("history")
@click.argument("application", required=False)
@click.argument("environment", required=False)
@click.option(
    "--limit", type=click.IntRange(1, _MOST), default=20, show_default=True, help="Entries, the newest first."
)
@click.option("--continue", "token", metavar="TOKEN", help="Go on where a page ended; it has printed the TOKEN.")
@click.option("--links", is_flag=True, help="In the table, too, where execution and build log are to be seen.")
@watch_options
@output_option
@pass_session
@click.pass_context
def history_command(
    context: click.Context,
    session: Session,
    application: str | None,
    environment: str | None,
    *,
    limit: int,
    token: str | None,
    links: bool,
    output: str,
    watch: bool,
    interval: float | None,
) -> None:
    """Tell what was rolled out and ordered, newest first: who, why, when, and what became of it.

    Without APPLICATION: the holds over everything, and what ended them. They stand among an application's entries too, as
    environment (all).

    \b
    Examples:
      downwind history shop production
      downwind history shop --limit 100 -o json
      downwind history shop production --continue production=37
      downwind history shop production --links --watch
      downwind history
    """

    def look() -> Look:
        return _look(session, application, environment, limit, token, links=links)

    context.exit(present(session, look, output, watch=watch, interval=interval))


def _look(
    session: Session, application: str | None, environment: str | None, limit: int, token: str | None, *, links: bool
) -> Look:
    if application is None:
        start = _start(token, {OVER_ALL}) if token is not None else None
        page = history_over_all(session.world, limit=limit, start=start)
        notes = [] if page.entries else ["nothing was ever held everywhere; name an APPLICATION for its log"]
    else:
        registered, places = places_of(session, application, environment)
        start = _start(token, {OVER_ALL, *(each.name for each in places)}) if token is not None else None
        page = history(session.world, registered, places, session.now(), limit=limit, start=start)
        notes = [] if page.entries else [f"no entry yet; what comes next: downwind status {application}"]
    following = ",".join(f"{name}={n}" for name, n in page.following.items()) or None
    if page.silent:
        notes.append(f"Spinnaker did not say how open executions are: {page.silent}")
    if following:
        what = " ".join(word for word in ("downwind history", application, environment) if word)
        notes.append(f"older ones: {what} --continue {following}")
    sheet = Sheet(
        headings=(*_HEADINGS, *(("EXECUTION", "BUILD") if links else ()), "WHY"),
        key=2,
        rows=tuple(_row(session, each, links=links) for each in page.entries),
        notes=tuple(notes),
    )
    document = {
        "application": application,
        "spinnaker": {"answered": page.silent is None, "error": page.silent},
        "entries": [_json(session, each) for each in page.entries],
        "continue": following,
    }
    return Look(document=document, sheet=sheet)


def _start(token: str, known: set[str]) -> Mapping[str, int]:
    start = {}
    for each in token.split(","):
        name, _, number = each.partition("=")
        if name not in known or not number.isdecimal() or not 1 <= int(number) < 10**18:
            raise click.BadParameter(f"{token!r} is not what a page has printed", param_hint="--continue")
        start[name] = int(number)
    return start


def _row(session: Session, each: Past | OverAll, *, links: bool) -> Row:
    if isinstance(each, OverAll):
        state = "holds" if each.holds else "done"
        blank = (None, None) if links else ()
        return ("(all)", str(each.n), moment(each.time), None, each.verb, each.who, state, None, *blank, each.why)
    now = each.standing
    page = page_of(session.world.deck, each.environment.pipeline_application, now.execution)
    log = each.build.log or each.build.id if each.build else None
    entry = each.entry
    became = because_of(now) if now.state != "succeeded" else None
    return (
        each.environment.name,
        str(entry.n),
        moment(entry.created),
        short(entry.commit) if entry.commit else None,
        _what(entry),
        _who(entry),
        now.state,
        _took(each.started, each.ended),
        *((page or now.execution, log) if links else ()),
        "; ".join(text for text in (_origin(entry), *_answers(each), became) if text),
    )


def _what(entry: LogEntry) -> str:
    """An order's verb; else who appended it."""
    return entry.by if entry.verb == "release" else entry.verb


def _who(entry: LogEntry) -> str | None:
    if entry.by == "on_failure":
        return "on_failure"
    return f"{entry.who} (claimed)" if entry.who and entry.by == "request" else entry.who


def _origin(entry: LogEntry) -> str | None:
    """Why it is there: what brought it, or what its sender gave as the reason."""
    if entry.by == "push":
        return f"the tip of {entry.ref}"
    upstream = f"{entry.upstream} {entry.upstream_sequence}" if entry.upstream else None
    if entry.by == "promotion":
        return f"{upstream} succeeded"
    target = f"{'to' if entry.rollback else 'entry'} {entry.target}" if entry.target is not None else upstream
    return ": ".join(text for text in (target, entry.why) if text) or None


def _answers(each: Past) -> Iterator[str]:
    for judgment in each.judgments:
        word = {"continue": "approved", "stop": "rejected"}.get(judgment.decision, judgment.decision)
        yield f"{word} by {judgment.who}" + (f": {judgment.why}" if judgment.why else "")


def _took(started: datetime | None, ended: datetime | None) -> str | None:
    """`40s`, `12m`, `3h` or `9d`, from the first claim to the outcome."""
    return span(ended - started) if started and ended else None


def _json(session: Session, each: Past | OverAll) -> dict[str, Any]:
    if isinstance(each, OverAll):
        about = {"by": "operator", "verb": each.verb, "request": each.request, "who": each.who, "why": each.why}
        state = "holds" if each.holds else "done"
        lists: dict[str, Any] = {"judgments": [], "waits": []}
        return {
            **dict.fromkeys(_NAMES),
            **lists,
            **about,
            "sequence": each.n,
            "entered": moment(each.time),
            "state": state,
        }
    entry, now = each.entry, each.standing
    return {
        "environment": each.environment.name,
        "sequence": entry.n,
        "entered": moment(entry.created),
        "commit": entry.commit or None,
        "by": entry.by,
        "verb": entry.verb,
        "ref": entry.ref,
        "upstream": entry.upstream,
        "upstream_sequence": entry.upstream_sequence,
        "target": entry.target,
        "request": entry.request,
        "who": entry.who,
        "why": entry.why,
        "judgments": [
            {
                "decision": judgment.decision,
                "who": judgment.who,
                "why": judgment.why,
                "time": moment(judgment.time),
            }
            for judgment in each.judgments
        ],
        "state": now.state,
        "reason": now.reason,
        "waits": list(now.waits),
        "started": moment(each.started),
        "ended": moment(each.ended),
        "attempt": now.attempt,
        "execution": now.execution,
        "execution_page": page_of(session.world.deck, each.environment.pipeline_application, now.execution),
        "build": each.build.id if each.build else None,
        "build_status": each.build.status if each.build else None,
        "build_log": each.build.log if each.build else None,
        "generation": entry.generation,
    }
