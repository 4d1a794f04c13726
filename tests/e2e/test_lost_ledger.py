"""Disaster, in a world of its own: the ledger is lost, or half of it; a person takes it up again from the command line."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.events.sources import TOPICS
from downwind.local.calls import call
from downwind.local.testing import PATIENCE, DownwindWorld
from downwind.local.working_copy import WorkingCopy
from downwind.local.world_file import BUCKETS, PROJECT
from downwind.reconcile import names

pytestmark = pytest.mark.e2e
EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"
TAG = "refs/tags/v1"
NOTHING = "0" * 40


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DownwindWorld]:
    with DownwindWorld(tmp_path) as found:
        yield found


def until(met: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


class Shop:
    """The example, whose staging takes tags as well; and a person at the keyboard."""

    def __init__(self, world: DownwindWorld, folder: Path) -> None:
        self.world = world
        self.folder = folder
        directory = folder / "shop"
        shutil.copytree(EXAMPLE, directory)
        catalog = directory / "downwind.yaml"
        catalog.write_text(catalog.read_text().replace("[refs/heads/main]", '[refs/heads/main, "refs/tags/*"]'))
        world.add(directory)
        self.copy: WorkingCopy = world.clone("shop", directory)
        self._count = 0

    def push(self) -> str:
        self._count += 1
        (self.copy.folder / "app" / "version.txt").write_text(f"{self._count}\n")
        commit = self.copy.commit(f"change {self._count}")
        self.copy.push()
        self.world.wait_for("shop", "staging", commit)
        self.world.approve("shop", "production", commit)
        return commit

    def run(self, *arguments: str) -> Any:
        """A command that must succeed: its JSON."""
        session = Session(environment={}, folder=self.folder)
        done = CliRunner().invoke(main, [*arguments, "-o", "json"], obj=session)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def lose(self, *kept: str) -> None:
        """Everything but what bears one of these in its name.

        When nothing is on its way any more, open work first and the environments' logs last: a tick that came between would
        find releases without a log, and put that right.
        """
        until(lambda: self.on_its_way() == 0, "every message to be taken")
        bucket = f"{self.world.local.url('storage')}/storage/v1/b/{BUCKETS['ledger']}"
        call("PATCH", bucket, {"retentionPolicy": None})  # as whoever loses a ledger must have done
        for store in (self.world.ports.work, self.world.ports.ledger):
            for each in sorted(store.list(""), key=lambda each: each.name.startswith("environment/")):
                if not any(word in each.name for word in kept):
                    store.delete(each.name)

    def on_its_way(self) -> int:
        """Messages to the functions that are not acknowledged; theirs are the subscriptions named as the topics."""
        found = call("GET", f"{self.world.local.url('pubsub_rest')}/-/stats")["subscriptions"]
        return sum(found[f"projects/{PROJECT}/subscriptions/{topic}"]["backlog"] for topic in TOPICS.values())

    def replay(self, ref: str, before: str | None, after: str) -> None:
        """An old notice of Cloud Source Repositories once more, taken to its end."""
        update = {"refName": ref, "newId": after, "updateType": "CREATE" if before is None else "UPDATE_FAST_FORWARD"}
        update |= {"oldId": before} if before else {}
        body = {
            "name": "projects/local/repos/shop",
            "url": "https://source.developers.google.com/p/local/r/shop",
            "eventTime": "2026-11-24T09:00:00.000000Z",
            "refUpdateEvent": {"email": "developer@localhost", "refUpdates": {ref: update}},
        }
        message = self.world.publish("repo-pushes", body)

        recorded = names.event("repo-pushes", message) + "recorded"
        until(lambda: self.world.ports.ledger.read(recorded) is not None, f"message {message} to be recorded")

    def entries(self, environment: str) -> list[str | None]:
        listed = self.world.ports.ledger.list(names.log("shop", environment))
        return [json.loads(each.metadata["fact"])["commit"] for each in reversed(listed)]

    def live(self, environment: str) -> int:
        """The fence's sequence."""
        for item in self.world.cluster()["items"]:
            if item["metadata"]["name"] == f"downwind.shop.{environment}":
                return int(item["metadata"]["annotations"]["downwind.dev/sequence"])
        raise AssertionError(f"no fence of {environment} is live")


@pytest.mark.parametrize(
    "kept",
    [
        (),
        pytest.param(("event/", "release/", "build/", "image/", "pointer/", "/rollout/"), marks=pytest.mark.long),
    ],
    ids=["lost", "half"],
)
def test_a_person_takes_the_ledger_up_again(world: DownwindWorld, tmp_path: Path, kept: tuple[str, ...]) -> None:
    shop = Shop(world, tmp_path)
    first = shop.push()
    shop.copy.git("tag", "v1")
    shop.copy.git("push", "--quiet", "origin", "v1")
    world.wait("shop", lambda fact: fact.body.get("ref") == TAG and fact.body.get("kind") == "entry", "the tag's entry")
    second = shop.push()
    live = {name: shop.live(name) for name in ("staging", "production")}
    assert shop.run("verify")["sound"]

    shop.lose(*kept)
    planned = shop.run("ledger", "rebase", "shop", "--dry-run")
    assert not planned["written"]
    assert shop.entries("staging") == []
    done = shop.run("ledger", "rebase", "shop", "--yes", "--why", "INC-42")
    assert {each["environment"]: each["found"]["cluster downwind-local"] for each in done["environments"]} == live
    numbers = {each["environment"]: each["entry"] for each in done["environments"]}
    assert all(numbers[name] > live[name] for name in live)

    shop.replay(TAG, None, first)
    shop.replay("refs/heads/main", first, second)
    shop.replay("refs/heads/main", None, first)
    third = shop.push()
    assert shop.entries("staging") == [None, third]
    assert shop.entries("production") == [None, third]
    assert {name: shop.live(name) for name in live} == {name: number + 1 for name, number in numbers.items()}
    assert shop.run("verify")["sound"]
