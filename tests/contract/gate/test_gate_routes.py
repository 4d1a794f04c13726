"""The rest of the local Gate: what it refuses by name, the clusters' view, tasks, and odd calls to a run."""

import time
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/pipelines/move"),
        ("POST", "/webhooks/git/github"),
        ("GET", "/search"),
        ("GET", "/instances/local/shop/pod"),
        ("GET", "/applications/shop/jobs/local/shop/j"),
        ("GET", "/securityGroups/local"),
        ("POST", "/v2/canaryConfig"),
        ("GET", "/projects/shop"),
    ],
)
def test_what_the_local_gate_has_not_is_refused_by_name(module_lab: Any, method: str, path: str) -> None:
    answer = module_lab.call(method, path, {})
    assert answer.status_code == 501
    assert f"gate: {method} {path} is not part of the local world" in answer.json()["error"]["message"]


def test_a_job_that_the_local_gate_has_not_is_refused_by_name(module_lab: Any) -> None:
    answer = module_lab.call("POST", "/tasks", {"job": [{"type": "deleteManifest"}]})
    assert (answer.status_code, "deleteManifest" in answer.text) == (501, True)


def test_an_application_is_made_and_deleted_by_tasks(module_lab: Any) -> None:
    job = {"type": "createApplication", "application": {"name": "billing", "email": "a@b"}}
    ref = module_lab.call("POST", "/tasks", {"application": "billing", "description": "x", "job": [job]}).json()["ref"]
    assert module_lab.call("GET", ref).json()["status"] == "SUCCEEDED"
    assert module_lab.call("GET", "/applications/billing").json()["attributes"]["email"] == "a@b"
    module_lab.call("POST", "/tasks", {"application": "billing", "job": [{**job, "type": "deleteApplication"}]})
    assert module_lab.call("GET", "/applications/billing").status_code == 404
    assert module_lab.call("GET", "/tasks/nothing").status_code == 404


def test_the_account_is_listed(module_lab: Any) -> None:
    assert [account["name"] for account in module_lab.call("GET", "/credentials").json()] == ["local"]


def test_an_object_that_is_not_in_the_cluster_is_a_404(module_lab: Any) -> None:
    assert module_lab.call("GET", "/-/cluster/shop/Deployment/nothing").status_code == 404


def test_saved_pipelines_can_be_deleted(module_lab: Any) -> None:
    module_lab.save(name="gone")
    assert module_lab.call("DELETE", "/pipelines/shop/gone").status_code == 200
    assert module_lab.call("GET", "/applications/shop/pipelineConfigs/gone").status_code == 404


def test_executions_are_listed_by_id_and_by_pipeline_oldest_first(lab: Any) -> None:
    lab.save({"type": "wait", "refId": "1", "waitTime": 0})
    first, second = (lab.ended(lab.start())["id"] for _ in range(2))
    config = lab.execution(first)["pipelineConfigId"]

    def ids(query: str) -> list[str]:
        return [found["id"] for found in lab.call("GET", f"/executions?{query}").json()]

    assert ids(f"executionIds={first},{second}") == [first, second]
    assert ids(f"pipelineConfigIds={config}&limit=5") == [first, second]
    assert ids(f"pipelineConfigIds={config}") == [second]
    assert ids(f"pipelineConfigIds={config}&limit=5&statuses=RUNNING") == []
    listed = lab.call("GET", "/applications/shop/pipelines?limit=1&expand=false").json()
    assert [(found["id"], found["stages"][0]["context"]) for found in listed] == [(second, {})]


def test_a_search_has_two_bounds_in_time_and_an_order(lab: Any) -> None:
    lab.save({"type": "wait", "refId": "1", "waitTime": 0})
    first, second = (lab.ended(lab.start())["id"] for _ in range(2))
    later = int(time.time() * 1000) + 60_000

    def ids(query: str) -> list[str]:
        return [found["id"] for found in lab.call("GET", f"/applications/shop/executions/search?{query}").json()]

    assert ids(f"triggerTimeStartBoundary={later}") == ids("triggerTimeEndBoundary=1") == []
    assert ids(f"triggerTimeEndBoundary={later}") == [second, first]
    assert ids("reverse=true&size=1") == [first]
    assert ids("startIndex=1") == [first]
    assert ids("eventId=none") == ids("triggerTypes=webhook") == ids("statuses=TERMINAL") == []


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_pause_and_resume_need_an_execution_and_leave_an_ended_one_alone(lab: Any, verb: str) -> None:
    assert lab.call("PUT", f"/pipelines/nothing/{verb}").status_code == 404
    lab.save({"type": "wait", "refId": "1", "waitTime": 0})
    before = lab.ended(lab.start())
    assert lab.call("PUT", f"/pipelines/{before['id']}/{verb}").status_code == 200
    assert lab.execution(before["id"]) == before


def test_a_patch_of_an_unknown_stage_is_a_500_and_a_restart_of_one_does_nothing(lab: Any) -> None:
    lab.save({"type": "wait", "refId": "1", "waitTime": 0})
    before = lab.ended(lab.start())
    stages = f"/pipelines/{before['id']}/stages"
    refused = lab.call("PATCH", f"{stages}/nosuch", {"judgmentStatus": "continue"})
    assert (refused.status_code, "No content to map" in refused.json()["message"]) == (500, True)
    assert lab.call("PUT", f"{stages}/nosuch/restart", {}).json() == before
    assert lab.call("PUT", f"{stages}/{before['stages'][0]['id']}/restart").status_code == 400
    assert lab.execution(before["id"]) == before


def test_a_judgment_that_is_over_takes_another_answer_without_effect(lab: Any) -> None:
    lab.save({"type": "manualJudgment", "refId": "1"})
    started = lab.start()
    lab.judge(started, "continue")
    ended = lab.ended(started)
    stage = ended["stages"][0]["id"]
    answer = lab.call("PATCH", f"/pipelines/{started}/stages/{stage}", {"judgmentStatus": "stop"})
    assert (answer.status_code, answer.json()["status"]) == (200, "SUCCEEDED")


def test_a_judgment_waits_on_for_a_word_that_spinnaker_does_not_know(lab: Any) -> None:
    lab.save({"type": "manualJudgment", "refId": "1"})
    started = lab.start()
    lab.judge(started, "maybe")
    lab.judge(started, "continue")
    assert lab.ended(started)["status"] == "SUCCEEDED"


def test_an_execution_can_be_deleted(lab: Any) -> None:
    lab.save({"type": "wait", "refId": "1", "waitTime": 0})
    started = lab.ended(lab.start())["id"]
    assert lab.call("DELETE", f"/pipelines/{started}").status_code == 200
    assert lab.call("GET", f"/pipelines/{started}").status_code == 404


def test_the_header_of_a_proxy_names_the_user(lab: Any) -> None:
    lab.save({"type": "manualJudgment", "refId": "1"})
    started = lab.start()
    lab.judged_at(started)
    lab.call("PUT", f"/pipelines/{started}/cancel", headers={"X-SPINNAKER-USER": "ann@acme.example"})
    assert lab.ended(started)["canceledBy"] == "ann@acme.example"
