"""`downwind diff`: two bundles beside each other, or one beside what is live in the cluster."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.main import told
from downwind.cli.output import printable, show
from downwind.cli.places import places_of
from downwind.errors import DownwindError, TransientError
from downwind.perform.difference import LIVE, Side, against, bundle_of, rendered
from downwind.reconcile.words import short
from downwind.render.compare import Change, changes


class _Untold(click.ClickException):
    """1 says that something differs, as for kubectl."""

    exit_code = 2


_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command("diff")
@click.argument("application")
@click.argument("environment")
@click.argument("one", metavar="[FROM]", default=LIVE)
@click.argument("other", metavar="[TO]", required=False)
@click.option("--cluster", "live", is_flag=True, help="Against what is live there, by a server-side dry run.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Against a working copy of the repository that holds the manifests, as it is now.",
)
@click.option("--context", "cluster_context", metavar="NAME", help="Of the kubeconfig; left out: the current one.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@pass_session
@click.pass_context
def diff_command(
    context: click.Context,
    session: Session,
    application: str,
    environment: str,
    one: str,
    other: str | None,
    live: bool,
    directory: Path | None,
    cluster_context: str | None,
    output: str,
) -> None:
    """Show what differs between two bundles of an environment, between the cluster and a bundle, or between a bundle and what is
    in a folder now. Nothing is written.

    FROM and TO are `live` (the newest success), the number of an entry, or a commit. Values of secrets are masked. What every
    release writes anew (its commit and number) does not count. With --cluster the API server says, by a dry run, what an apply of
    FROM would change; objects that are only in the cluster are `downwind prune`'s. With --directory the manifests of DIR are
    rendered with FROM's images.

    Exit code: 0 nothing differs, 1 something does, 2 it could not be told, 3 the other side did not answer.

    \b
    Examples:
      downwind diff shop production live 12
      downwind diff shop production 11 12
      downwind diff shop production 5d6e7f8 --cluster --context gke_acme_us-central1_production
      downwind diff shop production --cluster -o json
      downwind diff shop staging --directory .
    """
    if [live, other is not None, directory is not None].count(True) != 1:
        raise click.UsageError("give one of TO, --cluster and --directory")
    try:
        names, found = _compared(session, application, environment, one, other or directory, cluster_context)
    except TransientError:
        raise
    except DownwindError as error:
        raise _Untold(told(error).message) from error

    document = {
        "from": names[0],
        "to": names[1],
        "changes": [{**_about(each), "diff": list(each.lines(*names))} for each in found],
    }
    if output == "json":
        show(document, output, list)
    else:
        for line in _text(found, names):
            click.echo(line)
    context.exit(1 if found else 0)


def _compared(
    session: Session,
    application: str,
    environment: str,
    one: str,
    other: str | Path | None,
    cluster_context: str | None,
) -> tuple[tuple[str, str], Sequence[Change]]:
    """The names of both sides, and what differs. `other`: another bundle, a folder, or None for the cluster."""
    registered, (place,) = places_of(session, application, environment)
    first = bundle_of(session.world, registered, place, one, session.now())
    if isinstance(other, Path):
        from downwind.adapters.folder_tree import FolderTree

        now = rendered(session.world, registered, place, first, FolderTree(other))
        return (_name(first), str(other)), changes(first.objects, now)
    if other is not None:
        second = bundle_of(session.world, registered, place, other, session.now())
        return (_name(first), _name(second)), changes(first.objects, second.objects)
    cluster = session.make_cluster(session.settings, cluster_context)
    return (cluster.name, _name(first)), against(cluster, first.objects)


def _name(side: Side) -> str:
    return f"{side.name} ({short(side.commit)})"


def _about(change: Change) -> dict[str, Any]:
    namespace, kind, name, group = change.key
    return {"what": change.what, "group": group, "kind": kind, "namespace": namespace or None, "name": name}


def _text(found: Sequence[Change], names: tuple[str, str]) -> Iterator[str]:
    """Colours go away by themselves where nobody looks: click takes them out of what is no terminal."""
    for each in found:
        for line in each.lines(*names):
            shown = printable(line)
            bold = line.startswith(("--- ", "+++ "))
            yield click.style(shown, bold=True) if bold else click.style(shown, fg=_COLOURS.get(line[:1]))
    if found:
        kinds = [(word, sum(each.what == word for each in found)) for word in ("added", "changed", "removed")]
        yield ", ".join(f"{number} {word}" for word, number in kinds if number)
    else:
        yield f"nothing differs between {names[0]} and {names[1]}"
