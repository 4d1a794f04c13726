"""`downwind bootstrap verify --local`, typed on the running world: sound; and not sound once a part of it is broken."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from downwind.local.testing import DownwindWorld
from downwind.local.world_file import BUCKETS, FILE

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(shutil.which("git") is None, reason="git is not on this machine")]
SHOP = Path(__file__).parents[2] / "examples" / "shop"
NAME = "canary"
BINDING = "sequence.downwind.dev"
BINDINGS = "/-/kubernetes/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture(scope="session")
def canary(downwind_world: DownwindWorld, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The shop under another name, with one release.

    Once for the world, as its push is: a runner that steals tests may come back to this module after another.
    """
    folder = tmp_path_factory.mktemp("canary") / NAME
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_text(file.read_text().replace("shop", NAME))
    downwind_world.add(folder)
    copy = downwind_world.clone(NAME, folder)
    copy.commit("first")
    copy.push()


@pytest.fixture
def verify(downwind_world: DownwindWorld, canary: None) -> Callable[..., dict[tuple[str, str], str]]:
    """State by group and beginning of the check. `code` is the exit code that it must have."""

    def run(*arguments: str, code: int = 0) -> dict[tuple[str, str], str]:
        world = str(downwind_world.local.folder / FILE)
        command = [sys.executable, "-c", "from downwind.cli.main import main; main()", "--world", world]
        command += ["bootstrap", "verify", "--local", "--application", NAME, "--environment", "staging", "-o", "json"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DOWNWIND_")}
        done = subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        document: Any = json.loads(done.stdout)
        assert document["sound"] == (code == 0)
        return {(each["group"], each["what"].split(" (")[0]): each["state"] for each in document["checks"]}

    return run


def test_a_sound_world_is_proved_from_the_webhook_to_the_cloud_events(verify: Any) -> None:
    found = verify("--only", "rollout", "--only", "refused", "--only", "drift")
    not_here = {what for (_, what), state in found.items() if state == "not applicable"}
    assert not_here == {
        "a push without a token to on-push",
        "Gate from outside, without signing in",
        "the cloud is as infra/ says",
    }
    assert set(found.values()) == {"ok", "not applicable"}
    assert len([group for group, _ in found if group == "rollout"]) == 11


def test_without_the_policys_binding_and_the_ledgers_retention_both_are_told(
    downwind_world: DownwindWorld, verify: Any
) -> None:
    base = downwind_world.local.url("gate") + BINDINGS
    bucket = f"{downwind_world.local.url('storage')}/storage/v1/b/{BUCKETS['ledger']}"
    policy = requests.get(bucket, timeout=20).json()["retentionPolicy"]
    binding = requests.get(f"{base}/{BINDING}", timeout=20).json()
    requests.patch(bucket, json={"retentionPolicy": None}, timeout=20).raise_for_status()
    requests.delete(f"{base}/{BINDING}", timeout=20).raise_for_status()
    try:
        found = verify("--only", "rollout", "--only", "refused", "--only", "clusters", code=1)
    finally:
        binding["metadata"].pop("resourceVersion", None)
        requests.post(base, json=binding, timeout=20).raise_for_status()
        period = {"retentionPolicy": {"retentionPeriod": policy["retentionPeriod"]}}
        requests.patch(bucket, json=period, timeout=20).raise_for_status()
    failed = {(group, what) for (group, what), state in found.items() if state == "failed"}
    assert {what for group, what in failed if group != "clusters"} == {
        "a lower sequence applied in the cluster",
        "a fact overwritten",
    }
    assert "clusters" in {group for group, _ in failed}


def test_a_canary_that_the_catalog_lacks_is_told(verify: Any) -> None:
    found = verify("--only", "rollout", "--application", "moon", code=1)
    assert found == {("rollout", "a push rolls out"): "failed"}
