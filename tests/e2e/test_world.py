"""The whole world on real wire formats: what the demo plays, what other systems send, and what a kill -9 may not disturb."""

import json
import re
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.local.add import add
from downwind.local.ledger_follower import started
from downwind.local.testing import DownwindWorld
from downwind.local.working_copy import WorkingCopy
from downwind.local.world_file import PARTS
from downwind.reconcile import names

pytestmark = pytest.mark.e2e
SHOP = Path(__file__).parents[2] / "examples" / "shop"
Change = Callable[[], str]


def typed(arguments: list[str]) -> Result:
    """A command line in this very process; the settings of its world stay its own."""
    return CliRunner().invoke(main, arguments, obj=Session(environment={}))


def to_production(world: DownwindWorld, commit: str) -> None:
    world.wait_for("shop", "staging", commit)
    world.approve("shop", "production", commit)  # its canary is asked for before and after


def test_a_git_push_becomes_a_rollout_in_staging_and_production(downwind_world: DownwindWorld, change: Change) -> None:
    commit = change()
    to_production(downwind_world, commit)
    text = json.dumps(downwind_world.cluster())
    assert commit in text
    assert "downwind.shop.production.guard" in text
    words = ("release.completed", "rollout.started", "rollout.ended")
    downwind_world.wait_for_deliveries(f"dev.downwind.{word}.v1" for word in words)


