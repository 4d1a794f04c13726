"""A local world's folder: whose it is, who runs it, and that nothing else in it is ever removed."""

import json
import os
import socket
import subprocess
from itertools import count, pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from downwind.cli.main import main
from downwind.errors import Refused
from downwind.local import world_file
from downwind.local.world_file import (
    LOCAL,
    MADE,
    PORTS,
    LocalWorld,
    Names,
    around_proxy,
    first_turn,
    forget,
    free_ports,
    open_world,
    running,
    write_pid,
)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    folder = tmp_path / "thesis"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "measured.csv").write_text("1\n")
    return folder


@pytest.mark.parametrize(
    "command", [["demo", "--once"], ["up"], ["reset", "--yes"]], ids=lambda arguments: str(arguments[0])
)
def test_no_command_takes_a_folder_that_holds_something_else(foreign: Path, command: list[str]) -> None:
    done = CliRunner().invoke(main, ["local", *command, "--folder", str(foreign)])
    assert done.exit_code == 1
    assert "--folder" in done.stderr
    assert [each.name for each in foreign.rglob("*")] == ["data", "measured.csv"]


def test_forget_removes_a_world_and_its_folder(tmp_path: Path) -> None:
    world = open_world(tmp_path / "world")
    for name in MADE[:4]:
        (world.folder / name / "deep").mkdir(parents=True)
    write_pid(world)
    forget(world.folder)
    assert not world.folder.exists()
    forget(world.folder)


def test_forget_keeps_what_no_world_makes_and_does_not_follow_links(tmp_path: Path, foreign: Path) -> None:
    world = open_world(tmp_path / "world")
    (world.folder / "notes.txt").write_text("mine")
    (world.folder / "data").symlink_to(foreign, target_is_directory=True)
    forget(world.folder)
    assert [each.name for each in world.folder.iterdir()] == ["notes.txt"]
    assert (foreign / "data" / "measured.csv").exists()


def test_a_folder_with_something_else_is_not_opened_as_a_new_world(foreign: Path) -> None:
    with pytest.raises(Refused, match="not a local world's folder"):
        open_world(foreign)


def test_a_damaged_world_can_be_forgotten(tmp_path: Path) -> None:
    world = open_world(tmp_path / "world")
    (world.folder / "world.json").write_text("{")
    done = CliRunner().invoke(main, ["local", "reset", "--yes", "--folder", str(world.folder)])
    assert (done.exit_code, world.folder.exists()) == (0, False)


def test_the_process_that_wrote_the_pid_runs_the_world(tmp_path: Path) -> None:
    world = open_world(tmp_path / "world")
    assert running(world) is None
    write_pid(world)
    assert running(world) == os.getpid()


@pytest.mark.parametrize("text", ["1 7", "1", "-1 7", "0 7", "", "soon", "99999999999999999999 1"])
def test_a_pid_that_is_another_process_s_by_now_runs_nothing(tmp_path: Path, text: str) -> None:
    world = LocalWorld(folder=tmp_path)
    world.pid_file.write_text(text)
    assert running(world) is None


def test_a_process_that_only_waits_to_be_reaped_runs_nothing(tmp_path: Path) -> None:
    world = LocalWorld(folder=tmp_path)
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    world.pid_file.write_text(f"{ended.pid} 1")
    assert running(world) is None
    ended.wait()


def test_env_warns_on_stderr_where_the_world_is_not_running(tmp_path: Path) -> None:
    world = open_world(tmp_path / "world")
    done = CliRunner().invoke(main, ["local", "env", "--folder", str(world.folder)])
    assert "is not running" in done.stderr
    assert all(line.startswith("export ") for line in done.stdout.splitlines())


def test_a_world_keeps_its_names(tmp_path: Path) -> None:
    names = Names(project="acme", prefix="acme-downwind", every_namespace=False)
    world = open_world(tmp_path / "world", names)
    assert world.environment()["DOWNWIND_LEDGER_BUCKET"] == "acme-downwind-ledger"
    assert open_world(tmp_path / "world").names == names
    assert open_world(tmp_path / "other").environment()["DOWNWIND_LEDGER_BUCKET"] == "local-ledger"


def test_a_world_of_an_older_version_has_the_names_that_all_had(tmp_path: Path) -> None:
    world = open_world(tmp_path / "world")
    file = world.folder / "world.json"
    file.write_text(json.dumps({"ports": json.loads(file.read_text())["ports"]}))
    assert open_world(tmp_path / "world").names == LOCAL


def test_ports_are_free_never_those_that_the_system_gives_out_and_never_given_twice() -> None:
    first, taken = free_ports(8), free_ports(1)[0]
    assert len({*first, taken, *free_ports(8)}) == 17
    assert max(*first, taken) < 32768


def test_a_port_on_which_somebody_listens_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(world_file, "_turn", count(taken - world_file._FIRST_PORT))
        assert taken not in free_ports(2)


def test_loopback_goes_past_a_proxy_and_what_goes_past_it_otherwise_still_does() -> None:
    assert around_proxy({}) == {"no_proxy": "127.0.0.1,localhost"}
    assert around_proxy({"NO_PROXY": "acme.example,localhost"}) == {"no_proxy": "127.0.0.1,localhost,acme.example"}
    assert around_proxy(around_proxy({"no_proxy": "a"})) == {"no_proxy": "127.0.0.1,localhost,a"}


@pytest.mark.parametrize("pid", [1, 4711, 4194304])
def test_processes_in_a_row_give_out_other_ports(pid: int) -> None:
    begins = sorted(first_turn(each) % 20_000 for each in range(pid, pid + 20))
    gaps = [after - before for before, after in pairwise([*begins, begins[0] + 20_000])]
    assert min(gaps) > 40 * len(PORTS)
