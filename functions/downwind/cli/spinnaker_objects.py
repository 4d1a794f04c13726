"""`downwind spinnaker application|execution`: Spinnaker's own objects, as `spin` has them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml

from downwind.cli.context import Session, pass_session
from downwind.cli.output import columns, moment, output_option, show
from downwind.errors import Refused
from downwind.events.limits import load_json
from downwind.reconcile.links import page_of

_FILE_LIMIT = 1024 * 1024
_SHOWN = ("name", "email", "description")


@click.group("application")
def application_group() -> None:
    """Spinnaker's applications."""


@application_group.command("list")
@output_option
@pass_session
def list_applications(session: Session, output: str) -> None:
    """List them. Gate keeps this list for a while: a new one comes into it later.

    \b
    Example:
      downwind spinnaker application list
    """
    found = session.spinnaker.applications()
    rows = [[_text(each.get(key)) for key in _SHOWN] for each in found]
    show(list(found), output, lambda: columns(("NAME", "EMAIL", "DESCRIPTION"), rows))


@application_group.command("get")
@click.argument("name")
@output_option
@pass_session
def get_application(session: Session, name: str, output: str) -> None:
    """Show one.

    \b
    Example:
      downwind spinnaker application get shop -o yaml
    """
    found = session.spinnaker.application(name)
    if found is None:
        raise Refused(f"Spinnaker has no application {name}", fix="downwind spinnaker application list")
    show(found, output, lambda: (f"{key}: {_text(value)}" for key, value in sorted(found.items())))


@application_group.command("save")
@click.argument("name", required=False)
@click.option("--email", help="Whom it belongs to; Spinnaker wants one.")
@click.option("--description", help="One sentence.")
@click.option(
    "-f",
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Attributes as JSON or YAML, as spin takes them.",
)
@pass_session
def save_application(
    session: Session, name: str | None, email: str | None, description: str | None, path: Path | None
) -> None:
    """Create it, or change one of that name. Waits until Spinnaker has done it.

    \b
    Examples:
      downwind spinnaker application save shop --email sre@acme.example
      downwind spinnaker application save --file application.yaml
    """
    given = _document(path) if path is not None else {}
    attributes: dict[str, Any] = {"cloudProviders": "kubernetes", **given}
    attributes |= {
        key: value for key, value in (("name", name), ("email", email), ("description", description)) if value
    }
    if not attributes.get("name"):
        raise click.UsageError("give the application's NAME, or a --file with a name")
    if not attributes.get("email") and session.spinnaker.application(str(attributes["name"])) is None:
        raise click.UsageError("give --email: Spinnaker keeps no application without one")
    session.spinnaker.save_application(attributes)
    click.echo(f"saved: application {attributes['name']}")


@application_group.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def delete_application(session: Session, name: str, *, yes: bool) -> None:
    """Delete it. Its saved pipelines stay in Spinnaker, and nothing in a cluster is touched.

    \b
    Example:
      downwind spinnaker application delete shop --yes
    """
    if not yes:
        click.confirm(f"Delete application {name} of Spinnaker?", abort=True, err=True)
    session.spinnaker.delete_application(name)
    click.echo(f"deleted: application {name}")


@click.group("execution")
def execution_group() -> None:
    """Runs of pipelines. What Downwind started is ended by `downwind cancel`, which then makes no new attempt."""


@execution_group.command("list")
@click.argument("application")
@click.option(
    "--status", "statuses", multiple=True, help="RUNNING, SUCCEEDED, TERMINAL, CANCELED…; repeat it for several."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="Of each saved pipeline.")
