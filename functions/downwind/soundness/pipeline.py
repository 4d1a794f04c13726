"""Does a pipeline begin with precondition and fence, and deploy the pinned bundle as it is (design.md section 7)?"""

from collections.abc import Iterator

from downwind.model.catalog import Application, Environment
from downwind.model.execution import is_fence
from downwind.model.fields import Path, Problem, dotted
from downwind.soundness.artifacts import check_references
from downwind.soundness.document import Document, is_false, is_true, items, label, mapping, problem, stages, texts
from downwind.soundness.finding import Finding, differences
from downwind.soundness.graph import check_graph
from downwind.soundness.release import check_release
from downwind.soundness.served import Served, served_by

_MARKS = {
    "downwind.dev/sequence": "${trigger['downwind']['sequence']}",
    "downwind.dev/attempt": "${trigger['downwind']['attempt']}",
    "downwind.dev/execution": "${execution.id}",
    # Spinnaker would write …-v000 otherwise: a new object each time, which fences nothing.
    "strategy.spinnaker.io/versioned": "false",
}
_GO_ON = {"failPipeline": False, "continuePipeline": True, "completeOtherBranchesThenFail": True}
"""With one of these a stage that fails does not end the run."""
_LOOK = "as in pipelines/ of Downwind"


def check_pipeline(
    application: Application, environment: Environment, document: Document | None, bundles_bucket: str
) -> list[Finding]:
    """`document`: the pipeline as Spinnaker has saved it; None, it has none of that name."""
    place = f"pipeline {environment.pipeline_application}/{environment.pipeline}"
    if document is None:
        shipped = "judgment.yaml" if environment.after else "rolling.yaml"
        fix = f"copy pipelines/{shipped} to pipelines/{environment.pipeline}.yaml, and save it with downwind pipelines save"
        return [Finding(where=place, what="is not there", fix=fix)]
    served = served_by(application, environment, bundles_bucket)
    found = [*check_promise(document, served), *check_graph(document), *check_references(document)]
    return [_finding(place, document, each) for each in found]


def _finding(place: str, document: Document, found: Problem) -> Finding:
    """For who sees the pipeline in Spinnaker, where it has stages and no lines."""
    path = found.path
    if len(path) < 2 or path[0] != "stages" or not isinstance(path[1], int):
        return Finding(where=f"{place}, {dotted(path)}", what=found.message, fix=found.fix)
    stage = mapping(items(document.get("stages"))[path[1]])
    field = f"{dotted(path[2:])} " if path[2:] else ""
    return Finding(where=f"{place}, {label(stage)}", what=f"{field}{found.message}", fix=found.fix)


def check_promise(document: Document, served: Served) -> list[Problem]:
    """Every way in which a run of this pipeline could break what Downwind promises for its environment."""
    return [
        *_settings(document),
        *_starts(document),
        *_beginning(served, document),
        *check_release(document, served),
    ]


Problems = Iterator[Problem]


def expression_of(application: str, environment: str) -> str:
    """What the first stage has to ask."""
    asked = [f"trigger['downwind']['{key}'] != null" for key in ("sequence", "attempt")]
    named = {"application": application, "environment": environment}
    own = [f"trigger['downwind']['{key}'] == '{value}'" for key, value in named.items()]
    return "${" + " && ".join(["trigger['downwind'] != null", *own, *asked]) + "}"


def _settings(document: Document) -> Problems:
    if document.get("spelEvaluator") != "v4":
        text = "is not v4: without it skipExpressionEvaluation protects no manifest"
        yield problem(("spelEvaluator",), text, "write spelEvaluator: v4")
    if is_true(document.get("disabled")):
        yield problem(("disabled",), "is true: Spinnaker starts no run of it", "take it out")
    if not is_true(document.get("limitConcurrent")):
        text = "is not true: two rollouts would deploy at the same time"
        yield problem(("limitConcurrent",), text, "write limitConcurrent: true")
    if document.get("maxConcurrentExecutions") not in (None, 0, 1, "0", "1"):
        text = "is more than 1: two rollouts would deploy at the same time"
        yield problem(("maxConcurrentExecutions",), text, "take it out")
    if is_true(document.get("keepWaitingPipelines")):
        text = "is true: runs that wait would go oldest first, and the newest last"
        yield problem(("keepWaitingPipelines",), text, "write keepWaitingPipelines: false")


def _starts(document: Document) -> Problems:
    for place, each in enumerate(items(document.get("triggers"))):
        if not is_false(mapping(each).get("enabled")):
            text = f"starts runs that end at the precondition ({mapping(each).get('type')}): only Downwind starts this pipeline"
            yield problem(("triggers", place), text, "take it out")
    for place, each in enumerate(items(document.get("parameterConfig"))):
        if is_true(mapping(each).get("required")) and mapping(each).get("default") is None:
            text = f"{mapping(each).get('name')!r} is required and has no default: Gate refuses every start by Downwind"
            yield problem(("parameterConfig", place), text, "give it a default, or take required out")


