"""read_execution: what an execution says about fence, judgment and outcome (shapes as recorded from real Orca)."""

from typing import Any

import pytest

from downwind.errors import Refused
from downwind.model.execution import is_fence, read_execution

FENCE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "downwind.shop.staging", "labels": {"downwind.dev/fence": "true"}},
}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}


def stage(kind: str, status: str | None, **context: Any) -> dict[str, Any]:
    found = {"id": f"{kind}-id", "type": kind, "context": context}
    return found if status is None else {**found, "status": status}


def deploy(status: str | None, *manifests: Any, **context: Any) -> dict[str, Any]:
    return stage("deployManifest", status, manifests=list(manifests or [CONFIG_MAP]), **context)


def denied(status: str, message: str) -> dict[str, Any]:
    return deploy(status, FENCE, **{"kato.tasks": [{}, {"exception": {"message": message}}]})


def execution(status: str = "RUNNING", *stages: Any, **more: Any) -> dict[str, Any]:
    return {"id": "01EXECUTION", "application": "shop", "status": status, "stages": list(stages), **more}


def test_reads_who_it_is_from_the_trigger() -> None:
    found = read_execution(
        execution(
            name="deploy",
            pipelineConfigId="c1",
            startTime=1,
            endTime=2,
            canceledBy="ci",
            cancellationReason="superseded",
            trigger={
                "correlationId": "downwind-x-7-1",
                "downwind": {"application": "shop", "environment": "staging", "sequence": "7", "attempt": "1"},
            },
        )
    )
    assert (found.id, found.application, found.name, found.config_id) == ("01EXECUTION", "shop", "deploy", "c1")
    assert (found.correlation_id, found.sequence, found.attempt) == ("downwind-x-7-1", 7, 1)
    assert (found.downwind_application, found.downwind_environment) == ("shop", "staging")
    assert (found.canceled_by, found.reason, found.started, found.ended) == ("ci", "superseded", 1, 2)


def test_an_execution_of_somebody_else_has_none_of_our_words() -> None:
    found = read_execution(execution(trigger={"type": "manual", "correlationId": 7, "downwind": "text"}))
    assert (found.correlation_id, found.sequence, found.attempt, found.downwind_application) == (None,) * 4


@pytest.mark.parametrize("sequence", ["", "-1", "٣", "1" * 19, "${trigger.x}", True, None, 1.5])
def test_a_sequence_that_is_no_whole_number_is_none(sequence: object) -> None:
    assert read_execution(execution(trigger={"downwind": {"sequence": sequence}})).sequence is None


def test_an_empty_object_is_an_execution_of_which_nothing_is_known() -> None:
    found = read_execution({})
    assert (found.id, found.status, found.finished, found.fence, found.deploying) == ("", "", False, "open", False)


@pytest.mark.parametrize("document", [[], "text", None, 3])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(Refused, match="JSON object"):
        read_execution(document)


def test_broken_parts_are_passed_over() -> None:
    found = read_execution(execution("RUNNING", "text", {"context": []}, stages2=1, trigger=[]))
    assert found.fence == "open"
    assert read_execution({"stages": {"a": 1}}).deploying is False


def test_an_unknown_status_is_kept() -> None:
    found = read_execution(execution("BUFFERED"))
    assert (found.status, found.finished) == ("BUFFERED", False)


@pytest.mark.parametrize(
    ("status", "fence"),
    [
        (None, "open"),
        ("NOT_STARTED", "open"),
        ("RUNNING", "open"),
        ("PAUSED", "open"),
        ("SUCCEEDED", "passed"),
        ("TERMINAL", "refused"),
        ("FAILED_CONTINUE", "refused"),
        ("STOPPED", "refused"),
        ("CANCELED", "refused"),
    ],
)
def test_the_fence_follows_its_stage(status: str | None, fence: str) -> None:
    assert read_execution(execution("RUNNING", deploy(status, FENCE))).fence == fence


def test_a_refused_fence_says_what_the_policy_said() -> None:
    found = read_execution(execution("TERMINAL", denied("TERMINAL", "already holds sequence 7"), deploy("NOT_STARTED")))
    assert found.fence_message == found.message == "already holds sequence 7"
    assert (found.deploying, found.deployed) == (False, False)


def test_a_second_fence_that_refuses_takes_nothing_back() -> None:
    found = read_execution(execution("TERMINAL", deploy("SUCCEEDED", FENCE), denied("TERMINAL", "too late")))
    assert (found.fence, found.fence_message, found.message) == ("passed", None, "too late")


@pytest.mark.parametrize(
    "manifest",
    [
        {**FENCE, "kind": "Secret"},
        {**FENCE, "metadata": {"name": "downwind.shop.staging"}},
        {**FENCE, "metadata": {**FENCE["metadata"], "labels": {"downwind.dev/fence": True}}},
        {**FENCE, "metadata": {**FENCE["metadata"], "name": "downwind.shop.staging.guard"}},
        {**FENCE, "metadata": {**FENCE["metadata"], "name": "fence"}},
        "text",
    ],
)
def test_what_only_looks_like_a_fence_deploys(manifest: Any) -> None:
    found = read_execution(execution("RUNNING", deploy("SUCCEEDED", manifest)))
    assert (found.fence, found.deploying) == ("open", True)


def test_a_fence_with_anything_beside_it_deploys() -> None:
    assert read_execution(execution("RUNNING", deploy("RUNNING", FENCE, CONFIG_MAP))).deploying


def test_a_stage_without_manifests_is_no_fence() -> None:
    assert not is_fence({"type": "deployManifest", "context": {"source": "artifact"}})


