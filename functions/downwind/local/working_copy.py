"""A developer's clone: a real git working copy in a folder, committed and pushed by the git program."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from downwind.errors import Refused, TransientError
from downwind.local.world_file import around_proxy

_UNREACHABLE = re.compile(
    r"Failed to connect|Connection re(fused|set)|Empty reply|early EOF|hung up|unexpected disconnect"
)


class WorkingCopy:
    """Ignores the machine's own git configuration, so that hooks, signing and templates of a person do not play along."""

    def __init__(self, folder: Path, remote: str) -> None:
        self.folder = folder
        self._remote = remote

    def start_from(self, directory: Path) -> None:
        """The files of `directory` as the first state of a new repository."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(directory, self.folder, ignore=shutil.ignore_patterns("__pycache__", ".git", ".downwind"))
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("remote", "add", "origin", self._remote)
        # For a person who goes on here with their own git, which may not know them yet.
        self.git("config", "user.name", "Developer")
        self.git("config", "user.email", "developer@localhost")

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        if old not in text:
            raise Refused(f"{file} does not hold {old!r}", fix="this story is written for examples/shop as it is")
        path.write_text(text.replace(old, new))

    def commit(self, message: str) -> str:
        """Everything as it is now; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        """TransientError when the host can't be reached; a push may be repeated."""
        self.git("push", "--quiet", "--set-upstream", "origin", "main")

    def git(self, *arguments: str) -> str:
        """Its output; Refused with what git said when it failed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment |= around_proxy(environment)
        environment |= {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Developer",
            "GIT_AUTHOR_EMAIL": "developer@localhost",
            "GIT_COMMITTER_NAME": "Developer",
            "GIT_COMMITTER_EMAIL": "developer@localhost",
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode and _UNREACHABLE.search(done.stderr):
            raise TransientError(f"git {arguments[0]}: {done.stderr.strip()[:500]}")
        if done.returncode:
            raise Refused(f"git {arguments[0]} failed: {done.stderr.strip()[:500]}")
        return done.stdout.strip()
