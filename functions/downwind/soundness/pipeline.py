"""Does a saved pipeline begin with precondition and fence, and deploy the pinned bundle as it is (design.md section 7)?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.model.catalog import Application, Environment
from downwind.model.execution import DEPLOYING_STAGES, is_fence
from downwind.reconcile import names
from downwind.soundness.finding import Finding, differences

_MARKS = {
    "downwind.dev/sequence": "${trigger['downwind']['sequence']}",
    "downwind.dev/attempt": "${trigger['downwind']['attempt']}",
    "downwind.dev/execution": "${execution.id}",
    # Spinnaker would write …-v000 otherwise: a new object each time, which fences nothing.
    "strategy.spinnaker.io/versioned": "false",
}
_GO_ON = {"failPipeline": False, "continuePipeline": True, "completeOtherBranchesThenFail": True}
"""With one of these a stage that fails does not end the run."""
_ROLLS_BACK = "undoRolloutManifest"
Document = Mapping[str, Any]


def check_pipeline(
    application: Application, environment: Environment, document: Document | None, bundles_bucket: str
) -> list[Finding]:
    """`document`: the pipeline as Spinnaker has saved it; None, it has none of that name."""
    place = f"pipeline {environment.pipeline_application}/{environment.pipeline}"
    shipped = "judgment.yaml" if environment.after else "rolling.yaml"
    fix = f"take it as it is in pipelines/{shipped}, filled in for {application.name}/{environment.name}, and save it"
    if document is None:
        return [Finding(where=place, what="is not there", fix=fix)]
    problems = [
        *_settings(document),
        *_beginning(application, environment, document),
        *_artifacts(application, environment, document, bundles_bucket),
        *_deploying(document),
    ]
    return [Finding(where=f"{place}, {where}", what=what, fix=fix) for where, what in problems]


Problems = Iterator[tuple[str, str]]


def expression_of(application: str, environment: str) -> str:
    """What the first stage has to ask."""
    asked = [f"trigger['downwind']['{key}'] != null" for key in ("sequence", "attempt")]
    named = {"application": application, "environment": environment}
    own = [f"trigger['downwind']['{key}'] == '{value}'" for key, value in named.items()]
    return "${" + " && ".join(["trigger['downwind'] != null", *own, *asked]) + "}"


def _settings(document: Document) -> Problems:
    if document.get("spelEvaluator") != "v4":
        yield "spelEvaluator", "is not v4: without it skipExpressionEvaluation protects no manifest"
    if document.get("disabled"):
        yield "disabled", "is true: Spinnaker starts no run of it"


def _beginning(application: Application, environment: Environment, document: Document) -> Problems:
    stages: Sequence[Document] = document.get("stages") or ()
    roots = [stage for stage in stages if not stage.get("requisiteStageRefIds")]
    if len(roots) != 1 or roots[0].get("type") != "checkPreconditions":
        yield "stages", "do not begin with one checkPreconditions stage: a run that Downwind did not start is let in"
        return
    yield from _precondition(roots[0], expression_of(application.name, environment.name))
    behind = [stage for stage in stages if stage.get("requisiteStageRefIds") == [roots[0].get("refId")]]
    fences = [stage for stage in behind if is_fence(stage)]
    others = [stage for stage in behind if not is_fence(stage)]
    if len(fences) != 1:
        yield "stages", "have no fence right behind the precondition: an older or a second run is let in"
        return
    for stage in others:
        yield _name(stage), "stands beside the fence: it has to follow it"
    for stage in stages:
        if is_fence(stage):
            yield from _fence(application, environment, stage)


def _precondition(stage: Document, expression: str) -> Problems:
    conditions = [each for each in stage.get("preconditions") or () if each.get("type") == "expression"]
    ours = [
        each for each in conditions if _squeezed((each.get("context") or {}).get("expression")) == _squeezed(expression)
    ]
    if not ours:
        yield _name(stage), "does not ask that trigger.downwind is whole and names this application and environment"
    elif not any(each.get("failPipeline", True) for each in ours):
        yield _name(stage), "lets the run go on when it does not hold (failPipeline is false)"
    yield from _goes_on(stage)


def _fence(application: Application, environment: Environment, stage: Document) -> Problems:
    owner = f"{application.name}/{environment.name}"
    wanted = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"downwind.{application.name}.{environment.name}",
            "namespace": environment.namespace,
            "labels": {"downwind.dev/fence": "true"},
            "annotations": {"downwind.dev/owner": owner, **_MARKS},
        },
    }
    manifests: Sequence[Any] = stage.get("manifests") or ()
    if len(manifests) != 1:
        yield _name(stage), "deploys more than one fence"
        return
    for difference in differences(wanted, manifests[0], "manifests[0]", whole=False):
        yield _name(stage), f"{difference}: it would not fence {owner} in namespace {environment.namespace}"
    if stage.get("source", "text") != "text":
        yield _name(stage), "source is not text"
    if stage.get("skipExpressionEvaluation"):
        yield _name(stage), "skipExpressionEvaluation is true: sequence and execution would stay expressions"
    yield from _goes_on(stage)


def _goes_on(stage: Document) -> Problems:
    for key, value in _GO_ON.items():
        if stage.get(key) is value:
            yield _name(stage), f"{key} is {str(value).lower()}: the run goes on when this stage fails"
    if stage.get("stageEnabled"):
        yield _name(stage), "stageEnabled has a condition: it could be left out"


def _artifacts(application: Application, environment: Environment, document: Document, bundles_bucket: str) -> Problems:
    parts = application.manifests_of(environment).paths(environment.name)
    expected = [each.get("matchArtifact") or {} for each in document.get("expectedArtifacts") or ()]
    for part in parts:
        name = names.artifact(bundles_bucket, application.name, environment.name, part, len(parts))
        if not any((each.get("type"), each.get("name")) == ("gcs/object", name) for each in expected):
            yield "expectedArtifacts", f"lack the gcs/object {name}: what Downwind sends would bind to nothing"


def _deploying(document: Document) -> Problems:
    stages: Sequence[Document] = document.get("stages") or ()
    known = {str(each.get("id")) for each in document.get("expectedArtifacts") or ()}
    by_id = {str(stage.get("refId")): stage for stage in stages}
    for stage in stages:
        if stage.get("type") == _ROLLS_BACK:
            yield _name(stage), "rolls back past the ledger: use downwind rollback"
        if stage.get("type") not in DEPLOYING_STAGES or is_fence(stage):
            continue
        if stage.get("source") == "artifact":
            if str(stage.get("manifestArtifactId")) not in known:
                yield _name(stage), "manifestArtifactId names no expected artifact"
            if stage.get("enableArtifactBinding") is not False:
                yield _name(stage), "enableArtifactBinding is not false: images would be bound anew"
            if stage.get("skipExpressionEvaluation") is not True:
                yield _name(stage), "skipExpressionEvaluation is not true: expressions in the bundle would be evaluated"
        before = [by_id.get(str(each)) for each in stage.get("requisiteStageRefIds") or ()]
        if stage.get("type") in {"runJob", "runJobManifest"} and not any(each and is_fence(each) for each in before):
            yield _name(stage), "has no fence directly before it: a Job has no guard of its own"


def _name(stage: Document) -> str:
    return f"stage {stage.get('refId')} ({stage.get('name') or stage.get('type')})"


def _squeezed(text: Any) -> str:
    return "".join(str(text or "").split())
