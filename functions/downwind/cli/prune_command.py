"""`downwind prune`: what older rollouts have left behind in a cluster, and the commands that would delete it."""

import shlex
from collections.abc import Iterator
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.output import columns, output_option, show
from downwind.cli.places import places_of
from downwind.errors import Refused
from downwind.perform.look import view
from downwind.perform.prune import Leftover, kept, leftovers
from downwind.ports import Cluster
from downwind.reconcile.words import count

_HEADINGS = ("NAMESPACE", "KIND", "NAME", "ENTRY", "WHY")


@click.command("prune")
@click.argument("application")
@click.argument("environment", required=False)
@click.option("--context", "cluster_context", metavar="NAME", help="Of the kubeconfig; left out: the current one.")
@output_option
@pass_session
def prune_command(
    session: Session, application: str, environment: str | None, cluster_context: str | None, output: str
) -> None:
    """List objects in a cluster that no rollout owns any more, and the kubectl commands that delete them. Deletes nothing.

    Spinnaker applies a bundle and never prunes: what was taken out of the manifests stays. Listed is what an older rollout of
    the environment wrote and the live bundle does not have. The cluster is the one that your kubeconfig points to, so look
    there first: it must be the one that the environment's pipeline deploys to.

    Exit code: 0, whether anything was found or not.

    \b
    Examples:
      downwind prune shop production
      downwind prune shop production --context gke_acme_us-central1_production
      downwind prune shop -o json
    """
    registered, places = places_of(session, application, environment)
    seen = view(session.world, registered, session.now())
    bases = {place.name: base for place in places if (base := kept(session.world, seen, place))}
    if not bases:
        where = f"{application}/{environment}" if environment else application
        raise Refused(
            f"no rollout has succeeded in {where}, as far back as is looked: there is nothing to compare with",
            fix=f"downwind history {application}",
        )
    cluster = session.make_cluster(session.settings, cluster_context)
    marked = cluster.marked()
    left = {name: leftovers(marked, f"{application}/{name}", base) for name, base in bases.items()}

    def table() -> Iterator[str]:
        for name, base in bases.items():
            found = count(len(left[name]), "object")
            yield f"{application}/{name} in {cluster.name}: {base.live} is live, {found} of older rollouts left"
            if base.newer:
                yield f"  {', '.join(map(str, base.newer))} came after it: look again when that has ended well"
            rows = [_row(each) for each in left[name]]
            yield from columns(_HEADINGS, rows) if rows else ()
        commands = [_command(session, cluster, each) for each in _all(left)]
        if commands:
            yield ""
            yield "Nothing was deleted. To delete them, after a look at each:"
            yield from commands

    document = {
        "application": application,
        "cluster": cluster.name,
        "environments": [
            {
                "environment": name,
                "live": base.live,
                "newer": list(base.newer),
                "leftovers": [_json(session, cluster, each) for each in left[name]],
            }
            for name, base in bases.items()
        ],
    }
    show(document, output, table)


def _all(left: dict[str, list[Leftover]]) -> Iterator[Leftover]:
    for found in left.values():
        yield from found


def _row(each: Leftover) -> list[str | None]:
    return [each.object.namespace or None, each.object.kind, each.object.name, str(each.sequence), each.reason]


def _command(session: Session, cluster: Cluster, each: Leftover) -> str:
    """Whole: where kubectl points to may have changed by the time that somebody runs it, and kinds of one name live in several
    groups."""
    group, _, version = each.object.api_version.rpartition("/")
    kind = f"{each.object.kind}.{version}.{group}" if group else each.object.kind
    where = ["--namespace", each.object.namespace] if each.object.namespace else []
    file = ["--kubeconfig", session.settings.kubeconfig] if session.settings.kubeconfig else []
    return shlex.join(["kubectl", *file, "--context", cluster.name, "delete", *where, f"{kind}/{each.object.name}"])


def _json(session: Session, cluster: Cluster, each: Leftover) -> dict[str, Any]:
    return {
        "api_version": each.object.api_version,
        "kind": each.object.kind,
        "namespace": each.object.namespace or None,
        "name": each.object.name,
        "sequence": each.sequence,
        "reason": each.reason,
        "command": _command(session, cluster, each),
    }
