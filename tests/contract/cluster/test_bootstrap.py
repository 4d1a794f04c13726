"""The in-cluster part of the bootstrap: Helm's twin on our store and the real Helm on a real API server, one contract; and on the
real one all of it, killed after each write, and the way back. Google is the fake."""

import base64
import gzip
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.conftest import make_plan
from tests.bootstrap.site import Killed, Site, start_site
from tests.contract.chart.helm import ROOT, fetched
from tests.contract.cluster.kubectl import MERGE, ApiServer, Kubectl, until

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.cloud import Conflict
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.kinds.releases import DEAD, Releases
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.programs import HelmProgram
from downwind.bootstrap.shell import script
from downwind.bootstrap.wanted import IN_CLUSTER, Resource
from downwind.bootstrap.write import Request
from downwind.errors import Refused

IN_LAB = {"create": "none", "context": "lab", "name": "downwind", "location": None}
WITHIN = {*IN_CLUSTER, "application", "pipeline", "catalog"}


@pytest.fixture
def lab(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An installation into the cluster of the context `lab`, with namespaces of this test alone; nothing is applied."""
    site = start_lab(server, tmp_path, lab_plan())
    for key, value in site.environment.items():
        monkeypatch.setenv(key, value)
    yield site
    site.stop()


def lab_plan(**change: Any) -> Plan:
    mark = uuid.uuid4().hex[:8]
    spinnaker = {
        "gate": "http://gate.example:8084",
        "deck": None,
        "tokenSecret": None,
        "install": True,
        "namespace": f"spinnaker-{mark}",
        "images": "spinnaker/images.yaml",
        "values": ["spinnaker/values.yaml"],
        "pipelines": [],
        "email": "sre@acme.example",
    }
    namespaces = [{"name": f"{each}-{mark}", "podSecurity": "baseline"} for each in ("shop", "web")]
    return make_plan(
        "standard",
        cluster=IN_LAB | {"minNodes": 1, "maxNodes": 3, "machine": "x"},
        spinnaker=spinnaker,
        namespaces=namespaces,
        **change,
    )


def start_lab(server: ApiServer, folder: Path, plan: Plan, before: Site | None = None) -> Site:
    site = start_site(plan, folder / "lab", before, cluster=False)
    if server.real:
        site.environment["KUBECONFIG"] = str(server.kubeconfig(folder / "kubeconfig"))
        helm = fetched(folder)
        variables = {"HOME": str(folder), "PATH": f"{helm.programs}:{os.environ['PATH']}"}
        site.program = HelmProgram(plan.values, site.cloud(), site.environment | variables)
    return site


def release_of(site: Site) -> tuple[Releases, Resource]:
    kind = site.plan.kinds["release"]
    assert isinstance(kind, Releases)
    return kind, next(each for each in site.plan.resources if each.kind == "release")


def test_a_release_reads_as_it_was_made(lab: Site) -> None:
    kind, resource = release_of(lab)
    make_namespaces(lab)
    cloud = lab.cloud()
    assert kind.read(cloud, resource) is None
    command = kind.create(resource, None).command
    assert command is not None
    lab.helm.run(command)
    live = kind.read(cloud, resource)
    assert (live["status"], kind.ours(resource, live)) == ("deployed", True)
    assert kind.differs(resource, live) == []
    names = {each["metadata"]["name"] for each in live["workloads"]}
    assert {"spinnaker-gate", "spinnaker-orca", "spinnaker-deck"} <= names
    lab.helm.run([each.replace('"downwind-receive"', '"another"') for each in command])
    assert kind.differs(resource, kind.read(cloud, resource)) == ["values.downwind.tokenSecret is not ours"]
    lab.helm.run(command)
    assert kind.differs(resource, kind.read(cloud, resource)) == []
    uninstall = kind.delete(resource).command
    assert uninstall is not None
    lab.helm.run(uninstall)
    assert kind.read(cloud, resource) is None
    lab.helm.run(uninstall)


def test_a_release_whose_helm_was_killed_is_made_anew(lab: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record says pending, in its label and inside, as Helm leaves it; Helm itself would refuse for ever."""
    kind, resource = release_of(lab)
    make_namespaces(lab)
    cloud = lab.cloud()
    command = kind.create(resource, None).command
    assert command is not None
    lab.helm.run(command)
    name = kind.read(cloud, resource)["secret"]
    place = f"api/v1/namespaces/{resource.body['namespace']}/secrets/{name}"
    secret = cloud.read(Request(api="kubernetes", path=place))
    inside = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    inside["info"] = {**inside.get("info", {}), "status": "pending-install"}
    packed = base64.b64encode(gzip.compress(json.dumps(inside).encode()))
    labels = {**secret["metadata"]["labels"], "status": "pending-install"}
    about = {"name": name, "namespace": resource.body["namespace"], "labels": labels}
    body = {
        "type": secret["type"],
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": about,
        "data": {"release": base64.b64encode(packed).decode()},
    }
    query = {"fieldManager": "killed", "force": "true"}
    cloud.send(Request(api="kubernetes", method="PATCH", path=place, query=query, body=body))
    with pytest.raises((Conflict, Refused), match="in progress"):
        lab.helm.run(command)
    assert lab.plan.step(resource, kind.read(cloud, resource)).waits
    monkeypatch.setattr(Releases, "clock", staticmethod(lambda: time.time() + DEAD + 1))
    step = lab.plan.step(resource, kind.read(cloud, resource))
    writer = Writer(cloud, None, lab.helm)
    for write in step.writes:
        writer.do(write)
    live = kind.read(cloud, resource)
    assert (live["status"], kind.differs(resource, live)) == ("deployed", [])


def test_a_chart_that_refuses_says_why(lab: Site) -> None:
    kind, resource = release_of(lab)
    make_namespaces(lab)
    command = [each for each in kind.create(resource, None).command or () if each != "spinnaker/images.yaml"]
    command.remove("--values")
    with pytest.raises(Refused, match=r"images.gate.digest is empty"):
        lab.helm.run(command)


def make_namespaces(site: Site) -> None:
    cloud = site.cloud()
    for step in site.plan.offline():
        if step.resource.kind == "namespace":
            cloud.send(step.writes[0].request)


class Controllers:
    """What the API server of these tests has not: each time the engine waits, workloads come up and namespaces go."""

    def __init__(self, kubectl: Kubectl, namespaces: list[str]) -> None:
        self._kubectl = kubectl
        self._namespaces = namespaces

    def __call__(self, _: float) -> None:
        for namespace in self._namespaces:
            base = f"/apis/apps/v1/namespaces/{namespace}"
            for plural in ("deployments", "statefulsets"):
                for each in self._kubectl.must("GET", f"{base}/{plural}")["items"]:
                    replicas = each["spec"]["replicas"]
                    status = {
                        "observedGeneration": each["metadata"]["generation"],
                        **dict.fromkeys(
                            ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), replicas
                        ),
                    }
                    path = f"{base}/{plural}/{each['metadata']['name']}/status"
                    self._kubectl.must("PATCH", path, {"status": status}, MERGE)
            found = self._kubectl.get(f"/api/v1/namespaces/{namespace}")
            if found and found["status"]["phase"] == "Terminating":
                path = f"/api/v1/namespaces/{namespace}/finalize"
                self._kubectl.must("PUT", path, {**found, "spec": {"finalizers": []}})


