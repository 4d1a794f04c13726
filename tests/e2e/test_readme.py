"""What README.md and docs/how-to/first-application.md tell people to type, typed; and what they show, compared.

Blocks of a page marked `sh` are commands, run in order (working directory and variables go from block to block); blocks marked
`text` are lines of what was printed so far. In them commits, ids, times and ports stand for any others.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
PAUSE = 0.1
NOT_RUN = re.compile(r"git clone .*|scripts/test")
"""The clone is a copy of this tree; the tests are what runs now."""
STAYS_UP = re.compile(r"scripts/demo|downwind local up")
READY = "Ctrl-C stops it"
ASKS = re.compile(r"downwind (status|why) .*|downwind status")
"""What a person types again while it does not say yet what the page shows."""
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY = (
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "EXECUTION"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "HASH"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b\d+[smhd] ago"), "AGO"),
    (re.compile(r"\b\d+\.\d s"), "SECONDS"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r" +"), " "),
)


def alike(text: str) -> list[str]:
    for pattern, word in ANY:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.splitlines()]


class Shell:
    """Somebody's terminals: one where commands run to their end, and another in which a world stays up.

    The HOME is new, with nothing in it but the clone. Its `.venv` is the one that runs the tests, so scripts/setup has
    nothing to do there: installing is what every run of scripts/test begins with.
    """

    def __init__(self, home: Path) -> None:
        clone = home / "downwind"
        for name in ("scripts", "examples", "tests/simulation"):
            shutil.copytree(ROOT / name, clone / name)
        (clone / "scripts" / "setup").write_text("#!/bin/sh\n")
        (clone / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        person = {"NAME": "Developer", "EMAIL": "developer@localhost"}
        git = {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in person.items()}
        self._variables = {**kept, **git, "HOME": str(home)}
        self._folder = clone
        self._home = home
        self._world: subprocess.Popen[bytes] | None = None
        self._log = home / "world.log"
        self._asked = ""
        self.printed = ""

    def run(self, commands: str) -> None:
        """One block. AssertionError with what was printed when it fails."""
        lines = [line for line in commands.splitlines() if not NOT_RUN.fullmatch(line)]
        staying = [line for line in lines if STAYS_UP.fullmatch(line)]
        assert staying in ([], lines[-1:]), "what stays up stands last in its block"
        ending = lines[:-1] if staying else lines
        self._asked = "\n".join(line for line in ending if ASKS.fullmatch(line))
        if ending:
            self._type("\n".join(ending))
        if staying:
            self._stay_up(staying[0])

    def shows(self, text: str, page: str) -> None:
        """AssertionError when a line of `text` was not printed, nor is when asked again, within some patience."""
        deadline = time.monotonic() + PATIENCE
        while missing := set(alike(text)) - set(alike(self.printed)):
            assert self._asked, f"{page} shows {missing}; printed was:\n{self.printed}"
            assert time.monotonic() < deadline, f"{page} shows {missing}; printed was:\n{self.printed}"
            self._type(self._asked)

    def interrupt(self) -> None:
        """Ctrl-C in the other terminal."""
        if self._world is not None:
            os.killpg(self._world.pid, signal.SIGINT)
            assert self._world.wait(PATIENCE) == 0, self._log.read_text()
            self._world = None

    def kill(self) -> None:
        if self._world is not None:
            os.killpg(self._world.pid, signal.SIGKILL)
            self._world.wait()

    def _type(self, commands: str) -> None:
        at, variables = self._home / "at", self._home / "variables"
        commands = commands.replace("http://127.0.0.1:PORT/", self._host())
        done = subprocess.run(
            ["bash", "-c", f"set -eo pipefail\n{commands}\npwd > {at}\nenv -0 > {variables}"],
            cwd=self._folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.printed += done.stdout
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        self._folder = Path(at.read_text().strip())
        pairs = [line.partition("=") for line in variables.read_text().split("\0") if line]
        self._variables = {name: value for name, _, value in pairs}

    def _host(self) -> str:
        """Where `local add` has said to push to."""
        found: list[str] = re.findall(r"git push (http://127\.0\.0\.1:\d+/)", self.printed)
        return found[-1] if found else "http://127.0.0.1:PORT/"

    def _stay_up(self, command: str) -> None:
        """In a terminal of its own, which begins where the first one is now. What stayed up before is interrupted."""
        self.interrupt()
        with self._log.open("wb") as output:
            self._world = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder,
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while READY not in self._log.read_text():
            assert self._world.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(PAUSE)
        self.printed += self._log.read_text()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path / "home")
    yield shell
    shell.kill()


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/first-application.md"])
def test_every_command_does_what_the_page_says(shell: Shell, page: str) -> None:
    found = BLOCK.findall((ROOT / page).read_text())
    assert {kind for kind, _ in found} == {"sh", "text"}
    for kind, text in found:
        if kind == "sh":
            shell.run(text)
        else:
            shell.shows(text, page)
    shell.interrupt()
