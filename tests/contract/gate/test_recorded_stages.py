"""Stages that post operations: the run's JSON, and the operation that Clouddriver gets, as recorded from a real Orca.

The stage is rebuilt from the recorded run's own context. Clouddriver was a stub there: what it made of an operation is left out.
"""

import copy
from typing import Any

import pytest
from tests.contract.gate.test_recorded_runs import shape

pytestmark = [pytest.mark.account("k8s-prod"), pytest.mark.long]
# What Orca and Clouddriver put into a context while the stage runs.
MADE = (
    *("artifacts", "failedManifests", "stableManifests", "messages", "optionalArtifacts", "requiredArtifacts"),
    *("exception", "expressionEvaluationSummary", "jobStatus", "completionDetails", "allArtifacts", "restartDetails"),
    *("notification.type", "application"),
)
IMAGE = "r.example/web@sha256:" + "a" * 64
POD = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": IMAGE}]}}


def thing(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **more}


def web(kind: str, name: str) -> dict[str, Any]:
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": copy.deepcopy(POD)}
    return thing(kind, name, "apps/v1", spec=spec)


@pytest.fixture
def shop(lab: Any) -> Any:
    """A Deployment, three ReplicaSets of one cluster behind a Service, and a ConfigMap with labels."""
    lab.gate.cluster.apply(thing("Service", "web", spec={"selector": {"lb": "web"}}))
    lab.gate.cluster.apply(web("Deployment", "web"))
    for name in ("web-v000", "web-v001", "web-v002"):
        item = web("ReplicaSet", name)
        item["metadata"]["annotations"] = {"moniker.spinnaker.io/cluster": "replicaSet web"}
        lab.gate.cluster.apply(item)
    item = thing("ConfigMap", "settings")
    item["metadata"]["labels"] = {"app": "web"}
    lab.gate.cluster.apply(item)
    return lab


def rebuilt(stage: dict[str, Any]) -> dict[str, Any]:
    """As the pipeline had it."""
    given = {
        key: value
        for key, value in stage["context"].items()
        if key not in MADE and not key.startswith(("outputs.", "kato.", "deploy.", "manifest."))
    }
    if stage["context"].get("mode") == "dynamic" or stage["type"] == "findArtifactsFromResource":
        given.pop("manifest", None)
    if stage["type"] == "patchManifest":
        given.pop("manifests")
    if stage["context"].get("mode") == "dynamic":
        given.pop("manifestName")
    return {**given, "type": stage["type"], "name": stage["name"], "refId": stage["refId"]}


def run(replay: Any, lab: Any, name: str, change: Any = None) -> tuple[Any, Any]:
    """The run here and the recorded one."""
    wanted = replay.recording(name)["response"]["body"]
    stages = [rebuilt(stage) for stage in wanted["stages"] if "parentStageId" not in stage]
    for number, stage in enumerate(stages):
        stage["requisiteStageRefIds"] = [stages[number - 1]["refId"]] if number else []
    if change is not None:
        change(stages)
    standing = {each["name"]: each["id"] for each in lab.call("GET", "/applications/shop/pipelineConfigs").json()}
    lab.save(*stages, **({"id": standing["p"]} if "p" in standing else {}))
    trigger = {key: wanted["trigger"][key] for key in ("type", "user", "downwind") if key in wanted["trigger"]}
    return lab.ended(lab.start(body=trigger)), wanted


