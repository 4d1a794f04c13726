"""A git host that the cases can push to: the in-memory twin, and the local git server with a real git in front."""

import os
import shutil
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
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        person = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in PERSON.items()}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", **person},
            check=True,
            capture_output=True,
        )
        return done.stdout.decode().strip()

    def local_commit(self, files: Mapping[str, bytes], special: Mapping[str, str] | None = None) -> str:
        """Not pushed. Exactly these files, whatever stood before."""
        for path in self.folder.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for name, data in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
        self.git("add", "--all")
        for name, kind in (special or {}).items():
            if kind == "symlink":
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).symlink_to("elsewhere")
                self.git("add", name)
            else:
                self.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{name}")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

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
