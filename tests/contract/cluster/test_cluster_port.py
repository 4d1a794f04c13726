"""The port `Cluster`: the official client on our cluster store and on a real API server, and the twin in memory."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.cluster.kubectl import ApiServer, Kubectl

from downwind.adapters.cluster import KubernetesCluster
from downwind.adapters.memory_cluster import MemoryCluster
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.cluster_policy import SEQUENCE_POLICY, denial, refuse_write
from downwind.ports import Cluster
from downwind.shipped import admission_policy
from downwind.soundness.admission import check_admission, probe_of

OWNER = "shop/staging"
POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def fence(namespace: str, sequence: str) -> dict[str, Any]:
    manifest = probe_of(OWNER, namespace, None)
    manifest["metadata"]["annotations"] |= {"downwind.dev/sequence": sequence, "downwind.dev/execution": f"E{sequence}"}
    return manifest


def reviewed(new: Any, old: Any) -> str | None:
    refusal = refuse_write(new, old)
    return None if refusal is None else denial(SEQUENCE_POLICY, refusal)


@pytest.fixture(params=["memory", "local", pytest.param("real", marks=pytest.mark.cluster)])
def made(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Cluster, str, Callable[[dict[str, Any]], None]]]:
    """The port, a namespace of this test, and how an object gets there."""
    if request.param == "memory":
        twin = MemoryCluster(review=reviewed, namespaces={"case": {"kubernetes.io/metadata.name": "case"}})
        twin.objects.extend(copy.deepcopy(list(admission_policy())))
        yield twin, "case", twin.objects.append
        return
    server: ApiServer = request.getfixturevalue(f"{request.param}_server")
    kubectl = Kubectl(server)
    namespace = f"port-{id(request)}"
    if server.real:
        kubectl.must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})

    def put(manifest: dict[str, Any]) -> None:
        plural = {"ConfigMap": "configmaps", "Secret": "secrets"}[manifest["kind"]]
        kubectl.must("POST", f"/api/v1/namespaces/{namespace}/{plural}", manifest)

    yield KubernetesCluster(str(server.kubeconfig(tmp_path / "config")), timeout=60), namespace, put


Made = tuple[Cluster, str, Callable[[dict[str, Any]], None]]


def test_the_shipped_policy_reads_as_it_was_written(made: Made) -> None:
    cluster, namespace, _ = made
    labels = cluster.namespace(namespace)
    assert labels is not None
    assert labels["kubernetes.io/metadata.name"] == namespace
    assert check_admission(cluster.name, cluster.admission(), admission_policy(), {namespace: labels}) == []
    assert {each["kind"] for each in cluster.admission()} == set(POLICIES)


def test_what_bears_marks_is_listed_without_its_content(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, namespace, put = made
    monkeypatch.setattr("downwind.adapters.cluster.CHUNK", 1)  # every second object stands on another page
    put(fence(namespace, "7"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}}
    put({**secret, "stringData": {"a": "b"}})
    marks = {"downwind.dev/owner": OWNER, "downwind.dev/sequence": "6"}
    put({**secret, "metadata": {**secret["metadata"], "name": "marked", "annotations": marks}})  # type: ignore[dict-item]
    found = {(each.kind, each.name): each.annotations for each in cluster.marked() if each.namespace == namespace}
    assert set(found) == {("ConfigMap", "downwind.shop.staging"), ("Secret", "marked")}
    assert found["ConfigMap", "downwind.shop.staging"]["downwind.dev/sequence"] == "7"


def test_a_mark_says_which_kind_it_is_on_and_whether_a_controller_copied_it(made: Made) -> None:
    cluster, namespace, put = made
    put(fence(namespace, "7"))
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "whole", "uid": "5d6e7f8a-0000-4000-8000-000000000000"}
    about = {"namespace": namespace, "annotations": {"downwind.dev/owner": OWNER, "downwind.dev/sequence": "6"}}
    for name, controller in (("copied", True), ("owned", False)):
        references = [{**owner, "controller": controller}]
        metadata = {**about, "name": name, "ownerReferences": references}
        put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    found = {each.name: each for each in cluster.marked() if each.namespace == namespace}
    assert {each.api_version for each in found.values()} == {"v1"}
    assert {name: each.controlled for name, each in found.items()} == {
        "copied": True,
        "downwind.shop.staging": False,
        "owned": False,
    }
    assert found["downwind.shop.staging"].labels == {"downwind.dev/fence": "true"}


def test_one_config_map_says_its_annotations(made: Made) -> None:
    cluster, namespace, put = made
    assert cluster.annotations(namespace, "downwind.shop.staging") is None
    put(fence(namespace, "7"))
    found = cluster.annotations(namespace, "downwind.shop.staging")
    assert found is not None
    assert found["downwind.dev/execution"] == "E7"


def test_a_dry_run_says_what_would_be_refused_and_leaves_nothing(made: Made) -> None:
    cluster, namespace, put = made
    first = cluster.dry_run(probe_of(OWNER, namespace, None))
    assert first is not None
    assert f"'{SEQUENCE_POLICY}'" in first
    assert cluster.dry_run(fence(namespace, "7")) is None
    assert cluster.annotations(namespace, "downwind.shop.staging") is None
    put(fence(namespace, "7"))
    refusal = cluster.dry_run(probe_of(OWNER, namespace, {"downwind.dev/sequence": "7"}))
    assert refusal is not None
    assert "may not fall from 7 to 6" in refusal
    assert cluster.dry_run(fence(namespace, "8")) is None
    assert (cluster.annotations(namespace, "downwind.shop.staging") or {})["downwind.dev/sequence"] == "7"


def test_a_namespace_that_is_not_there(made: Made) -> None:
    cluster, _, _ = made
    if cluster.name == "lab" and not cluster._client.configuration.ssl_ca_cert:  # type: ignore[attr-defined]
        pytest.skip("every namespace is there in the local cluster")
    assert cluster.namespace("nowhere") is None
    with pytest.raises(Refused, match='namespaces "nowhere" not found'):
        cluster.dry_run(fence("nowhere", "1"))


@pytest.mark.cluster
def test_a_right_that_is_missing_is_no_verdict(real_server: ApiServer, tmp_path: Path) -> None:
    """The deployer may not read admission policies."""
    cluster = KubernetesCluster(str(real_server.kubeconfig(tmp_path / "config", "deployer")))
    with pytest.raises(Misconfigured, match="cannot list resource"):
        cluster.admission()


def test_a_server_that_does_not_answer_is_no_verdict(tmp_path: Path) -> None:
    server = ApiServer("http://127.0.0.1:9", {"admin": "x"})
    cluster = KubernetesCluster(str(server.kubeconfig(tmp_path / "config")))
    with pytest.raises(TransientError, match="cluster lab did not answer"):
        cluster.marked()


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = str(ApiServer("http://127.0.0.1:9", {"admin": "x"}).kubeconfig(tmp_path / "config"))
    with pytest.raises(Refused, match="other"):
        KubernetesCluster(config, "other")
    with pytest.raises(Refused, match="missing"):
        KubernetesCluster(str(tmp_path / "missing"))


def test_a_kind_that_nobody_knows_is_refused(local_server: ApiServer, tmp_path: Path) -> None:
    cluster = KubernetesCluster(str(local_server.kubeconfig(tmp_path / "config")))
    with pytest.raises(Refused, match=r"knows no try\.it/v1 Thing"):
        cluster.dry_run({"apiVersion": "try.it/v1", "kind": "Thing", "metadata": {"name": "x"}})


def test_a_preview_says_what_an_apply_would_make_of_what_stands_and_writes_nothing(made: Made) -> None:
    cluster, namespace, put = made
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "words", "namespace": namespace}}
    after = cluster.preview({**manifest, "data": {"word": "hello"}})
    assert (after["data"], after["metadata"]["name"]) == ({"word": "hello"}, "words")
    assert cluster.live(manifest) is None
    put({**copy.deepcopy(manifest), "data": {"word": "hello", "more": "1"}})
    assert cluster.preview({**manifest, "data": {"word": "goodbye"}})["data"]["word"] == "goodbye"
    standing = cluster.live(manifest)
    assert standing is not None
    assert standing["data"] == {"word": "hello", "more": "1"}


def test_a_preview_of_what_a_policy_refuses_is_refused_in_its_words(made: Made) -> None:
    cluster, namespace, put = made
    put(fence(namespace, "7"))
    with pytest.raises(Refused, match="ValidatingAdmissionPolicy"):
        cluster.preview(fence(namespace, "6"))


def test_a_preview_of_a_kind_that_the_cluster_does_not_know_is_refused(made: Made) -> None:
    cluster, namespace, _ = made
    if cluster.name == "memory":
        return  # it takes any kind
    thing = {"apiVersion": "acme.example/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": namespace}}
    for ask in (cluster.preview, cluster.live):
        with pytest.raises(Refused, match=r"knows no acme\.example/v1 Thing"):
            ask(thing)
