"""`scripts/rehearse`: a command, or a shell, on a machine whose Google is played. Everything ends with it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
from tests.bootstrap.edge.machine import add_canary, started

from downwind.bootstrap.config import read_config
from downwind.model.fields import Invalid

ROOT = Path(__file__).parents[2]
_TOLD = """\
A rehearsal: Google Cloud is played on this machine, and nothing leaves it. Project {project} is empty.
docs/how-to/rehearse.md says what is played and what is real. Writes are our own requests: apply --no-gcloud."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("downwind.config.yaml"),
    show_default=True,
    help="Whose project and names are played.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def main(config_file: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND, or your shell, where Google Cloud is played: an empty project, with a cluster, a Spinnaker and git behind it.

    \b
    Examples:
      scripts/rehearse downwind bootstrap plan
      scripts/rehearse
    """
    try:
        config = read_config(str(config_file), config_file.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{config_file} cannot be read; downwind bootstrap init writes one") from error
    except Invalid as error:
        raise click.ClickException(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="downwind-rehearsal-") as folder:
        click.echo("starting what plays Google Cloud …", err=True)
        with started(Path(folder), config_file, package=True) as machine:
            canary = config["verify"]
            if canary is not None:
                namespace = next((str(each["name"]) for each in config["namespaces"]), None)
                names = (canary["application"], canary["environment"], namespace)
                add_canary(machine, ROOT / "examples" / "shop", *names)
            click.echo(_TOLD.format(project=config["project"]), err=True)
            code = run(machine.environment, command or (os.environ.get("SHELL", "sh"),))
            for host in sorted(set(machine.proxy.escaped)):
                click.echo(f"asked for, and not played: {host}", err=True)
    sys.exit(code)


def run(environment: Mapping[str, str], command: tuple[str, ...]) -> int:
    """Its exit code. Ctrl-C is the command's: what is ignored here would be ignored there too, so a handler does nothing."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    path = f"{environment['PATH'].partition(':')[0]}:{ROOT / '.venv' / 'bin'}:{environment['PATH']}"
    try:
        return subprocess.run(command, env={**environment, "PATH": path}, check=False).returncode
    except OSError as error:
        raise click.ClickException(f"{command[0]} cannot be started: {error.strerror}") from error
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    main()
