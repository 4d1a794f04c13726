"""How stages end and what they do to a run: Orca's table of failures, expressions, manifests, names and images."""

import json
from typing import Any

import pytest

from downwind.model.execution import read_execution

WAIT = {"type": "wait", "refId": "2", "requisiteStageRefIds": ["1"], "waitTime": 0}
BAD = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "x", "annotations": {"downwind.dev/sequence": "x"}},
}
DIGEST = "r.example/web@sha256:" + "b" * 64


def deploy(*manifests: Any, **more: Any) -> dict[str, Any]:
    return {"type": "deployManifest", "refId": "1", "account": "local", "manifests": list(manifests), **more}


def config_map(name: str = "c", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, **more}


def web(image: str = DIGEST, volumes: Any = ()) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "web", "image": image}], "volumes": list(volumes)}}
    meta = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"template": pod}}


@pytest.mark.parametrize(
    ("switches", "first", "second", "execution"),
    [
        ({}, "TERMINAL", "NOT_STARTED", "TERMINAL"),
        ({"failPipeline": False, "continuePipeline": True}, "FAILED_CONTINUE", "SUCCEEDED", "SUCCEEDED"),
        ({"failPipeline": False, "continuePipeline": False}, "STOPPED", "NOT_STARTED", "SUCCEEDED"),
        ({"failPipeline": False, "completeOtherBranchesThenFail": True}, "STOPPED", "NOT_STARTED", "TERMINAL"),
    ],
)
def test_what_the_execution_says_of_a_failed_stage(
    lab: Any, switches: dict[str, bool], first: str, second: str, execution: str
) -> None:
    lab.save(deploy(BAD, **switches), WAIT)
    found = lab.ended(lab.start())
    assert [stage["status"] for stage in found["stages"]] == [first, second]
    assert (found["status"], read_execution(found).deployed) == (execution, False)


def test_an_unknown_stage_type_ends_the_run(lab: Any) -> None:
    lab.save({"type": "bake", "refId": "1"})
    found = read_execution(lab.ended(lab.start()))
    assert (found.status, found.message) == ("TERMINAL", "No StageDefinitionBuilder implementation for bake found")


def test_a_failed_branch_cancels_the_branch_that_still_runs(lab: Any) -> None:
    lab.save({"type": "manualJudgment", "refId": "2"}, deploy(BAD))
    found = lab.ended(lab.start())
    assert (found["status"], [s["status"] for s in found["stages"]]) == ("TERMINAL", ["CANCELED", "TERMINAL"])


def test_a_stage_times_out(lab: Any) -> None:
    lab.save({"type": "manualJudgment", "refId": "1", "name": "Approve", "stageTimeoutMs": 50})
    found = read_execution(lab.ended(lab.start()))
    assert (found.status, found.message, found.judged) == ("TERMINAL", "Stage Approve timed out after 0 seconds", False)


def test_another_account_is_refused(lab: Any) -> None:
    lab.save(deploy(config_map(), account="prod"))
    assert "No credentials named prod" in (read_execution(lab.ended(lab.start())).message or "")


def data_of(lab: Any, evaluator: str | None, *, skip: bool) -> Any:
    more = {"spelEvaluator": evaluator} if evaluator else {}
    lab.save(deploy(config_map("c-v000", data={"a": "${execution.name}"}), skipExpressionEvaluation=skip), **more)
    lab.ended(lab.start())
    (found,) = lab.gate.cluster.list("shop", "ConfigMap")
    return found["data"]["a"]


@pytest.mark.parametrize(
    ("evaluator", "skip", "value"),
    [(None, False, "p"), (None, True, "p"), ("v4", False, "p"), ("v4", True, "${execution.name}")],
)
def test_only_v4_leaves_a_manifest_alone(lab: Any, evaluator: str | None, skip: bool, value: str) -> None:
    assert data_of(lab, evaluator, skip=skip) == value


def test_an_expression_that_fails_stays_as_it_is_and_the_run_goes_on(lab: Any) -> None:
    lab.save(deploy(config_map(data={"a": "${trigger['downwind']['sequence']}"})))
    found = lab.ended(lab.start())
    assert found["status"] == "SUCCEEDED"
    context = found["stages"][0]["context"]
    assert context["manifests"][0]["data"] == {"a": "${trigger['downwind']['sequence']}"}
    errors = context["exception"]["details"]["errors"]
    assert errors == ["Failed to evaluate [a] EL1012E: Cannot index into a null value"]


