"""The shipped pipelines are sound, and each fault planted in one is found, at its place."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from downwind.model.catalog import Application, Environment
from downwind.model.pipeline_file import fill
from downwind.model.read_catalog import read_application
from downwind.shipped import shipped
from downwind.soundness.pipeline import check_pipeline
from downwind.soundness.read_pipeline import read_pipeline

BUCKET = "acme-bundles"
CATALOG = """
apiVersion: downwind.dev/v1
kind: Application
name: shop
repository: {address: https://github.com/acme/shop.git}
images: [{name: us-central1-docker.pkg.dev/acme/apps/shop, tag: "{commit}"}]
manifests: {path: "deploy/{environment}"}
environments:
  - {name: staging, refs: [refs/heads/main], namespace: shop-staging, pipeline: {application: shop, name: deploy}}
  - name: production
    after: staging
    namespace: shop
    pipeline: {application: shop, name: deploy-production}
    manifests: {parts: {canary: deploy/canary, full: deploy/production}}
"""
APPLICATION: Application = read_application(yaml.safe_load(CATALOG))
STAGING, PRODUCTION = APPLICATION.environments
Fault = Callable[[dict[str, Any]], object]


def saved(environment: Environment = STAGING) -> dict[str, Any]:
    name = "pipelines/canary.yaml" if environment.after else "pipelines/rolling.yaml"
    document = fill(
        read_pipeline(name, shipped(name).read_bytes()),
        application="shop",
        environment=environment.name,
        bundles_bucket=BUCKET,
        namespace=environment.namespace,
        account="lab",
    )
    return copy.deepcopy(document)


def found(document: dict[str, Any] | None, environment: Environment = STAGING) -> list[str]:
    return [f"{each.where}: {each.what}" for each in check_pipeline(APPLICATION, environment, document, BUCKET)]


def annotate(document: dict[str, Any], key: str, value: str) -> None:
    document["stages"][1]["manifests"][0]["metadata"]["annotations"][key] = value


def condition(document: dict[str, Any]) -> dict[str, Any]:
    return document["stages"][0]["preconditions"][0]  # type: ignore[no-any-return]


def job(document: dict[str, Any], *requisites: str) -> None:
    document["stages"].append({"refId": "9", "type": "runJobManifest", "requisiteStageRefIds": list(requisites)})


FAULTS: list[tuple[Fault, str]] = [
    (lambda d: d.update(spelEvaluator="v3"), "spelEvaluator: is not v4"),
    (lambda d: d.pop("spelEvaluator"), "spelEvaluator: is not v4"),
    (lambda d: d.update(disabled=True), "disabled: is true"),
    (lambda d: d.update(stages=[]), "do not begin with one checkPreconditions stage"),
    (lambda d: d["stages"][1].update(requisiteStageRefIds=[]), "do not begin with one checkPreconditions stage"),
    (lambda d: d["stages"][0].update(type="wait"), "do not begin with one checkPreconditions stage"),
    (lambda d: d["stages"][0].update(preconditions=[]), "does not ask that trigger.downwind is whole"),
    (
        lambda d: condition(d)["context"].update(expression="${trigger['downwind'] != null}"),
        "does not ask that trigger.downwind is whole",
    ),
    (lambda d: condition(d).update(failPipeline=False), "failPipeline is false"),
    (lambda d: d["stages"][0].update(continuePipeline=True), "stage 1 (Started by Downwind): continuePipeline is true"),
    (lambda d: d["stages"][1].update(failPipeline=False), "stage 2 (Fence): failPipeline is false"),
    (lambda d: d["stages"][1].update(stageEnabled={"type": "expression"}), "stage 2 (Fence): stageEnabled"),
    (lambda d: d["stages"][1].update(skipExpressionEvaluation=True), "sequence and execution would stay expressions"),
    (lambda d: d["stages"][1].update(source="artifact"), "source is not text"),
    (lambda d: d["stages"][1]["manifests"].append(d["stages"][1]["manifests"][0]), "deploys more than one fence"),
    (lambda d: d["stages"][1].update(requisiteStageRefIds=["1", "3"]), "have no fence right behind the precondition"),
    (lambda d: d["stages"][1].update(type="wait"), "have no fence right behind the precondition"),
    (lambda d: d["stages"][2].update(requisiteStageRefIds=["1"]), "stage 3 (Deploy): stands beside the fence"),
    (
        lambda d: d["stages"][1]["manifests"][0]["metadata"].update(namespace="default"),
        "manifests[0].metadata.namespace is not ours: it would not fence shop/staging in namespace shop-staging",
    ),
    (
        lambda d: annotate(d, "downwind.dev/owner", "shop/production"),
        "manifests[0].metadata.annotations.downwind.dev/owner is not ours",
    ),
    (lambda d: annotate(d, "downwind.dev/sequence", "1"), "annotations.downwind.dev/sequence is not ours"),
    (lambda d: annotate(d, "downwind.dev/execution", "E1"), "annotations.downwind.dev/execution is not ours"),
    (
        lambda d: d["stages"][1]["manifests"][0]["metadata"]["annotations"].pop("strategy.spinnaker.io/versioned"),
        "annotations.strategy.spinnaker.io/versioned is missing",
    ),
    (lambda d: d.update(expectedArtifacts=[]), "lack the gcs/object gs://acme-bundles/shop/staging"),
    (
        lambda d: d["expectedArtifacts"][0]["matchArtifact"].update(name="gs://acme-bundles/shop/production"),
        "lack the gcs/object gs://acme-bundles/shop/staging",
    ),
    (lambda d: d["expectedArtifacts"][0].update(id="other"), "manifestArtifactId 'bundle' names no expected artifact"),
    (lambda d: d["stages"][2].pop("enableArtifactBinding"), "enableArtifactBinding is not false"),
    (lambda d: d["stages"][2].update(enableArtifactBinding=True), "enableArtifactBinding is not false"),
    (lambda d: d["stages"][2].update(skipExpressionEvaluation=False), "skipExpressionEvaluation is not true"),
    (lambda d: d["stages"][2].update(type="undoRolloutManifest"), "rolls back past the ledger"),
    (lambda d: job(d, "3"), "stage 9 (runJobManifest): has no fence directly before it"),
]


@pytest.mark.parametrize(("plant", "said"), FAULTS)
def test_a_fault_is_found(plant: Fault, said: str) -> None:
    document = saved()
    plant(document)
    assert [each for each in found(document) if said in each], found(document)


def test_the_shipped_pipelines_are_sound() -> None:
    assert found(saved()) == []
    assert found(saved(PRODUCTION), PRODUCTION) == []


def test_a_pipeline_of_one_manifest_is_not_for_an_environment_of_two_parts() -> None:
    said = " ".join(found(saved(), PRODUCTION))
    assert "lack the gcs/object gs://acme-bundles/shop/production/canary" in said
    assert "lack the gcs/object gs://acme-bundles/shop/production/full" in said


def test_a_fence_may_stand_again_before_a_job() -> None:
    document = saved()
    again = {**copy.deepcopy(document["stages"][1]), "refId": "8", "requisiteStageRefIds": ["3"]}
    document["stages"].append(again)
    job(document, "8")
    assert found(document) == []


def test_no_pipeline_at_all_is_said_with_where_to_get_it() -> None:
    (finding,) = check_pipeline(APPLICATION, STAGING, None, BUCKET)
    assert (finding.where, finding.what) == ("pipeline shop/deploy", "is not there")
    assert "pipelines/rolling.yaml" in finding.fix
    assert "downwind pipelines save" in finding.fix
