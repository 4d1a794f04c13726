"""The engineer on call: a bad release, the rollback that sticks, and the way back; from the command line, timed."""

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.local.testing import DownwindWorld
from downwind.local.working_copy import WorkingCopy
from downwind.local.world_file import FILE
from downwind.reconcile.facts import Fact

pytestmark = pytest.mark.e2e
SHOP = Path(__file__).parents[2] / "examples" / "shop"
NAME = "till"
BAD = '  annotations: {local.downwind.dev/fail: "true"}\n  labels:'


@pytest.fixture(scope="session")
def till(downwind_world: DownwindWorld, tmp_path_factory: pytest.TempPathFactory) -> WorkingCopy:
    """The shop under another name, whose staging rolls back by itself."""
    folder = tmp_path_factory.mktemp("till") / NAME
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_text(file.read_text().replace("shop", NAME))
    catalog = folder / "downwind.yaml"
    catalog.write_text(catalog.read_text().replace("on_failure: hold", "on_failure: rollback"))
    downwind_world.add(folder)
    return downwind_world.clone(NAME, folder)


@pytest.fixture
def downwind(downwind_world: DownwindWorld) -> Callable[..., Any]:
    """The command, as it is typed but for its process: README's and others' tests start those. Its JSON. `code` is the exit code
    that it must have."""

    def run(*arguments: str, code: int = 0) -> Any:
        world = ["--world", str(downwind_world.local.folder / FILE)]
        done = CliRunner().invoke(main, [*world, *arguments], obj=Session(environment={}))
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.output

    return run


def pushed(copy: WorkingCopy, number: int, *, bad: bool = False) -> str:
    (copy.folder / "app" / "version.txt").write_text(f"{number}\n")
    file = "deploy/staging/deployment.yaml"
    text = (copy.folder / file).read_text()
    (copy.folder / file).write_text(text.replace("  labels:", BAD, 1) if bad else text.replace(BAD, "  labels:"))
    commit = copy.commit(f"version {number}")
    copy.push()
    return commit


def met(**wanted: Any) -> Callable[[Fact], bool]:
    def of(fact: Fact) -> bool:
        return wanted.items() <= fact.body.items()

    return of


def test_a_bad_release_is_rolled_back_held_through_five_pushes_and_resumed(
    downwind_world: DownwindWorld, till: WorkingCopy, downwind: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    good = pushed(till, 1)
    downwind_world.wait_for(NAME, "staging", good)
    bad = pushed(till, 2, bad=True)
    failed = downwind_world.wait(NAME, met(kind="outcome", environment="staging", commit=bad), "the failure")
    assert failed.body["status"] == "failed"
    entry = downwind_world.wait(NAME, met(kind="entry", environment="staging", verb="rollback"), "the rollback")
    assert (entry.body["by"], entry.body["commit"], entry.body["hold"]["n"]) == ("on_failure", good, entry.body["n"])
    restored = downwind_world.wait(
        NAME, met(kind="outcome", environment="staging", n=entry.body["n"]), "the good release to be live again"
    )
    assert restored.body["status"] == "succeeded"
    with capsys.disabled():
        print(f"\nfrom failure to good release live: {_seconds(failed, restored)} s")

    commits = [pushed(till, number) for number in range(3, 8)]
    # Pushes that come fast are one entry, of the newest tip.
    downwind_world.wait(NAME, met(kind="entry", environment="staging", commit=commits[-1]), "the entry of the newest")
    downwind_world.wait(NAME, met(kind="completed", commit=commits[-1]), "the newest to be complete", commits=commits)
    log = _environment(downwind, "staging")
    assert log["live"]["sequence"] == entry.body["n"]
    assert log["running"] == []
    assert any("an operator to resume" in wait for each in log["next"] for wait in each["waits"])

    answer = downwind("resume", NAME, "staging", "--why", "fixed", "--wait", "-o", "json")
    assert answer["orders"][0]["state"] == "done"
    live = _environment(downwind, "staging")["live"]
    assert (live["commit"], live["state"]) == (commits[-1], "succeeded")


def _seconds(first: Fact, second: Fact) -> float:
    start: datetime = first.created
    return round((second.created - start).total_seconds(), 1)


def _environment(downwind: Callable[..., Any], name: str) -> Mapping[str, Any]:
    (application,) = downwind("status", NAME, "-o", "json")["applications"]
    found: Mapping[str, Any] = next(each for each in application["environments"] if each["environment"] == name)
    return found


def test_each_verb_from_the_command_line(
    downwind_world: DownwindWorld, till: WorkingCopy, downwind: Callable[..., Any]
) -> None:
    commit = pushed(till, 100)
    downwind_world.wait_for(NAME, "staging", commit)
    downwind_world.wait_for_judgment(NAME, "production", commit)
    assert (
        downwind("hold", NAME, "production", "--why", "INC-1", "--dry-run", "-o", "json")["orders"][0]["state"]
        == "would"
    )
    downwind("hold", NAME, "production", "--why", "INC-1")
    downwind("approve", NAME, "production", "--why", "CHG-1")  # its canary
    downwind_world.wait_for_judgment(NAME, "production", commit)
    downwind("approve", NAME, "production", "--why", "CHG-2", "--wait")
    first = _environment(downwind, "production")["live"]["sequence"]
    downwind("deploy", NAME, "production", "--commit", commit[:10])
    second = downwind_world.wait(NAME, met(kind="started", environment="production", n=first + 2), "the ordered deploy")
    assert second.body["commit"] == commit
    downwind("cancel", NAME, "production", "--sequence", str(first + 2), "--wait")
    downwind("retry", NAME, "production")
    downwind_world.wait(NAME, met(kind="started", environment="production", n=first + 2, attempt=1), "the retry")
    assert "nothing waits" in downwind("approve", NAME, "staging", code=1)
    said = downwind("rollback", NAME, "staging", "--to", "1", "--dry-run", "-o", "json")
    assert said["orders"][0]["state"] == "would"
    assert downwind("hold", "--all", "--why", "fire", "-o", "json")["orders"][0]["state"] == "done"
    held = pushed(till, 101)
    downwind_world.wait(NAME, met(kind="completed", commit=held), "the release", commits=[held])
    assert _environment(downwind, "staging")["live"]["commit"] == commit
    downwind("resume", "--all")
    downwind_world.wait_for(NAME, "staging", held)


def test_somebody_who_is_not_listed_may_not(downwind_world: DownwindWorld, downwind: Callable[..., Any]) -> None:
    folder = str(downwind_world.local.folder)
    downwind("local", "person", "intern@localhost", "--folder", folder)
    try:
        said = downwind("hold", NAME, "staging", code=1)
        assert "intern@localhost is no operator of till/staging" in said
        assert "may not hold everything" in downwind("hold", "--all", code=1)
    finally:
        downwind("local", "person", "developer@localhost", "--folder", folder)
