"""Pipeline files and the pipelines that Spinnaker has, as the catalog of this installation puts them together."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from downwind.cli.context import Session, tell_unreadable
from downwind.cli.pipeline_file import Catalog, PipelineFile, read
from downwind.errors import Refused
from downwind.model.pipeline_file import placeholders
from downwind.reconcile.words import count

if TYPE_CHECKING:
    from downwind.ports import PipelineConfig


def to_save(
    session: Session, paths: Sequence[Path], environment: str | None, allowed: Sequence[str]
) -> list[tuple[Path, dict[str, Any]]]:
    """Files filled in from the catalog of this installation. Refused, with every problem told, unless all of them are right."""
    catalog = catalog_of(session, environment, allowed)
    found = [(path, read(path, catalog)) for path in paths]
    told = [str(problem) for _, each in found for problem in each.problems]
    told += [line for path, each in found for line in _open_ends(path, each)]
    for line in told:
        click.echo(line, err=True)
    if told:
        raise Refused(f"nothing was done: {count(len(told), 'problem')}", fix="correct them first")
    return [(path, each.document) for path, each in found if each.document is not None]


def _open_ends(path: Path, file: PipelineFile) -> Iterator[str]:
    """What the check lets pass in a file that is not saved."""
    if file.template:
        yield f"{path}: is for any environment; say which: --environment APPLICATION/ENVIRONMENT"
    elif file.place is not None and file.document is not None:
        for name in sorted({name for _, name in placeholders(file.document)}):
            fix = f"write pipeline: {{{name}: …}} in its environment, and apply it"
            yield f"{path}: the catalog does not say what {{{{{name}}}}} is; {fix}"


def catalog_of(session: Session, environment: str | None = None, allowed: Sequence[str] = ()) -> Catalog:
    from downwind.perform import applications

    store = session.world.catalog
    readable, unreadable = applications.readable(store, applications.all_names(store))
    tell_unreadable(unreadable)
    return Catalog(
        applications=[each.application for each in readable],
        environment=environment,
        bundles=session.settings.bundles_bucket,
        allowed=allowed,
    )


def standing_of(session: Session, document: Mapping[str, Any]) -> "PipelineConfig | None":
    return session.world.pipelines.config(str(document["application"]), str(document["name"]))


def config_of(session: Session, application: str, name: str) -> "PipelineConfig":
    found = session.world.pipelines.config(application, name)
    if found is None:
        raise Refused(
            f"Spinnaker has no pipeline {name!r} in application {application!r}", fix="names count letter by letter"
        )
    return found


def name_of(document: Mapping[str, Any]) -> str:
    return f"{document['application']}/{document['name']}"


def ask(question: str) -> None:
    """Where nobody can answer, nothing is done."""
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        raise Refused("nothing was changed", fix="say y, or --yes where nobody is asked") from None
