"""A commit of the local git server into a folder, with the git that is installed."""

import os
import re
import subprocess
import time
from pathlib import Path

from downwind.local.builds.failure import BuildFailure

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


_UNREACHABLE = re.compile(
    r"Failed to connect|Could not connect|Couldn't connect|Connection refused|Connection reset|Empty reply|early EOF|"
    r"Recv failure|unexpected disconnect|expected flush|hung up"
)
PATIENCE = 20.0


def checkout(address: str, commit: str, workspace: Path) -> None:
    """One shallow fetch of exactly that commit. Raises BuildFailure when there is none."""
    if not _COMMIT.fullmatch(commit):
        raise BuildFailure(f"{commit} is no commit id")
    workspace.mkdir(parents=True)
    _git(workspace, "init", "--quiet", ".")
    _git(workspace, "fetch", "--quiet", "--depth=1", "--no-tags", address, commit)
    _git(workspace, "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit)


def commit_of(address: str, ref: str) -> str:
    """The commit that a full ref name stands for now."""
    listed = _git(None, "ls-remote", "--", address, ref, f"{ref}^{{}}")
    found = {name: value for value, name in (line.split("\t", 1) for line in listed.splitlines())}
    commit = found.get(f"{ref}^{{}}") or found.get(ref)
    if commit is None:
        raise BuildFailure(f"no {ref} in {address}")
    return commit


def _git(directory: Path | None, *arguments: str) -> str:
    """As Cloud Build does, a host that can't be reached is asked again for a while before the build fails."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = _run(directory, *arguments)
        text = done.stderr.decode(errors="replace").strip()[-500:]
        if not done.returncode:
            return done.stdout.decode()
        if not _UNREACHABLE.search(text) or time.monotonic() > deadline:
            raise BuildFailure(f"git {arguments[0]}: {text}")
        time.sleep(0.3)


def _run(directory: Path | None, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    keep = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=keep | quiet,
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