def test_fail_on_failed_expressions_fails_only_after_the_operation(lab: Any) -> None:
    lab.save(deploy(config_map(data={"a": "${trigger['x']['y']}"}), failOnFailedExpressions=True))
    assert lab.ended(lab.start())["status"] == "TERMINAL"
    assert len(lab.gate.cluster.list("shop", "ConfigMap")) == 1


def test_config_maps_get_versions_and_their_users_follow(lab: Any) -> None:
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    for text in ("one", "one", "two"):
        lab.save(deploy(web(volumes=volumes), config_map(data={"a": text})), name=f"p-{text}-{len(lab.catcher.events)}")
        (name,) = {c["name"] for c in lab.call("GET", "/applications/shop/pipelineConfigs").json()}
        lab.ended(lab.start(name))
        lab.call("DELETE", f"/pipelines/shop/{name}")
    names = [item["metadata"]["name"] for item in lab.gate.cluster.list("shop", "ConfigMap")]
    assert names == ["c-v000", "c-v001"]
    live = lab.gate.cluster.get("shop", "Deployment", "web")
    assert live["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] == "c-v001"


@pytest.mark.parametrize(("binding", "image"), [(True, "r.example/web@sha256:" + "c" * 64), (False, DIGEST)])
def test_a_received_image_replaces_even_a_pinned_one_unless_binding_is_off(lab: Any, binding: bool, image: str) -> None:
    reference = "r.example/web@sha256:" + "c" * 64
    artifact = {"type": "docker/image", "name": "r.example/web", "reference": reference}
    lab.save(deploy(web(), enableArtifactBinding=binding))
    lab.ended(lab.start(body={"artifacts": [artifact]}))
    live = lab.gate.cluster.get("shop", "Deployment", "web")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == image


def test_the_first_refusal_stops_the_operation_in_the_order_of_kinds(lab: Any) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a", "namespace": "shop"}}
    lab.save(deploy(web(), BAD, config_map("later"), account))
    lab.ended(lab.start())
    assert [item["kind"] for item in lab.gate.cluster.list()] == ["ServiceAccount"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}', ["a-v000"]),
        ('[{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}]\n---\n# none\n---\n', ["a-v000"]),
        ("", []),
    ],
)
def test_a_fetched_manifest_is_read_as_orca_reads_it(lab: Any, text: str, names: list[str]) -> None:
    found = fetched(lab, text)
    assert found["status"] == "SUCCEEDED"
    assert [item["metadata"]["name"] for item in lab.gate.cluster.list()] == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just text", "Cannot deserialize value of type ImmutableMap"),
        ('{"a": "x\\/y"}', "found unknown escape character /"),
        ('{\n\t"a":\n\t1}', "cannot start any token"),
    ],
)
def test_a_fetched_manifest_that_orca_cannot_read_fails_the_stage(lab: Any, text: str, message: str) -> None:
    found = read_execution(fetched(lab, text))
    assert (found.status, message in (found.message or "")) == ("TERMINAL", True)


def test_nulls_of_a_fetched_manifest_are_dropped_from_objects_and_kept_in_lists(lab: Any) -> None:
    manifest = {**config_map("a"), "data": {"x": None, "y": [None, 1]}}
    fetched(lab, json.dumps(manifest))
    (stored,) = lab.gate.cluster.list()
    assert stored["data"] == {"y": [None, 1]}


def test_an_artifact_that_was_not_expected_fails_the_stage(lab: Any) -> None:
    lab.save(deploy(source="artifact", manifestArtifactId="bundle", manifestArtifactAccount="gcs"))
    found = read_execution(lab.ended(lab.start()))
    assert found.message == "No artifact with id bundle could be found in the pipeline context."


def fetched(lab: Any, text: str) -> Any:
    artifact = lab.store("m.yaml", text, "gs://bundles/m")
    expected = {"id": "m", "matchArtifact": {"type": "gcs/object", "name": "gs://bundles/m", "artifactAccount": "gcs"}}
    lab.save(deploy(source="artifact", manifestArtifactId="m"), expectedArtifacts=[expected])
    return lab.ended(lab.start(body={"artifacts": [artifact], "expectedArtifactIds": ["m"]}))
