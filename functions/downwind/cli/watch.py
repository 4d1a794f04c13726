"""`--watch`: look again and again. On a terminal the table is drawn in place; into a pipe goes a line for each change."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from downwind.cli.context import Session, tell_unreadable
from downwind.cli.output import printable, show
from downwind.cli.sheet import Changes, Sheet
from downwind.cli.stop_signals import stopped_by_signals
from downwind.errors import Misconfigured, TransientError

_LOCAL, _CLOUD = 1.0, 5.0
"""Seconds between two looks."""
# Another screen, so that the scrollback stays what it was; no cursor; long lines end at the edge. And all of it back.
_BEGIN, _END = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen: all of it for programs, a table of it for people. `problems`: catalog files that can't be read."""

    document: Any
    sheet: Sheet
    problems: Sequence[str] = ()


def watch_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--interval", type=click.FloatRange(min=0.5), metavar="SECONDS", help="Between two looks of --watch."
        ),
        click.option("-w", "--watch", is_flag=True, help="Look again and again, until Ctrl-C."),
    ):
        command = option(command)
    return command


def present(session: Session, look: Callable[[], Look], output: str, *, watch: bool, interval: float | None) -> int:
    """Shows one look and gives the exit code (1: a part of it can't be read), or shows many until a signal ends the process."""
    if not watch:
        seen = look()
        tell_unreadable(seen.problems)
        show(seen.document, output, lambda: seen.sheet.lines(session.now()))
        return 1 if seen.problems else 0
    with stopped_by_signals():
        if output == "table" and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            _draw(session, look, interval)
        else:
            _write(session, look, output, interval)
    return 0


def _looks(session: Session, look: Callable[[], Look], interval: float | None) -> Iterator[Look | str]:
    """For ever; the reason instead of a look where somebody did not answer."""
    pause = interval or (_LOCAL if session.settings.local else _CLOUD)
    while True:
        try:
            yield look()
        except Misconfigured:
            raise
        except TransientError as error:
            yield f"no answer: {' '.join(str(error).split())}; looking again"
        session.sleep(pause)


def _write(session: Session, look: Callable[[], Look], output: str, interval: float | None) -> None:
    changes, last = Changes(), None
    told: set[str] = set()
    for seen in _looks(session, look, interval):
        if isinstance(seen, str):
            if seen not in told:
                click.echo(seen, err=True)
            told.add(seen)
            continue
        tell_unreadable([each for each in seen.problems if each not in told])
        told = set(seen.problems)
        if output == "table":
            for line in changes.lines(seen.sheet, session.now()):
                click.echo(printable(line))
        elif seen.document != last:
            last = seen.document
            if output == "json":
                click.echo(json.dumps(last))
            else:
                click.echo("---")
                show(last, output, list)


def _draw(session: Session, look: Callable[[], Look], interval: float | None) -> None:
    last: list[str] = []
    try:
        with _screen() as draw:
            for seen in _looks(session, look, interval):
                if isinstance(seen, str):
                    draw(last, printable(seen))
                else:
                    problems = [f"Error: {each}" for each in seen.problems]
                    last = [printable(line) for line in (*seen.sheet.lines(session.now()), *problems)]
                    draw(last, None)
    finally:
        # What was seen last stays, as after a command that looked once.
        for line in last:
            click.echo(line)


@contextmanager
def _screen() -> Iterator[Callable[[Sequence[str], str | None], None]]:
    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def draw(lines: Sequence[str], foot: str | None) -> None:
        size = shutil.get_terminal_size()
        room = size.lines - (foot is not None)
        shown = list(lines[:room])
        if len(lines) > room:
            shown[-1:] = [f"and {len(lines) - room + 1} lines more"]
        shown += [foot] if foot is not None else []
        # One write: the eye never sees half a table.
        write(_HOME + "\n".join(line[: size.columns] + _REST_OF_LINE for line in shown) + _REST_OF_SCREEN)

    write(_BEGIN)
    try:
        yield draw
    finally:
        write(_END)
