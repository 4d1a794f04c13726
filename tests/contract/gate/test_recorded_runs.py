"""Runs in the local Spinnaker have the JSON, and send the events, that were recorded from the same runs in the real one.

Compared by shape: keys at every depth, statuses, stage and task names. Values that name the recorder's own things are not.
"""

import re
from typing import Any

import pytest

# Keys whose inside is the user's own, or is Clouddriver's, which was a stub when this was recorded.
OPAQUE = frozenset(
    {
        "manifests",
        "outputs.manifests",
        "annotations",
        "downwind",
        "resultObjects",
        "history",
        "manifestNamesByNamespace",
    }
    | {"outputs.manifestNamesByNamespace", "outputs.createdArtifacts", "artifacts", "parameters", "payload"}
    | {"stableManifests", "failedManifests", "messages", "errors", "restartDetails", "paused", "preconditions"}
    | {
        "resolvedExpectedArtifacts",
        "expectedArtifacts",
        "expectedArtifactIds",
        "allowedAccounts",
        "moniker",
        "trafficManagement",
    }
)
# What the recorder's pipeline or the stub had, and nothing here depends on.
NOT_HERE = frozenset(
    {
        "deploy.server.groups",
        "kato.task.firstNotFoundRetry",
        "trafficManagement",
        "moniker",
        "instructions",
        "lastModified",
    }
    | {"correlationId", "spelEvaluator", "payload", "waitTime", "cloudProvider", "judgmentInputs", "notifications"}
    | {"skipExpressionEvaluation", "failPipeline"}
)
NAMES = re.compile("status|type|name|taskName|implementingClass|refId|source")
FENCE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "downwind.shop.prod",
        "namespace": "shop",
        "labels": {"downwind.dev/fence": "true"},
        "annotations": {
            "downwind.dev/owner": "shop/prod",
            "downwind.dev/sequence": "${trigger['downwind']['sequence']}",
            "downwind.dev/attempt": "0",
            "downwind.dev/execution": "${execution.id}",
            "strategy.spinnaker.io/versioned": "false",
        },
    },
}
MAIN = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "main", "namespace": "shop"}}
TRIGGER = {"type": "downwind", "user": "ci", "downwind": {"sequence": "7"}}


def shape(value: Any, key: str = "") -> Any:
    if key in OPAQUE:
        return type(value).__name__
    if isinstance(value, dict):
        return {name: shape(item, name) for name, item in sorted(value.items()) if name not in NOT_HERE}
    if isinstance(value, list):
        return [shape(item, key) for item in value]
    return value if NAMES.fullmatch(key) and key != "name" else type(value).__name__


def deploy(reference: str, *after: str, manifest: Any = MAIN, **more: Any) -> dict[str, Any]:
    stage = {"type": "deployManifest", "refId": reference, "requisiteStageRefIds": list(after), "source": "text"}
    return {**stage, "account": "local", "cloudProvider": "kubernetes", "manifests": [manifest], **more}


def recorded(replay: Any, name: str) -> Any:
    return shape(replay.recording(name)["response"]["body"])


def judgment(reference: str, *after: str) -> dict[str, Any]:
    return {"type": "manualJudgment", "refId": reference, "requisiteStageRefIds": list(after), "name": "approve"}


def test_a_fence_that_passes(replay: Any, lab: Any) -> None:
    lab.save(deploy("1", manifest=FENCE))
    assert shape(lab.ended(lab.start(body=TRIGGER))) == recorded(replay, "s0-fence-ok-execution")


def test_a_fence_that_is_refused(replay: Any, lab: Any) -> None:
    lab.save(deploy("1", manifest=FENCE), deploy("2", "1"))
    lab.ended(lab.start(body={**TRIGGER, "downwind": {"sequence": "8"}}))
    assert shape(lab.ended(lab.start(body=TRIGGER))) == recorded(replay, "s0-forbidden-execution")


def test_an_object_that_fails(replay: Any, lab: Any) -> None:
    pod = {"spec": {"containers": [{"image": "web:1"}]}}
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": {"template": pod}}
    lab.save(deploy("1", manifest=web))
    assert shape(lab.ended(lab.start(body=TRIGGER))) == recorded(replay, "s0-manifest-status-failed-execution")


def test_a_precondition_that_refuses(replay: Any, lab: Any) -> None:
    check = {"type": "expression", "failPipeline": True}
    check |= {"context": {"expression": "${trigger['downwind'] != null}", "failureMessage": "start from Downwind"}}
    lab.save({"type": "checkPreconditions", "refId": "0", "preconditions": [check]}, deploy("1", "0"))
    assert shape(lab.ended(lab.start())) == recorded(replay, "s0-guard-precondition-missing-execution")


def test_a_judgment_that_is_cancelled(replay: Any, lab: Any) -> None:
    lab.save(deploy("1", manifest=FENCE), judgment("2", "1"), deploy("3", "2"))
    started = lab.start(body=TRIGGER)
    lab.judged_at(started)
    lab.call("PUT", f"/pipelines/{started}/cancel?reason=superseded")
    assert shape(lab.ended(started)) == recorded(replay, "s0-judged-canceled-execution")


