"""Pipelines as files: placeholders are filled, unknown ones refused; the shipped files are what design.md 5 asks for."""

from pathlib import Path
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.model.execution import is_fence
from downwind.model.pipeline_file import PLACEHOLDERS, fill, placeholders
from downwind.soundness.read_pipeline import read_pipeline

PIPELINES = Path(__file__).parents[3] / "pipelines"
FILES = sorted(path.name for path in PIPELINES.glob("*.yaml"))


def filled(document: dict[str, Any]) -> dict[str, Any]:
    return fill(
        document,
        application="shop",
        environment="staging",
        bundles_bucket="acme-bundles",
        namespace="shop-staging",
        account="k8s",
        artifact_account="store",
        file="p.json",
    )


def shipped(name: str) -> dict[str, Any]:
    return filled(read_pipeline(name, (PIPELINES / name).read_bytes()))


def test_every_placeholder_is_filled_wherever_it_stands() -> None:
    document = {"a": [{"b": "{{application}}/{{ environment }}", "{{account}}": 7}], "c": None}
    assert filled(document) == {"a": [{"b": "shop/staging", "{{account}}": 7}], "c": None}
    assert filled({"all": "".join(f"{{{{{name}}}}} " for name in PLACEHOLDERS)}) == {
        "all": "shop staging shop-staging shop deploy-staging k8s store acme-bundles "
    }


def test_expressions_of_spinnaker_are_left_alone() -> None:
    text = "${trigger['downwind']['sequence']}"
    assert filled({"a": text}) == {"a": text}


def test_templates_of_other_programs_are_left_alone() -> None:
    text = "{{ .Values.image }} {{#each}} {{a b}}"
    assert filled({"a": text}) == {"a": text}


def test_placeholders_are_found_with_their_places() -> None:
    document = {"a": [{"b": "{{application}}/{{odd}}"}, 7], "c": None, "d": "{{ .Values.x }}"}
    assert placeholders(document) == [(("a", 0, "b"), "application"), (("a", 0, "b"), "odd")]


def test_filling_leaves_the_file_as_it_was() -> None:
    document = {"a": ["{{account}}"]}
    filled(document)
    assert document == {"a": ["{{account}}"]}


def test_an_unknown_placeholder_is_refused_with_file_field_and_fix() -> None:
    with pytest.raises(Refused) as refusal:
        filled({"stages": [{}, {"name": "{{project}}"}]})
    assert refusal.value.reason == "p.json: stages[1].name: unknown placeholder {{project}}"
    assert refusal.value.field == "stages[1].name"
    assert refusal.value.fix is not None
    assert "{{bundles}}" in refusal.value.fix


def test_names_in_spinnaker_may_be_others() -> None:
    document = fill(
        {"application": "{{pipeline_application}}", "name": "{{pipeline}}", "owner": "{{application}}"},
        application="shop",
        environment="staging",
        bundles_bucket="acme-bundles",
        namespace="shop-staging",
        account="k8s",
        pipeline_application="acme",
        pipeline="shop to staging",
    )
    assert document == {"application": "acme", "name": "shop to staging", "owner": "shop"}


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_pipeline_starts_with_a_precondition_and_the_fence(name: str) -> None:
    precondition, fence = shipped(name)["stages"][:2]
    check = precondition["preconditions"][0]
    assert (precondition["type"], check["type"], check["failPipeline"]) == ("checkPreconditions", "expression", True)
    assert "trigger['downwind']['application'] == 'shop'" in check["context"]["expression"]
    assert "trigger['downwind']['environment'] == 'staging'" in check["context"]["expression"]
    assert "use downwind deploy" in check["context"]["failureMessage"]
    assert is_fence(fence)
    assert fence["requisiteStageRefIds"] == [precondition["refId"]]
    assert fence["manifests"] == [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "downwind.shop.staging",
                "namespace": "shop-staging",
                "labels": {"downwind.dev/fence": "true"},
                "annotations": {
                    "downwind.dev/owner": "shop/staging",
                    "downwind.dev/sequence": "${trigger['downwind']['sequence']}",
                    "downwind.dev/attempt": "${trigger['downwind']['attempt']}",
                    "downwind.dev/execution": "${execution.id}",
                    "strategy.spinnaker.io/versioned": "false",
                },
            },
        }
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_pipeline_deploys_the_pinned_bundle_untouched(name: str) -> None:
    document = shipped(name)
    assert document["spelEvaluator"] == "v4"
    assert (document["limitConcurrent"], document["keepWaitingPipelines"]) == (True, False)
    deploying = [stage for stage in document["stages"] if stage.get("source") == "artifact"]
    parts = [stage["manifestArtifactId"] for stage in deploying]
    for each in document["expectedArtifacts"]:
        tail = "" if len(parts) == 1 else f"/{each['id']}"
        assert each["matchArtifact"] == {"type": "gcs/object", "name": f"gs://acme-bundles/shop/staging{tail}"}
        assert (each["usePriorArtifact"], each["useDefaultArtifact"]) == (False, False)
    assert [each["id"] for each in document["expectedArtifacts"]] == parts
    for stage in deploying:
        assert (stage["account"], stage["manifestArtifactAccount"]) == ("k8s", "store")
        assert stage["skipExpressionEvaluation"] is True
        assert stage.get("enableArtifactBinding") is (None if stage["type"] == "runJobManifest" else False)


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_pipeline_tells_somebody_when_it_fails(name: str) -> None:
    document = shipped(name)
    assert [each["when"] for each in document["notifications"]] == [["pipeline.failed"]]
    judgments = [stage for stage in document["stages"] if stage["type"] == "manualJudgment"]
    assert all(stage["notifications"][0]["when"] == ["manualJudgment"] for stage in judgments)


KINDS = {
    "rolling.yaml": ["deployManifest"],
    "blue-green.yaml": ["deployManifest"],
    "judgment.yaml": ["manualJudgment", "deployManifest"],
    "canary.yaml": ["deployManifest", "manualJudgment", "deployManifest"],
    "job-first.yaml": ["runJobManifest", "deployManifest"],
}


def test_each_strategy_does_its_own_behind_the_fence() -> None:
    assert {name: [stage["type"] for stage in shipped(name)["stages"][2:]] for name in FILES} == KINDS


@pytest.mark.parametrize("name", FILES)
def test_each_stage_of_a_shipped_pipeline_follows_the_one_before(name: str) -> None:
    stages = shipped(name)["stages"]
    assert [stage["requisiteStageRefIds"] for stage in stages[1:]] == [[stage["refId"]] for stage in stages[:-1]]
