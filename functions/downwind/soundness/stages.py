"""What one stage's own values do to it: hidden failures, judgments, traffic, Kayenta."""

import re
from collections.abc import Iterator
from typing import Any

from downwind.model.execution import DEPLOYING_STAGES
from downwind.model.fields import Path, Problem
from downwind.soundness.document import (
    Document,
    behind,
    is_false,
    is_true,
    items,
    kind_of,
    label,
    mapping,
    problem,
    stages,
)

STRATEGIES = ("none", "bluegreen", "redblack", "highlander")
_DECIDING = frozenset({"manualJudgment", "checkPreconditions", "kayentaCanary"})
_DURATION = re.compile(r"P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_ANALYSES = ("realTime", "realTimeAutomatic", "retrospective")


def check_stages(document: Document) -> Iterator[Problem]:
    before = behind(document)
    found = stages(document)
    deploying = {str(stage.get("refId")) for _, stage in found if kind_of(stage) in DEPLOYING_STAGES}
    for index, stage in found:
        path: Path = ("stages", index)
        leads = any(str(stage.get("refId")) in before[each] for each in deploying if each in before)
        yield from _hidden(path, stage, leads=leads)
        match stage.get("type"):
            case "deployManifest":
                yield from _owner(path, stage, document)
                yield from _traffic(path, mapping(stage.get("trafficManagement")))
                yield from _marks(path, stage)
            case "runJobManifest":
                yield from _job(path, stage)
            case "manualJudgment":
                yield from _judgment(path, stage)
            case "kayentaCanary":
                yield from _kayenta(path, mapping(stage.get("canaryConfig")), stage.get("analysisType"))
            case _:
                pass


def _hidden(path: Path, stage: Document, *, leads: bool) -> Iterator[Problem]:
    """Seen: FAILED_CONTINUE and STOPPED end in an execution that is SUCCEEDED. A stage whose failure nothing depends on
    may do as it likes."""
    decides = kind_of(stage) in DEPLOYING_STAGES or kind_of(stage) in _DECIDING or leads
    if not decides:
        return
    if is_true(stage.get("continuePipeline")):
        text = f"hides a failure: {label(stage)} fails, and what comes after it runs all the same"
        yield problem((*path, "continuePipeline"), text, "take continuePipeline out")
    elif is_false(stage.get("failPipeline")) and not is_true(stage.get("completeOtherBranchesThenFail")):
        text = f"hides a failure: {label(stage)} fails, and the run ends SUCCEEDED"
        yield problem(
            (*path, "failPipeline"), text, "take failPipeline out, or add completeOtherBranchesThenFail: true"
        )


def _owner(path: Path, stage: Document, document: Document) -> Iterator[Problem]:
    if stage.get("cloudProvider") not in (None, "", "kubernetes"):
        text = f"{stage['cloudProvider']!r} has no manifests: this stage is Kubernetes' own"
        yield problem((*path, "cloudProvider"), text, "write cloudProvider: kubernetes")
    moniker = mapping(stage.get("moniker"))
    if moniker and moniker.get("app") != document.get("application") and "${" not in str(moniker.get("app")):
        text = f"{moniker.get('app')!r} is not the pipeline's application: Deck would show the objects there"
        yield problem((*path, "moniker", "app"), text, f"write app: {document.get('application')}")


def _traffic(path: Path, traffic: Document) -> Iterator[Problem]:
    where: Path = (*path, "trafficManagement", "options")
    options = mapping(traffic.get("options"))
    strategy = options.get("strategy", "none")
    if strategy not in STRATEGIES:
        hint = "a canary is two stages with a part of the bundle each" if strategy == "canary" else "look at pipelines/"
        fix = f"use one of: {', '.join(STRATEGIES)}; {hint}"
        yield problem((*where, "strategy"), f"{strategy!r} is not a strategy of Orca", fix)
    elif strategy != "none" and not is_true(traffic.get("enabled")):
        text = f"strategy {strategy} counts only with enabled: true"
        yield problem((*path, "trafficManagement", "enabled"), text, "write enabled: true, or take the strategy out")
    elif strategy != "none" and not items(options.get("services")):
        text = f"is missing: {strategy} needs the Service that turns its traffic"
        yield problem((*where, "services"), text, 'give services: ["service NAME"]')
    if strategy in STRATEGIES[1:] and not is_true(options.get("enableTraffic")):
        text = f"is not true: {strategy} takes the traffic from the old one, and the new one would get none"
        yield problem((*where, "enableTraffic"), text, "write enableTraffic: true")
    for place, each in enumerate(items(options.get("services"))):
        if not re.fullmatch(r"(?i)(service|ingress) [a-z0-9.-]+|.*(\$\{|\{\{).*", str(each)):
            yield problem((*where, "services", place), f"{each!r} is not KIND NAME", "write it as `service NAME`")


def _marks(path: Path, stage: Document) -> Iterator[Problem]:
    """Kubernetes refuses an object whose annotations or labels are no texts."""
    for number, manifest in enumerate(items(stage.get("manifests"))):
        for key in ("annotations", "labels"):
            marks = mapping(mapping(mapping(manifest).get("metadata")).get(key))
            for name, value in marks.items():
                if not isinstance(value, str):
                    where: Path = (*path, "manifests", number, "metadata", key, str(name))
                    yield problem(
                        where, f"{value!r} is not a text, and Kubernetes takes only texts there", "put it in quotes"
                    )


def _job(path: Path, stage: Document) -> Iterator[Problem]:
    if stage.get("alias") not in (None, "", "runJob"):
        yield problem(
            (*path, "alias"), f"{stage['alias']!r} is not runJob: Orca would not find the stage", "write alias: runJob"
        )
    if stage.get("source") != "artifact" and not mapping(stage.get("manifest")):
        yield problem((*path, "manifest"), "is missing: there is no Job to run", "give manifest, or source: artifact")
    kind = mapping(stage.get("manifest")).get("kind", "Job")
    if kind != "Job":
        yield problem(
            (*path, "manifest", "kind"), f"{kind!r} is not Job, and this stage takes nothing else", "use deployManifest"
        )
    if is_false(stage.get("waitForCompletion")):
        text = "is false: what comes after it does not wait for the job, nor hear of its failure"
        yield problem((*path, "waitForCompletion"), text, "take it out")


def _judgment(path: Path, stage: Document) -> Iterator[Problem]:
    for place, each in enumerate(items(stage.get("judgmentInputs"))):
        if not isinstance(mapping(each).get("value"), str):
            yield problem((*path, "judgmentInputs", place), "has no value", "write {value: TEXT}")
    if stage.get("stageEnabled"):
        text = "has a condition: where it does not hold, nobody is asked, and the run goes on"
        yield problem((*path, "stageEnabled"), text, "take it out, or leave the judgment out")


def _kayenta(path: Path, config: Document, analysis: Any) -> Iterator[Problem]:
    where: Path = (*path, "canaryConfig")
    if not config:
        return  # the missing field is told already
    if analysis not in (None, *_ANALYSES):
        yield problem((*path, "analysisType"), f"{analysis!r} is not known", f"use one of: {', '.join(_ANALYSES)}")
    if not config.get("canaryConfigId") and not config.get("canaryConfigName"):
        yield problem(
            (*where, "canaryConfigId"),
            "is missing: Kayenta would not know what to compare",
            "give the configuration's id",
        )
    scopes = items(config.get("scopes"))
    if not scopes:
        yield problem((*where, "scopes"), "is missing: there is nothing to compare", "give one scope at least")
    for place, each in enumerate(scopes):
        for name in ("controlScope", "experimentScope"):
            if not mapping(each).get(name):
                yield problem((*where, "scopes", place, name), "is missing", "name what the metrics are of")
        control, experiment = (
            (mapping(each).get(f"{side}Scope"), mapping(each).get(f"{side}Location"))
            for side in ("control", "experiment")
        )
        if control[0] and control == experiment:
            text = "is the control's: the canary would be compared with itself"
            yield problem((*where, "scopes", place, "experimentScope"), text, "name the canary's metrics")
    lifetime = config.get("lifetimeDuration")
    if analysis != "retrospective" and lifetime is None and config.get("lifetimeHours") is None and not _ends(scopes):
        yield problem(
            (*where, "lifetimeDuration"), "is missing: the analysis would not know when to end", "write it as PT1H"
        )
    if lifetime is not None and not _DURATION.fullmatch(str(lifetime)) and "${" not in str(lifetime):
        yield problem((*where, "lifetimeDuration"), f"{lifetime!r} is not an ISO 8601 duration", "write it as PT1H")
    thresholds = mapping(config.get("scoreThresholds"))
    high, low = _number(thresholds.get("pass", 75)), _number(thresholds.get("marginal", 50))
    if high is not None and low is not None and high < low:
        text = f"is lower than marginal ({thresholds.get('marginal', 50)}): what passes would have been stopped before"
        yield problem((*where, "scoreThresholds", "pass"), text, "write pass above marginal, such as 95 and 75")


def _ends(scopes: Any) -> bool:
    return bool(scopes) and all(mapping(each).get("endTimeIso") for each in scopes)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
