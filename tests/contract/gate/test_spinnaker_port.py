"""ports_of_people.Spinnaker: the adapter on the local Gate and its in-memory twin keep one contract."""

from collections.abc import Iterator
from typing import Any

import pytest

from downwind.adapters.gate_client import GateClient
from downwind.adapters.gate_spinnaker import GateSpinnaker
from downwind.adapters.memory_spinnaker import MemorySpinnaker
from downwind.errors import Refused
from downwind.ports_of_people import Spinnaker

PIPELINE = {
    "application": "shop",
    "name": "deploy",
    "stages": [
        {"type": "manualJudgment", "name": "Approve", "refId": "1", "requisiteStageRefIds": []},
        {"type": "wait", "name": "Wait", "refId": "2", "requisiteStageRefIds": ["1"], "waitTime": 0},
    ],
}
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


class World:
    def __init__(self, spinnaker: Spinnaker, lab: Any) -> None:
        self.spinnaker = spinnaker
        self.lab = lab

    def start(self) -> str:
        if self.lab is not None:
            started = str(self.lab.start("deploy"))
            self.lab.judged_at(started)
            return started
        assert isinstance(self.spinnaker, MemorySpinnaker)
        config = self.spinnaker.pipelines.config("shop", "deploy")
        assert config is not None
        started = self.spinnaker.pipelines.start(config, {})
        self.spinnaker.pipelines.advance(started)
        return started

    def until(self, execution: str, status: str) -> None:
        if self.lab is not None:
            self.lab.until(
                execution, lambda found: found.status == status and found.finished == (found.ended is not None)
            )
        found = self.spinnaker.execution(execution)
        assert found is not None
        assert found["status"] == status


