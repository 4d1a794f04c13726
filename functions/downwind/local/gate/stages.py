"""The stage types of the local Orca, but for those that post operations, and the unknown one."""

from collections.abc import Mapping
from typing import Any

from downwind.local.gate.executions import new_stage
from downwind.local.gate.work import StageFailedError, Work, failed_task


def wait(work: Work) -> None:
    work.plan([("wait", "pipeline.tasks.WaitTask")])
    with work.task():
        work.sleep(float(work.context.get("waitTime") or 0))


def manual_judgment(work: Work) -> None:
    """Any other word than `continue` and `stop` leaves it waiting (recorded); so does an input that is not offered."""
    work.put(notifications=work.context.get("notifications") or [])
    work.plan([("waitForJudgment", "echo.pipeline.ManualJudgmentStage.WaitForManualJudgmentTask")])
    with work.task():
        work.wait_for(lambda: _answer(work) in {"continue", "stop"})
        if _answer(work) == "stop":
            raise StageFailedError("judged: stop")


def check_preconditions(work: Work) -> None:
    """One synthetic stage for each precondition, `<refId><1` and so on; the parent ends as the first that refuses."""
    for number, precondition in enumerate(work.context.get("preconditions") or [], 1):
        child = work.add_stage(_precondition_stage(work.stage, number, precondition))
        child.play(_check_precondition)
        if child.stage["status"] != "SUCCEEDED":
            raise StageFailedError("a precondition refused", status=child.stage["status"])


def evaluate_variables(work: Work) -> None:
    """Each variable's value becomes an output; it is evaluated with the rest of the context, before the stage's task."""
    work.plan([("evaluateVariables", "pipeline.tasks.EvaluateVariablesTask")])
    with work.task():
        variables = [each for each in work.context.get("variables") or [] if isinstance(each, dict)]
        work.put_outputs(**{str(each["key"]): each.get("value") for each in variables if each.get("key")})


def unknown(work: Work) -> None:
    """Orca's own refusal of a stage type that it has not."""
    text = f"No StageDefinitionBuilder implementation for {work.stage['type']} found"
    raise failed_task(text, "NoSuchStageDefinitionBuilderException", work.stage["type"])


def _answer(work: Work) -> str:
    return str(work.context.get("judgmentStatus", "")).lower()


def _precondition_stage(parent: Mapping[str, Any], number: int, precondition: Mapping[str, Any]) -> dict[str, Any]:
    kind = precondition.get("type", "")
    given = {
        "refId": f"{parent['refId']}<{number}",
        "type": "checkPreconditions",
        "name": f"Check precondition ({kind})",
        "context": dict(precondition.get("context") or {}),
        "failPipeline": precondition.get("failPipeline", True),
        "preconditionType": kind,
    }
    stage = new_stage(given, number, parentStageId=parent["id"], syntheticStageOwner="STAGE_BEFORE")
    stage["context"]["type"] = "checkPreconditions"
    if "restartDetails" in parent["context"]:
        stage["context"]["restartDetails"] = parent["context"]["restartDetails"]
    return stage


def _check_precondition(work: Work) -> None:
    work.plan([("checkPrecondition", "pipeline.tasks.ExpressionPreconditionTask")])
    with work.task():
        if work.context["preconditionType"] != "expression":
            text = (
                f"the local world checks preconditions of type expression only, not {work.context['preconditionType']}"
            )
            raise failed_task(text, "UnsupportedOperationException", "checkPrecondition")
        inner = work.context["context"]
        value = inner.get("expression")
        result = value if isinstance(value, bool) else work.evaluate(f"${{{value}}}")
        shown = str(result).lower() if isinstance(result, bool) else str(result)
        work.put(context={**inner, "expressionResult": shown})
        if shown != "true":
            raise StageFailedError("the expression is not true")
