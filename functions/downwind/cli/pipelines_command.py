"""`downwind pipelines`: Spinnaker's pipelines as files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.output import output_option, printable, show
from downwind.cli.pipeline_file import Catalog, PipelineFile, application_of, beside, read
from downwind.cli.pipelines_saved import ask, catalog_of, config_of, name_of, standing_of, to_save
from downwind.errors import Refused

_FILES = click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
_KEYS = ("line", "column", "field", "message", "fix")


_catalogs = click.option(
    "--catalog",
    "catalogs",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A catalog file; repeat it for several. [default: downwind.yaml beside the file, above it, or here]",
)
_environment = click.option(
    "--environment", metavar="APPLICATION/ENVIRONMENT", help="What the files are for, whatever their names say."
)
_allow = click.option(
    "--allow-stage", "allowed", multiple=True, metavar="TYPE", help="A stage type that a plugin brings; repeat it."
)


@click.group("pipelines")
def pipelines_group() -> None:
    """Spinnaker's pipelines, as files that can be read, checked offline and compared."""


@pipelines_group.command("check")
@_FILES
@_catalogs
@_environment
@_allow
@output_option
@click.pass_context
def check_command(
    context: click.Context,
    paths: Sequence[Path],
    catalogs: Sequence[Path],
    environment: str | None,
    allowed: Sequence[str],
    output: str,
) -> None:
    """Check pipeline files offline: every problem with file, line, column, field and fix.

    Looked at are the order of the stages, fields and stages that Spinnaker does not know, artifacts, the traps of its
    expressions, failures that are hidden; and for an environment of the catalog precondition, fence, bundle and accounts.

    Exit code: 0 all are right, 1 at least one is not.

    \b
    Examples:
      downwind pipelines check pipelines/*.yaml
      downwind pipelines check canary.yaml --catalog downwind.yaml --environment shop/production
      downwind pipelines check pipelines/*.yaml -o json
    """
    found = [read(path, _catalog(path, catalogs, environment, allowed)) for path in paths]

    def table() -> list[str]:
        return [line for each in found for line in ([str(problem) for problem in each.problems] or [_right(each)])]

    show({"files": [_json(each) for each in found]}, output, table)
    context.exit(1 if any(each.problems for each in found) else 0)


@pipelines_group.command("show")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@_environment
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@pass_session
def show_command(session: Session, path: Path, environment: str | None, output: str) -> None:
    """Print a file as it would be saved, filled in from the catalog. JSON is what `spin pipeline save --file` takes.

    \b
    Examples:
      downwind pipelines show pipelines/deploy-production.yaml
      downwind pipelines show pipelines/deploy-production.yaml -o json > deploy-production.json
    """
    ((_, document),) = to_save(session, [path], environment, ())
    _print(document, output)


@pipelines_group.command("diff")
@_FILES
@_environment
@_allow
@pass_session
@click.pass_context
def diff_command(
    context: click.Context, session: Session, paths: Sequence[Path], environment: str | None, allowed: Sequence[str]
) -> None:
    """Show what saving would change in Spinnaker, as a diff. Nothing is written.

    Exit code: 0 nothing differs, 1 something does.

    \b
    Examples:
      downwind pipelines diff pipelines/*.yaml
      downwind pipelines diff canary.yaml --environment shop/production
    """
    from downwind.perform.pipelines import difference

    differs = False
    for path, document in to_save(session, paths, environment, allowed):
        lines = difference(standing_of(session, document), document, str(path))
        differs = differs or bool(lines)
        for line in lines or [f"{path}: {name_of(document)} is as in the file"]:
            click.echo(printable(line))
    context.exit(1 if differs else 0)


