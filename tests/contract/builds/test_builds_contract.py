"""What ports.Builds promises, by the twin and by google-cloud-build against the local server."""

from dataclasses import dataclass
from typing import Any

import pytest

from downwind.adapters.memory_builds import MemoryBuilds
from downwind.errors import Refused
from downwind.ports import Builds, Trigger

PARENT = "projects/demo/locations/us-central1/triggers"


@dataclass(frozen=True)
class Bench:
    """One trigger, `shop`, and two commits of its repository."""

    builds: Builds
    commits: tuple[str, str]


@pytest.fixture(params=["memory", "local"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        builds = MemoryBuilds()
        builds.add_trigger(f"{PARENT}/shop")
        return Bench(builds, ("1" * 40, "2" * 40))
    workshop: Any = request.getfixturevalue("workshop")
    workshop.trigger(triggerTemplate={"repoName": "shop", "branchName": "^none$"})
    return Bench(workshop.adapter, (workshop.release(), workshop.release({"app/main": "other"})))


def test_a_trigger_is_found_by_name_and_by_id(bench: Bench) -> None:
    found = bench.builds.trigger(f"{PARENT}/shop")
    assert (found.name, found.project, found.location) == ("shop", "demo", "us-central1")
    assert bench.builds.trigger(f"{PARENT}/{found.id}") == found
    assert found.id != "shop"


@pytest.mark.parametrize(
    "name", [f"{PARENT}/other", "projects/demo/locations/europe-west1/triggers/shop", "shop", f"{PARENT}/"]
)
def test_what_is_no_trigger_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(Refused):
        bench.builds.trigger(name)


def test_a_run_is_a_build_of_that_trigger_at_that_commit(bench: Bench) -> None:
    trigger = bench.builds.trigger(f"{PARENT}/shop")
    build = bench.builds.run(trigger, bench.commits[0])
    found = bench.builds.get("demo", "us-central1", build)
    assert found is not None
    assert (found["id"], found["buildTriggerId"], found["projectId"]) == (build, trigger.id, "demo")
    assert found["substitutions"]["COMMIT_SHA"] == bench.commits[0]
    assert found["name"].endswith(f"/locations/us-central1/builds/{build}")
    assert isinstance(found["status"], str)


def test_builds_are_found_by_trigger_and_commit_newest_first(bench: Bench) -> None:
    trigger = bench.builds.trigger(f"{PARENT}/shop")
    first, _other, second = [bench.builds.run(trigger, bench.commits[at]) for at in (0, 1, 0)]
    assert [build["id"] for build in bench.builds.find(trigger, bench.commits[0])] == [second, first]
    assert bench.builds.find(trigger, "3" * 40) == []


def test_a_build_that_is_not_there_is_none(bench: Bench) -> None:
    assert bench.builds.get("demo", "us-central1", "none") is None


def test_a_run_of_a_trigger_that_is_gone_is_refused(bench: Bench) -> None:
    gone = Trigger(id="gone", name="shop", project="demo", location="us-central1")
    with pytest.raises(Refused):
        bench.builds.run(gone, bench.commits[0])
