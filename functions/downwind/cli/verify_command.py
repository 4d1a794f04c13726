"""`downwind verify`: is this installation sound?"""

from collections.abc import Iterator, Sequence

import click

from downwind.cli.context import Session, pass_session, tell_unreadable
from downwind.cli.fitness import fitness
from downwind.cli.output import output_option, show
from downwind.errors import Refused
from downwind.perform import applications
from downwind.perform.verify import Verdict, verify
from downwind.reconcile.words import count
from downwind.shipped import admission_policy

contexts_option = click.option(
    "--context",
    "contexts",
    multiple=True,
    metavar="KUBECONTEXT",
    help="A context of the kubeconfig (DOWNWIND_KUBECONFIG, else kubectl's); repeat it for several clusters. "
    "[default: the current one]",
)


@click.command("verify")
@click.argument("application", required=False)
@contexts_option
@output_option
@pass_session
@click.pass_context
def verify_command(
    context: click.Context, session: Session, application: str | None, contexts: Sequence[str], output: str
) -> None:
    """Check that nothing old or double can roll out: the admission policies and their bindings in the clusters, the fence in
    the saved pipelines; and try it, with a dry run that has to be refused. With it goes all that `downwind spinnaker verify`
    checks. Nothing is written anywhere.

    Exit code: 0 sound, 1 not sound, 3 a system did not answer.

    \b
    Examples:
      downwind verify
      downwind verify shop
      downwind verify --context staging --context production -o json
    """
    catalog = session.world.catalog
    found, unreadable = applications.readable(
        catalog, [application] if application else applications.all_names(catalog)
    )
    tell_unreadable(unreadable)
    if application and not found and not unreadable:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    clusters = [session.make_cluster(session.settings, each) for each in contexts or (None,)]
    of_clusters = verify(session.world, clusters, found, admission_policy())
    of_spinnaker = fitness(session, found)
    verdict = Verdict(
        findings=tuple(dict.fromkeys((*of_clusters.findings, *of_spinnaker.findings))),
        checked=tuple(dict.fromkeys((*of_clusters.checked, *of_spinnaker.checked))),
    )

    def table() -> Iterator[str]:
        yield from shown_verdict(verdict)
        yield summary(verdict, "sound")

    document = {
        "sound": not verdict.findings and not unreadable,
        "clusters": [each.name for each in clusters],
        "applications": [each.application.name for each in found],
        "checked": list(verdict.checked),
        "findings": [{"where": each.where, "what": each.what, "fix": each.fix} for each in verdict.findings],
    }
    show(document, output, table)
    context.exit(1 if verdict.findings or unreadable else 0)


def shown_verdict(verdict: Verdict) -> Iterator[str]:
    for checked in verdict.checked:
        yield f"checked  {checked}"
    for finding in verdict.findings:
        yield f"WRONG    {finding.where}: {finding.what}"
        yield f"         to do: {finding.fix}"


def summary(verdict: Verdict, good: str) -> str:
    if verdict.findings:
        return f"not {good}: {count(len(verdict.findings), 'finding')}"
    return f"{good}: {count(len(verdict.checked), 'check')}"
