"""`downwind spinnaker`: what `spin` does for applications and executions, and whether a Spinnaker is fit to roll out with."""

from collections.abc import Iterator

import click

from downwind.cli.context import Session, pass_session, tell_unreadable
from downwind.cli.fitness import fitness
from downwind.cli.lazy import LazyGroup
from downwind.cli.output import output_option, show
from downwind.cli.verify_command import shown_verdict, summary
from downwind.errors import Refused
from downwind.perform import applications
from downwind.settings import Settings

_OBJECTS = "downwind.cli.spinnaker_objects"
COMMANDS = {
    "verify": ("downwind.cli.spinnaker_command:verify_command", "Is it fit, who are we there, what may we use."),
    "application": (f"{_OBJECTS}:application_group", "Spinnaker's applications: list, get, save, delete."),
    "execution": (
        f"{_OBJECTS}:execution_group",
        "Runs of pipelines: list, get, cancel, pause, resume, restart, delete.",
    ),
    "spin-config": ("downwind.cli.spinnaker_command:spin_config_command", "Write the configuration of `spin`."),
}


@click.group("spinnaker", cls=LazyGroup, lazy=COMMANDS)
def spinnaker_group() -> None:
    """Spinnaker, through Gate (DOWNWIND_GATE_URL), signed in as the functions are. Redirects are refused: behind one is a login
    page, and no answer."""


@click.command("verify")
@click.argument("application", required=False)
@output_option
@pass_session
@click.pass_context
def verify_command(context: click.Context, session: Session, application: str | None, output: str) -> None:
    """Check that this Spinnaker is fit: its version, who it takes us for, the accounts and applications that the catalog names,
    the fence in each saved pipeline, whether bundles can be read and Echo reaches us; and which `spin` is on the path. Nothing is
    written anywhere.

    Exit code: 0 fit, 1 not fit, 3 Gate did not answer.

    \b
    Examples:
      downwind spinnaker verify
      downwind spinnaker verify shop -o json
    """
    catalog = session.world.catalog
    found, unreadable = applications.readable(
        catalog, [application] if application else applications.all_names(catalog)
    )
    tell_unreadable(unreadable)
    if application and not found and not unreadable:
        raise Refused(f"the catalog has no application {application!r}", fix="downwind app list")
    verdict = fitness(session, found)

    def table() -> Iterator[str]:
        yield from shown_verdict(verdict)
        yield summary(verdict, "fit")

    document = {
        "fit": not verdict.findings and not unreadable,
        "gate": session.settings.gate_url,
        "applications": [each.application.name for each in found],
        "checked": list(verdict.checked),
        "findings": [{"where": each.where, "what": each.what, "fix": each.fix} for each in verdict.findings],
    }
    show(document, output, table)
    context.exit(1 if verdict.findings or unreadable else 0)


@click.command("spin-config")
@pass_session
def spin_config_command(session: Session) -> None:
    """Write to stdout what `spin` needs in ~/.spin/config to reach the same Gate. No secret is in it: where one is needed, the
    comment says how to pass it.

    \b
    Example:
      downwind spinnaker spin-config > ~/.spin/config
    """
    for line in spin_config(session.settings):
        click.echo(line)


def spin_config(settings: Settings) -> Iterator[str]:
    """`spin` reads its file strictly: no key that it does not know. A slash at the end of the address makes Gate answer 400."""
    yield "# For spin, written by `downwind spinnaker spin-config`."
    secret = settings.gate_secret or settings.gate_token_secret
    header = {"token": "X-Spinnaker-Token=", "bearer": "Authorization=Bearer ", "basic": "Authorization=Basic "}
    way = settings.gate_sign_in or ("bearer" if secret else "none")
    if way in header:
        yield "# No auth section: spin 2026.2 sends no credentials of basic and iap. Each call needs"
        yield f'#   spin --default-headers "{header[way]}…" …     with the text of the secret {secret}'
        if way == "basic":
            yield "# in base64."
    elif way == "google":
        yield '# Each call needs: spin --default-headers "Authorization=Bearer $(gcloud auth print-access-token)" …'
    if settings.gate_audience:
        yield '# Before Gate stands a proxy: spin --default-headers "Authorization=Bearer '
        yield f'#   $(gcloud auth print-identity-token --audiences={settings.gate_audience})" …'
    yield "gate:"
    yield f"  endpoint: {settings.gate_url.rstrip('/')}"
    if settings.gate_certificate_secret:
        yield "auth:"
        yield "  enabled: true"
        yield "  x509:"
        yield "    certPath: client.pem   # the certificate and"
        yield f"    keyPath: client.key    # the key out of the secret {settings.gate_certificate_secret}"
