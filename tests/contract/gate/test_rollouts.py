"""Whole runs of the shipped pipelines: fence, judgment, guard, queue, cancel, and a kill in the middle."""

from typing import Any

from downwind.model.execution import Execution, read_execution

STAGING, PRODUCTION = "rolling.yaml", "judgment.yaml"


def read(document: dict[str, Any]) -> Execution:
    return read_execution(document)


def stage_of(document: dict[str, Any], reference: str) -> dict[str, Any]:
    found: dict[str, Any] = next(stage for stage in document["stages"] if stage["refId"] == reference)
    return found


def test_a_rollout_passes_the_fence_and_deploys_the_bundle(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    found = read(lab.ended(lab.rollout("deploy-staging", 7, "staging")))
    assert (found.status, found.fence, found.deployed) == ("SUCCEEDED", "passed", True)
    assert (found.sequence, found.attempt, found.correlation_id) == (7, 0, "c-staging-7-0")
    fence = lab.gate.cluster.get("shop", "ConfigMap", "downwind.shop.staging")
    assert fence["metadata"]["annotations"]["downwind.dev/execution"] == found.id
    web = lab.call("GET", "/-/cluster/shop/Deployment/web").json()
    assert web["status"]["readyReplicas"] == 1
    assert web["metadata"]["annotations"]["note"] == "${execution.id}"  # v4 leaves the bundle as it is
    names = [item["metadata"]["name"] for item in lab.call("GET", "/-/cluster?kind=ConfigMap").json()["items"]]
    assert names == ["downwind.shop.staging", "downwind.shop.staging.guard"]


def test_a_stale_sequence_is_refused_at_the_fence_in_the_policys_words(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    lab.ended(lab.rollout("deploy-staging", 8, "staging"))
    stale = read(lab.ended(lab.rollout("deploy-staging", 7, "staging")))
    assert (stale.status, stale.fence, stale.deploying) == ("TERMINAL", "refused", False)
    assert stale.fence_message is not None
    assert stale.fence_message.startswith(
        "Deploy failed for manifest: configMap downwind.shop.staging. Error: Error from server (Forbidden): "
    )
    assert stale.fence_message.endswith(
        "configmaps \"downwind.shop.staging\" is forbidden: ValidatingAdmissionPolicy 'sequence.downwind.dev' with binding "
        "'sequence.downwind.dev' denied request: downwind.dev/sequence of ConfigMap shop/downwind.shop.staging may not "
        "fall from 8 to 7: a newer render is already live"
    )


def test_a_spare_execution_of_one_sequence_is_refused(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    first = read(lab.ended(lab.rollout("deploy-staging", 7, "staging")))
    spare = read(lab.ended(lab.rollout("deploy-staging", 7, "staging")))
    assert spare.id != first.id
    assert spare.fence == "refused"
    assert f"execution {first.id} (attempt 0) already holds sequence 7" in (spare.fence_message or "")


def test_the_next_attempt_of_a_sequence_passes_the_fence(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    lab.ended(lab.rollout("deploy-staging", 7, "staging"))
    assert read(lab.ended(lab.rollout("deploy-staging", 7, "staging", {"attempt": "1"}))).deployed


def test_a_start_by_hand_fails_at_the_precondition_and_posts_nothing(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    bundle = lab.bundle(7, "staging")
    started = lab.start("deploy-staging", {"artifacts": [bundle], "expectedArtifactIds": ["bundle"]})
    found = read(lab.ended(started))
    assert (found.status, found.precondition_failed, found.fence) == ("TERMINAL", True, "open")
    assert "use downwind deploy" in (found.message or "")
    assert lab.gate.cluster.list() == []


def test_a_start_for_another_environment_fails_at_the_precondition(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    found = read(lab.ended(lab.rollout("deploy-staging", 7, "staging", {"environment": "production"})))
    assert (found.precondition_failed, found.fence) == (True, "open")


def test_production_waits_for_its_judgment_and_goes_on(lab: Any) -> None:
    lab.ship(PRODUCTION, environment="production")
    started = lab.rollout("deploy-production", 3, "production")
    lab.judged_at(started)
    waiting = read(lab.execution(started))
    assert (waiting.status, waiting.fence, waiting.deploying, waiting.judged) == ("RUNNING", "passed", False, False)
    lab.judge(started, "continue")
    found = read(lab.ended(started))
    assert (found.deployed, found.judged, found.judgment) == (True, True, None)


def test_a_judgment_that_says_stop_ends_the_run(lab: Any) -> None:
    lab.ship(PRODUCTION, environment="production")
    started = lab.rollout("deploy-production", 3, "production")
    lab.judge(started, "stop")
    found = read(lab.ended(started))
    assert (found.status, found.judged, found.deploying) == ("TERMINAL", True, False)


def test_a_cancel_in_the_judgment_deploys_nothing_and_announces_failed_twice(lab: Any) -> None:
    lab.ship(PRODUCTION, environment="production")
    started = lab.rollout("deploy-production", 3, "production")
    stage = lab.judged_at(started)
    assert lab.call("PUT", f"/pipelines/{started}/cancel?reason=superseded").status_code == 200
    document = lab.ended(started)
    found = read(document)
    assert (found.status, found.canceled_by, found.reason) == ("CANCELED", "anonymous", "superseded")
    assert (found.fence, found.deploying, found.judged) == ("passed", False, False)
    judgment = next(item for item in document["stages"] if item["id"] == stage)
    assert (judgment["status"], judgment["tasks"][0]["status"]) == ("CANCELED", "CANCELED")
    lab.catcher.wait_for(lambda: lab.catcher.kinds(started).count("orca:pipeline:failed") == 2)


def test_the_newest_of_the_queued_runs_goes_on_and_the_others_are_purged(lab: Any) -> None:
    lab.ship(PRODUCTION, environment="production")
    first, second, third = (lab.rollout("deploy-production", number, "production") for number in (1, 2, 3))
    lab.judged_at(first)
    for queued in (second, third):
        waiting = lab.execution(queued)
        assert (waiting["status"], "startTime" in waiting) == ("NOT_STARTED", False)
    lab.call("PUT", f"/pipelines/{first}/cancel")
    lab.judged_at(third)
    purged = lab.execution(second)
    assert (purged["status"], purged["canceledBy"], "endTime" in purged) == ("CANCELED", "spinnaker", False)
    assert purged["cancellationReason"].startswith("This execution was queued but then canceled because a newer")
    lab.catcher.wait_for(lambda: lab.catcher.kinds(second) == ["orca:pipeline:failed"])


def test_the_oldest_of_the_queued_runs_goes_on_where_waiting_ones_are_kept(lab: Any) -> None:
    judgment = {"type": "manualJudgment", "refId": "1"}
    lab.save(judgment, limitConcurrent=True, keepWaitingPipelines=True)
    first, second, third = (lab.start() for _ in range(3))
    lab.judge(first, "continue")
    lab.judge(second, "continue")
    lab.judge(third, "continue")
    assert lab.ended(third)["status"] == "SUCCEEDED"


def test_a_queued_run_can_be_cancelled(lab: Any) -> None:
    lab.save({"type": "manualJudgment", "refId": "1"}, limitConcurrent=True)
    first, second = lab.start(), lab.start()
    lab.judged_at(first)
    lab.call("PUT", f"/pipelines/{second}/cancel?reason=queued")
    assert (lab.execution(second)["status"], lab.execution(second)["cancellationReason"]) == ("CANCELED", "queued")


def test_the_guard_stops_the_deploy_of_an_older_rollout_that_is_restarted_alone(lab: Any) -> None:
    """Orca runs only that stage again, past the fence; the guard in its bundle is what refuses."""
    lab.ship(STAGING, environment="staging")
    old = lab.ended(lab.rollout("deploy-staging", 7, "staging"))
    lab.ended(lab.rollout("deploy-staging", 8, "staging"))
    live = lab.gate.cluster.get("shop", "Deployment", "web")
    deploy = stage_of(old, "3")
    answer = lab.call("PUT", f"/pipelines/{old['id']}/stages/{deploy['id']}/restart", {})
    assert answer.json()["status"] == "SUCCEEDED"  # the answer is the execution as it was
    again = lab.ended(old["id"])
    found = read(again)
    assert (found.status, found.fence, found.deployed) == ("TERMINAL", "passed", False)
    assert "ConfigMap shop/downwind.shop.staging.guard may not fall from 8 to 7" in (found.message or "")
    assert lab.gate.cluster.get("shop", "Deployment", "web") == live
    assert stage_of(again, "2") == stage_of(old, "2")
    assert "restartDetails" in stage_of(again, "3")["context"]


def test_a_bad_release_fails_its_deploying_stage(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    bundle = lab.bundle(7, "staging", image="r.example/shop:v1")
    downwind = {"application": "shop", "environment": "staging", "sequence": "7", "attempt": "0"}
    trigger = {"downwind": downwind, "artifacts": [bundle], "expectedArtifactIds": ["bundle"]}
    found = read(lab.ended(lab.start("deploy-staging", trigger)))
    assert (found.status, found.deploying, found.deployed) == ("TERMINAL", True, False)
    assert found.message == (
        "'deployment web' in 'shop' for account local: ImagePullBackOff: r.example/shop:v1 has no digest, and the local "
        "cluster runs nothing else"
    )


def test_a_bundle_that_is_not_there_fails_the_deploying_stage(lab: Any) -> None:
    lab.ship(STAGING, environment="staging")
    bundle = lab.bundle(7, "staging")
    bundle["reference"] = bundle["reference"].replace("7.yaml", "8.yaml")
    downwind = {"application": "shop", "environment": "staging", "sequence": "7", "attempt": "0"}
    trigger = {"downwind": downwind, "artifacts": [bundle], "expectedArtifactIds": ["bundle"]}
    found = read(lab.ended(lab.start("deploy-staging", trigger)))
    assert (found.status, found.fence) == ("TERMINAL", "passed")
    assert "Status: 404, Method: PUT, URL: http://clouddriver.local:7002/artifacts/fetch" in (found.message or "")


def test_a_judgment_still_waits_after_a_restart_of_spinnaker(lab: Any) -> None:
    lab.ship(PRODUCTION, environment="production")
    started = lab.rollout("deploy-production", 3, "production")
    queued = lab.rollout("deploy-production", 4, "production")
    stage = lab.judged_at(started)
    lab.restart()
    assert lab.judged_at(started) == stage
    assert lab.execution(queued)["status"] == "NOT_STARTED"
    lab.judge(started, "continue")
    assert read(lab.ended(started)).deployed
    lab.judge(queued, "continue")
    assert read(lab.ended(queued)).deployed


def test_a_stage_at_work_begins_again_after_a_restart_of_spinnaker(lab: Any) -> None:
    lab.save(
        {"type": "wait", "refId": "1", "waitTime": 0.2}, {"type": "wait", "refId": "2", "requisiteStageRefIds": ["1"]}
    )
    started = lab.start()
    lab.until(started, lambda found: found.status == "RUNNING")
    lab.restart()
    document = lab.ended(started)
    assert [stage["status"] for stage in document["stages"]] == ["SUCCEEDED", "SUCCEEDED"]


def test_a_paused_run_does_nothing_until_it_is_resumed(lab: Any) -> None:
    lab.save({"type": "manualJudgment", "refId": "1"})
    started = lab.start()
    lab.judged_at(started)
    lab.call("PUT", f"/pipelines/{started}/pause")
    paused = lab.execution(started)
    assert (paused["status"], paused["stages"][0]["status"], paused["paused"]["paused"]) == ("PAUSED", "PAUSED", True)
    lab.call("PUT", f"/pipelines/{started}/resume")
    lab.judge(started, "continue")
    assert lab.ended(started)["status"] == "SUCCEEDED"
