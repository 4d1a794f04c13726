"""A new commit in the canary's repository, by git and with your own rights there: without one there is nothing to roll out."""

import base64
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from downwind.bootstrap.proof.site import Canary
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.model.catalog import Registered

_SECONDS = 120
_AUTHOR = ("-c", "user.name=Downwind verify", "-c", "user.email=verify@downwind.invalid", "-c", "commit.gpgSign=false")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`before` and `after` are commits, `ref` the branch that moved."""

    address: str
    ref: str
    before: str
    after: str

    def webhook(self) -> dict[str, Any]:
        """GitHub's push event, as far as we read it (events/github.py)."""
        repository = {"clone_url": self.address}
        moved = {"ref": self.ref, "before": self.before, "after": self.after}
        return {**moved, "created": False, "deleted": False, "forced": False, "repository": repository}


def branch_of(registered: Registered, canary: Canary) -> str:
    """The one branch that feeds the canary's environment. Refused where a proof could not make it roll out."""
    environment = registered.application.environment(canary.environment)
    if environment is None:
        known = ", ".join(each.name for each in registered.application.environments)
        raise Refused(f"{canary.application} has no environment {canary.environment!r}", fix=f"known: {known}")
    branches = [each for each in environment.refs if each.startswith("refs/heads/") and not set("*?[") & set(each)]
    if not branches:
        raise Refused(
            f"no branch feeds {canary.application}/{canary.environment}: a push would roll nothing out",
            fix="take an environment whose ref is one branch, such as refs/heads/main",
        )
    return branches[0].removeprefix("refs/heads/")


def make(registered: Registered, canary: Canary, mark: str, token: str | None = None) -> Change:
    """Writes `mark` into the canary's file, commits and pushes. `token`: who may push, instead of git's own sign-in."""
    branch, address = branch_of(registered, canary), registered.application.repository.address
    more = _signed_in(address, token) if token is not None else {}
    with tempfile.TemporaryDirectory(prefix="downwind-verify-") as folder:
        _git(folder, more, "clone", "--quiet", "--depth", "1", "--branch", branch, "--", address, "canary")
        copy = Path(folder, "canary")
        file = copy / canary.file
        if not file.resolve().is_relative_to(copy.resolve()):
            raise Refused(f"{canary.file} is outside of the repository", fix="name a file in it: verify.file")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{mark}\n", encoding="utf-8")
        before = _git(str(copy), more, "rev-parse", "HEAD")
        _git(str(copy), more, "add", "--force", "--", canary.file)
        _git(
            str(copy),
            more,
            *_AUTHOR,
            "commit",
            "--quiet",
            "--message",
            "Prove that a push rolls out (downwind bootstrap verify)",
        )
        after = _git(str(copy), more, "rev-parse", "HEAD")
        _git(str(copy), more, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    return Change(address=address, ref=f"refs/heads/{branch}", before=before, after=after)


def _signed_in(address: str, token: str) -> Mapping[str, str]:
    """By the environment, which no list of processes shows; for this address alone. GitHub takes any name before the token."""
    if not address.startswith("https://"):
        raise Refused(
            f"{address} is no https address: a token would travel in clear", fix="leave verify.tokenSecret out"
        )
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{address}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


def _git(folder: str, more: Mapping[str, str], *words: str) -> str:
    environment = {**os.environ, **more, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ("git", *words), cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except OSError as error:
        raise Misconfigured("git cannot be started", fix="install git") from error
    except subprocess.TimeoutExpired as error:
        raise TransientError(f"git {words[0]} did not end within {_SECONDS} s") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-300:]
        raise Misconfigured(
            f"git {next(each for each in words if each.isalpha())} failed: {said}",
            fix="you need the right to push to the canary's branch; sign git in, as for your own work",
        )
    return done.stdout.strip()
