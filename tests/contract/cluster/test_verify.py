"""`downwind verify` on our cluster store and on a real API server: a sound installation passes, each planted fault is found."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tests.contract.cluster.kubectl import BINDINGS, MERGE, POLICIES, ApiServer, Kubectl, until

from downwind.adapters.memory import MemoryWorld
from downwind.adapters.memory_spinnaker import MemorySpinnaker
from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.model.pipeline_file import fill
from downwind.model.read_catalog import read_application
from downwind.perform.catalog import apply
from downwind.shipped import admission_policy, shipped
from downwind.soundness.read_pipeline import read_pipeline

CATALOG = """
apiVersion: downwind.dev/v1
kind: Application
name: shop
repository: {address: https://github.com/acme/shop.git}
images: [{name: us-central1-docker.pkg.dev/acme/apps/shop, tag: "{commit}"}]
manifests: {path: "deploy/{environment}"}
environments:
  - {name: staging, refs: [refs/heads/main], namespace: NAMESPACE, pipeline: {application: shop, name: deploy-staging}}
  - {name: production, after: staging, namespace: NAMESPACE, pipeline: {application: shop, name: deploy-production}}
"""
SETTINGS = {
    f"DOWNWIND_{name}": "x"
    for name in ("PROJECT", "LEDGER_BUCKET", "WORK_BUCKET", "CATALOG_BUCKET", "BUNDLES_BUCKET", "GATE_URL")
}
SIGN_IN = {"DOWNWIND_GATE_SIGN_IN": "token", "DOWNWIND_GATE_SECRET": "gate"}
FENCE = "downwind.shop.staging"
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "verify.md"


class Installation:
    """Catalog and pipelines on the twins, cluster on the server under test."""

    def __init__(self, kubectl: Kubectl, namespace: str, folder: Path, who: str = "admin") -> None:
        self.kubectl = kubectl
        self.namespace = namespace
        self.memory = MemoryWorld()
        self.memory.repository.create("https://github.com/acme/shop.git")
        self._kubeconfig = kubectl.server.kubeconfig(folder / "config", who)
        text = CATALOG.replace("NAMESPACE", namespace)
        apply(self.memory.world, read_application(yaml.safe_load(text)), text.encode())
        for environment in ("staging", "production"):
            self.memory.pipelines.save(self.pipeline(environment))
        self.spinnaker = MemorySpinnaker(self.memory.pipelines)
        self.spinnaker.save_application({"name": "shop", "email": "sre@acme.example"})

    def pipeline(self, environment: str) -> dict[str, Any]:
        name = "judgment.yaml" if environment == "production" else "rolling.yaml"
        document = fill(
            read_pipeline(name, shipped(f"pipelines/{name}").read_bytes()),
            application="shop",
            environment=environment,
            bundles_bucket=self.memory.world.bundles_bucket,
            namespace=self.namespace,
            account="lab",
        )
        return copy.deepcopy({**document, "application": "shop", "name": f"deploy-{environment}"})

    def verify(self, *arguments: str) -> Result:
        session = Session(
            environment={**SETTINGS, **SIGN_IN, "DOWNWIND_KUBECONFIG": str(self._kubeconfig)},
            make_world=lambda _settings: self.memory.world,
            make_spinnaker=lambda _settings: self.spinnaker,
        )
        return CliRunner().invoke(main, ["verify", *arguments], obj=session)

    def findings(self) -> list[str]:
        result = self.verify("-o", "json")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        document = json.loads(result.stdout)
        assert result.exit_code == (0 if document["sound"] else 1)
        return [f"{each['where']}: {each['what']}" for each in document["findings"]]

    def deploy(self, sequence: int) -> None:
        """What the pipeline's fence would have made."""
        (fence,) = self.pipeline("staging")["stages"][1]["manifests"]
        marks = {"sequence": str(sequence), "attempt": "0", "execution": f"E{sequence}"}
        fence["metadata"]["annotations"] |= {f"downwind.dev/{key}": value for key, value in marks.items()}
        path = f"/api/v1/namespaces/{self.namespace}/configmaps/{FENCE}"
        status, answer = self.kubectl.apply(path, fence, "deployer")
        assert status < 300, answer

    @contextmanager
    def changed(self, kind: str, name: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
        """One of the admission objects, until the end of the block."""
        place = f"{POLICIES if kind.endswith('Policy') else BINDINGS}/{name}"
        standing = self.kubectl.get(place)
        change(standing)
        self.kubectl.must("PUT", place, standing)
        try:
            yield
        finally:
            self.kubectl.install()

    @contextmanager
    def without(self, place: str) -> Iterator[None]:
        self.kubectl.must("DELETE", place)
        try:
            yield
        finally:
            self.kubectl.install()


@pytest.fixture
def installation(kubectl: Kubectl, namespace: str, tmp_path: Path) -> Installation:
    return Installation(kubectl, namespace, tmp_path)


def test_a_sound_installation_passes_before_and_after_its_first_rollout(installation: Installation) -> None:
    assert installation.findings() == []
    installation.deploy(7)
    assert installation.findings() == []
    told = installation.verify("shop", "--context", "lab")
    assert told.exit_code == 0
    assert told.stdout.splitlines()[-1] == "sound: 10 checks"


def test_nothing_is_written(installation: Installation) -> None:
    installation.deploy(7)
    place = f"/api/v1/namespaces/{installation.namespace}/configmaps"
    before = installation.kubectl.get(place)["items"]
    installation.findings()
    assert installation.kubectl.get(place)["items"] == before


def allowed(installation: Installation, sequence: int) -> bool:
    body = {"metadata": {"annotations": {"downwind.dev/sequence": str(sequence), "downwind.dev/execution": "x"}}}
    place = f"/api/v1/namespaces/{installation.namespace}/configmaps/{FENCE}"
    return installation.kubectl.call("PATCH", place, body, MERGE, dryRun="All")[0] == 200


@pytest.mark.parametrize("sequence", [None, 7])
def test_no_policy(installation: Installation, sequence: int | None) -> None:
    """The dry run finds it as well."""
    if sequence:
        installation.deploy(sequence)
    with installation.without(f"{POLICIES}/sequence.downwind.dev"):
        until(lambda: not sequence or allowed(installation, 1), "the policy to be gone")
        found = installation.findings()
    assert found[0].endswith(
        "ValidatingAdmissionPolicy sequence.downwind.dev: is not there: nothing refuses an older rollout"
    )
    if sequence:
        assert "the fence of shop/staging with sequence 6 (server-side dry run) was taken" in found[1]


def test_no_binding(installation: Installation) -> None:
    with installation.without(f"{BINDINGS}/fence.downwind.dev"):
        assert [each for each in installation.findings() if "fence.downwind.dev: is not there" in each]


def test_a_binding_that_only_notes(installation: Installation) -> None:
    installation.deploy(7)

    def audit(binding: dict[str, Any]) -> None:
        binding["spec"]["validationActions"] = ["Audit"]

    with installation.changed("ValidatingAdmissionPolicyBinding", "sequence.downwind.dev", audit):
        until(lambda: allowed(installation, 1), "the binding to count")
        found = installation.findings()
    assert "its validationActions are [Audit], without Deny" in found[0]
    assert "was taken: an older rollout would be let in" in found[1]


def test_a_binding_that_leaves_the_namespace_out(installation: Installation) -> None:
    def exclude(binding: dict[str, Any]) -> None:
        rule = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]
        rule["values"] = [*rule["values"], installation.namespace]

    with installation.changed("ValidatingAdmissionPolicyBinding", "fence.downwind.dev", exclude):
        found = installation.findings()
    assert f"its namespaceSelector leaves out {installation.namespace}" in found[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda spec: spec["validations"].pop(8), "spec.validations has 10 items, not 11"),
        (lambda spec: spec["validations"][8].update(expression="true"), "spec.validations[8].expression is not ours"),
        (lambda spec: spec["validations"][8].update(reason="Invalid"), "spec.validations[8].reason is not ours"),
        (lambda spec: spec.update(failurePolicy="Ignore"), "spec.failurePolicy is not ours"),
        (
            lambda spec: spec["matchConstraints"]["resourceRules"][0].update(resources=["*"]),
            "spec.matchConstraints.resourceRules[0].resources has 1 items, not 4",
        ),
        (
            lambda spec: spec["matchConstraints"].update(objectSelector={"matchLabels": {"a": "b"}}),
            "spec.matchConstraints.objectSelector is not ours",
        ),
    ],
)
def test_an_edited_policy(installation: Installation, change: Callable[[dict[str, Any]], None], said: str) -> None:
    with installation.changed("ValidatingAdmissionPolicy", "sequence.downwind.dev", lambda each: change(each["spec"])):
        found = installation.findings()
    assert f"was edited: {said}" in found[0]