@pytest.mark.parametrize("word", ["continue", "stop"])
def test_a_judgment_that_is_answered(replay: Any, lab: Any, word: str) -> None:
    lab.save(judgment("1"), {"type": "wait", "refId": "2", "requisiteStageRefIds": ["1"], "waitTime": 0})
    started = lab.start(body={"user": "ci"})
    lab.judge(started, word)
    assert shape(lab.ended(started)) == recorded(replay, f"execution-judgment-{word}")


def test_a_stage_that_is_restarted_alone(replay: Any, lab: Any) -> None:
    lab.save(deploy("1", manifest=FENCE), deploy("2", "1"))
    before = lab.ended(lab.start(body=TRIGGER))
    again = before["stages"][1]
    lab.call("PUT", f"/pipelines/{before['id']}/stages/{again['id']}/restart", {})
    after = lab.until(before["id"], lambda found: found.ended not in {None, before["endTime"]})
    wanted = recorded(replay, "s0-restarted-main-execution")
    assert [stage["status"] for stage in after["stages"]] == [stage["status"] for stage in wanted["stages"]]
    assert after["stages"][0] == before["stages"][0]
    assert after["startTime"] > before["startTime"]
    assert set(after["stages"][1]["context"]["restartDetails"]) == {"restartTime", "restartedBy"}


def test_a_run_that_is_dropped_from_the_queue(replay: Any, lab: Any) -> None:
    lab.save({"type": "wait", "refId": "1", "waitTime": 0.1}, limitConcurrent=True)
    first, second, third = (lab.start(body={"user": "ci"}) for _ in range(3))
    lab.ended(third)
    assert shape(lab.execution(second)) == recorded(replay, "execution-canceled-by-limit")
    assert lab.execution(first)["status"] == "SUCCEEDED"


def test_echo_sends_six_events_for_a_run_of_one_task(lab: Any) -> None:
    lab.save({"type": "wait", "refId": "1", "waitTime": 0})
    started = lab.start()
    lab.catcher.wait_for(lambda: "orca:pipeline:complete" in lab.catcher.kinds(started))
    parts = ("pipeline", "stage", "task")
    assert lab.catcher.kinds(started) == [
        *(f"orca:{part}:starting" for part in parts),
        *(f"orca:{part}:complete" for part in reversed(parts)),
    ]


def event(lab: Any, execution_id: str, kind: str) -> Any:
    lab.catcher.wait_for(lambda: kind in lab.catcher.kinds(execution_id))
    sent = [e for e in lab.catcher.events if e["body"]["content"]["executionId"] == execution_id]
    return next(e for e in sent if e["body"]["details"]["type"] == kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("echo-event-pipeline-starting", "orca:pipeline:starting"),
        ("echo-event-pipeline-complete", "orca:pipeline:complete"),
        ("echo-event-stage-complete", "orca:stage:complete"),
        ("echo-event-task-complete", "orca:task:complete"),
    ],
)
def test_an_event_has_the_recorded_keys_and_headers(replay: Any, lab: Any, name: str, kind: str) -> None:
    lab.save({"type": "wait", "refId": "1", "waitTime": 0})
    started = lab.start()
    found, wanted = event(lab, started, kind), replay.recording(name)["request"]
    assert set(found["body"]) == set(wanted["body"])
    assert set(found["body"]["details"]) == set(wanted["body"]["details"])
    assert set(found["body"]["content"]) == set(wanted["body"]["content"])
    assert set(found["body"]["content"]["execution"]) == set(wanted["body"]["content"]["execution"])
    headers = {key.upper() for key in found["headers"]}
    assert {key.upper() for key in wanted["headers"]} <= headers
    assert found["headers"]["X-Spinnaker-Execution-Id"] == started
    assert found["headers"]["Authorization"] == "Bearer swordfish"


def test_a_failed_fence_says_why_in_its_event(replay: Any, lab: Any) -> None:
    lab.save(deploy("1", manifest=FENCE))
    lab.ended(lab.start(body={**TRIGGER, "downwind": {"sequence": "8"}}))
    stale = lab.start(body=TRIGGER)
    found = event(lab, stale, "orca:task:failed")["body"]["content"]
    wanted = replay.recording("s0-echo-forbidden-task-failed")["request"]["body"]["content"]
    assert found["taskName"] == wanted["taskName"] == "deployManifest.monitorDeploy"
    assert "may not fall from 8 to 7" in found["context"]["kato.tasks"][-1]["exception"]["message"]


def test_a_first_failed_event_of_a_cancelled_run_has_no_end(replay: Any, lab: Any) -> None:
    lab.save(judgment("1"))
    started = lab.start()
    lab.judged_at(started)
    lab.call("PUT", f"/pipelines/{started}/cancel?reason=cleanup")
    found = event(lab, started, "orca:pipeline:failed")["body"]["content"]["execution"]
    wanted = replay.recording("echo-event-pipeline-canceled")["request"]["body"]["content"]["execution"]
    assert (found["status"], "endTime" in found) == (wanted["status"], "endTime" in wanted)
    assert found["status"] == "CANCELED"