def test_a_message_from_a_plain_pubsub_client_makes_a_rollout(
    downwind_world: DownwindWorld, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud import pubsub_v1

    first = change()
    downwind_world.wait_for("shop", "staging", first)
    second = change()
    downwind_world.wait_for("shop", "staging", second)
    for name, value in downwind_world.environment.items():
        monkeypatch.setenv(name, value)
    publisher = pubsub_v1.PublisherClient()
    request = {
        "id": str(uuid.uuid4()),
        "verb": "deploy",
        "application": "shop",
        "environment": "staging",
        "commit": first,
        "who": "release-bot",
        "why": "the second one is slow",
    }
    for _ in range(3):
        publisher.publish(publisher.topic_path("local", "rollout-requests"), json.dumps(request).encode()).result(
            timeout=20
        )
    publisher.stop()

    def ordered(fact: object) -> bool:
        body = getattr(fact, "body", {})
        return body.get("kind") == "entry" and body.get("request") == request["id"]

    entry = downwind_world.wait("shop", ordered, "the entry of the request")
    assert entry.body["commit"] == first
    number = entry.body["n"]

    def ended(fact: object) -> bool:
        body = getattr(fact, "body", {})
        return (body.get("kind"), body.get("environment"), body.get("n")) == ("outcome", "staging", number)

    assert downwind_world.wait("shop", ended, "its outcome").body["status"] == "succeeded"
    log = downwind_world.ports.ledger.list(names.log("shop", "staging"))
    assert len([each for each in log if request["id"] in each.metadata["fact"]]) == 1


def test_a_malformed_message_is_parked_and_does_no_harm(downwind_world: DownwindWorld, change: Change) -> None:
    message = downwind_world.publish("rollout-requests", b'{"verb": "deploy", "application": ')
    commit = change()
    downwind_world.wait_for("shop", "staging", commit)
    prefix = names.event("rollout-requests", message)
    found = {each.name.removeprefix(prefix) for each in downwind_world.ports.ledger.list(prefix)}
    assert {"raw", "parked.0"} <= found


def judge_patiently(world: DownwindWorld, waiting: tuple[str, str]) -> None:
    """The killed part may be Gate itself, or what Gate asks."""
    while True:
        try:
            world.judge(waiting)
            return
        except Exception as error:
            assert "answered" in str(error) or "127.0.0.1" in str(error)


def test_parts_killed_in_turn_are_started_again_and_the_rollout_ends_right(
    downwind_world: DownwindWorld, change: Change
) -> None:
    """The ledger's, the functions' and Gate's. Each part alone, and each of them twice: scripts/test --long."""
    commit = change()
    downwind_world.kill("storage")
    downwind_world.wait(
        "shop", lambda fact: (fact.body.get("kind"), fact.body.get("commit")) == ("completed", commit), "the release",
        commits=[commit],
    )  # fmt: skip
    downwind_world.kill("functions")
    downwind_world.wait("shop", started("staging", commit), "staging to start")
    downwind_world.kill("gate")
    downwind_world.wait_for("shop", "staging", commit)
    waiting = downwind_world.wait_for_judgment("shop", "production", commit)
    downwind_world.kill("gate")
    judge_patiently(downwind_world, waiting)
    downwind_world.kill("functions")
    downwind_world.kill("storage")
    downwind_world.approve("shop", "production", commit)


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_a_part_killed_in_the_middle_is_started_again_and_the_rollout_ends_right(
    downwind_world: DownwindWorld, change: Change, part: str
) -> None:
    commit = change()
    downwind_world.kill(part)
    downwind_world.wait_for("shop", "staging", commit)
    waiting = downwind_world.wait_for_judgment("shop", "production", commit)
    downwind_world.kill(part)
    judge_patiently(downwind_world, waiting)
    downwind_world.approve("shop", "production", commit)


@pytest.mark.parametrize(("token", "status"), [(None, 204), ("Bearer e30.e30.e30", 401)])
def test_a_call_by_hand_needs_no_token_on_a_laptop_but_a_bad_one_is_refused(
    downwind_world: DownwindWorld, token: str | None, status: int
) -> None:
    import requests

    body = {
        "message": {"messageId": f"by-hand-{status}", "data": "e30="},
        "subscription": "projects/local/subscriptions/x",
    }
    headers = {"Authorization": token} if token else {}
    answer = requests.post(f"{downwind_world.local.url('functions')}/on_image", json=body, headers=headers, timeout=20)
    assert (answer.status_code, answer.content) == (status, b"")
    raw = downwind_world.ports.ledger.read(f"{names.event('gcr', f'by-hand-{status}')}raw")
    assert (raw is not None) == (token is None)
    if raw is not None:
        assert json.loads(raw.metadata["fact"])["token"] is False


def test_a_waiting_judgment_is_answered_from_the_command_line(downwind_world: DownwindWorld, change: Change) -> None:
    commit = change()
    folder = str(downwind_world.local.folder)
    nobody = typed(["local", "judge", "shop", "staging", "--folder", folder])
    assert (nobody.exit_code, "no judgment waits" in nobody.output) == (1, True)
    downwind_world.wait_for_judgment("shop", "production", commit)
    said = typed(["local", "judge", "shop", "--stop", "--folder", folder])
    assert said.exit_code == 0, said.output
    ended = downwind_world.wait_for("shop", "production", commit, "cancelled")
    assert "judgment" in ended["reason"]


def test_the_pipelines_of_the_example_are_saved_as_its_files_say(
    downwind_world: DownwindWorld, shop: WorkingCopy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And saving, pulling and saving again changes nothing; Gate here is the local one, over HTTP."""
    monkeypatch.setenv("HOME", str(tmp_path))
    files = sorted(map(str, (SHOP / "pipelines").glob("*.yaml")))
    assert len(files) == 2
    world = ("--world", str(downwind_world.local.folder / "world.json"), "pipelines")
    same = typed([*world, "diff", *files])
    assert (same.exit_code, same.stdout.count("is as in the file")) == (0, 2), same.output
    pulled = tmp_path / "deploy-production.yaml"
    assert typed([*world, "pull", "shop", "deploy-production", "--file", str(pulled)]).exit_code == 0
    again = typed([*world, "save", str(pulled)])
    assert (again.exit_code, "not saved again" in again.stdout) == (0, True), again.output
    pulled.write_text(pulled.read_text().replace("Is the canary well?", "Is the canary really well?"))
    before = downwind_world.ports.pipelines.config("shop", "deploy-production")
    changed = typed([*world, "save", str(pulled), "--yes"])
    assert (changed.exit_code, "+    name: Is the canary really well?" in changed.stdout) == (0, True), changed.output
    after = downwind_world.ports.pipelines.config("shop", "deploy-production")
    assert before is not None
    assert after is not None
    assert after.id == before.id
    assert typed([*world, "save", files[0], "--yes"]).exit_code == 0


def test_who_brings_a_pipeline_that_does_not_fit_is_told_at_once(downwind_world: DownwindWorld, tmp_path: Path) -> None:
    folder = tmp_path / "booth"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("__pycache__"))
    catalog = folder / "downwind.yaml"
    catalog.write_text(re.sub(r"\n.*parts:.*\n", "\n", catalog.read_text().replace("shop", "booth")))
    said: list[str] = []
    add(downwind_world.local, folder, said.append)
    warnings = [line for line in said if line.startswith("warning: pipelines/deploy-production.yaml: ")]
    assert "expectedArtifacts: lack the gcs/object gs://local-bundles/booth/production" in warnings[0]
    assert not [line for line in said if "deploy-staging.yaml: " in line]