def test_a_pipeline_without_its_fence(installation: Installation) -> None:
    document = installation.pipeline("staging")
    del document["stages"][1]
    document["stages"][1]["requisiteStageRefIds"] = ["1"]
    installation.memory.pipelines.save(document)
    assert [each for each in installation.findings() if "have no fence right behind the precondition" in each]


def test_a_namespace_that_is_in_no_cluster(kubectl: Kubectl, tmp_path: Path) -> None:
    if not kubectl.server.real:
        pytest.skip("every namespace is there in the local cluster")
    found = Installation(kubectl, "nowhere", tmp_path).findings()
    assert "its namespace nowhere is in none of the clusters asked (lab)" in found[0]


@pytest.mark.cluster
def test_the_rights_of_the_page_are_enough_and_all_needed(
    real_server: ApiServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kubectl, namespace = Kubectl(real_server), f"rights-{id(request)}"
    kubectl.must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    installation = Installation(kubectl, namespace, tmp_path, "verifier")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (text,) = [each for each in blocks if "kind: ClusterRole" in each]
    role = yaml.safe_load(text)
    base, name = "/apis/rbac.authorization.k8s.io/v1", role["metadata"]["name"]
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "verifier"}
    binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [user]}
    kubectl.must("POST", f"{base}/clusterrolebindings", binding)
    needed = [(number, verb) for number, rule in enumerate(role["rules"]) for verb in rule["verbs"]]
    kubectl.must("POST", f"{base}/clusterroles", role)
    until(lambda: installation.verify().exit_code == 0, "the rights to count")
    for number, verb in needed:
        less = copy.deepcopy(role)
        less["rules"][number]["verbs"] = ["watch" if each == verb else each for each in role["rules"][number]["verbs"]]
        kubectl.must("PUT", f"{base}/clusterroles/{name}", less)
        until(lambda: installation.verify().exit_code == 1, f"{verb} to be missed")
        assert "docs/how-to/verify.md" in installation.verify().output
    kubectl.must("PUT", f"{base}/clusterroles/{name}", role)
    until(lambda: installation.verify().exit_code == 0, "the rights to count again")


def test_an_unknown_context_or_application_is_refused(installation: Installation) -> None:
    assert installation.verify("--context", "other").exit_code == 1
    assert "downwind app list" in installation.verify("other").output


def test_the_shipped_documents_are_what_is_compared() -> None:
    assert [each["kind"] for each in admission_policy()] == [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ] * 2
