"""Whole runs of the strategies: blue/green, canary, a job first. Rolling and judgment are in test_rollouts."""

import json
from typing import Any

import pytest

from downwind.model.execution import read_execution
from downwind.reconcile.stamp import stamp
from downwind.render.bundle import ReleaseFacts, make_bundle

IMAGE = "r.example/shop"


def workload(kind: str, name: str, *, replicas: int = 2, fail: bool = False, image: str = IMAGE) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    spec: dict[str, Any] = {"template": pod}
    if kind == "Job":
        pod["spec"]["restartPolicy"] = "Never"
    else:
        spec |= {"replicas": replicas, "selector": {"matchLabels": {"app": name}}}
    annotations = {"local.downwind.dev/fail": "true"} if fail else {}
    group = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name, "annotations": annotations}, "spec": spec}


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "shop"},
    "spec": {"selector": {"traffic": "shop"}, "ports": [{"port": 80}]},
}


class Strategy:
    """A strategy's shipped pipeline, started with bundles as Downwind renders and stamps them."""

    def __init__(self, lab: Any, file: str) -> None:
        self.lab = lab
        lab.ship(file, environment="production")

    def start(self, sequence: int, digest: str, *, image: str = IMAGE, **parts: list[dict[str, Any]]) -> str:
        """`bundle=…` is the only part; others are named."""
        release = ReleaseFacts(
            application="shop",
            environment="production",
            namespace="shop",
            commit="c" * 40,
            images={image: "sha256:" + digest * 64},
        )
        artifacts = []
        for part, objects in parts.items():
            data = stamp(
                make_bundle(objects, release).documents,
                application="shop",
                environment="production",
                namespace="shop",
                sequence=sequence,
            )
            tail = "" if part == "bundle" else f"/{part}"
            name = f"shop/production/rollout/{sequence}{tail}.yaml"
            artifacts.append(self.lab.store(name, data.decode(), f"gs://bundles/shop/production{tail}"))
        downwind = {"application": "shop", "environment": "production", "sequence": str(sequence), "attempt": "0"}
        body = {
            "type": "downwind",
            "correlationId": f"c-{sequence}",
            "downwind": downwind,
            "artifacts": artifacts,
            "expectedArtifactIds": list(parts),
        }
        return str(self.lab.start("deploy-production", body))

    def live(self, kind: str) -> dict[str, Any]:
        items = self.lab.call("GET", f"/-/cluster?kind={kind}").json()["items"]
        return {item["metadata"]["name"]: item for item in items}

    def labels(self) -> dict[str, dict[str, str]]:
        return {name: item["spec"]["template"]["metadata"]["labels"] for name, item in self.live("ReplicaSet").items()}


def stages(document: dict[str, Any]) -> dict[str, str]:
    return {stage["refId"]: stage["status"] for stage in document["stages"]}


def test_blue_green_turns_the_traffic_and_keeps_the_old_one_without(lab: Any) -> None:
    shop = Strategy(lab, "blue-green.yaml")
    first = lab.ended(shop.start(1, "a", bundle=[SERVICE, workload("ReplicaSet", "shop")]))
    assert read_execution(first).deployed
    assert shop.labels() == {"shop-v000": {"app": "shop", "traffic": "shop"}}
    second = lab.ended(shop.start(2, "b", bundle=[SERVICE, workload("ReplicaSet", "shop")]))
    assert read_execution(second).deployed
    assert stages(second) == {
        "1": "SUCCEEDED",
        "1<1": "SUCCEEDED",
        "2": "SUCCEEDED",
        "3": "SUCCEEDED",
        "3>1": "SUCCEEDED",
    }
    assert shop.labels() == {"shop-v000": {"app": "shop"}, "shop-v001": {"app": "shop", "traffic": "shop"}}
    child = next(stage for stage in second["stages"] if stage["refId"] == "3>1")
    assert (child["type"], child["syntheticStageOwner"]) == ("disableManifest", "STAGE_AFTER")
    assert child["context"]["manifestName"] == "replicaSet shop-v000"


def test_a_rollback_in_blue_green_is_a_new_version_of_the_old_image(lab: Any) -> None:
    shop = Strategy(lab, "blue-green.yaml")
    for sequence, digest in ((1, "a"), (2, "b"), (3, "a")):
        assert read_execution(
            lab.ended(shop.start(sequence, digest, bundle=[SERVICE, workload("ReplicaSet", "shop")]))
        ).deployed
    assert {name: "traffic" in labels for name, labels in shop.labels().items()} == {
        "shop-v000": False,
        "shop-v001": False,
        "shop-v002": True,
    }


