"""Where settings come from, exit codes, and what becomes of errors."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from downwind.cli.context import Session
from downwind.cli.main import COMMANDS, main
from downwind.errors import DownwindError, PermanentError, Refused, TransientError, UnknownOutcome
from downwind.settings import SettingsError

LOCAL = {
    "DOWNWIND_LOCAL": "1",
    "DOWNWIND_PROJECT": "local",
    "DOWNWIND_LEDGER_BUCKET": "local-ledger",
    "DOWNWIND_WORK_BUCKET": "local-work",
    "DOWNWIND_CATALOG_BUCKET": "local-catalog",
    "DOWNWIND_BUNDLES_BUCKET": "local-bundles",
    "DOWNWIND_GATE_URL": "http://127.0.0.1:8084",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
}


def commands(group: click.Group, path: Sequence[str] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


def write_world(folder: Path, **more: str) -> Path:
    file = folder / ".downwind" / "world.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"environment": LOCAL | more}))
    return file


def run(session: Session, *arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments), obj=session)


def test_every_command_has_help_with_examples() -> None:
    for path, command in commands(main):
        result = CliRunner().invoke(main, [*path, "--help"])
        assert result.exit_code == 0, path
        if not isinstance(command, click.Group):
            assert "Example" in result.output, path


def test_the_one_line_of_each_command_is_not_empty_and_help_loads_none_of_them() -> None:
    code = (
        "import sys\n"
        "from downwind.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([m for m in sys.modules if m.endswith('_command') or m in ('yaml', 'requests', 'google.auth')])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"
    for name, (_, text) in COMMANDS.items():
        assert f"{name} " in shown
        assert text in shown


def test_variables_win_over_a_local_world(tmp_path: Path) -> None:
    write_world(tmp_path)
    session = Session(environment=LOCAL | {"DOWNWIND_PROJECT": "mine"}, folder=tmp_path)
    assert session.settings.project == "mine"


def test_the_local_world_of_a_folder_above_is_found_and_said_once(tmp_path: Path, memory: Any) -> None:
    file = write_world(tmp_path)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    environment: dict[str, str] = {"PATH": "/bin"}
    session = Session(environment=environment, folder=inner, make_world=lambda settings: memory.world)
    result = run(session, "app", "list")
    assert result.exit_code == 0
    assert result.stderr.count(f"using the local world of {file.parent}") == 1
    assert environment["STORAGE_EMULATOR_HOST"] == LOCAL["STORAGE_EMULATOR_HOST"]
    assert session.settings.ledger_bucket == "local-ledger"


def test_a_world_that_is_named_wins_over_variables(tmp_path: Path, memory: Any) -> None:
    file = write_world(tmp_path, DOWNWIND_PROJECT="named")
    environment = {"DOWNWIND_PROJECT": "mine", "DOWNWIND_TOPIC_PREFIX": "mine-"}
    session = Session(environment=environment, folder=tmp_path, make_world=lambda settings: memory.world)
    assert run(session, "--world", str(file), "app", "list").exit_code == 0
    assert (session.settings.project, session.settings.topic_prefix) == ("named", "")


def test_without_any_settings_one_error_names_both_ways(tmp_path: Path) -> None:
    result = run(Session(environment={}, folder=tmp_path), "status")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "DOWNWIND_*" in result.stderr
    assert "downwind local up" in result.stderr


def test_missing_variables_are_named_all_at_once(tmp_path: Path) -> None:
    result = run(Session(environment={"DOWNWIND_PROJECT": "acme"}, folder=tmp_path), "status")
    assert result.exit_code == 2
    assert "DOWNWIND_LEDGER_BUCKET is missing; DOWNWIND_WORK_BUCKET is missing" in result.stderr
    assert "PUSH_AUDIENCE" not in result.stderr, "the command line receives no push"


@pytest.mark.parametrize("text", ["{", "[]", '{"environment": 1}', "{}"])
def test_a_damaged_world_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "world.json"
    file.write_text(text)
    result = run(Session(environment={}, folder=tmp_path), "--world", str(file), "status")
    assert result.exit_code == 1
    assert "is not the file of a local world" in result.stderr


def test_a_world_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = run(Session(environment={}, folder=tmp_path), "--world", str(tmp_path / "none.json"), "status")
    assert result.exit_code == 1
    assert "cannot be read: No such file" in result.stderr


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Refused("no such thing", fix="make one"), 1, "Error: no such thing; make one\n"),
        (PermanentError("two\nlines"), 1, "Error: two lines\n"),
        (TransientError("no answer"), 3, "Error: no answer; try again\n"),
        (UnknownOutcome("sent"), 3, "Error: sent; try again\n"),
        (SettingsError("X is missing"), 2, "Error: X is missing\n"),
    ],
)
def test_an_expected_error_is_one_line_and_an_exit_code(
    tmp_path: Path, error: DownwindError, code: int, said: str
) -> None:
    def fail(settings: Any) -> Any:
        raise error

    cloud = {name: value for name, value in LOCAL.items() if name != "DOWNWIND_LOCAL"}
    result = run(Session(environment=cloud, folder=tmp_path, make_world=fail), "status")
    assert (result.exit_code, result.stderr) == (code, said)


def test_a_local_world_that_does_not_answer_may_not_be_running(tmp_path: Path) -> None:
    def fail(settings: Any) -> Any:
        raise TransientError("no answer")

    result = run(Session(environment=dict(LOCAL), folder=tmp_path, make_world=fail), "status")
    assert (result.exit_code, result.stderr) == (3, "Error: no answer; is it running? downwind local up\n")


def test_missing_google_credentials_are_an_expected_error(tmp_path: Path) -> None:
    from google.auth.exceptions import DefaultCredentialsError

    def fail(settings: Any) -> Any:
        raise DefaultCredentialsError("none found")

    result = run(Session(environment=dict(LOCAL), folder=tmp_path, make_world=fail), "status")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: Google Cloud: none found; gcloud auth application-default login\n",
    )


def test_a_bug_is_not_hidden(tmp_path: Path) -> None:
    def fail(settings: Any) -> Any:
        raise ZeroDivisionError

    result = run(Session(environment=dict(LOCAL), folder=tmp_path, make_world=fail), "status")
    assert isinstance(result.exception, ZeroDivisionError)


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["rollback"]).exit_code == 2


def test_the_installed_command_prints_no_traceback_and_no_colour_when_piped(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOWNWIND_")}
    code = "from downwind.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "status"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_local_world_is_asked_past_the_machines_proxy(tmp_path: Path) -> None:
    write_world(tmp_path)
    session = Session(
        environment={"HTTP_PROXY": "http://proxy.acme.example", "NO_PROXY": "acme.example"}, folder=tmp_path
    )
    assert session.settings.local
    assert session.environment["no_proxy"] == "127.0.0.1,localhost,acme.example"