@output_option
@pass_session
def list_executions(session: Session, application: str, statuses: Sequence[str], limit: int, output: str) -> None:
    """List the runs of an application of Spinnaker, newest first.

    \b
    Examples:
      downwind spinnaker execution list shop
      downwind spinnaker execution list shop --status RUNNING -o json
    """
    found = session.spinnaker.executions(application, [each.upper() for each in statuses], limit)
    rows = [
        (
            _text(each.get("id")),
            _text(each.get("name")),
            _text(each.get("status")),
            moment(_time(each)) or "-",
            _started_by(each),
        )
        for each in found
    ]
    show(list(found), output, lambda: columns(("EXECUTION", "PIPELINE", "STATUS", "STARTED", "BY"), rows))


@execution_group.command("get")
@click.argument("execution")
@output_option
@pass_session
def get_execution(session: Session, execution: str, output: str) -> None:
    """Show one, with its stages and their ids.

    \b
    Example:
      downwind spinnaker execution get 01ARZ3NDEKTSV4RRFFQ69G5FAV
    """
    found = session.spinnaker.execution(execution)
    if found is None:
        raise Refused(f"Spinnaker has no execution {execution}", fix="downwind spinnaker execution list APPLICATION")

    def table() -> Iterator[str]:
        yield f"{_text(found.get('application'))}/{_text(found.get('name'))}: {_text(found.get('status'))}"
        page = page_of(session.world.deck, _text(found.get("application")), execution)
        if page:
            yield page
        stages = [each for each in found.get("stages") or [] if isinstance(each, dict)]
        rows = [[_text(each.get(key)) for key in ("refId", "name", "type", "status", "id")] for each in stages]
        yield from columns(("STAGE", "NAME", "TYPE", "STATUS", "ID"), rows)

    show(found, output, table)


def _controlling(verb: str, done: str, text: str) -> None:
    """One command that asks for something with a run."""

    def run(session: Session, execution: str, reason: str | None = None) -> None:
        session.spinnaker.control(execution, verb, reason)
        click.echo(f"{done}: execution {execution}")

    command: Callable[..., None] = pass_session(run)
    if verb == "cancel":
        command = click.option("--reason", help="Stands in the execution.")(command)
    command = click.argument("execution")(command)
    command.__doc__ = f"{text}\n\n\b\nExample:\n  downwind spinnaker execution {verb} 01ARZ3NDEKTSV4RRFFQ69G5FAV"
    execution_group.command(verb, help=command.__doc__)(command)


_controlling("cancel", "asked for the end of", "Ask for its end. One that has ended is left as it is.")
_controlling("pause", "paused", "Start no further stage.")
_controlling("resume", "resumed", "Go on after a pause.")
_controlling("delete", "deleted", "Forget it: Spinnaker keeps nothing of it.")


@execution_group.command("restart")
@click.argument("execution")
@click.argument("stage")
@pass_session
def restart_stage(session: Session, execution: str, stage: str) -> None:
    """Run a stage (its id) again, and what follows it, with the old trigger. The stages before it are not run: of a pipeline with
    a fence only the guard still stops an old one. `downwind retry` makes a new attempt instead.

    \b
    Example:
      downwind spinnaker execution restart 01ARZ3NDEKTSV4RRFFQ69G5FAV 01BX5ZZKBKACTAV9WEVGEMMVRZ
    """
    session.spinnaker.restart(execution, stage)
    click.echo(f"restarted: stage {stage} of execution {execution}")


def _document(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()[: _FILE_LIMIT + 1]
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = load_json(data, limit=_FILE_LIMIT) if data.lstrip()[:1] == b"{" else yaml.safe_load(data)
    except (yaml.YAMLError, Refused) as error:
        raise Refused(f"{path} is neither JSON nor YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise Refused(f"{path}: an application's attributes are one object", fix="name, email, description, …")
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]


def _time(document: Mapping[str, Any]) -> datetime | None:
    started = document.get("startTime")
    return datetime.fromtimestamp(started / 1000, UTC) if isinstance(started, int | float) else None


def _started_by(document: Mapping[str, Any]) -> str:
    trigger = document.get("trigger")
    return _text(trigger.get("user")) if isinstance(trigger, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