@pipelines_group.command("save")
@_FILES
@_environment
@_allow
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def save_command(
    session: Session, paths: Sequence[Path], environment: str | None, allowed: Sequence[str], *, yes: bool
) -> None:
    """Check files, show what they would change in Spinnaker, and save them after a yes.

    All files are checked first; if one has a problem, nothing is saved. What is as it should be is not saved again. A pipeline
    keeps its id. If somebody changes it between the diff and the answer, nothing is saved.

    \b
    Examples:
      downwind pipelines save pipelines/*.yaml
      downwind pipelines save pipelines/deploy-production.yaml --yes
    """
    from downwind.perform.pipelines import difference, save

    for path, document in to_save(session, paths, environment, allowed):
        standing = standing_of(session, document)
        lines = difference(standing, document, str(path))
        if not lines:
            click.echo(f"{name_of(document)} is as in {path}: not saved again")
            continue
        for line in lines:
            click.echo(printable(line))
        if not yes:
            ask(f"Save {name_of(document)}?")
        save(session.world.pipelines, document, standing, str(path))
        click.echo(f"{name_of(document)} saved from {path}")


@pipelines_group.command("pull")
@click.argument("application")
@click.argument("name")
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write this file. [default: print]"
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@pass_session
def pull_command(session: Session, application: str, name: str, path: Path | None, output: str, *, force: bool) -> None:
    """Turn a pipeline that Spinnaker has into a file: its id, its times and who changed it last stay there.

    APPLICATION and NAME are Spinnaker's. Saving the file again changes nothing.

    \b
    Examples:
      downwind pipelines pull shop deploy-production --file pipelines/deploy-production.yaml
      downwind pipelines pull shop nightly -o json
    """
    from downwind.soundness.write_pipeline import of_file, write_pipeline

    standing = config_of(session, application, name)
    document = of_file(standing.document)
    if path is None:
        _print(document, output)
        return
    if path.exists() and not force:
        raise Refused(f"{path} is there already", fix="take another --file, or overwrite it with --force")
    text = json.dumps(document, indent=2) + "\n" if output == "json" else write_pipeline(document)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", fix="take another --file") from error
    click.echo(f"{path} written. Look through it, then: downwind pipelines check {path}")


@pipelines_group.command("delete")
@click.argument("application")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def delete_command(session: Session, application: str, name: str, *, yes: bool) -> None:
    """Delete a pipeline in Spinnaker. Its executions stay, and what runs goes on.

    APPLICATION and NAME are Spinnaker's.

    \b
    Examples:
      downwind pipelines delete shop nightly
      downwind pipelines delete shop nightly --yes
    """
    standing = config_of(session, application, name)
    for each, environment in catalog_of(session).places():
        if (environment.pipeline_application, environment.pipeline) == (application, name):
            text = f"{each.name}/{environment.name} is served by it: its rollouts would be refused from now on"
            click.echo(f"Warning: {text}", err=True)
    if not yes:
        ask(f"Delete pipeline {application}/{name}?")
    session.world.pipelines.delete(standing)
    click.echo(f"{application}/{name} deleted")


@pipelines_group.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a pipeline file, for editors.

    \b
    Examples:
      downwind pipelines schema > pipeline.schema.json
      # then, at the top of pipelines/deploy-production.yaml:
      # yaml-language-server: $schema=../pipeline.schema.json
    """
    from downwind.soundness.schema import schema

    click.echo(json.dumps(schema(), indent=2))


def _print(document: Mapping[str, Any], output: str) -> None:
    from downwind.soundness.write_pipeline import of_file, write_pipeline

    click.echo(
        json.dumps(document, indent=2) if output == "json" else write_pipeline(of_file(document)), nl=output == "json"
    )


def _catalog(path: Path, catalogs: Sequence[Path], environment: str | None, allowed: Sequence[str]) -> Catalog:
    applications = [application_of(each) for each in catalogs] if catalogs else beside(path)
    return Catalog(applications=applications, environment=environment, allowed=allowed)


def _right(file: PipelineFile) -> str:
    document = file.document or {}
    return f"{file.file}: pipeline {document.get('application')}/{document.get('name')}, {file.about}: right"


def _json(file: PipelineFile) -> dict[str, Any]:
    place = f"{file.place[0].name}/{file.place[1].name}" if file.place else None
    return {
        "file": file.file,
        "environment": place,
        "problems": [{key: getattr(problem, key) for key in _KEYS} for problem in file.problems],
    }
