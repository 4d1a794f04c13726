"""`--watch`: a line for each change into a pipe, the table in place on a terminal, and Ctrl-C at any moment."""

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from downwind.cli import watch
from downwind.cli.sheet import Sheet
from downwind.errors import Misconfigured, TransientError


def days(cli: Any, *happens: Callable[[], object]) -> None:
    """Between two looks one of these happens; after the last one somebody presses Ctrl-C."""
    left = list(happens)

    def passing() -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    cli.passing = passing


def lines_of(done: Any) -> list[str]:
    """Without what the functions log, which play in the same process."""
    return [line for line in done.stdout.splitlines() if '"severity"' not in line]


def nothing() -> None:
    """Time passes."""


def test_into_a_pipe_goes_a_line_for_each_change(cli: Any, shop: Any) -> None:
    commit = shop.push()
    days(cli, nothing, lambda: shop.build(commit), nothing)
    done = cli.run("status", "--watch")
    lines = lines_of(done)
    assert (done.exit_code, done.stderr) == (130, "stopped\n")
    assert [line.split()[0] for line in lines] == ["TIME", *["2026-11-24T09:00:00Z"] * 2, "2026-11-24T09:00:11Z"]
    assert "waits for a build of this commit" in lines[1]
    assert "shop          production" in lines[2]
    assert f"1 {commit[:7]}   running" in lines[3]
    assert "\x1b" not in done.stdout


def test_a_row_that_has_gone_is_a_change_as_well(cli: Any, shop: Any) -> None:
    days(cli, lambda: shop.memory.catalog.delete("application/shop.yaml"))
    lines = cli.run("status", "-w").stdout.splitlines()
    assert [line.split(maxsplit=3)[1:] for line in lines[3:5]] == [
        ["shop", "staging", "not in the catalog any more"],
        ["shop", "production", "not in the catalog any more"],
    ]
    assert "the catalog has no applications" in lines[5] or "downwind app init" in lines[5]


def test_json_is_one_document_a_line_and_yaml_one_behind_the_other(cli: Any, shop: Any) -> None:
    commit = shop.push()
    days(cli, nothing, lambda: shop.build(commit))
    first, second = map(json.loads, lines_of(cli.run("status", "-w", "-o", "json")))
    assert [each["applications"][0]["environments"][0]["running"] == [] for each in (first, second)] == [True, False]
    days(cli, nothing)
    (only,) = yaml.safe_load_all(cli.run("status", "-w", "-o", "yaml").stdout)
    assert only == cli.json("status")


def test_one_that_does_not_answer_is_told_once_and_asked_again(cli: Any, shop: Any, monkeypatch: Any) -> None:
    shop.push()
    calls = 0

    def fail(method: str, name: str) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise TransientError("the store did not answer")

    shop.memory.catalog.fail = fail
    days(cli, nothing, nothing)
    done = cli.run("status", "-w")
    assert done.stderr == "no answer: the store did not answer; looking again\nstopped\n"
    assert "waits for a build of this commit" in done.stdout


def test_what_only_people_can_put_right_ends_it(cli: Any, shop: Any) -> None:
    def fail(method: str, name: str) -> None:
        raise Misconfigured("no right to list", fix="give yourself the role")

    days(cli, lambda: setattr(shop.memory.catalog, "fail", fail))
    done = cli.run("status", "-w")
    assert (done.exit_code, done.stderr) == (1, "Error: no right to list; give yourself the role\n")


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """40 columns, 4 lines."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "4")
    return Terminal()


def look(*rows: str) -> watch.Look:
    sheet = Sheet(headings=("NAME", "TEXT"), key=1, rows=tuple((row, "t" * 60) for row in rows))
    return watch.Look(document={}, sheet=sheet, problems=["odd.yaml is odd"])


def test_on_a_terminal_the_table_is_drawn_in_place_and_stays_at_the_end(cli: Any, terminal: Terminal) -> None:
    found = [look("a"), look("a", "b", "c", "d"), look("a")]
    days(cli, nothing, nothing)
    with pytest.raises(SystemExit) as ended, contextlib.redirect_stdout(terminal):
        watch.present(cli.session(), lambda: found.pop(0), "table", watch=True, interval=None)
    assert ended.value.code == 130
    begin, first, second, rest = terminal.getvalue().split("\x1b[H")
    assert begin == "\x1b[?1049h\x1b[?25l\x1b[?7l"
    lines = [line.removesuffix("\x1b[K") for line in first.removesuffix("\x1b[J").split("\n")]
    assert lines == ["NAME   TEXT", "a      " + "t" * 33, "Error: odd.yaml is odd"]
    lines = second.removesuffix("\x1b[J").split("\n")
    assert (len(lines), lines[-1]) == (4, "and 3 lines more\x1b[K")
    drawn, _, left = rest.partition("\x1b[?7h\x1b[?25h\x1b[?1049l")
    assert drawn.count("\n") == 2
    assert left == "NAME   TEXT\na      " + "t" * 60 + "\nError: odd.yaml is odd\n"


def test_on_a_terminal_too_one_that_does_not_answer_takes_nothing_away(cli: Any, terminal: Terminal) -> None:
    answers: list[watch.Look | TransientError] = [look("a"), TransientError("the store did not answer")]

    def asked() -> watch.Look:
        answer = answers.pop(0)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    days(cli, nothing)
    with pytest.raises(SystemExit), contextlib.redirect_stdout(terminal):
        watch.present(cli.session(), asked, "table", watch=True, interval=None)
    first, second = [screen.split("\n") for screen in terminal.getvalue().partition("\x1b[?7h")[0].split("\x1b[H")[1:]]
    assert (len(first), len(second)) == (3, 4)
    assert second[:2] == first[:2]
    assert second[-1].startswith("no answer: the store did not answer; loo")


def test_a_terminal_that_can_do_nothing_gets_lines(cli: Any, terminal: Terminal, monkeypatch: Any) -> None:
    monkeypatch.setenv("TERM", "dumb")
    days(cli)
    with pytest.raises(SystemExit), contextlib.redirect_stdout(terminal):
        watch.present(cli.session(), lambda: look("a"), "table", watch=True, interval=None)
    assert "\x1b" not in terminal.getvalue()
    assert terminal.getvalue().startswith("TIME")
