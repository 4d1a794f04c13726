"""`downwind why`: the whole chain behind one name."""

from collections.abc import Iterator
from typing import Any

import click

from downwind.cli.context import Session, pass_session, tell_unreadable
from downwind.cli.output import columns, moment, output_option, show
from downwind.errors import Refused
from downwind.perform import applications
from downwind.perform.find import Subject, find
from downwind.perform.trace import Chain, Line, chain, event_lines
from downwind.reconcile.words import short

_QUIET = frozenset({"announced"})
"""Steps that only JSON and YAML tell."""


@click.command("why")
@click.argument("thing")
@click.option("--objects", is_flag=True, help="In the table, too, name the object that proves each line.")
@output_option
@pass_session
def why_command(session: Session, thing: str, *, objects: bool, output: str) -> None:
    """Say what became of THING: a commit, an image's digest, a build, an execution, or an event.

    An event is named by its message id; but a webhook by its delivery id, and a request that could be read by its own
    id. Commits, digests, builds and executions may be abbreviated to 7 characters. Every line tells a step with its
    reason and, with --objects or in JSON, the object that proves it.

    Exit code: 1 when nothing is known of THING; the answer says where it was looked for.

    \b
    Examples:
      downwind why 5d6e7f8
      downwind why us-central1-docker.pkg.dev/acme/apps/shop@sha256:0f1e2d3c...
      downwind why 01J9Z8Y7X6W5V4T3S2R1Q0P9N8 --objects
      downwind why 7c1f0f6e-0001 -o json
    """
    subjects = find(session.world, thing)
    chains = _chains(session, subjects)
    loose = [] if chains else _loose(session, subjects)
    if not chains and not loose:
        raise Refused(
            f"{thing} belongs to no application of today's catalog, and no event names it", fix="downwind app list"
        )

    def table() -> Iterator[str]:
        yield from (f"{subject.kind} {subject.id}" for subject in subjects)
        if loose:
            yield from _table(session, loose, objects=objects)
        for each in chains:
            yield ""
            yield f"{each.application} {short(each.commit)}"
            yield from _table(session, each.lines, objects=objects)
            if each.silent:
                yield f"Spinnaker did not say how open executions are: {each.silent}"

    document = {
        "asked": thing,
        "subjects": [{"kind": each.kind, "id": each.id} for each in subjects],
        "events": [_json(session, line) for line in loose],
        "chains": [
            {
                "application": each.application,
                "commit": each.commit,
                "spinnaker": {"answered": each.silent is None, "error": each.silent},
                "steps": [_json(session, line) for line in each.lines],
            }
            for each in chains
        ],
    }
    show(document, output, table)


def _tokens(session: Session) -> bool:
    return session.settings.push_audience is not None or not session.settings.local


def _chains(session: Session, subjects: list[Subject]) -> list[Chain]:
    wanted: dict[tuple[str, str], dict[str, None]] = {}
    for subject in subjects:
        for release in subject.releases:
            wanted.setdefault(release, {}).update(dict.fromkeys(subject.events))
    catalog, unreadable = applications.readable(session.world.catalog, sorted({name for name, _ in wanted}))
    tell_unreadable(unreadable)
    known = {each.application.name: each for each in catalog}
    return [
        chain(session.world, known[name], commit, tuple(events), session.now(), tokens=_tokens(session))
        for (name, commit), events in wanted.items()
        if name in known
    ]


def _loose(session: Session, subjects: list[Subject]) -> list[Line]:
    """Events that made no release: ignored, parked, or not finished."""
    events = tuple(dict.fromkeys(event for each in subjects for event in each.events))
    return event_lines(session.world, events, tokens=_tokens(session))


def _table(session: Session, lines: list[Line], *, objects: bool) -> list[str]:
    told = [line for line in lines if line.step not in _QUIET]
    rows = []
    for line in told:
        where = f"{line.environment} {line.n}" if line.environment and line.n is not None else line.environment
        proof = [_object(session, line)] if objects else []
        rows.append([moment(line.time), line.step, where, line.text, *proof])
    return columns(["TIME", "STEP", "ENTRY", "WHAT", *(["OBJECT"] if objects else [])], rows)


def _object(session: Session, line: Line) -> str | None:
    if line.store is None or line.object is None:
        return None
    return session.uri(line.store, line.object, line.generation)


def _json(session: Session, line: Line) -> dict[str, Any]:
    return {
        "time": moment(line.time),
        "step": line.step,
        "environment": line.environment,
        "sequence": line.n,
        "text": line.text,
        "object": _object(session, line),
    }
