"""`downwind render`: what a release, or a folder on this machine, renders to."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.output import columns, printable
from downwind.cli.places import places_of
from downwind.errors import Refused
from downwind.model.patterns import DIGEST
from downwind.render.bundle import Bundle

_VALUES = ".downwind-values-{number}.yaml"


@click.command("render")
@click.argument("what", metavar="DIR|APPLICATION")
@click.option("--environment", "-e", help="Of an application that has several.")
@click.option("--commit", help="Of an application; the newest release of the environment, if left out.")
@click.option(
    "--image", "images", multiple=True, metavar="NAME@sha256:…", help="The digest to pin. Repeat it for others."
)
@click.option(
    "--values", "-f", multiple=True, type=click.Path(path_type=Path), help="Of a chart: a values file; repeat it."
)
@click.option("--namespace", "-n", help="Of a folder: for objects without one, and for Helm's release.")
@click.option("--release", help="Of a chart: the release's name; the folder's, if left out.")
@click.option(
    "--charts",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Of a chart: a YAML file with `charts` and `redirects`, as under manifests.helm in a catalog.",
)
@click.option("--recursive", "-R", is_flag=True, help="Of plain manifests: those of the folders below as well.")
@click.option("--part", help="Of an application whose manifests have several.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "table", "dir"]),
    default="yaml",
    show_default=True,
    help="Form.",
)
@click.option(
    "--to", type=click.Path(file_okay=False, path_type=Path), help="With -o dir: a new folder, a file an object."
)
@pass_session
def render_command(
    session: Session, /, what: str, images: Sequence[str], output: str, to: Path | None, **given: Any
) -> None:
    """Render what an environment of an application gets (-o yaml: byte for byte what the function writes), or a folder.

    A folder needs no catalog, no cloud and no git; its objects get no annotations of owner, commit and release. What it names
    has to lie in the repository that it is in, as for the function. A DIR has a slash or is there: ./shop.

    \b
    Examples:
      downwind render deploy/staging
      downwind render charts/shop -f environments/staging.yaml --namespace shop-staging -o table
      downwind render charts/shop --charts charts/pinned.yaml
      downwind render shop --environment staging -o yaml
      downwind render shop -e staging --commit 5d6e7f8 -o dir --to /tmp/rendered
    """
    if (output == "dir") != (to is not None):
        raise click.UsageError("-o dir and --to FOLDER belong together")
    digests = _digests(images)
    if "/" in what or Path(what).is_dir():
        _show({"manifests": _folder(session, Path(what), digests, given)}, output, to)
    else:
        _show(_application(session, what, digests, given), output, to)


def _digests(images: Iterable[str]) -> dict[str, str]:
    found = {}
    for each in images:
        name, _, digest = each.partition("@")
        if not name or not DIGEST.fullmatch(digest):
            raise click.UsageError(f"--image {each} is not NAME@sha256:<64 hex>")
        found[name] = digest
    return found


def _folder(session: Session, folder: Path, digests: Mapping[str, str], given: Mapping[str, Any]) -> Bundle:
    from downwind.adapters.folder_tree import FolderTree, root_of
    from downwind.model.engines import EngineOptions, HelmOptions, PlainOptions
    from downwind.render.bundle import ReleaseFacts, make_bundle
    from downwind.render.engine import read_objects

    _refuse(given, ("environment", "commit", "part"), "an application")
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder", fix="name one that holds manifests, a kustomization or a chart")
    root = root_of(folder)
    beside = {_VALUES.format(number=number): _read(path) for number, path in enumerate(given["values"])}
    release = given["release"] or re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:53] or "release"
    helm = HelmOptions(values=tuple(f"/{name}" for name in beside), release=release, **_pinned(given["charts"]))
    options = EngineOptions(
        plain=PlainOptions(recursive=given["recursive"]),
        helm=helm if beside or given["release"] or given["charts"] else None,
        release=release,
        namespace=given["namespace"] or "default",
    )
    path = folder.resolve().relative_to(root).as_posix()
    rendered = session.make_renderer(60.0).render(FolderTree(root, beside), "" if path == "." else path, options)
    about = ReleaseFacts(
        application="",
        environment="",
        namespace=given["namespace"] or "",
        commit="",
        images=digests,
        marked=False,
    )
    return make_bundle(read_objects(rendered), about)


def _application(
    session: Session, name: str, digests: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, Bundle]:
    from downwind.perform.preview import preview

    _refuse(
        given,
        ("values", "namespace", "release", "charts", "recursive"),
        "a folder; an application's stand in the catalog",
    )
    registered, environments = places_of(session, name, given["environment"])
    if len(environments) > 1:
        names = ", ".join(each.name for each in environments)
        raise Refused(f"{name} has several environments", fix=f"name one with --environment: {names}")
    commit, made = preview(session.world, registered, environments[0], given["commit"], digests)
    click.echo(f"{name} {environments[0].name} at {commit}: bundle {made.bundle.digest}", err=True)
    parts = dict(made.bundle.parts)
    if given["part"] is None:
        return parts
    if given["part"] not in parts:
        raise Refused(f"{name} has no part {given['part']!r}", fix=f"its parts are: {', '.join(sorted(parts))}")
    return {given["part"]: parts[given["part"]]}


def _refuse(given: Mapping[str, Any], options: Sequence[str], belongs: str) -> None:
    for name in options:
        if given[name]:
            raise click.UsageError(f"--{name} is of {belongs}")


def _pinned(file: Path | None) -> dict[str, Any]:
    """Which charts elsewhere may be fetched: fields of HelmOptions."""
    from downwind.cli.file_problem import placed
    from downwind.model.fields import Fields, Problem
    from downwind.model.read_engines import read_charts, read_redirects
    from downwind.render.yaml_reader import read_documents

    if file is None:
        return {}
    text = _read(file)
    documents = read_documents(str(file), text)
    if len(documents) != 1:
        raise Refused(f"{file} holds {len(documents)} documents", fix="write one, with `charts` and `redirects`")
    problems: list[Problem] = []
    fields = Fields(documents[0], (), problems)
    found = {"charts": read_charts(fields), "redirects": read_redirects(fields)}
    fields.done()
    if problems:
        raise Refused("; ".join(str(each) for each in placed(str(file), text, problems)))
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}", fix="name a file that is there") from error


def _show(parts: Mapping[str, Bundle], output: str, to: Path | None) -> None:
    from downwind.render.serialise import split

    if output == "yaml":
        click.echo(b"".join(each.documents for _, each in sorted(parts.items())), nl=False)
    elif output == "json":
        objects = [value for _, each in sorted(parts.items()) for value in split(each.documents)]
        click.echo(json.dumps(objects, indent=2))
    elif output == "dir" and to is not None:
        _write(parts, to)
    else:
        rows = [
            [part, item.kind, item.namespace, item.name]
            for part, each in sorted(parts.items())
            for item in each.objects
        ]
        for line in columns(["PART", "KIND", "NAMESPACE", "NAME"], rows):
            click.echo(printable(line))


def _write(parts: Mapping[str, Bundle], to: Path) -> None:
    """`<part>/<file of one object>`, as in the bucket."""
    from downwind.render.object_files import object_files

    try:
        to.mkdir(parents=True)
        for part, each in sorted(parts.items()):
            (to / part).mkdir()
            for name, data in object_files(each).items():
                (to / part / name).write_bytes(data)
    except OSError as error:
        raise Refused(f"{to} cannot be written: {error.strerror}", fix="name a folder that is not there yet") from error
    count = sum(len(each.objects) for each in parts.values())
    click.echo(f"{count} object{'' if count == 1 else 's'} in {to}")
