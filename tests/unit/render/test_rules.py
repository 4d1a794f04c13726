"""The catalog's policy: what each rule takes and refuses, and that a breach names file, object, path and rule."""

import copy
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.model.policy import DENIABLE, REQUIRABLE, ImagePath, Policy, Rules
from downwind.render.bundle import ReleaseFacts, identities, make_bundle
from downwind.render.rules import breaches
from downwind.render.serialise import split
from downwind.render.yaml_reader import read_documents

NAME, DIGEST = "us-docker.pkg.dev/acme/shop", "sha256:" + "a" * 64
GOOD_CONTAINER: dict[str, Any] = {
    "name": "web",
    "image": f"{NAME}@{DIGEST}",
    "ports": [{"containerPort": 8080}],
    "readinessProbe": {"httpGet": {"port": 8080}},
    "livenessProbe": {"httpGet": {"port": 8080}},
    "resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    },
}
GOOD_POD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True},
    "containers": [GOOD_CONTAINER],
    "volumes": [{"emptyDir": {}}],
}
STRICT = Policy(
    deny=DENIABLE,
    require=REQUIRABLE,
    registries=("us-docker.pkg.dev/acme/*",),
    kinds=("Pod", "ConfigMap", "apps/*", "batch/*"),
    deny_kinds=("batch/CronJob",),
    namespaces=("shop-*",),
    labels=("team",),
)


def pod(kind: str = "Pod", api: str = "v1", namespace: str = "shop", **more: Any) -> dict[str, Any]:
    spec = {**copy.deepcopy(GOOD_POD), **more}
    metadata = {"name": "web", "namespace": namespace, "labels": {"team": "shop"}}
    template = spec if kind == "Pod" else {"template": {"spec": spec}}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": template}


def container(**more: Any) -> list[dict[str, Any]]:
    return [{**copy.deepcopy(GOOD_CONTAINER), **more}]


def secure(**more: Any) -> list[dict[str, Any]]:
    return container(securityContext={**GOOD_CONTAINER["securityContext"], **more})


def found(value: dict[str, Any], policy: Policy = STRICT) -> list[str]:
    return list(breaches(value, policy, "shop"))


@pytest.mark.parametrize(
    "value",
    [
        pod(),
        pod("Deployment", "apps/v1"),
        pod("Job", "batch/v1", containers=container(readinessProbe=None, livenessProbe=None)),
        pod(namespace="shop-eu"),
        pod(initContainers=container(readinessProbe=None, livenessProbe=None)),
        pod(resources={"limits": {"cpu": "1", "memory": "1Gi"}}, containers=container(resources=None)),
    ],
    ids=[
        "a pod",
        "a deployment",
        "a job without probes",
        "another namespace",
        "an init container",
        "resources of the pod",
    ],
)
def test_what_follows_every_rule_passes(value: dict[str, Any]) -> None:
    assert found(value) == []


