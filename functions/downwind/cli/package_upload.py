"""Makes the one upload of the functions: their source without what .gcloudignore leaves out, and the engines beside it.

Stored and not compressed, names in order, no times: the same content is the same bytes on every machine, whatever its zlib.
"""

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click

from downwind.adapters.engine_programs import cache_folder
from downwind.cli.engine_source import get, this_platform
from downwind.errors import DownwindError

_START = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say


def package(functions: Path, engines: Path, out: Path) -> Path:
    """`<sha256 of its bytes>.zip` in `out`. `engines`: a folder as `downwind engines get` makes it."""
    out.mkdir(parents=True, exist_ok=True)
    part = out / ".upload.part"
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as made:
        for name, file, mode in sorted([*_sources(functions), *_programs(engines)]):
            about = zipfile.ZipInfo(name, _START)
            about.create_system = 3  # Unix, so that modes count
            about.external_attr = (0o100000 | mode) << 16
            made.writestr(about, file.read_bytes())
    with part.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return part.replace(out / f"{digest}.zip")


def _sources(functions: Path) -> Iterator[tuple[str, Path, int]]:
    from dulwich.ignore import IgnoreFilter

    left_out = IgnoreFilter([line.encode() for line in (functions / ".gcloudignore").read_text().splitlines()])
    for file in functions.rglob("*"):
        path = file.relative_to(functions)
        parents = [f"{parent}/" for parent in path.parents if parent != Path()]
        if file.is_file() and not any(left_out.is_ignored(name) for name in (str(path), *parents)):
            yield path.as_posix(), file, 0o644


def _programs(engines: Path) -> Iterator[tuple[str, Path, int]]:
    for file in engines.iterdir():
        if file.is_file() and not file.name.startswith("."):
            yield f"engines/{file.name}", file, 0o644 if file.suffix == ".json" else 0o755


@click.command()
@click.argument("functions", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--platform", default="linux-amd64", show_default=True)
@click.option("--mirror")
def main(functions: Path, out: Path, platform: str, mirror: str | None) -> None:
    engines = cache_folder() if platform == this_platform() else cache_folder() / platform
    try:
        get(engines, platform, mirror, lambda line: click.echo(line, err=True))
    except DownwindError as error:
        sys.exit(f"Error: {error}; {getattr(error, 'fix', '')}")
    click.echo(package(functions, engines, out))


if __name__ == "__main__":
    main()