def test_a_green_that_is_never_ready_leaves_the_traffic_with_blue(lab: Any) -> None:
    shop = Strategy(lab, "blue-green.yaml")
    lab.ended(shop.start(1, "a", bundle=[SERVICE, workload("ReplicaSet", "shop")]))
    bad = lab.ended(shop.start(2, "b", bundle=[SERVICE, workload("ReplicaSet", "shop", fail=True)]))
    assert (bad["status"], "3>1" in stages(bad)) == ("TERMINAL", False)
    assert shop.labels()["shop-v000"] == {"app": "shop", "traffic": "shop"}


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ([workload("ReplicaSet", "shop")], "Load balancer service shop does not exist"),
        (
            [{**SERVICE, "spec": {"selector": {"app": "shop"}}}, workload("ReplicaSet", "shop")],
            "Service selector must have no label keys in common with target workload",
        ),
        ([{**SERVICE, "spec": {}}, workload("ReplicaSet", "shop")], "Service must have a non-empty selector"),
    ],
)
def test_a_service_that_cannot_take_the_traffic_is_said(lab: Any, objects: list[dict[str, Any]], said: str) -> None:
    shop = Strategy(lab, "blue-green.yaml")
    ended = lab.ended(shop.start(1, "a", bundle=objects))
    assert (ended["status"], said in str(read_execution(ended).message)) == ("TERMINAL", True)


def test_a_canary_waits_for_its_judgment_and_then_goes_everywhere(lab: Any) -> None:
    shop = Strategy(lab, "canary.yaml")
    canary, full = workload("Deployment", "shop-canary", replicas=1), workload("Deployment", "shop")
    started = shop.start(1, "a", canary=[canary], full=[full])
    lab.judged_at(started)
    assert list(shop.live("Deployment")) == ["shop-canary"]
    lab.judge(started, "continue")
    assert read_execution(lab.ended(started)).deployed
    assert sorted(shop.live("Deployment")) == ["shop", "shop-canary"]
    for item in shop.live("Deployment").values():
        assert item["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}@sha256:{'a' * 64}"
        assert item["metadata"]["annotations"]["downwind.dev/sequence"] == "1"


def test_a_canary_that_is_judged_bad_goes_nowhere_else(lab: Any) -> None:
    shop = Strategy(lab, "canary.yaml")
    canary, full = workload("Deployment", "shop-canary", replicas=1), workload("Deployment", "shop")
    started = shop.start(1, "a", canary=[canary], full=[full])
    lab.judge(started, "stop")
    ended = lab.ended(started)
    assert (ended["status"], read_execution(ended).deployed) == ("TERMINAL", False)
    assert list(shop.live("Deployment")) == ["shop-canary"]


def test_both_parts_of_a_canary_have_the_guard(lab: Any) -> None:
    """A full part that comes late, of an older rollout that somebody restarts, is stopped by its own guard."""
    shop = Strategy(lab, "canary.yaml")
    canary, full = workload("Deployment", "shop-canary", replicas=1), workload("Deployment", "shop")
    old = shop.start(1, "a", canary=[canary], full=[full])
    lab.judge(old, "continue")
    ended = lab.ended(old)
    new = shop.start(2, "b", canary=[canary], full=[full])
    lab.judged_at(new)
    last = next(stage for stage in ended["stages"] if stage["refId"] == "5")
    assert lab.call("PUT", f"/pipelines/{old}/stages/{last['id']}/restart", {}).status_code == 200
    again = lab.ended(old)
    assert (again["status"], "may not fall from 2 to 1" in json.dumps(again)) == ("TERMINAL", True)


def test_a_job_runs_first_and_anew_for_each_release(lab: Any) -> None:
    shop = Strategy(lab, "job-first.yaml")
    uids = []
    for sequence, digest in ((1, "a"), (2, "b")):
        job, full = workload("Job", "migrate"), workload("Deployment", "shop")
        ended = lab.ended(shop.start(sequence, digest, job=[job], full=[full]))
        assert read_execution(ended).deployed
        live = shop.live("Job")["migrate"]
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] == f"{IMAGE}@sha256:{digest * 64}"
        uids.append(live["metadata"]["uid"])
        stage = next(stage for stage in ended["stages"] if stage["type"] == "runJobManifest")
        assert [task["name"] for task in stage["tasks"]] == [
            "runJob",
            "monitorDeploy",
            "promoteOutputs",
            "waitOnJobCompletion",
        ]
        assert stage["context"]["jobStatus"]["jobState"] == "Succeeded"
        assert stage["context"]["deploy.jobs"] == {"shop": ["job migrate"]}
    assert uids[0] != uids[1]


def test_a_job_that_fails_stops_the_rollout_before_the_deploy(lab: Any) -> None:
    shop = Strategy(lab, "job-first.yaml")
    ended = lab.ended(
        shop.start(1, "a", job=[workload("Job", "migrate", fail=True)], full=[workload("Deployment", "shop")])
    )
    found = read_execution(ended)
    assert (found.status, found.deployed, found.message) == ("TERMINAL", False, "Job: 'job migrate' failed.")
    assert shop.live("Deployment") == {}


def test_a_part_for_a_job_is_one_job(lab: Any) -> None:
    shop = Strategy(lab, "job-first.yaml")
    two = [workload("Job", "migrate"), workload("Job", "seed")]
    ended = lab.ended(shop.start(1, "a", job=two, full=[workload("Deployment", "shop")]))
    assert "Run Job only supports manifests with a single Job." in str(read_execution(ended).message)
