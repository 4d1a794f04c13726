"""What the local cluster keeps, and when a workload in it is ready."""

from pathlib import Path
from typing import Any

import pytest

from downwind.local.cluster import ApiError, Cluster
from downwind.local.cluster_workloads import failure

DIGEST = "registry.example/shop@sha256:" + "a" * 64


def deployment(image: str = DIGEST, **metadata: Any) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "web", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        "spec": {"replicas": 2, "template": pod},
    }


def job(image: str) -> dict[str, Any]:
    return {**deployment(image), "apiVersion": "batch/v1", "kind": "Job"}


def test_objects_survive_a_new_process(tmp_path: Path) -> None:
    first = Cluster(tmp_path)
    stored = first.apply(deployment())
    first.stop()
    second = Cluster(tmp_path)
    assert second.list() == [stored] == second.list("shop", "Deployment")
    assert second.list("other") == second.list(kind="Job") == []
    second.stop()


def test_versions_rise_with_each_change_and_generation_with_the_spec(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    first, same = cluster.apply(deployment()), cluster.apply(deployment())
    labelled = cluster.apply(deployment(labels={"a": "b"}))
    scaled = cluster.apply({**deployment(), "spec": {"replicas": 1}})
    cluster.stop()
    versions = [int(found["metadata"]["resourceVersion"]) for found in (first, same, labelled, scaled)]
    assert versions[0] == versions[1] < versions[2] < versions[3]
    assert [found["metadata"]["generation"] for found in (first, same, labelled, scaled)] == [1, 1, 1, 2]
    assert len({found["metadata"]["uid"] for found in (first, labelled, scaled)}) == 1


def test_an_apply_replaces_what_the_manifest_no_longer_says(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.apply(deployment(labels={"a": "b"}, annotations={"c": "d"}))
    stored = cluster.apply(deployment())
    cluster.stop()
    assert "labels" not in stored["metadata"]
    assert "annotations" not in stored["metadata"]


def test_what_the_server_writes_cannot_come_from_a_manifest(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    stored = cluster.apply({**deployment(uid="mine", resourceVersion="99"), "status": {"readyReplicas": 9}})
    cluster.stop()
    assert stored["metadata"]["uid"] != "mine"
    assert stored["metadata"]["resourceVersion"] != "99"
    assert stored["status"]["readyReplicas"] == 2


@pytest.mark.parametrize("make", [deployment, job])
def test_a_workload_is_ready_at_once_when_its_images_have_digests(tmp_path: Path, make: Any) -> None:
    cluster = Cluster(tmp_path)
    stored = cluster.apply(make(DIGEST))
    cluster.stop()
    assert failure(stored) is None
    assert {condition["status"] for condition in stored["status"]["conditions"]} == {"True"}


def test_a_workload_whose_image_has_only_a_tag_fails(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    stored, failed = cluster.apply(deployment("shop:v1")), cluster.apply(job("shop:v1"))
    cluster.stop()
    assert "shop:v1 has no digest" in (failure(stored) or "")
    assert stored["status"]["readyReplicas"] == failed["status"]["succeeded"] == 0
    assert stored["status"]["conditions"][0]["reason"] == "ProgressDeadlineExceeded"


def test_a_workload_fails_on_demand(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    stored = cluster.apply(deployment(annotations={"local.downwind.dev/fail": "true"}))
    cluster.stop()
    assert "local.downwind.dev/fail" in (failure(stored) or "")


def test_cluster_wide_objects_have_no_namespace_and_others_a_default_one(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    wide = cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "namespace": "x"}})
    narrow = cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})
    assert cluster.get("anything", "Namespace", "shop") == wide
    cluster.stop()
    assert narrow["metadata"]["namespace"] == "default"


@pytest.mark.parametrize(
    ("manifest", "status"),
    [
        ({"metadata": {"name": "x"}}, 400),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, 422),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ""}}, 422),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "annotations": {"a": 7}}}, 400),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "labels": {"a": True}}}, 400),
    ],
)
def test_what_is_no_kubernetes_object_is_refused(tmp_path: Path, manifest: dict[str, Any], status: int) -> None:
    cluster = Cluster(tmp_path)
    with pytest.raises(ApiError) as refusal:
        cluster.apply(manifest)
    cluster.stop()
    assert refusal.value.status == status


def test_deleting_what_is_not_there_is_a_404(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    with pytest.raises(ApiError, match='deployments "web" not found'):
        cluster.delete("shop", "Deployment", "web")
    cluster.stop()
