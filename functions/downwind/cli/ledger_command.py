"""`downwind ledger`: taking a lost ledger up again."""

from collections.abc import Iterator, Sequence
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.identity import claimed
from downwind.cli.output import columns, output_option, show
from downwind.cli.verify_command import contexts_option
from downwind.errors import Refused
from downwind.perform import applications
from downwind.perform.rebase import look, write
from downwind.reconcile.rebase import Rebase
from downwind.reconcile.words import count, short


@click.group("ledger")
def ledger_group() -> None:
    """What to do when the ledger was lost."""


@ledger_group.command("rebase")
@click.argument("application")
@click.argument("environment", required=False)
@contexts_option
@click.option("--why", help="For the record.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@pass_session
def rebase_command(
    session: Session,
    application: str,
    environment: str | None,
    contexts: Sequence[str],
    why: str | None,
    *,
    dry_run: bool,
    yes: bool,
    output: str,
) -> None:
    """Take the logs of an application up again after the ledger was lost, or restored from an old copy: read the highest
    sequence that is live, and write the first entry above it. The clusters accept what comes next, and nothing older.

    Nothing rolls out by this. All refs count as they are today, and all that upstream had so far as promoted: the next push
    rolls out, and `downwind deploy` brings what should have. Name every cluster that the application is deployed to.

    Exit code: 0 written (or shown), 1 refused, 3 a system did not answer and nothing was written.

    \b
    Examples:
      downwind ledger rebase shop --dry-run
      downwind ledger rebase shop --context staging --context production --why INC-42
      downwind ledger rebase shop production --yes
    """
    found = applications.read(session.world.catalog, [application])
    if not found:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    clusters = [session.make_cluster(session.settings, each) for each in contexts or (None,)]
    about = {"who": claimed(session.environment), "why": why}
    work = (session.world, clusters, found[0], environment, about)
    rebases = look(*work)
    if not dry_run:
        if not yes:
            for line in _table(rebases, application):
                click.echo(line, err=True)
            click.confirm("Write this?", abort=True, err=True)
        rebases = write(*work)

    def table() -> Iterator[str]:
        yield from _table(rebases, application)
        yield "nothing was written: --dry-run" if dry_run else "written; the next push rolls out"

    document = {"application": application, "written": not dry_run, "environments": [_json(each) for each in rebases]}
    show(document, output, table)


def _table(rebases: Sequence[Rebase], application: str) -> Iterator[str]:
    rows = [
        [
            application,
            each.environment,
            str(each.n) if each.n is not None else None,
            ", ".join(f"{place} {number}" for place, number in each.known.numbers.items()),
            _refs(each),
        ]
        for each in rebases
    ]
    yield from columns(
        ["APPLICATION", "ENVIRONMENT", "ENTRY", "HIGHEST SEQUENCE FOUND", "REFS TAKEN AS THEY ARE"], rows
    )


def _refs(rebase: Rebase) -> str | None:
    if len(rebase.refs) > 3:
        return count(len(rebase.refs), "ref")
    return ", ".join(f"{fact.body['ref']} at {short(fact.body['commit'])}" for fact in rebase.refs) or None


def _json(rebase: Rebase) -> dict[str, Any]:
    return {
        "environment": rebase.environment,
        "entry": rebase.n,
        "found": dict(rebase.known.numbers),
        "promoted": rebase.entry.body["promoted"] if rebase.entry is not None else None,
        "refs": [{key: fact.body[key] for key in ("ref", "commit")} for fact in rebase.refs],
    }
