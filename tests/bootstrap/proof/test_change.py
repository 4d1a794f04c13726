"""The canary's new commit, by the real git on a bare repository in a folder."""

import base64
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from downwind.bootstrap.proof.change import Change, branch_of, make
from downwind.bootstrap.proof.site import Canary
from downwind.errors import Misconfigured, Refused
from downwind.events import github
from downwind.model.event import Message, Push
from downwind.perform import applications

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on this machine")
CANARY = Canary(application="shop", environment="staging")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.example", "-c", "init.defaultBranch=main")
    done = subprocess.run(("git", *identity, *words), cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    made = tmp_path / "shop.git"
    made.mkdir()
    git(made, "init", "--quiet", "--bare")
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet")
    (work / "app.py").write_text("1\n")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "-m", "first")
    git(work, "push", "--quiet", str(made), "HEAD:refs/heads/main")
    return made


def registered(shop: Any, address: str) -> Any:
    found = applications.read(shop.world.catalog, ["shop"])[0]
    repository = replace(found.application.repository, address=address)
    return replace(found, application=replace(found.application, repository=repository))


def test_the_branch_moves_by_one_commit_that_changes_the_file_alone(shop: Any, bare: Path) -> None:
    before = git(bare, "rev-parse", "refs/heads/main")
    change = make(registered(shop, f"file://{bare}"), CANARY, "a mark")
    assert change == Change(
        address=f"file://{bare}", ref="refs/heads/main", before=before, after=git(bare, "rev-parse", "main")
    )
    assert git(bare, "diff", "--name-only", before, "main") == "downwind-verify.txt"
    assert git(bare, "show", "main:downwind-verify.txt") == "a mark"
    again = make(registered(shop, f"file://{bare}"), CANARY, "another mark")
    assert again.before == change.after


def test_its_webhook_is_a_push_to_our_parser(bare: Path) -> None:
    change = Change(address="https://github.com/acme/shop.git", ref="refs/heads/main", before="1" * 40, after="2" * 40)
    attributes = {"source": "github", "event": "push", "delivery": "d"}
    found = github.parse(
        Message(id="1", data=json.dumps(change.webhook()).encode(), attributes=attributes, topic="repo-pushes")
    )
    assert found == (Push(repository=change.address, ref=change.ref, before=change.before, after=change.after),)


def test_a_push_that_is_refused_says_so(shop: Any, bare: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Misconfigured, match="git push failed"):
        make(registered(shop, f"file://{bare}"), CANARY, "a mark")
    with pytest.raises(Misconfigured, match="git clone failed"):
        make(registered(shop, f"file://{bare}.gone"), CANARY, "a mark")


def test_a_file_outside_of_the_repository_is_refused(shop: Any, bare: Path) -> None:
    with pytest.raises(Refused, match="outside"):
        make(registered(shop, f"file://{bare}"), replace(CANARY, file="a/../../x"), "a mark")


def test_a_canary_that_no_branch_feeds_is_refused(shop: Any) -> None:
    found = registered(shop, "https://github.com/acme/shop.git")
    assert branch_of(found, CANARY) == "main"
    with pytest.raises(Refused, match="no branch feeds"):
        branch_of(found, replace(CANARY, environment="production"))
    with pytest.raises(Refused, match="has no environment"):
        branch_of(found, replace(CANARY, environment="moon"))


def test_a_token_is_sent_to_its_repository_alone_and_never_in_clear(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "git"
    program.write_text(f'#!/bin/sh\nenv > {tmp_path}/env\necho "$@" > {tmp_path}/asked\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Misconfigured) as caught:
        make(registered(shop, "https://github.com/acme/shop.git"), CANARY, "a mark", "hush-hush")
    environment = (tmp_path / "env").read_text()
    assert "GIT_CONFIG_KEY_0=http.https://github.com/acme/shop.git.extraHeader" in environment
    sent = base64.b64encode(b"x-access-token:hush-hush").decode()
    assert f"GIT_CONFIG_VALUE_0=Authorization: Basic {sent}" in environment
    for text in ((tmp_path / "asked").read_text(), str(caught.value)):
        assert "hush" not in text
        assert sent not in text
    with pytest.raises(Refused, match="in clear"):
        make(registered(shop, "http://github.com/acme/shop.git"), CANARY, "a mark", "hush-hush")