@pytest.mark.parametrize(
    ("value", "breach"),
    [
        (pod(hostNetwork=True), "spec.hostNetwork: is set (policy.deny hostNetwork)"),
        (pod(hostPID=True), "spec.hostPID: is set (policy.deny hostPID)"),
        (pod(hostIPC=True), "spec.hostIPC: is set (policy.deny hostIPC)"),
        (
            pod(volumes=[{"emptyDir": {}}, {"hostPath": {"path": "/"}}]),
            "spec.volumes[1].hostPath: a path of the node (policy.deny hostPath)",
        ),
        (
            pod(containers=secure(privileged=True)),
            "spec.containers[0].securityContext.privileged: is set (policy.deny privileged)",
        ),
        (
            pod(containers=secure(allowPrivilegeEscalation=None)),
            "spec.containers[0].securityContext.allowPrivilegeEscalation: is not false (policy.deny privilegeEscalation)",
        ),
        (
            pod(containers=secure(capabilities={"add": ["NET_BIND_SERVICE", "SYS_ADMIN"]})),
            "spec.containers[0].securityContext.capabilities.add: NET_BIND_SERVICE, SYS_ADMIN (policy.deny capabilities)",
        ),
        (
            pod(securityContext={}),
            "spec.containers[0].securityContext.runAsNonRoot: may run as root (policy.deny root)",
        ),
        (
            pod(containers=secure(runAsUser=0)),
            "spec.containers[0].securityContext.runAsNonRoot: may run as root (policy.deny root)",
        ),
        (
            pod(containers=secure(runAsNonRoot=False)),
            "spec.containers[0].securityContext.runAsNonRoot: may run as root (policy.deny root)",
        ),
        (
            pod(containers=container(ports=[{"hostPort": 80}])),
            "spec.containers[0].ports[0].hostPort: is set (policy.deny hostPort)",
        ),
        (
            pod(containers=secure(readOnlyRootFilesystem=False)),
            "spec.containers[0].securityContext.readOnlyRootFilesystem: is not true (policy.require readOnlyRootFilesystem)",
        ),
        (
            pod("Deployment", "apps/v1", containers=container(readinessProbe=None)),
            "spec.template.spec.containers[0].readinessProbe: is missing (policy.require readinessProbe)",
        ),
        (
            pod(containers=container(livenessProbe=None)),
            "spec.containers[0].livenessProbe: is missing (policy.require livenessProbe)",
        ),
        (
            pod(containers=container(resources={"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}})),
            "spec.containers[0].resources.limits.memory: is missing (policy.require limits.memory)",
        ),
        (
            pod(ephemeralContainers=container(image=f"{NAME}:v1")),
            f"spec.ephemeralContainers[0].image: {NAME}:v1 has no digest (policy.require digest)",
        ),
        (
            pod(initContainers=container(image=f"docker.io/nginx@{DIGEST}")),
            f"spec.initContainers[0].image: docker.io/nginx@{DIGEST} is not from a registry that is allowed (policy.registries)",
        ),
        (
            pod(volumes=[{"image": {"reference": f"docker.io/models@{DIGEST}"}}]),
            f"spec.volumes[0].image.reference: docker.io/models@{DIGEST} is not from a registry that is allowed (policy.registries)",  # noqa: E501
        ),
        (pod(namespace="kube-system"), "metadata.namespace: kube-system is not allowed (policy.namespaces)"),
    ],
    ids=lambda value: value.partition(":")[0] + value.rpartition("(")[2] if isinstance(value, str) else "",
)
def test_each_breach_is_told_with_its_path_and_rule(value: dict[str, Any], breach: str) -> None:
    assert found(value) == [breach]


def test_requests_and_limits_are_told_one_by_one() -> None:
    rules = [each.rpartition("require ")[2] for each in found(pod(containers=container(resources={})))]
    assert rules == ["limits.cpu)", "limits.memory)", "requests.cpu)", "requests.memory)"]


def test_kinds_labels_and_what_is_for_the_whole_cluster() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}}
    assert found(role) == [
        "kind: rbac.authorization.k8s.io/ClusterRole is not among the kinds that are allowed (policy.kinds.allow)",
        "metadata.namespace: an object for the whole cluster (policy.deny clusterWide)",
        "metadata.labels: team is missing (policy.labels)",
    ]
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "a", "namespace": "shop", "labels": {"team": "x"}},
    }
    assert found(cron) == ["kind: batch/CronJob is not allowed (policy.kinds.deny)"]
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "a"},
        "spec": {"hostPath": {"path": "/"}},
    }
    assert found(volume, Policy(deny=("hostPath",))) == ["spec.hostPath: a path of the node (policy.deny hostPath)"]


def test_no_policy_allows_everything() -> None:
    assert found(pod(hostNetwork=True, containers=secure(privileged=True)), Policy()) == []


@pytest.mark.parametrize("strange", [5, "x", [], [5], None, {"a": 1}])
def test_what_is_of_another_shape_than_kubernetes_knows_breaks_nothing(strange: Any) -> None:
    for field in ("volumes", "securityContext", "initContainers", "resources"):
        found(pod(**{field: strange}))
    for field in ("ports", "securityContext", "resources", "image"):
        found(pod(containers=container(**{field: strange})))
    found(pod(containers=secure(capabilities={"add": strange})))


def release(policy: Policy = Policy(), *paths: ImagePath) -> ReleaseFacts:  # noqa: B008 - a frozen value
    rules = Rules(policy=policy, image_paths=paths)
    return ReleaseFacts(
        application="shop", environment="staging", namespace="shop", commit="c" * 40, images={NAME: DIGEST}, rules=rules
    )