@pytest.fixture(params=["gate", "memory"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "memory":
        memory = MemorySpinnaker()
        memory.pipelines.save(PIPELINE)
        yield World(memory, None)
        return
    lab = request.getfixturevalue("lab")
    lab.save(*PIPELINE["stages"], name="deploy")
    adapter = GateSpinnaker(GateClient(lab.gate.url), sleep=lambda _: None)
    yield World(adapter, lab)
    adapter.close()


def test_it_says_what_it_is_and_whom_it_sees(world: World) -> None:
    assert str(world.spinnaker.version()).startswith("2026.2.")
    assert world.spinnaker.user()["username"]
    assert [each["name"] for each in world.spinnaker.accounts()] == ["local"]
    assert "gcs/object" in [kind for each in world.spinnaker.artifact_accounts() for kind in each["types"]]


@pytest.mark.parametrize("name", ["billing", "bill-ing2"])
def test_an_application_is_saved_changed_and_deleted(world: World, name: str) -> None:
    assert world.spinnaker.application(name) is None
    world.spinnaker.save_application({"name": name, "email": "a@b.example"})
    world.spinnaker.save_application({"name": name, "email": "c@d.example", "description": "Money"})
    found = world.spinnaker.application(name.upper())
    assert found is not None
    assert (found["name"], found["email"], found["description"]) == (name, "c@d.example", "Money")
    assert name in [each["name"] for each in world.spinnaker.applications()]
    world.spinnaker.delete_application(name)
    assert world.spinnaker.application(name) is None


def test_an_application_needs_a_name_and_whom_it_belongs_to(world: World) -> None:
    for attributes in ({"name": "x"}, {"email": "a@b"}, {}):
        with pytest.raises(Refused, match="needs name and email"):
            world.spinnaker.save_application(attributes)
    with pytest.raises(Refused, match="no application nosuch"):
        world.spinnaker.delete_application("nosuch")


def test_executions_are_listed_newest_first_and_by_status(world: World) -> None:
    first, second = world.start(), world.start()
    world.spinnaker.control(first, "cancel", "enough")
    world.until(first, "CANCELED")
    listed = world.spinnaker.executions("shop")
    assert [each["id"] for each in listed] == [second, first]
    assert [stage["context"] for each in listed for stage in each["stages"]] == [{}, {}, {}, {}]
    assert [each["id"] for each in world.spinnaker.executions("shop", limit=1)] == [second]
    assert [each["id"] for each in world.spinnaker.executions("shop", ["RUNNING", "TERMINAL"])] == [second]
    assert world.spinnaker.executions("nosuch") == []
    found = world.spinnaker.execution(first)
    assert found is not None
    assert (found["cancellationReason"], len(found["stages"])) == ("enough", 2)


def test_a_run_is_paused_resumed_cancelled_and_forgotten(world: World) -> None:
    started = world.start()
    for verb, status in (("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "CANCELED"), ("resume", "CANCELED")):
        world.spinnaker.control(started, verb)
        world.until(started, status)
    world.spinnaker.control(started, "delete")
    assert world.spinnaker.execution(started) is None


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "delete"])
def test_nothing_is_done_with_a_run_that_is_not_there(world: World, verb: str) -> None:
    """Gate says 200 to the deletion of nothing."""
    with pytest.raises(Refused, match=NOBODY):
        world.spinnaker.control(NOBODY, verb)
    with pytest.raises(Refused, match="odd"):
        world.spinnaker.control("odd/..", verb)
    assert world.spinnaker.execution("odd/..") is None


def test_a_stage_is_restarted_and_one_that_is_not_there_is_not(world: World) -> None:
    """Gate says 200 to the restart of an unknown stage."""
    started = world.start()
    world.spinnaker.control(started, "cancel")
    world.until(started, "CANCELED")
    found = world.spinnaker.execution(started)
    assert found is not None
    world.spinnaker.restart(started, found["stages"][0]["id"])
    world.until(started, "RUNNING")
    for execution, stage in ((started, "nosuch"), (NOBODY, "nosuch")):
        with pytest.raises(Refused, match="no stage nosuch"):
            world.spinnaker.restart(execution, stage)


def test_an_artifact_is_read_or_it_is_said_why_not(world: World) -> None:
    reference = "gs://bundles/m.yaml#1"
    if world.lab is not None:
        reference = world.lab.store("m.yaml", "kind: x", "gs://bundles/m")["reference"]
    else:
        world.spinnaker.readable[reference] = b"kind: x"  # type: ignore[attr-defined]  # the twin's own
    artifact = {"type": "gcs/object", "name": "gs://bundles/m", "reference": reference, "artifactAccount": "gcs"}
    assert world.spinnaker.fetch(artifact) == len(b"kind: x")
    with pytest.raises(Refused, match="artifacts/fetch"):
        world.spinnaker.fetch({**artifact, "reference": "gs://bundles/other.yaml"})


def test_what_is_live_is_told_with_images_sizes_and_who_stands_before_it(lab: Any) -> None:
    digest = "r.example/web@sha256:" + "a" * 64
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": digest}]}}
    meta = {"name": "web", "namespace": "shop"}
    workload = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": 2, "template": pod},
    }
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": {"app": "web"}}}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": {}}
    lab.save({"type": "deployManifest", "refId": "1", "account": "local", "manifests": [workload, service, policy]})
    assert lab.ended(lab.start())["status"] == "SUCCEEDED"
    adapter = GateSpinnaker(GateClient(lab.gate.url))
    live = adapter.live("shop")
    adapter.close()
    (group,) = live.groups
    assert group.name.startswith("replicaSet web-")
    assert (group.cluster, group.manager, group.namespace, group.account) == (*("deployment web",) * 2, "shop", "local")
    assert (group.images, group.desired, group.up, group.total, group.disabled) == ((digest,), 2, 2, 2, False)
    assert group.load_balancers == ("service web",)
    assert [(each.name, each.server_groups) for each in live.balancers] == [("service web", (group.name,))]
    assert live.firewalls == (("shop", "networkPolicy web"),)
    names = {"local": ["deployment web"]}
    assert lab.call("GET", "/applications/shop/clusters").json() == names
    (manager,) = lab.call("GET", "/applications/shop/serverGroupManagers").json()
    assert [each["name"] for each in manager["serverGroups"]] == [group.name]
    (cluster,) = lab.call("GET", "/applications/shop/clusters/local").json()
    assert cluster == lab.call("GET", "/applications/shop/clusters/local/deployment%20web").json()
    assert lab.call("GET", "/applications/shop/clusters/local/nosuch").json() == {}
