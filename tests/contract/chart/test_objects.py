"""What holds for every object of every installation: read from the golden files, so it is tested without Helm too."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from tests.contract.chart.helm import ROOT, SETS, Object, golden, workloads

BY_DIGEST = re.compile(r"[a-z0-9.-]+(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
SERVICES = {"gate", "orca", "clouddriver", "front50", "echo", "igor", "rosco", "deck"}


@pytest.fixture(params=SETS)
def found(request: pytest.FixtureRequest) -> list[Object]:
    return golden(request.param)


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def of(found: Sequence[Object], kind: str) -> list[Object]:
    return [each for each in found if each["kind"] == kind]


def test_every_image_is_named_by_its_digest(found: list[Object]) -> None:
    images = [container["image"] for _, pod in workloads(found) for container in containers(pod)]
    assert images
    assert [image for image in images if not BY_DIGEST.fullmatch(image)] == []


def test_all_eight_services_run() -> None:
    for name in SETS:
        names = {each["metadata"]["labels"]["app.kubernetes.io/component"] for each in of(golden(name), "Deployment")}
        left_out = {"rosco"} if name == "standard-everywhere" else set()
        assert names - {"echo-scheduler"} == SERVICES - left_out


def test_every_container_is_restricted_and_cannot_write_its_image(found: list[Object]) -> None:
    for name, pod in workloads(found):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["runAsUser"] >= 10000, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_every_container_has_bounds_and_every_service_is_probed(found: list[Object]) -> None:
    for name, pod in workloads(found):
        for container in containers(pod):
            resources = container["resources"]
            assert {"cpu", "memory", "ephemeral-storage"} <= set(resources["requests"]), name
            assert {"memory", "ephemeral-storage"} <= set(resources["limits"]), name
            if not name.endswith("-test"):
                assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name


def test_only_clouddriver_has_a_token_of_the_cluster_and_nobody_the_default_account(found: list[Object]) -> None:
    accounts = {each["metadata"]["name"] for each in of(found, "ServiceAccount")}
    for name, pod in workloads(found):
        assert pod["spec"]["automountServiceAccountToken"] is name.endswith("-clouddriver"), name
        assert pod["spec"]["serviceAccountName"] in accounts, name


def test_only_memory_and_claims_are_written_to(found: list[Object]) -> None:
    for name, pod in workloads(found):
        kinds = {key for volume in pod["spec"].get("volumes", []) for key in volume if key != "name"}
        assert kinds <= {"configMap", "secret", "projected", "emptyDir"}, name


def test_nothing_is_reached_from_outside(found: list[Object]) -> None:
    assert of(found, "Ingress") == []
    for service in of(found, "Service"):
        if service["spec"]["type"] == "LoadBalancer":
            assert service["metadata"]["annotations"]["networking.gke.io/load-balancer-type"] == "Internal"
            assert service["spec"]["loadBalancerSourceRanges"]
        else:
            assert service["spec"]["type"] == "ClusterIP"


def test_each_service_finds_its_pods_and_each_name_its_object(found: list[Object]) -> None:
    pods = [pod["metadata"]["labels"] for _, pod in workloads(found)]
    for service in of(found, "Service"):
        assert any(service["spec"]["selector"].items() <= labels.items() for labels in pods)
    there = {(each["kind"], each["metadata"]["name"]) for each in found}
    for name, pod in workloads(found):
        for volume in pod["spec"].get("volumes", []):
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there, name
            for mount in containers(pod)[0]["volumeMounts"]:
                assert mount["name"] in {each["name"] for each in pod["spec"]["volumes"]} | {"data"}, name


def test_what_runs_more_than_once_may_lose_one_at_a_time_and_is_spread(found: list[Object]) -> None:
    budgets = {each["metadata"]["name"]: each["spec"] for each in of(found, "PodDisruptionBudget")}
    for each in of(found, "Deployment"):
        name = each["metadata"]["name"]
        assert (name in budgets) == (each["spec"]["replicas"] > 1), name
        if name in budgets:
            assert budgets[name]["maxUnavailable"] == 1
        assert len(each["spec"]["template"]["spec"]["topologySpreadConstraints"]) == 2
    assert "spinnaker-echo-scheduler" not in budgets


def test_rights_end_at_the_named_namespaces_unless_asked() -> None:
    for name in SETS:
        found = golden(name)
        everywhere = of(found, "ClusterRole") + of(found, "ClusterRoleBinding")
        assert bool(everywhere) == (name == "standard-everywhere"), name
        for role in [*of(found, "Role"), *of(found, "ClusterRole")]:
            rules: list[dict[str, Any]] = role["rules"]
            assert not any("*" in rule[key] for rule in rules for key in ("apiGroups", "resources", "verbs")), name
            assert not any("rbac.authorization.k8s.io" in rule["apiGroups"] for rule in rules), name
    assert {each["metadata"]["namespace"] for each in of(golden("standard-gke"), "Role")} == {"shop", "shop-staging"}


def test_the_mirror_takes_the_place_of_every_host() -> None:
    images = {
        container["image"] for _, pod in workloads(golden("standard-oauth2")) for container in pod["spec"]["containers"]
    }
    assert all(image.startswith("europe-west1-docker.pkg.dev/acme/mirror/spinnaker/") for image in images)


def test_the_sizes_ask_for_what_the_page_says() -> None:
    page = (ROOT / "docs/reference/chart.md").read_text()
    for size, name in (("trial", "trial"), ("standard", "standard-gke")):
        memory, processors = requested(golden(name))
        sentence = re.search(rf"`{size}`: .*?([0-9.]+) GiB\s+of memory and\s+([0-9.]+)\s+processors", page, re.DOTALL)
        assert sentence, size
        assert (float(sentence[1]), float(sentence[2])) == (memory, processors), size


def requested(found: Sequence[Object]) -> tuple[float, float]:
    """GiB of memory and processors of all that stays, to one place."""
    units = {"Mi": 1 / 1024, "Gi": 1}
    memory = processors = 0.0
    for each in found:
        if each["kind"] in {"Deployment", "StatefulSet"}:
            for container in each["spec"]["template"]["spec"]["containers"]:
                asked = container["resources"]["requests"]
                memory += each["spec"]["replicas"] * float(asked["memory"][:-2]) * units[asked["memory"][-2:]]
                cpu = asked["cpu"]
                processors += each["spec"]["replicas"] * (float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu))
    return round(memory, 1), round(processors, 1)
