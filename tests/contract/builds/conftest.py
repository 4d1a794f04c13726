"""A workshop: git server, registry and Cloud Build side by side, an application to push, and the official client."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from downwind.adapters.cloud_build import CloudBuilds
from downwind.adapters.registry import OciRegistry
from downwind.local.builds import BuildsServer
from downwind.local.git_server import GitServer
from downwind.local.outbox import Outbox
from downwind.local.registry import RegistryServer

CONFIG = """
steps:
  - id: test
    name: python:3.12-slim
    entrypoint: python
    args: ["-m", "unittest", "-q", "checks"]
  - name: gcr.io/cloud-builders/docker
    args: ["build", "-t", "${_IMAGE}:${COMMIT_SHA}", "-t", "${_IMAGE}:latest",
           "--label", "org.opencontainers.image.revision=$COMMIT_SHA", "."]
images: ["${_IMAGE}:${COMMIT_SHA}", "${_IMAGE}:latest"]
substitutions: {_IMAGE: us-central1-docker.pkg.dev/acme/apps/shop}
"""
APPLICATION = {
    "cloudbuild.yaml": CONFIG,
    "Dockerfile": 'FROM scratch\nCOPY app/ /srv/\nCMD ["/srv/main"]\n',
    "app/main": "hello",
    "checks.py": "import unittest\n\nclass T(unittest.TestCase):\n    def test_ok(self):\n        self.assertTrue(True)\n",
}
LOCATION = "us-central1"


@dataclass(slots=True)
class Workshop:
    git: GitServer
    registry: RegistryServer
    builds: BuildsServer
    adapter: CloudBuilds
    images: OciRegistry
    inbox: Any
    folder: Path
    commits: int = 0

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self.registry.port}/apps/shop"

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        return requests.request(method, f"{self.builds.url}/v1/projects/demo/{path}", json=body, timeout=30)

    def trigger(self, name: str = "shop", **changes: Any) -> dict[str, Any]:
        body = {
            "name": name,
            "filename": "cloudbuild.yaml",
            "triggerTemplate": {"repoName": "shop", "branchName": "^main$"},
            "substitutions": {"_IMAGE": self.image},
            **changes,
        }
        answer = self.call("POST", f"locations/{LOCATION}/triggers", body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def commit(self, changes: Mapping[str, str] | None = None) -> str:
        """The application with these files changed; not pushed."""
        self.commits += 1
        stream = [f"commit refs/heads/work\ncommitter Dev <dev@example.com> {self.commits} +0000\ndata 0"]
        stream += ["from refs/heads/work^0"] if self.commits > 1 else []
        stream += ["deleteall"]
        for name, text in {**APPLICATION, **(changes or {})}.items():
            stream += [f"M 100644 inline {name}", f"data {len(text.encode())}", text]
        self._git("fast-import", "--quiet", stdin="\n".join([*stream, ""]))
        return self._git("rev-parse", "refs/heads/work")

    def push(self, *refspecs: str) -> None:
        self._git("push", "--quiet", "--force", self.git.address("shop"), *refspecs)

    def tag(self, name: str, commit: str) -> None:
        self._git("tag", "--annotate", "--message", "release", name, commit)

    def release(self, changes: Mapping[str, str] | None = None) -> str:
        commit = self.commit(changes)
        self.push(f"{commit}:refs/heads/main")
        return commit

    def statuses(self, count: int) -> list[str]:
        return [attributes["status"] for _, attributes in self.inbox.wait("cloud-builds", count)]

    def ended(self, count: int = 3) -> dict[str, Any]:
        """The Build of the last of `count` messages."""
        found: dict[str, Any] = self.inbox.wait("cloud-builds", count)[-1][0]
        return found

    def log(self, build: Mapping[str, Any]) -> str:
        return requests.get(build["logUrl"], timeout=30).text

    def _git(self, *arguments: str, stdin: str = "") -> str:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
        environment |= {"GIT_COMMITTER_NAME": "Dev", "GIT_COMMITTER_EMAIL": "dev@example.com"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=environment,
            check=True,
            capture_output=True,
            input=stdin.encode(),
        )
        return done.stdout.decode().strip()


@pytest.fixture
def workshop(tmp_path: Path, outbox: Outbox, inbox: Any) -> Iterator[Workshop]:
    wire: dict[str, Any] = {"outbox": outbox, "pubsub_url": inbox.url, "project": "demo"}
    git = GitServer(tmp_path / "git", **wire)
    git.start()
    builds = BuildsServer(tmp_path / "builds", git_url=git.url, **wire)
    builds.start()
    git.stop()  # each needs the other's address: the git server comes up again, on its port, with the builds' address
    git = GitServer(tmp_path / "git", port=git.port, builds_url=builds.url, **wire)
    git.start()
    registry = RegistryServer(tmp_path / "registry", **wire)
    registry.start()
    git.create("shop")
    folder = tmp_path / "clone"
    folder.mkdir()
    adapter, images = CloudBuilds(builds.url), OciRegistry()
    found = Workshop(git, registry, builds, adapter, images, inbox, folder)
    found._git("init", "--quiet", "--initial-branch=work")
    yield found
    adapter.close()
    images.close()
    for part in (found.builds, git, registry):  # a build that still runs waits long for a registry that is gone
        part.stop()
