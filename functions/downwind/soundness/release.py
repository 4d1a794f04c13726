"""Is what a pipeline deploys the pinned bundle of one release, whole and as it is, in the cluster where its fence stands?"""

from collections.abc import Iterator

from downwind.model.execution import DEPLOYING_STAGES, is_fence
from downwind.model.fields import Path, Problem
from downwind.reconcile import names
from downwind.soundness.document import Document, is_false, is_true, items, kind_of, mapping, problem, stages, texts
from downwind.soundness.served import Served

_ROLLS_BACK = "undoRolloutManifest"
_EVALUATED = "is not true: expressions in the bundle would be evaluated"
Problems = Iterator[Problem]


def check_release(document: Document, served: Served) -> Problems:
    yield from _artifacts(served, document)
    yield from _deploying(served, document)
    yield from _accounts(served, document)


def _artifacts(served: Served, document: Document) -> Problems:
    expected = [(place, mapping(each)) for place, each in enumerate(items(document.get("expectedArtifacts")))]
    ours = _sent(served)
    named = [mapping(each.get("matchArtifact")) for _, each in expected]
    for name in ours:
        if not any((match.get("type"), match.get("name")) == ("gcs/object", name) for match in named):
            text = f"lack the gcs/object {name}: what Downwind sends would bind to nothing"
            yield problem(("expectedArtifacts",), text, "expect it, with exactly that name")
    for place, each in expected:
        match = mapping(each.get("matchArtifact"))
        if match.get("name") not in ours and not is_true(each.get("useDefaultArtifact")):
            text = f"{match.get('name')!r} is nothing that Downwind sends: a stage that names it would fail"
            yield problem(("expectedArtifacts", place), text, f"sent are: {', '.join(ours)}")
        if match.get("name") in ours:
            for name, what in (("useDefaultArtifact", "a default"), ("usePriorArtifact", "what the last run had")):
                if is_true(each.get(name)):
                    text = f"is true: where the bundle does not match, {what} would be deployed"
                    yield problem(("expectedArtifacts", place, name), text, f"write {name}: false")


def _sent(served: Served) -> list[str]:
    """Names of the artifacts that Downwind sends with a start."""
    return [
        names.artifact(served.bundles, served.application, served.environment, part, len(served.parts))
        for part in served.parts
    ]


def _deploying(served: Served, document: Document) -> Problems:
    found = stages(document)
    by_id = {str(stage.get("refId")): stage for _, stage in found}
    deployed: set[str] = set()
    for index, stage in found:
        path: Path = ("stages", index)
        if stage.get("type") == _ROLLS_BACK:
            text = "rolls back past the ledger: use downwind rollback"
            yield problem((*path, "type"), text, "take the stage out; a rollback is a new entry")
        if kind_of(stage) not in DEPLOYING_STAGES or is_fence(stage):
            continue
        deployed.add(str(stage.get("manifestArtifactId")))
        if stage.get("type") == "deployManifest":
            yield from _bundle(served, path, stage)
        elif stage.get("source") == "artifact" and not is_true(stage.get("skipExpressionEvaluation")):
            yield problem((*path, "skipExpressionEvaluation"), _EVALUATED, "write skipExpressionEvaluation: true")
        before = [by_id.get(each) for each in texts(stage.get("requisiteStageRefIds"))]
        if kind_of(stage) in {"runJob", "runJobManifest"} and not any(each and is_fence(each) for each in before):
            text = "has no fence directly before it: a Job has no guard of its own"
            fix = "put the fence once more right before it"
            yield problem(path, text, fix)
    ours = _sent(served)
    for place, each in enumerate(items(document.get("expectedArtifacts"))):
        name, match = mapping(each).get("id"), mapping(mapping(each).get("matchArtifact"))
        if name and match.get("name") in ours and str(name) not in deployed:
            text = f"{name!r} is deployed by no stage: part of the release would be left out"
            yield problem(("expectedArtifacts", place, "id"), text, f"name it in a stage: manifestArtifactId: {name}")


def _bundle(served: Served, path: Path, stage: Document) -> Problems:
    if stage.get("source") != "artifact":
        text = "is not artifact: this is no part of the bundle, so it has no sequence and no guard"
        yield problem((*path, "source"), text, "put the objects into the release's manifests")
        return
    if stage.get("manifestArtifact"):
        text = "deploys what this file says, not what the release brings"
        yield problem((*path, "manifestArtifact"), text, "give manifestArtifactId, the id of an expected artifact")
    if not is_false(stage.get("enableArtifactBinding")):
        text = "is not false: images would be bound anew"
        yield problem((*path, "enableArtifactBinding"), text, "write enableArtifactBinding: false")
    if not is_true(stage.get("skipExpressionEvaluation")):
        yield problem((*path, "skipExpressionEvaluation"), _EVALUATED, "write skipExpressionEvaluation: true")
    if stage.get("namespaceOverride") not in (None, "", served.namespace):
        text = "takes the guard away from the environment's namespace"
        yield problem((*path, "namespaceOverride"), text, "take it out; the manifests say their namespaces")
    if items(mapping(stage.get("labelSelectors")).get("selectors")):
        text = "leave the guard out: an older rollout would get past"
        yield problem((*path, "labelSelectors"), text, "take them out, or make another part of what they select")


def _accounts(served: Served, document: Document) -> Problems:
    for index, stage in stages(document):
        given = stage.get("manifestArtifactAccount")
        if given is not None and served.artifact_account not in (None, given):
            text = f"{given!r} is not {served.artifact_account!r}, which the catalog names: it may not read the bundles"
            fix = f"write manifestArtifactAccount: {served.artifact_account}"
            yield problem(("stages", index, "manifestArtifactAccount"), text, fix)
    fence = next((str(stage.get("account")) for _, stage in stages(document) if is_fence(stage)), None)
    wanted = served.account or fence
    for index, stage in stages(document):
        for name in ("account", "credentials"):
            given = stage.get(name)
            if kind_of(stage) not in DEPLOYING_STAGES or given is None or wanted is None or given == wanted:
                continue
            said = "which the catalog names" if served.account else "where the fence stands"
            text = f"{given!r} is not {wanted!r}, {said}: the fence would not hold in that cluster"
            yield problem(("stages", index, name), text, f"write {name}: {wanted}")
