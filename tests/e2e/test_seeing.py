"""What people see of a running world: the log, the queue, and both as they change, on a terminal and in a pipe."""

import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from downwind.local.testing import DownwindWorld
from downwind.local.working_copy import WorkingCopy

pytestmark = pytest.mark.e2e
Change = Callable[[], str]
PATIENCE = 60.0
DOWNWIND = str(Path(sys.executable).with_name("downwind"))


class Terminal:
    """A terminal of 24 lines and 160 columns, and what a program has written to it."""

    def __init__(self, master: int, process: "subprocess.Popen[bytes]") -> None:
        self._master = master
        self.process = process
        self.written = ""
        self._text = codecs.getincrementaldecoder("utf-8")()  # a read may end within a character

    @property
    def screen(self) -> str:
        """What was drawn last, whole."""
        return self.written.rpartition("\x1b[J")[0].rpartition("\x1b[H")[2]

    def until(self, pattern: str) -> str:
        """Reads on until the screen shows it."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.screen):
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self._master], [], [], left)[0], self.written
            self._read()
        return self.screen

    def _read(self) -> None:
        self.written += self._text.decode(os.read(self._master, 65536))

    def press_ctrl_c(self) -> int:
        """The exit code."""
        os.write(self._master, b"\x03")
        code = self.process.wait(PATIENCE)
        while select.select([self._master], [], [], 0)[0]:  # one read need not bring all
            self._read()
        return code


@contextmanager
def terminal(world: DownwindWorld, *arguments: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "LINES": "24", "COLUMNS": "160"}
    command = [DOWNWIND, "--world", str(world.local.folder / "world.json"), *arguments]
    # Opened by the first of a new session it is that one's own terminal: Ctrl-C becomes a signal only there.
    opens = ["sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(slave), *command]
    process = subprocess.Popen(opens, env=environment, start_new_session=True)
    try:
        yield Terminal(master, process)
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(slave)
        os.close(master)


def said(world: DownwindWorld, *arguments: str) -> Any:
    command = [DOWNWIND, "--world", str(world.local.folder / "world.json"), *arguments, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return json.loads(done.stdout)


def test_a_release_goes_by_on_the_terminal_until_ctrl_c(downwind_world: DownwindWorld, change: Change) -> None:
    with terminal(downwind_world, "status", "shop", "--watch") as seen:
        seen.until("production")
        commit = change()
        waiting = downwind_world.wait_for_judgment("shop", "production", commit)
        seen.until(rf"production .* {commit[:7]} .* waits for a manual judgment")
        downwind_world.judge(waiting)
        downwind_world.approve("shop", "production", commit)
        last = seen.until(rf"production +\d+ {commit[:7]} ")
        assert seen.press_ctrl_c() == 130
    after = seen.written.rpartition("\x1b[?1049l")[2]
    assert "\x1b" not in after
    assert [line.split()[:4] for line in after.splitlines()[:3]] == [line.split()[:4] for line in last.splitlines()[:3]]
    assert "Traceback" not in seen.written


def test_into_a_pipe_the_queue_says_each_change_and_a_signal_ends_it(
    downwind_world: DownwindWorld, change: Change, tmp_path: Path
) -> None:
    command = [DOWNWIND, "--world", str(downwind_world.local.folder / "world.json"), "queue", "--watch"]
    output = tmp_path / "lines"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE)
    try:
        commit = change()
        waiting = downwind_world.wait_for_judgment("shop", "production", commit)
        deadline = time.monotonic() + PATIENCE
        pattern = re.compile(rf"shop +production +\d+ +{commit[:7]} +running .* waits for a manual judgment")
        while not pattern.search(output.read_text()):
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert (process.returncode, b"Traceback" in errors) == (130, False)
    assert "\x1b" not in output.read_text()
    downwind_world.judge(waiting)
    downwind_world.approve("shop", "production", commit)


def test_the_log_leads_to_the_run_and_to_the_build(downwind_world: DownwindWorld, change: Change) -> None:
    commit = change()
    downwind_world.wait_for("shop", "staging", commit)
    (entry,) = said(downwind_world, "history", "shop", "staging", "--limit", "1")["entries"]
    assert (entry["commit"], entry["state"], entry["build_status"]) == (commit, "succeeded", "SUCCESS")
    execution = downwind_world.ports.pipelines.execution(entry["execution"])
    assert execution is not None
    assert execution.sequence == entry["sequence"]
    downwind_world.approve("shop", "production", commit)


@pytest.mark.long
def test_what_is_deployed_differs_from_the_cluster_and_from_the_working_copy_only_where_somebody_edited(
    downwind_world: DownwindWorld, shop: WorkingCopy, change: Change
) -> None:
    downwind_world.wait_for("shop", "staging", change())
    assert differing(downwind_world, "--cluster") == []
    assert differing(downwind_world, "--directory", str(shop.folder)) == []
    config = shop.folder / "deploy" / "staging" / "edited.yaml"
    config.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: edited}\n")
    assert differing(downwind_world, "--directory", str(shop.folder)) == [("added", "ConfigMap", "edited")]
    config.unlink()


def differing(world: DownwindWorld, *arguments: str) -> list[tuple[str, str, str]]:
    command = [DOWNWIND, "--world", str(world.local.folder / "world.json"), "diff", "shop", "staging", *arguments]
    done = subprocess.run([*command, "-o", "json"], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode in {0, 1}, done.stderr
    return [(each["what"], each["kind"], each["name"]) for each in json.loads(done.stdout)["changes"]]


@pytest.mark.long
def test_what_a_commit_took_out_of_the_manifests_is_left_behind_and_listed(
    downwind_world: DownwindWorld, shop: WorkingCopy, change: Change
) -> None:
    old = shop.folder / "deploy" / "staging" / "old.yaml"
    old.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: old}\nspec: {ports: [{port: 80}]}\n")
    downwind_world.wait_for("shop", "staging", change())
    assert [each["name"] for each in leftovers(downwind_world)] == []
    old.unlink()
    downwind_world.wait_for("shop", "staging", change())
    (left,) = [each for each in leftovers(downwind_world) if each["kind"] == "Service"]
    assert (left["namespace"], left["name"]) == ("shop-staging", "old")
    assert left["command"].endswith("delete --namespace shop-staging Service/old")
    assert any(each["metadata"]["name"] == "old" for each in downwind_world.cluster()["items"]), "nothing was deleted"


def leftovers(world: DownwindWorld) -> list[dict[str, Any]]:
    (here,) = said(world, "prune", "shop", "staging")["environments"]
    found: list[dict[str, Any]] = here["leftovers"]
    return found