def keys(value: Any) -> Any:
    """The shape of an operation: what is in it, and every value that is not made up by the recorder's stub."""
    if isinstance(value, dict):
        hidden = {"artifacts", "expressionEvaluationSummary", "manifests", "manifest", "notification.type"}
        return {name: type(item).__name__ if name in hidden else keys(item) for name, item in value.items()}
    return value


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("scaleManifest", "scaleManifest"),
        ("enableManifest", "enableManifest"),
        ("disableManifest", "disableManifest"),
        ("deleteManifest", "deleteManifest"),
        ("deleteManifest-dynamic", "deleteManifest-dynamic-deleteManifest"),
        ("deleteManifest-label", "deleteManifest-label-deleteManifest"),
        ("patchManifest", "patchManifest"),
        ("rollingRestartManifest", "rollingRestartManifest"),
        ("runJob", "runJob"),
        ("runJobManifest", "runJobManifest-runJob"),
        ("findArtifactsFromResource", None),
    ],
)
def test_a_stage_of_one_operation(replay: Any, shop: Any, kind: str, operation: str | None) -> None:
    def with_digests(stages: list[dict[str, Any]]) -> None:
        for stage in stages:
            if "manifest" in stage:
                stage["manifest"]["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGE
                stage["manifest"]["metadata"]["annotations"] = {}

    found, wanted = run(replay, shop, f"s0-stage-{kind}-execution", with_digests)
    if kind == "findArtifactsFromResource":  # the live object; the recorder's was a stub's
        for execution in (found, wanted):
            execution["stages"][0]["context"].pop("manifest")
            execution["stages"][0]["outputs"].pop("manifest")
    assert shape(found) == shape(wanted)
    posted = [item for item in shop.gate.operations if item[0] != "cleanupArtifacts"]
    if operation is None:
        assert posted == []
        return
    ((name, body),) = replay.recording(f"s0-ops-{operation}")["request"]["body"][0].items()
    assert [(each, keys(asked)) for each, asked in posted] == [(name, keys(body))]


def test_what_the_operations_do_to_their_object(replay: Any, shop: Any) -> None:
    cluster = shop.gate.cluster
    run(replay, shop, "s0-stage-scaleManifest-execution")
    run(replay, shop, "s0-stage-patchManifest-execution")
    run(replay, shop, "s0-stage-rollingRestartManifest-execution")
    live = cluster.get("shop", "Deployment", "web")
    assert (live["spec"]["replicas"], live["metadata"]["labels"]) == (3, {"a": "b"})
    assert "kubectl.kubernetes.io/restartedAt" in live["spec"]["template"]["metadata"]["annotations"]
    run(replay, shop, "s0-stage-deleteManifest-execution")
    run(replay, shop, "s0-stage-deleteManifest-label-execution")
    run(replay, shop, "s0-stage-deleteManifest-dynamic-execution")
    left = sorted((item["kind"], item["metadata"]["name"]) for item in cluster.list("shop"))
    assert left == [("ReplicaSet", "web-v000"), ("ReplicaSet", "web-v002"), ("Service", "web")]


def test_going_back_a_revision_is_refused_by_name(replay: Any, shop: Any) -> None:
    found, wanted = run(replay, shop, "s0-stage-undoRolloutManifest-execution")
    tasks = [[task["name"] for task in each["stages"][0]["tasks"]] for each in (found, wanted)]
    assert tasks[0] == tasks[1]
    assert found["status"] == "TERMINAL"
    assert "keeps no revisions" in found["stages"][0]["context"]["kato.tasks"][-1]["exception"]["message"]


def test_a_job_that_fails_is_destroyed(replay: Any, shop: Any) -> None:
    def refused(stages: list[dict[str, Any]]) -> None:
        stages[0]["manifest"]["metadata"]["annotations"] = {}

    found, wanted = run(replay, shop, "s0-runJob-failed-execution", refused)
    assert shape(found) == shape(wanted)
    assert [name for name, _ in shop.gate.operations] == ["runJob", "destroyJob"]
    assert shop.gate.cluster.list("shop", "Job") == []


@pytest.mark.parametrize("strategy", ["bluegreen", "redblack", "highlander"])
def test_a_strategy_retires_what_was_there(replay: Any, shop: Any, strategy: str) -> None:
    def with_digests(stages: list[dict[str, Any]]) -> None:
        stages[0]["manifests"] = [web("ReplicaSet", "web")]
        stages[0]["manifests"][0]["spec"]["template"]["spec"]["containers"][0]["name"] = "next"

    for name in ("web-v001", "web-v002"):
        shop.gate.cluster.delete("shop", "ReplicaSet", name)
    found, wanted = run(replay, shop, f"s0-{strategy}-execution", with_digests)
    assert shape(found["stages"]) == shape(wanted["stages"])
    names = [name for name, _ in shop.gate.operations]
    last = ["deleteManifest"] if strategy == "highlander" else []
    assert names == ["deployManifest", "cleanupArtifacts", "disableManifest", *last]
    recorded = {name: replay.recording(name)["request"]["body"][0] for name in operations_of(strategy)}
    for name, operation in recorded.items():
        ((kind, body),) = operation.items()
        asked = next(asked for each, asked in shop.gate.operations if each == kind)
        assert keys(asked) == keys(body), name


def operations_of(strategy: str) -> list[str]:
    return {
        "bluegreen": [
            "s0-ops-bluegreen-0-deployManifest",
            "s0-ops-bluegreen-1-cleanupArtifacts",
            "s0-ops-bluegreen-2-disableManifest",
        ],
        "redblack": ["s0-ops-redblack-0-deployManifest"],
        "highlander": ["s0-ops-highlander-0-deployManifest", "s0-ops-highlander-3-deleteManifest"],
    }[strategy]


def test_blue_green_moves_the_traffic(lab: Any) -> None:
    lab.gate.cluster.apply(thing("Service", "web", spec={"selector": {"lb": "web"}}))
    options = {"enableTraffic": True, "services": ["service web"], "strategy": "bluegreen"}
    for replicas in (1, 2):
        item = web("ReplicaSet", "web")
        item["spec"]["replicas"] = replicas
        item["spec"]["template"]["spec"]["containers"][0]["name"] = f"web{replicas}"
        stage = {"type": "deployManifest", "refId": "1", "account": "k8s-prod", "manifests": [item]}
        lab.save({**stage, "trafficManagement": {"enabled": True, "options": options}}, name=f"p{replicas}")
        assert lab.ended(lab.start(f"p{replicas}"))["status"] == "SUCCEEDED"
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in lab.gate.cluster.list("shop", "ReplicaSet")
    }
    assert labels == {"web-v000": {"app": "web"}, "web-v001": {"app": "web", "lb": "web"}}


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("s0-fence-missing-key-execution", "s0-ops-deployManifest-fence-missing-key"),
        ("s0-fence-missing-key-failOnFailedExpressions", "s0-ops-deployManifest-failOnFailedExpressions"),
        ("s0-fence-ok-execution", "s0-ops-deployManifest-fence"),
    ],
)
def test_a_fence_posts_what_its_expressions_come_to(replay: Any, lab: Any, name: str, operation: str) -> None:
    lab.gate.cluster.delete("", "ValidatingAdmissionPolicyBinding", "sequence.downwind.dev")  # the recorder had none
    found, wanted = run(replay, lab, name, literal_fence)
    assert found["status"] == wanted["status"]
    assert [stage["status"] for stage in found["stages"]] == [stage["status"] for stage in wanted["stages"]]
    ((_, body),) = replay.recording(operation)["request"]["body"][0].items()
    asked = next(asked for each, asked in lab.gate.operations if each == "deployManifest")
    assert keys(asked) == keys(body)
    annotations = [each["manifests"][0]["metadata"]["annotations"] for each in (asked, body)]
    assert annotations[0].keys() == annotations[1].keys()
    for key in annotations[0].keys() - {"downwind.dev/execution"}:
        assert annotations[0][key] == annotations[1][key]


def literal_fence(stages: list[dict[str, Any]]) -> None:
    """The recorded context holds the values; the pipeline had the expressions."""
    annotations = stages[0]["manifests"][0]["metadata"]["annotations"]
    annotations["downwind.dev/sequence"] = "${trigger['downwind']['sequence']}"
    annotations["downwind.dev/attempt"] = "${trigger['downwind']['attempt']}"
    annotations["downwind.dev/execution"] = "${execution.id}"


def test_a_failed_stage_that_lets_the_run_go_on_hides_it(replay: Any, lab: Any) -> None:
    def refused(stages: list[dict[str, Any]]) -> None:
        stages[0]["manifests"][0]["metadata"]["annotations"] = {"downwind.dev/sequence": "x"}

    found, wanted = run(replay, lab, "s0-continuePipeline-execution", refused)
    assert found["status"] == wanted["status"] == "SUCCEEDED"
    assert [s["status"] for s in found["stages"]] == [s["status"] for s in wanted["stages"]]
