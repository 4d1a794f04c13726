"""`downwind bootstrap doctor`."""

from collections.abc import Iterator
from pathlib import Path

import click

from downwind.bootstrap.doctor import examine
from downwind.cli.bootstrap_place import Place, config_option
from downwind.cli.output import output_option, show


@click.command("doctor")
@config_option
@click.option(
    "--fix", is_flag=True, help="Fetch Helm and kubectl where they are missing: pinned, by their hash. Asks first."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@click.pass_context
def doctor_command(context: click.Context, config_file: Path, output: str, *, fix: bool, yes: bool) -> None:
    """Is this machine and this project fit? gcloud, Helm, kubectl, the project and its number, your rights, billing, APIs, the
    region, quotas, organisation policies that would refuse a step. Nothing is changed in the project.

    Exit code: 0 fit, 1 something is to be put right first.

    \b
    Examples:
      downwind bootstrap doctor
      downwind bootstrap doctor --fix
      downwind bootstrap doctor -o json
    """
    place = Place(config_file, offline=True)
    checks = examine(place.plan, place.cloud)
    repairs = {each.repair: each for each in checks if each.repair is not None} if fix else {}
    for repair, check in repairs.items():
        if yes or click.confirm(f"{check.what}. {check.fix}. Do it?", err=True):
            click.echo(repair(), err=True)
            checks = examine(place.plan, place.cloud)

    def table() -> Iterator[str]:
        for check in checks:
            yield f"{'ok   ' if check.fix is None else 'WRONG'}  {check.what}"
            if check.fix is not None:
                yield f"       to do: {check.fix}"

    wrong = [each for each in checks if each.fix is not None]
    show({"fit": not wrong, "checks": [{"what": each.what, "fix": each.fix} for each in checks]}, output, table)
    context.exit(1 if wrong else 0)
