"""`downwind pipelines`: Spinnaker's pipelines as files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from downwind.cli.output import output_option, show
from downwind.cli.pipeline_file import Catalog, PipelineFile, application_of, beside, read

_FILES = click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
_KEYS = ("line", "column", "field", "message", "fix")


def _choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what fills a file in."""
    options = (
        click.option(
            "--catalog",
            "catalogs",
            multiple=True,
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="A catalog file; repeat it for several. [default: downwind.yaml beside the file, above it, or here]",
        ),
        click.option(
            "--environment", metavar="APPLICATION/ENVIRONMENT", help="What the files are for, whatever their names say."
        ),
        click.option(
            "--allow-stage",
            "allowed",
            multiple=True,
            metavar="TYPE",
            help="A stage type that a plugin brings; repeat it.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group("pipelines")
def pipelines_group() -> None:
    """Spinnaker's pipelines, as files that can be read, checked offline and compared."""


@pipelines_group.command("check")
@_FILES
@_choosing
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
