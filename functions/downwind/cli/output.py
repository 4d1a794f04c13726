"""What a command prints: a table for people, JSON or YAML for programs. Names in JSON are stable (docs/reference/cli.md)."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="json and yaml hold more than the table, and their names are stable.",
)


def show(document: Any, output: str, table: Callable[[], Iterable[str]]) -> None:
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
    else:
        for line in table():
            click.echo(printable(line))


def columns(headings: Sequence[str], rows: Iterable[Sequence[str | None]]) -> list[str]:
    """As wide as their texts; the last one is not padded. An absent value is `-`."""
    lines = [list(headings), *([cell or "-" for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(headings))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def printable(text: str) -> str:
    """Text from outside can neither move the cursor nor break a line, and fits the encoding of the terminal."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def moment(time: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(time: datetime, now: datetime) -> str:
    """`40s`, `12m`, `3h` or `9d` ago."""
    return f"{span(now - time)} ago"


def span(time: timedelta) -> str:
    """`40s`, `12m`, `3h` or `9d`; never less than nothing."""
    seconds = max(0, int(time.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