def test_a_fence_is_known_in_a_pipeline_file_too() -> None:
    assert is_fence({"type": "deployManifest", "manifests": [FENCE]})


@pytest.mark.parametrize(("status", "started"), [("NOT_STARTED", False), ("SKIPPED", False), ("RUNNING", True)])
def test_deploying_begins_when_a_deploying_stage_starts(status: str, started: bool) -> None:
    found = read_execution(execution("RUNNING", deploy("SUCCEEDED", FENCE), deploy(status)))
    assert found.deploying is started


@pytest.mark.parametrize("kind", ["runJobManifest", "patchManifest", "undoRolloutManifest", "deleteManifest"])
def test_every_stage_that_posts_an_operation_deploys(kind: str) -> None:
    assert read_execution(execution("SUCCEEDED", stage(kind, "SUCCEEDED"))).deployed


def test_a_plugins_stage_that_left_an_operation_behind_deploys() -> None:
    odd = stage("acmeDeploy", "FAILED_CONTINUE", **{"kato.last.task.id": {"id": "t1"}})
    found = read_execution(execution("SUCCEEDED", deploy("SUCCEEDED"), odd))
    assert (found.deploying, found.deployed) == (True, False)


@pytest.mark.parametrize("status", ["FAILED_CONTINUE", "STOPPED", "SKIPPED", "NOT_STARTED"])
def test_a_run_that_succeeds_over_a_stage_that_did_not_has_not_deployed(status: str) -> None:
    assert not read_execution(execution("SUCCEEDED", deploy("SUCCEEDED"), deploy(status))).deployed


def test_a_run_without_any_deploying_stage_has_not_deployed() -> None:
    assert not read_execution(execution("SUCCEEDED", deploy("SUCCEEDED", FENCE), stage("wait", "SUCCEEDED"))).deployed


def test_a_run_that_deployed_and_then_failed_has_not_deployed() -> None:
    assert not read_execution(execution("TERMINAL", deploy("SUCCEEDED"), stage("wait", "TERMINAL"))).deployed


def test_a_synthetic_stage_of_a_strategy_counts_like_any_other() -> None:
    after = {**stage("disableManifest", "TERMINAL"), "parentStageId": "x", "syntheticStageOwner": "STAGE_AFTER"}
    assert not read_execution(execution("SUCCEEDED", deploy("SUCCEEDED"), after)).deployed


@pytest.mark.parametrize("status", ["RUNNING", "PAUSED"])
def test_a_judgment_waits_while_its_stage_runs(status: str) -> None:
    found = read_execution(execution(status, stage("manualJudgment", status)))
    assert (found.judgment, found.judged) == ("manualJudgment-id", False)


def test_an_answer_that_orca_does_not_know_leaves_the_judgment_waiting() -> None:
    found = read_execution(execution("RUNNING", stage("manualJudgment", "RUNNING", judgmentStatus="maybe")))
    assert (found.judgment, found.judged) == ("manualJudgment-id", False)


@pytest.mark.parametrize(
    ("status", "answer"),
    [("RUNNING", "continue"), ("SUCCEEDED", "CONTINUE"), ("TERMINAL", "stop"), ("SUCCEEDED", None)],
)
def test_an_answered_judgment_is_judged(status: str, answer: str | None) -> None:
    found = read_execution(execution("RUNNING", stage("manualJudgment", status, judgmentStatus=answer)))
    assert (found.judgment, found.judged) == (None, True)


@pytest.mark.parametrize("status", ["CANCELED", "NOT_STARTED", "TERMINAL"])
def test_a_judgment_that_nobody_answered_is_not_judged(status: str) -> None:
    found = read_execution(execution("CANCELED", stage("manualJudgment", status)))
    assert (found.judgment, found.judged) == (None, False)


def test_no_judgment_waits_in_a_run_that_has_ended() -> None:
    assert read_execution(execution("CANCELED", stage("manualJudgment", "RUNNING"))).judgment is None


def test_a_refusing_precondition_speaks_through_its_synthetic_stage() -> None:
    parent = stage("checkPreconditions", "TERMINAL", preconditions=[])
    child = {
        **stage("checkPreconditions", "TERMINAL", context={"expression": False, "failureMessage": "use downwind"}),
        "parentStageId": parent["id"],
        "refId": "0<1",
    }
    found = read_execution(execution("TERMINAL", parent, child, deploy("NOT_STARTED", FENCE)))
    assert (found.precondition_failed, found.message, found.fence) == (True, "use downwind", "open")


def test_a_passed_precondition_has_not_failed() -> None:
    assert not read_execution(execution("RUNNING", stage("checkPreconditions", "SUCCEEDED"))).precondition_failed


def test_the_message_is_the_first_failed_stages_own() -> None:
    failed = stage("wait", "TERMINAL", exception={"details": {"errors": [3, "timed out after 20 seconds"]}})
    assert read_execution(execution("TERMINAL", deploy("SUCCEEDED"), failed)).message == "timed out after 20 seconds"


def test_a_failed_stage_without_a_word_leaves_the_next_to_speak() -> None:
    silent = stage("manualJudgment", "STOPPED", exception="text", context=[])
    speaking = stage("wait", "TERMINAL", failureMessage="no")
    assert read_execution(execution("TERMINAL", silent, speaking)).message == "no"


def test_a_message_is_cut_to_2000_characters() -> None:
    found = read_execution(execution("TERMINAL", denied("TERMINAL", "x" * 5000)))
    assert len(found.message or "") == len(found.fence_message or "") == 2000