def _beginning(served: Served, document: Document) -> Problems:
    found = stages(document)
    roots = [(index, stage) for index, stage in found if not stage.get("requisiteStageRefIds")]
    if len(roots) != 1 or roots[0][1].get("type") != "checkPreconditions":
        text = "do not begin with one checkPreconditions stage: a run that Downwind did not start is let in"
        yield problem(("stages",), text, f"begin with the precondition {_LOOK}")
        return
    at, root = roots[0]
    yield from _precondition(("stages", at), root, expression_of(served.application, served.environment))
    behind = [(index, stage) for index, stage in found if stage.get("requisiteStageRefIds") == [root.get("refId")]]
    fences = [stage for _, stage in behind if is_fence(stage)]
    if len(fences) != 1:
        text = "have no fence right behind the precondition: an older or a second run is let in"
        yield problem(("stages",), text, f"put the fence right behind the precondition, {_LOOK}")
        return
    for index, stage in found:
        if is_fence(stage):
            yield from _fence(served, ("stages", index), stage)
        elif stage is not root and texts([root.get("refId")])[0] in texts(stage.get("requisiteStageRefIds")):
            text = "stands beside the fence: it has to follow it"
            fix = f"let it follow stage {fences[0].get('refId')}"
            yield problem(("stages", index), text, fix)


def _precondition(path: Path, stage: Document, expression: str) -> Problems:
    conditions = [
        (place, mapping(each))
        for place, each in enumerate(items(stage.get("preconditions")))
        if mapping(each).get("type") == "expression"
    ]
    ours = [
        (place, each)
        for place, each in conditions
        if _squeezed(mapping(each.get("context")).get("expression")) == _squeezed(expression)
    ]
    if not ours:
        text = "does not ask that trigger.downwind is whole and names this application and environment"
        where: Path = (*path, "preconditions")
        if conditions:
            where = (*where, conditions[0][0], "context", "expression")
        yield problem(where, text, f"ask {expression}")
    elif all(is_false(each.get("failPipeline")) for _, each in ours):
        text = "lets the run go on when it does not hold (failPipeline is false)"
        yield problem((*path, "preconditions", ours[0][0], "failPipeline"), text, "write failPipeline: true")
    yield from _goes_on(path, stage)


def _fence(served: Served, path: Path, stage: Document) -> Problems:
    wanted = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"downwind.{served.application}.{served.environment}",
            "namespace": served.namespace,
            "labels": {"downwind.dev/fence": "true"},
            "annotations": {"downwind.dev/owner": served.owner, **_MARKS},
        },
    }
    manifests = items(stage.get("manifests"))
    if len(manifests) != 1:
        yield problem((*path, "manifests"), "deploys more than one fence", "leave this environment's")
        return
    for difference in differences(wanted, manifests[0], "manifests[0]", whole=False):
        place, _, said = difference.removeprefix("manifests[0].").rpartition(" is ")
        text = f"is {said}: it would not fence {served.owner} in namespace {served.namespace}"
        where, meant = _meant(wanted, place)
        yield problem((*path, "manifests", 0, *where), text, f"write {meant}")
    if stage.get("source", "text") != "text":
        yield problem((*path, "source"), "is not text: the fence is not in the bundle", "write source: text")
    if is_true(stage.get("skipExpressionEvaluation")):
        text = "is true: sequence and execution would stay expressions"
        yield problem((*path, "skipExpressionEvaluation"), text, "write skipExpressionEvaluation: false")
    for name in ("namespaceOverride", "labelSelectors"):
        if stage.get(name):
            text = "takes the fence elsewhere, or away"
            yield problem((*path, name), text, "take it out")
    yield from _goes_on(path, stage)


def _meant(wanted: Document, text: str) -> tuple[tuple[str, ...], str]:
    """Path and wanted value of a difference; names of annotations have dots of their own."""
    path: list[str] = []
    value: object = wanted
    while text and isinstance(value, dict):
        key = next((each for each in value if text == each or text.startswith(f"{each}.")), None)
        if key is None:
            break
        path.append(key)
        value, text = value[key], text[len(key) + 1 :]
    shown = f'"{value}"' if value in {"true", "false"} else value
    return tuple(path), f"{path[-1]}: {shown}" if path else f"it {_LOOK}"


def _goes_on(path: Path, stage: Document) -> Problems:
    for key, value in _GO_ON.items():
        if (is_true if value else is_false)(stage.get(key)):
            text = f"is {str(value).lower()}: the run goes on when this stage fails"
            yield problem((*path, key), text, "take it out")
    if stage.get("stageEnabled"):
        text = "has a condition: this stage could be left out"
        yield problem((*path, "stageEnabled"), text, "take it out")


def _squeezed(text: object) -> str:
    return "".join(str(text or "").split())
