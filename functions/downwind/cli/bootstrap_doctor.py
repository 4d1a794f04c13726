"""`downwind bootstrap doctor`."""

from collections.abc import Iterator
from pathlib import Path

import click

from downwind.bootstrap.doctor import examine
from downwind.cli.bootstrap_place import Place, config_option
from downwind.cli.output import output_option, show


@click.command("doctor")
@config_option
@output_option
@click.pass_context
def doctor_command(context: click.Context, config_file: Path, output: str) -> None:
    """Is this machine and this project fit? gcloud, the project and its number, your rights, billing, organisation policies that
    would refuse a step. Nothing is changed.

    Exit code: 0 fit, 1 something is to be put right first.

    \b
    Examples:
      downwind bootstrap doctor
      downwind bootstrap doctor -o json
    """
    place = Place(config_file, offline=True)
    checks = examine(place.plan.values, place.cloud)

    def table() -> Iterator[str]:
        for check in checks:
            yield f"{'ok   ' if check.fix is None else 'WRONG'}  {check.what}"
            if check.fix is not None:
                yield f"       to do: {check.fix}"

    wrong = [each for each in checks if each.fix is not None]
    show({"fit": not wrong, "checks": [{"what": each.what, "fix": each.fix} for each in checks]}, output, table)
    context.exit(1 if wrong else 0)