def in_cluster(site: Site) -> list[str]:
    return [each for each in site.due() if each.split()[1].split("/")[0] in WITHIN]


@pytest.mark.cluster
def test_killed_after_each_write_all_of_it_stands_and_goes_again(
    real_server: ApiServer, local_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy itself is ours here: it is taken out first, and put back for the other tests."""
    kubectl = Kubectl(real_server)
    plan = lab_plan(admission={"policy": True, "breakGlass": ["group:oncall@acme.example"]})
    namespaces = [each.name for each in plan.resources if each.kind == "namespace"]
    sleep = Controllers(kubectl, namespaces)
    (tmp_path / "google").mkdir()
    google = start_lab(local_server, tmp_path / "google", plan)
    for key, value in google.environment.items():
        monkeypatch.setenv(key, value)
    google.put_secrets_in()
    assert google.apply().failed == {}
    google.stop()
    kubectl.uninstall_all()
    site = start_lab(real_server, tmp_path, plan, google)
    for key, value in site.environment.items():
        monkeypatch.setenv(key, value)
    try:
        assert {each.split()[0] for each in in_cluster(site)} == {"create"}
        for _ in range(len(plan.resources)):
            try:
                outcome = site.apply(limit=1, sleep=sleep)
            except Killed:
                continue
            assert outcome.failed == {}
            break
        assert site.due() == []
        versions = [
            each["metadata"]["labels"]["version"]
            for each in kubectl.must("GET", f"/api/v1/namespaces/{namespaces[0]}/secrets")["items"]
            if each["type"] == "helm.sh/release.v1"
        ]
        assert versions == ["1"], "nothing was installed twice"
        until(lambda: kubectl.guarded() == (True, True), "the policy to take effect")
        site.destroy(with_data=True, sleep=sleep)
        assert [each for each in namespaces if kubectl.get(f"/api/v1/namespaces/{each}")] == []
        assert {each.split()[0] for each in in_cluster(site)} == {"create"}
    finally:
        site.stop()
        kubectl.install()


@pytest.mark.cluster
def test_the_lines_of_the_script_come_to_the_same(
    real_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real kubectl and Helm: namespaces, the release, and the objects but the policy, which other tests need."""
    plan = lab_plan(admission={"policy": True, "breakGlass": ["group:oncall@acme.example"]})
    site = start_lab(real_server, tmp_path, plan)
    for key, value in site.environment.items():
        monkeypatch.setenv(key, value)
    steps = [
        each
        for each in plan.offline()
        if each.resource.kind in {"namespace", "release"} or each.resource.id.endswith("downwind-break-glass")
    ]
    programs = fetched(tmp_path).programs
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    (tmp_path / "spinnaker").symlink_to(ROOT / "tests/bootstrap/configs/spinnaker")
    done = subprocess.run(
        ["bash", "-s"],
        input="\n".join(script(plan, steps)),
        env={**site.environment, "HOME": str(tmp_path), "PATH": f"{programs}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    try:
        actions = {each.resource.key: each.action for each in steps_now(plan, site.cloud())}
        assert {actions[each.resource.key] for each in steps} == {"keep"}
    finally:
        site.stop()
