"""`downwind engines`: Kustomize and Helm for this machine."""

from pathlib import Path
from typing import Any

import click

from downwind.cli.output import columns, output_option, show


@click.group("engines")
def engines_group() -> None:
    """Kustomize and Helm, as the functions have them: for `downwind render` and the local world."""


@engines_group.command("get")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to; the cache, if left out.")
@click.option("--platform", help="Such as linux-amd64; this machine's, if left out.")
@click.option("--mirror", metavar="URL", help="https or file: a folder of the projects' release archives.")
@output_option
def get_command(folder: Path | None, platform: str | None, mirror: str | None, output: str) -> None:
    """Get both in the versions that render, each checked by its SHA-256; what is there already stays.

    They come from the projects' releases, or from --mirror; where that fails and Go is here, Go builds the pinned module.
    Nothing is installed: they lie in a cache of their own.

    \b
    Examples:
      downwind engines get
      downwind engines get --mirror https://artifacts.acme.example/engines
    """
    from downwind.adapters.engine_programs import cache_folder
    from downwind.cli.engine_source import get, this_platform

    place = folder or cache_folder()
    found = get(place, platform or this_platform(), mirror, lambda line: click.echo(line, err=True))

    def table() -> list[str]:
        rows = [[name, about["version"], about["sha256"], str(place / name)] for name, about in sorted(found.items())]
        return columns(["ENGINE", "VERSION", "SHA256", "PATH"], rows)

    document: dict[str, Any] = {"folder": str(place), "engines": found}
    show(document, output, table)
