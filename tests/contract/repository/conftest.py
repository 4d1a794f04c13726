"""A git host that the cases can push to: the in-memory twin, and the local git server with a real git in front."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from downwind.adapters.memory_repository import MemoryRepository
from downwind.adapters.repository import GitRepository
from downwind.local.git_server import GitServer
from downwind.local.outbox import Outbox
from downwind.ports import Repository

MAIN = "refs/heads/main"


class Host(Protocol):
    """`address` is a repository that begins empty; `nowhere` names none."""

    address: str
    nowhere: str

    @property
    def repository(self) -> Repository: ...
    def commit(self, ref: str, files: Mapping[str, bytes], special: Mapping[str, str] | None = None) -> str: ...
    def move(self, ref: str, commit: str) -> None: ...
    def tag(self, ref: str, commit: str) -> str: ...
    def delete(self, ref: str) -> None: ...


class MemoryHost:
    def __init__(self) -> None:
        self.address, self.nowhere = "https://git.test/shop.git", "https://git.test/none.git"
        self.repository = MemoryRepository()
        self.repository.create(self.address)

    def commit(self, ref: str, files: Mapping[str, bytes], special: Mapping[str, str] | None = None) -> str:
        return self.repository.commit(self.address, ref, files, special=special)

    def move(self, ref: str, commit: str) -> None:
        self.repository.move(self.address, ref, commit)

    def tag(self, ref: str, commit: str) -> str:
        return self.repository.tag(self.address, ref, commit)

    def delete(self, ref: str) -> None:
        self.repository.delete(self.address, ref)


class GitHost:
    """A clone whose every change is pushed at once by the git binary."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        server.create("shop")
        self.address, self.nowhere = server.address("shop"), server.address("none")
        self.repository = GitRepository()
        self.folder = folder
        self._commits = 0
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
        person = {f"GIT_COMMITTER_{what}": value for what, value in PERSON.items()}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=environment | person,
            check=True,
            capture_output=True,
            input=stdin,
        )
        return done.stdout.decode().strip()

    def local_commit(self, files: Mapping[str, bytes], special: Mapping[str, str] | None = None) -> str:
        """On HEAD, not pushed. Exactly these files, whatever stood before."""
        self._commits += 1
        stream = [b"commit refs/heads/main", b"committer Dev <dev@example.com> %d +0000" % self._commits, b"data 0"]
        stream += [b"from refs/heads/main^0"] if self._commits > 1 else []
        stream += [b"deleteall"]
        for name, data in files.items():
            stream += [b"M 100644 inline " + os.fsencode(name), b"data %d" % len(data), data]
        for name, what in (special or {}).items():
            kind, _, target = what.partition(" ")
            if kind == "symlink":
                stream += [b"M 120000 inline " + name.encode(), b"data %d" % len(target), target.encode()]
            else:
                stream += [b"M 160000 " + b"1" * 40 + b" " + name.encode()]
        self.git("fast-import", "--quiet", stdin=b"\n".join([*stream, b""]))
        return self.git("rev-parse", "refs/heads/main")

    def commit(self, ref: str, files: Mapping[str, bytes], special: Mapping[str, str] | None = None) -> str:
        commit = self.local_commit(files, special)
        self.move(ref, commit)
        return commit

    def move(self, ref: str, commit: str) -> None:
        self.git("push", "--quiet", "--force", self.address, f"{commit}:{ref}")

    def tag(self, ref: str, commit: str) -> str:
        name = ref.removeprefix("refs/tags/")
        self.git("tag", "--force", "--annotate", "--message", "release", name, commit)
        self.git("push", "--quiet", "--force", self.address, f"{ref}:{ref}")
        return self.git("rev-parse", ref)

    def delete(self, ref: str) -> None:
        self.git("push", "--quiet", self.address, f":{ref}")


PERSON = {"NAME": "Dev", "EMAIL": "dev@example.com", "DATE": "2026-11-20T09:00:00Z"}


@pytest.fixture
def server(tmp_path: Path, outbox: Outbox, inbox: Any) -> Iterator[GitServer]:
    part = GitServer(tmp_path / "git", outbox=outbox, pubsub_url=inbox.url, project="demo")
    part.start()
    yield part
    part.stop()


@pytest.fixture
def git_host(server: GitServer, tmp_path: Path) -> GitHost:
    return GitHost(server, tmp_path / "clone")


@pytest.fixture(params=["memory", "git"])
def host(request: pytest.FixtureRequest) -> Host:
    if request.param == "memory":
        return MemoryHost()
    found: GitHost = request.getfixturevalue("git_host")
    return found
