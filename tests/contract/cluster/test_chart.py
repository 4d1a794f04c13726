"""The Spinnaker chart on a real API server: all is accepted under Pod Security `restricted`, and passwords outlive upgrades."""

import os
import re
import shlex
import subprocess
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from tests.contract.chart.helm import (
    CHART,
    ROOT,
    SETS,
    VALUES,
    Helm,
    Object,
    fetched,
    objects,
    secrets,
    value_arguments,
    workloads,
)
from tests.contract.cluster.kubectl import ApiServer, Kubectl

from downwind.cli.chart_images import main as images

pytestmark = pytest.mark.cluster

MONITORS = {"PodMonitor": "monitoring.coreos.com", "PodMonitoring": "monitoring.googleapis.com"}
NAMESPACES = "/api/v1/namespaces"


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return fetched(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def real(real_server: ApiServer) -> Kubectl:
    """With the namespaces that the sets name, and the kinds of the two Prometheus operators."""
    kubectl = Kubectl(real_server)
    for name in ("shop", "shop-staging"):
        kubectl.must("POST", NAMESPACES, {"metadata": {"name": name}})
    for kind, group in MONITORS.items():
        plural = f"{kind.lower()}s"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        body = {
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural},
                "versions": [version],
            },
        }
        kubectl.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    kubectl.must("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "important"}, "value": 1})
    return kubectl


def restricted(kubectl: Kubectl, name: str) -> str:
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    kubectl.must("POST", NAMESPACES, {"metadata": {"name": name, "labels": labels}})
    return name


@pytest.mark.parametrize("name", SETS)
def test_the_api_server_accepts_every_object_and_every_pod(
    helm: Helm, real: Kubectl, tmp_path: Path, name: str
) -> None:
    namespace = restricted(real, f"set-{name}")
    found = objects(helm.template(SETS[name], "--namespace", namespace))
    assert len(applied(helm, real, tmp_path, [in_namespace(each, namespace) for each in found])) == len(found)
    pods = [in_namespace(as_pod(each, pod), namespace) for each, pod in workloads(found)]
    assert len(applied(helm, real, tmp_path, pods)) == len(pods)


def test_a_pod_that_is_not_restricted_would_be_refused(helm: Helm, real: Kubectl, tmp_path: Path) -> None:
    namespace = restricted(real, "bad")
    name, template = next(workloads(objects(helm.template(SETS["trial"]))))
    pod = in_namespace(as_pod(name, template), namespace)
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(AssertionError, match='violates PodSecurity "restricted'):
        applied(helm, real, tmp_path, [pod])


def in_namespace(each: Object, namespace: str) -> Object:
    if each["kind"].startswith("ClusterRole"):
        return each
    return {**each, "metadata": {"namespace": namespace, **each["metadata"]}}


def applied(helm: Helm, real: Kubectl, scratch: Path, found: Sequence[Object]) -> list[str]:
    """What a server-side dry run of kubectl says, a line for each object; a warning or a refusal fails the test."""
    config, manifest = real.server.kubeconfig(scratch / "kubeconfig"), scratch / "manifest.yaml"
    manifest.write_text(yaml.safe_dump_all(found))
    command: list[str | Path] = [helm.kubectl, f"--kubeconfig={config}", "apply", "--dry-run=server"]
    command += ["--validate=strict", "--warnings-as-errors", f"--cache-dir={scratch / 'cache'}", "-f", manifest]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert not done.returncode, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def as_pod(name: str, template: Object) -> Object:
    """The pod that a controller would make of a template: the API server checks pods, and only warns of templates."""
    labels = template["metadata"].get("labels", {})
    claims = {mount["name"] for mount in template["spec"]["containers"][0].get("volumeMounts", [])}
    volumes = template["spec"].get("volumes", [])
    missing = claims - {volume["name"] for volume in volumes}
    spec = {**template["spec"], "volumes": [*volumes, *({"name": each, "emptyDir": {}} for each in sorted(missing))]}
    spec.pop("serviceAccountName")  # the API server of these tests makes no service accounts, and asks for none
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{name}-as-pod", "labels": labels}, "spec": spec}


def test_passwords_outlive_upgrade_rollback_and_reinstallation(helm: Helm, real: Kubectl, tmp_path: Path) -> None:
    namespace = restricted(real, "life")
    config = ("--namespace", namespace, "--kubeconfig", str(real.server.kubeconfig(tmp_path / "kubeconfig")))
    chart: tuple[str | Path, ...] = (CHART, *value_arguments(SETS["trial"]))

    def live() -> dict[str, str]:
        listed = real.must("GET", f"{NAMESPACES}/{namespace}/secrets")["items"]
        ours = [{**each, "kind": "Secret"} for each in listed if each["type"] == "Opaque"]
        return secrets(ours)

    helm.run("install", "spinnaker", *chart, *config)
    first = live()
    assert set(first) == set(secrets(objects(helm.template(SETS["trial"]))))
    helm.run("upgrade", "spinnaker", *chart, *config, "--set", "version=2026.2.5")
    assert live() == first
    helm.run("rollback", "spinnaker", "1", *config)
    assert live() == first
    deployment = real.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/spinnaker-gate")
    assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == "2026.2.4"
    helm.run("uninstall", "spinnaker", *config)
    assert real.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/spinnaker-gate") is None
    assert live() == first
    helm.run("install", "spinnaker", *chart, *config)
    assert live() == first
    record = real.must("GET", f"{NAMESPACES}/{namespace}/secrets/sh.helm.release.v1.spinnaker.v1")
    assert b64decode(record["data"]["release"])


PAGE = ROOT / "docs/how-to/install-spinnaker.md"
NOT_HERE = ("helm test ", "kubectl --namespace spinnaker port-forward ")
"""These need nodes, and there are none."""


def test_the_commands_of_the_page_install_a_trial_and_then_for_life(helm: Helm, real: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    (tmp_path / "images.yaml").write_text((VALUES / "digests.yaml").read_text())
    own = {
        "PATH": f"{helm.programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(real.server.kubeconfig(tmp_path / "kubeconfig")),
    }
    said = {}
    for command in commands(PAGE.read_text()):
        if command.startswith("scripts/spinnaker-images "):
            images.make_context(
                "spinnaker-images", shlex.split(command)[1:]
            )  # that it would be taken; it asks registries
        elif not command.startswith(NOT_HERE) and command != "kubectl create namespace shop":  # that the fixture did
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                check=False,
                capture_output=True,
                text=True,
                timeout=120,
                env=own,
                cwd=tmp_path,
            )
            assert (done.returncode, done.stderr) == (0, ""), command
            said[command] = done.stdout
    password = next(text for command, text in said.items() if "get secret" in command)
    assert len(password) == 40
    assert len([command for command in said if command.startswith("helm upgrade --install")]) == 2
    deployments = real.must("GET", "/apis/apps/v1/namespaces/spinnaker/deployments")["items"]
    assert {each["metadata"]["name"]: each["spec"]["replicas"] for each in deployments}["spinnaker-gate"] == 2
    assert real.must("GET", "/apis/apps/v1/namespaces/spinnaker/statefulsets")["items"] == []


def commands(page: str) -> list[str]:
    """The lines of its blocks of shell, continued ones as one."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line]
