"""Traps of Spinnaker's expressions (SpEL), each seen on a real Orca or read in its source."""

import re
from collections.abc import Iterator

from downwind.model.fields import Path, Problem
from downwind.soundness.document import Document, is_true, items, kind_of, label, mapping, problem, stages, strings

_EXPRESSION = re.compile(r"\$\{(.*?)\}", re.DOTALL)
_PARAMETER = re.compile(r"\bparameters(?:\.(\w+)|\[['\"]([^'\"]+)['\"]\])")
_OURS = re.compile(r"\btrigger(?:\.downwind|\[['\"]downwind['\"]\])\??(?:\.(\w+)(?!\w*\()|\[['\"]([^'\"]+)['\"]\])")
_STAGE = re.compile(r"#stage\(\s*['\"]([^'\"]+)['\"]\s*\)")
_STAGE_BY_ID = re.compile(r"#stageByRefId\(\s*['\"]([^'\"]+)['\"]\s*\)")
_GET = re.compile(r"\.\s*get\s*\(")
_SENT = ("application", "environment", "sequence", "attempt")


def check_expressions(document: Document) -> Iterator[Problem]:
    if document.get("spelEvaluator") not in (None, "v3", "v4"):
        yield problem(("spelEvaluator",), f"{document['spelEvaluator']!r} is not known", "write v4")
    found = stages(document)
    names = {str(stage.get("name")) for _, stage in found}
    references = {str(stage.get("refId")) for _, stage in found}
    parameters = {str(mapping(each).get("name")) for each in items(document.get("parameterConfig"))}
    for index, stage in found:
        path: Path = ("stages", index)
        yield from _skipped(path, stage, document)
        yield from _late_failure(path, stage)
        kept = ("manifests", "manifest") if is_true(stage.get("skipExpressionEvaluation")) else ()
        for where, text in strings({key: value for key, value in stage.items() if key not in kept}, path):
            if "${" not in text:
                continue
            if len(_EXPRESSION.findall(text)) != text.count("${"):
                yield problem(where, "has an expression that nothing ends: all of it stays text", "close it with }")
            for expression in _EXPRESSION.findall(text):
                yield from _expression(where, expression, names, references, parameters)
    for index, stage in found:
        if stage.get("type") == "checkPreconditions":
            yield from _preconditions(("stages", index), stage, names)


def _skipped(path: Path, stage: Document, document: Document) -> Iterator[Problem]:
    if not is_true(stage.get("skipExpressionEvaluation")):
        return
    if document.get("spelEvaluator") != "v4":
        text = f"is not v4: skipExpressionEvaluation of {label(stage)} protects nothing"
        yield problem(("spelEvaluator",), text, "write spelEvaluator: v4")
    kept = stage.get("manifests") if stage.get("source", "text") == "text" else None
    if any("${" in text for _, text in strings(kept, ())):
        text = "is true: the expressions in its manifests are deployed as they stand"
        yield problem((*path, "skipExpressionEvaluation"), text, "take it out, or the expressions")


def _late_failure(path: Path, stage: Document) -> Iterator[Problem]:
    """Seen: the operation is posted with the literal text, runs to its end, and only then the stage turns TERMINAL."""
    if not is_true(stage.get("failOnFailedExpressions")):
        return
    if stage.get("type") == "deployManifest" and stage.get("source") == "artifact":
        return  # fails while it resolves the manifest, before it posts
    if kind_of(stage) in {"deployManifest", "runJobManifest", "patchManifest", "scaleManifest", "deleteManifest"}:
        text = "fails the stage only after it has deployed the unevaluated text"
        yield problem(
            (*path, "failOnFailedExpressions"), text, "ask for the value in a checkPreconditions stage before it"
        )


def _expression(
    path: Path, expression: str, names: set[str], references: set[str], parameters: set[str]
) -> Iterator[Problem]:
    if not expression.strip():
        yield problem(path, "has an empty expression", "write what is meant, or take it out")
    if _GET.search(expression):
        yield problem(
            path, "calls get(), which Orca does not allow: all of the text stays as it is", "write map['key']"
        )
    for name in _STAGE.findall(expression):
        if name not in names:
            yield problem(
                path, f"asks for the stage {name!r}, which is not there", f"stages are: {', '.join(sorted(names))}"
            )
    for name in _STAGE_BY_ID.findall(expression):
        if name not in references:
            fix = f"refIds are: {', '.join(sorted(references))}"
            yield problem(path, f"asks for the stage with refId {name!r}, which is not there", fix)
    for dotted, quoted in _PARAMETER.findall(expression):
        name = dotted or quoted
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            yield problem(
                path, f"asks for the parameter {name!r}, which is not declared", f"parameterConfig has: {known}"
            )
    for dotted, quoted in _OURS.findall(expression):
        name = dotted or quoted
        if name not in _SENT:
            yield problem(
                path, f"asks for trigger.downwind.{name}, which is never sent", f"sent are: {', '.join(_SENT)}"
            )


def _preconditions(path: Path, stage: Document, names: set[str]) -> Iterator[Problem]:
    for place, each in enumerate(items(stage.get("preconditions"))):
        where: Path = (*path, "preconditions", place)
        kind, context = mapping(each).get("type"), mapping(mapping(each).get("context"))
        if kind == "expression":
            if not str(context.get("expression") or "").strip():
                yield problem(
                    (*where, "context", "expression"),
                    f"is missing: {label(stage)} would fail",
                    "write what has to be true",
                )
        elif kind == "stageStatus":
            wanted = str(context.get("stageName", ""))
            if wanted not in names:
                fix = f"stages are: {', '.join(sorted(names))}"
                yield problem((*where, "context", "stageName"), f"{wanted!r} is no stage's name", fix)
        elif kind != "clusterSize":
            yield problem((*where, "type"), f"{kind!r} is not a precondition of Orca", "use expression or stageStatus")
