"""`downwind app`: the catalog."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from downwind.cli.app_init import init_command
from downwind.cli.catalog_file import CatalogFile, read_file
from downwind.cli.context import Session, pass_session, tell_unreadable
from downwind.cli.output import columns, moment, output_option, show
from downwind.errors import Refused
from downwind.model.catalog import Application, Environment, Registered
from downwind.reconcile.words import count

EMPTY = (
    "the catalog is empty: downwind app init, then downwind app apply (in a local world: downwind local add DIRECTORY)"
)

_FILES = click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))


@click.group("app")
def app_group() -> None:
    """The catalog: which repositories roll out where, one file an application."""


app_group.add_command(init_command)


@app_group.command("check")
@_FILES
@output_option
@click.pass_context
def check_command(context: click.Context, paths: Sequence[Path], output: str) -> None:
    """Check catalog files offline: every problem with file, line, column, field and fix.

    Exit code: 0 all are right, 1 at least one is not.

    \b
    Examples:
      downwind app check downwind.yaml
      downwind app check catalog/*.yaml -o json
    """
    found = _read(paths)

    def table() -> list[str]:
        return [line for each in found for line in ([str(problem) for problem in each.problems] or _right(each))]

    show({"files": [_file_json(each) for each in found]}, output, table)
    context.exit(1 if any(each.problems for each in found) else 0)


def _right(file: CatalogFile) -> list[str]:
    application = file.application
    if application is None:
        return []
    return [
        f"{file.file}: application {application.name}, {count(len(application.environments), 'environment')}: right"
    ]


def _read(paths: Sequence[Path]) -> list[CatalogFile]:
    """Refused when two of the files are of one application."""
    found = [read_file(path) for path in paths]
    by_name: dict[str, str] = {}
    for each in found:
        if each.application is not None:
            other = by_name.setdefault(each.application.name, each.file)
            if other != each.file:
                raise Refused(
                    f"{other} and {each.file} are both of application {each.application.name}",
                    fix="give each application one file",
                )
    return found


def _file_json(file: CatalogFile) -> dict[str, Any]:
    keys = ("line", "column", "field", "message", "fix")
    return {
        "file": file.file,
        "application": file.application.name if file.application else None,
        "problems": [{key: getattr(problem, key) for key in keys} for problem in file.problems],
    }


@app_group.command("apply")
@_FILES
@pass_session
def apply_command(session: Session, paths: Sequence[Path]) -> None:
    """Put applications into the catalog. No function needs a redeploy; the refs of today are the baseline, so nothing old
    rolls out by itself.

    All files are checked first; if one has a problem, nothing is applied.

    \b
    Examples:
      downwind app apply downwind.yaml
    """
    from downwind.perform.catalog import apply

    found = _read(paths)
    problems = [problem for each in found for problem in each.problems]
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems:
        raise Refused(f"nothing was applied: {count(len(problems), 'problem')}", fix="correct them and apply again")
    for each in found:
        if each.application is not None:
            try:
                said = apply(session.world, each.application, each.text)
            except Refused as error:
                if not session.settings.local:
                    raise
                fix = "downwind local add DIRECTORY brings repository, trigger and pipelines into a local world"
                raise Refused(error.reason, field=error.field, fix=fix) from error
            for line in said:
                click.echo(line)


@app_group.command("list")
@output_option
@pass_session
@click.pass_context
def list_command(context: click.Context, session: Session, output: str) -> None:
    """List the applications of the catalog.

    \b
    Examples:
      downwind app list
      downwind app list -o json
    """
    from downwind.perform import applications

    catalog = session.world.catalog
    found, unreadable = applications.readable(catalog, applications.all_names(catalog))
    tell_unreadable(unreadable)

    def table() -> list[str]:
        if not found and not unreadable:
            return [EMPTY]
        rows = [
            [each.application.name, each.application.repository.address, " ".join(_chain(each.application))]
            for each in found
        ]
        return columns(["NAME", "REPOSITORY", "ENVIRONMENTS"], rows)

    show({"applications": [_application_json(each) for each in found]}, output, table)
    context.exit(1 if unreadable else 0)


@app_group.command("show")
@click.argument("name")
@output_option
@pass_session
def show_command(session: Session, name: str, output: str) -> None:
    """Show one application as it stands in the catalog.

    \b
    Examples:
      downwind app show shop
      downwind app show shop -o json
    """
    from downwind.perform import applications
    from downwind.reconcile import names

    stored = session.world.catalog.read(names.application(name))
    if stored is None:
        raise Refused(f"the catalog has no application {name!r}", fix="downwind app list")
    where = session.uri("catalog", stored.name, stored.generation)

    def table() -> list[str]:
        about = f"# {where}, applied {moment(stored.created)}"
        return [about, *(stored.data or b"").decode("utf-8", "replace").splitlines()]

    found = {} if output == "table" else _application_json(applications.registered(stored))
    show({**found, "object": where, "applied": moment(stored.created)}, output, table)


@app_group.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def delete_command(session: Session, name: str, *, yes: bool) -> None:
    """Take an application out of the catalog: its events are ignored from now on.

    The ledger keeps its history, nothing is undeployed, and no execution is stopped.

    \b
    Examples:
      downwind app delete shop
      downwind app delete shop --yes
    """
    from downwind.perform.catalog import delete
    from downwind.reconcile import names

    if session.world.catalog.read(names.application(name)) is None:
        raise Refused(f"the catalog has no application {name!r}", fix="downwind app list")
    if not yes:
        click.confirm(f"Take {name} out of the catalog?", abort=True, err=True)
    delete(session.world, name)
    click.echo(f"{name} is out of the catalog; the ledger keeps its history, and what runs is left alone")


@app_group.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a catalog file, for editors.

    \b
    Examples:
      downwind app schema > application.schema.json
      # then, at the top of downwind.yaml:
      # yaml-language-server: $schema=application.schema.json
    """
    text = files("downwind.cli").joinpath("schemas/application.schema.json").read_text(encoding="utf-8")
    click.echo(json.dumps(json.loads(text), indent=2))


def _chain(application: Application) -> list[str]:
    return [f"{each.name}({fed_by(each)})" for each in application.environments]


def fed_by(environment: Environment) -> str:
    if environment.after is not None:
        return f"after {environment.after}"
    return ", ".join(environment.refs) or "orders only"


def _application_json(registered: Registered) -> dict[str, Any]:
    application = registered.application
    return {
        "name": application.name,
        "generation": registered.generation,
        "repository": application.repository.address,
        "trigger": application.build.trigger if application.build else None,
        "trigger_id": registered.trigger_id,
        "images": [rule.name for rule in application.images],
        "environments": [
            {
                "name": each.name,
                "refs": list(each.refs),
                "after": each.after,
                "namespace": each.namespace,
                "pipeline": {
                    "application": each.pipeline_application,
                    "name": each.pipeline,
                    "account": each.account,
                    "artifact_account": each.artifact_account,
                },
                "promotion": each.promotion,
                "on_newer": each.on_newer,
                "on_failure": each.on_failure,
                "requests": each.requests,
            }
            for each in application.environments
        ],
    }