DEPLOYMENT = f"""\
# the shop
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      hostNetwork: true
      containers:
      - {{name: web, image: "{NAME}:v1", securityContext: {{privileged: true}}}}
"""


def test_a_refusal_names_file_object_path_and_rule_of_every_breach() -> None:
    with pytest.raises(Refused) as caught:
        make_bundle(
            read_documents("web.yaml", DEPLOYMENT.encode()), release(Policy(deny=("hostNetwork", "privileged")))
        )
    assert caught.value.reason == (
        "web.yaml:2: Deployment web: spec.template.spec.hostNetwork: is set (policy.deny hostNetwork); "
        "web.yaml:2: Deployment web: spec.template.spec.containers[0].securityContext.privileged: is set (policy.deny privileged)"
    )
    assert caught.value.fix


def test_ten_breaches_are_told_and_the_others_counted() -> None:
    many = [pod(hostPID=True) | {"metadata": {"name": f"p{number}"}} for number in range(12)]
    with pytest.raises(Refused, match=r"; and 2 more$"):
        make_bundle(many, release(Policy(deny=("hostPID",))))


def thing(spec: Any, kind: str = "Workflow", api: str = "argoproj.io/v1alpha1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "a", **more}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"image": NAME}, "spec.image"),
        ({"runnerImage": NAME}, "spec.runnerImage"),
        ({"steps": [{"run": {"image": f"{NAME}:v1"}}]}, "spec.steps[0].run.image"),
        ({"args": ["--image", f"{NAME}:v1"]}, "spec.args[1]"),
        ({"reference": f"{NAME}@sha256:{'b' * 64}"}, "spec.reference"),
    ],
)
def test_an_image_of_the_release_that_nobody_pins_is_refused_with_its_place(spec: Any, path: str) -> None:
    with pytest.raises(Refused, match=f"^Workflow a: {path.replace('[', '.').replace(']', '.')}: {NAME}") as caught:
        make_bundle([thing(spec)], release())
    assert "without its digest (image_paths)" in caught.value.reason


@pytest.mark.parametrize(
    "value",
    [
        thing({"args": [NAME], "image": f"{NAME}@{DIGEST}", "other": f"{NAME}-worker:v1"}),
        thing({}, annotations={"image": f"{NAME}:v1"}),
        thing({"template": {"metadata": {"annotations": {"image": f"{NAME}:v1"}}}}),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"image": f"{NAME}:v1"}},
    ],
    ids=["a bare name, pinned, and another image", "an annotation", "a template's", "a user's own text"],
)
def test_what_is_no_image_that_kubernetes_pulls_is_left_alone(value: dict[str, Any]) -> None:
    assert len(make_bundle([value], release()).objects) == 1


def test_the_catalogs_paths_are_pinned() -> None:
    spec = {"image": f"{NAME}:v1", "steps": [{"run": {"image": NAME}}, {"run": {}}, 5], "other": {"image": "nginx"}}
    paths = (
        ImagePath(kind="argoproj.io/Work*", path="spec.image"),
        ImagePath(kind="*", path="spec.steps[*].run.image"),
        ImagePath(kind="*", path="spec.nothing.image"),
        ImagePath(kind="Workflow", path="spec.other.image"),
    )
    (value,) = split(make_bundle([thing(spec)], release(Policy(), *paths)).documents)
    pinned = f"{NAME}@{DIGEST}"
    assert value["spec"] == {
        "image": pinned,
        "steps": [{"run": {"image": pinned}}, {"run": {}}, 5],
        "other": {"image": "nginx"},
    }


def test_a_kind_of_the_core_group_is_named_alone() -> None:
    value = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"image": NAME}}
    found = make_bundle([value], release(Policy(), ImagePath(kind="Thing", path="spec.image")))
    assert found.pinned == (f"{NAME}@{DIGEST}",)


def test_identities_are_those_of_the_bundle() -> None:
    values: list[Any] = [
        thing({}),
        pod(),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}},
        {"kind": "List"},
        5,
    ]
    assert identities([*values, {"metadata": {}}], "shop") == {
        ("argoproj.io", "Workflow", "", "a"),
        ("", "Pod", "shop", "web"),
        ("", "Secret", "shop", "s"),
    }
