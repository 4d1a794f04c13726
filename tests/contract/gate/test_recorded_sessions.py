"""Recorded sessions, played again from their first call: what each answer says of the ones before it has to hold here too."""

from typing import Any

import pytest

JUDGE = {"type": "manualJudgment", "name": "Judge", "refId": "1", "requisiteStageRefIds": []}
FAILS = {"preconditions": [{"context": {"expression": "1 == 2"}, "failPipeline": True, "type": "expression"}]}


def wait(seconds: float = 0, *after: str, reference: str = "1") -> dict[str, Any]:
    stage = {"type": "wait", "name": "Wait", "refId": reference, "requisiteStageRefIds": list(after)}
    return {**stage, "waitTime": seconds}


def saved(played: Any, name: str) -> dict[str, Any]:
    """The recorded pipeline, with its waits cut to nothing."""
    document: dict[str, Any] = played.recording(name)["request"]["body"]
    for stage in document["stages"]:
        if "waitTime" in stage and name != "save-pipeline-long":
            stage["waitTime"] = 0
    assert played.lab.call("POST", "/pipelines", document).status_code == 200
    return document


def started(played: Any, recorded: str, pipeline: str, body: Any = None, application: str = "demo") -> str:
    """Starts what the recorder started under that id."""
    execution = str(played.lab.start(pipeline, body, application))
    played.same(recorded, execution)
    return execution


def sent(played: Any, name: str) -> dict[str, Any]:
    """What the recorder sent when it started the run that this answer shows."""
    trigger = played.recording(name)["response"]["body"]["trigger"]
    return {key: trigger[key] for key in ("correlationId", "user", "parameters") if key in trigger}


def id_in(played: Any, name: str) -> str:
    found: str = played.recording(name)["request"]["path"].split("/")[2].partition("?")[0]
    return found


def running(played: Any, execution: str) -> None:
    def at_work(found: Any) -> bool:
        return bool(played.lab.execution(execution)["stages"][0]["tasks"][:1]) and found.status == "RUNNING"

    played.lab.until(execution, at_work)
    played.lab.until(
        execution, lambda _: played.lab.execution(execution)["stages"][0]["tasks"][0]["status"] == "RUNNING"
    )


def test_a_run_is_paused_resumed_and_cancelled(played: Any) -> None:
    saved(played, "save-pipeline-long")
    execution = started(played, id_in(played, "pause"), "wait-long", {"user": "ci"})
    running(played, execution)
    played.play("execution-running", "pause", "execution-paused", "resume", "cancel")
    played.lab.ended(execution)
    played.play("execution-canceled", "cancel-again", "pause-finished", "resume-finished", "execution-canceled")


def test_judgments_are_answered(played: Any) -> None:
    saved(played, "save-pipeline-judgment")
    first = started(played, id_in(played, "judgment-continue"), "judge", {"user": "ci"})
    running(played, first)
    played.play("execution-awaiting-judgment", "judgment-continue")
    played.lab.ended(first)
    played.play("execution-judgment-continue")
    second = started(played, id_in(played, "judgment-stop"), "judge", {"user": "ci"})
    running(played, second)
    played.ids[played.recording("judgment-stop")["request"]["path"].split("/")[4]] = played.lab.judged_at(second)
    played.play("judgment-unknown-stage", "judgment-stop")
    played.lab.ended(second)
    played.play("execution-judgment-stop")


def test_a_failed_stage_is_restarted(played: Any) -> None:
    saved(played, "save-pipeline-fail")
    execution = started(played, id_in(played, "restart-stage"), "always-fails", {"user": "ci"})
    ended = played.lab.ended(execution)
    played.ids[played.recording("restart-stage")["request"]["path"].split("/")[4]] = ended["stages"][0]["id"]
    played.play("restart-stage")
    played.lab.until(execution, lambda found: found.ended not in {None, ended["endTime"]})
    played.ids.pop(played.recording("execution-restarted")["response"]["body"]["stages"][1]["id"], None)
    played.play("execution-restarted", "restart-unknown-stage")


def test_a_correlation_id_holds_while_its_run_does(played: Any) -> None:
    for name in ("save-pipeline-long", "save-pipeline-wait2", "save-pipeline-wait"):
        saved(played, name)
    played.play("correlation-first", "correlation-second-while-running", "correlation-case-differs")
    played.play("correlation-other-pipeline-same-id", "correlation-done-first")
    first = played.ids[played.recording("correlation-done-first")["response"]["body"]["ref"].rpartition("/")[2]]
    played.lab.ended(first)
    played.play("correlation-after-succeeded")


def test_a_limited_pipeline_queues(played: Any) -> None:
    saved(played, "save-pipeline-limited")
    document = played.lab.call("GET", "/applications/demo/pipelineConfigs/limited").json()
    played.lab.call("POST", "/pipelines", {**document, "stages": [{**wait(30), "name": "wait"}]})
    names = ("execution-canceled-by-limit", "execution-queued-not-started")
    first = played.lab.start("limited", {"user": "ci"}, "demo")
    second, third = (started(played, id_in(played, name), "limited", sent(played, name)) for name in names)
    played.play("execution-queued-not-started")
    played.lab.call("PUT", f"/pipelines/{first}/cancel")
    played.lab.until(second, lambda found: found.finished)
    played.play("execution-canceled-by-limit")
    played.lab.until(third, lambda found: found.status == "RUNNING")


def test_finished_runs_look_as_recorded(played: Any) -> None:
    for name in ("wait", "artifacts", "fail", "params"):
        saved(played, f"save-pipeline-{name}")
    for name, start in (
        ("execution-artifacts-both-succeeded", "trigger-v1-artifacts-both"),
        ("execution-artifacts-no-expected-ids", "trigger-v1-artifacts-no-expected-ids"),
        ("execution-params-succeeded", "trigger-v1-params-ok"),
        ("execution-terminal", "trigger-v1-always-fails"),
        ("execution-succeeded", "trigger-v1-success"),
    ):
        played.play(start)
        ended = played.ids[id_in(played, name)]
        played.lab.ended(ended)
        played.play(name)
    played.play("execution-wrong-case")


def test_a_start_through_echo_is_answered_before_anything_is_looked_at(played: Any) -> None:
    for name in ("wait", "disabled", "params"):
        saved(played, f"save-pipeline-{name}")
    played.play("trigger-v2-disabled", "trigger-v2-unknown", "trigger-v2-missing-param", "trigger-v2-empty-body")
    played.play("trigger-v2-success")
    execution = played.ids[id_in(played, "execution-v2-succeeded")]
    played.lab.ended(execution)
    played.play("execution-v2-succeeded")
    played.play("trigger-v2-lost-get")
    document = saved(played, "save-pipeline-fresh")
    played.lab.call("POST", "/pipelines", {**document, "name": "x"})
    played.play("trigger-v2-right-after-save")
    played.lab.ended(played.ids[id_in(played, "trigger-v2-right-after-save-get")])
    played.play("trigger-v2-right-after-save-get")
    last = "v2-fresh-1795416039"
    played.lab.catcher.wait_for(lambda: last in str(played.lab.catcher.events))  # another start was told of before
    told = event(played, "manual", played.recording("echo-event-manual-v2"))
    assert told["content"]["trigger"]["correlationId"] == last


def test_a_pipeline_saved_since_echos_last_look_starts_nothing(played: Any) -> None:
    played.lab.gate.stop()
    played.lab.echo_poll = 1e9
    played.lab.restart()
    saved(played, "save-pipeline-wait")
    played.play("trigger-v2-success")
    missing = played.recording("trigger-v2-lost-get")
    path = f"/pipelines/{played.ids[id_in(played, 'execution-v2-succeeded')]}"
    answer = played.lab.call("GET", path)
    assert answer.status_code == missing["response"]["status"] == 404


def test_webhooks_are_taken_whether_or_not_anything_starts(played: Any) -> None:
    saved(played, "save-pipeline-webhook")
    document = played.lab.call("GET", "/applications/demo/pipelineConfigs/hooked").json()
    played.lab.call("POST", "/pipelines", {**document, "stages": [wait(30)]})
    played.play("webhook-nomatch", "webhook-array", "webhook-malformed")
    assert played.lab.call("GET", "/applications/demo/pipelines").json() == []
    told = event(played, "webhook", played.recording("echo-event-webhook"))
    assert told["payload"] == {"a": 1}
    played.play("webhook-empty", "webhook-match")
    query = f"eventId={played.ids['8e4ab55c-9a78-4a04-a49d-1fb9c8d16cff']}"
    (found,) = played.lab.call("GET", f"/applications/demo/executions/search?{query}").json()
    assert found["trigger"]["parameters"] == {"a": "b"}
    assert played.lab.call("POST", "/webhooks/webhook/x", {"n": 19}).status_code == 200
    latest = "/applications/demo/executions/search?pipelineName=hooked&size=1"
    played.lab.until(played.lab.call("GET", latest).json()[0]["id"], lambda found: found.status == "RUNNING")
    running(played, played.lab.call("GET", latest).json()[0]["id"])
    played.play("search-webhook-run")


def test_a_pipeline_sent_whole_overwrites_the_run_whose_id_it_takes(played: Any) -> None:
    execution = id_in(played, "start-adhoc-get")
    played.play("start-adhoc")
    played.lab.ended(execution)
    played.play("start-adhoc-get", "start-adhoc-duplicate-executionid")
    running(played, execution)
    played.ids.clear()
    played.play("start-adhoc-duplicate-get")
    played.play("x-start-array", "x-start-no-application", "x-start-no-stages")


def test_a_saved_pipeline_is_sent_whole_or_by_its_id(played: Any) -> None:
    body = played.recording("x-start-same-correlation")["request"]["body"]
    played.lab.save(wait(), application="xdemo", name="x-ok", id=body["id"])
    first = started_whole(played, {**body, "trigger": {**body["trigger"], "user": "ci", "parameters": {"a": "b"}}})
    played.same(id_in(played, "x-execution-start-with-trigger"), first)
    played.lab.ended(first)
    played.play("x-execution-start-with-trigger", "x-start-same-correlation", "x-start-by-config-id-only")


def started_whole(played: Any, body: dict[str, Any]) -> str:
    answer = played.lab.call("POST", "/pipelines/start", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ref"]).removeprefix("/pipelines/")


def test_saves_by_id_many_at_once_and_with_a_stale_check(played: Any) -> None:
    saved(played, "save-pipeline-wait")
    document = played.lab.call("GET", "/applications/demo/pipelineConfigs/wait-one").json()
    played.same(played.recording("save-pipeline-again-with-id")["request"]["body"]["id"], document["id"])
    played.play("save-pipeline-again-with-id", "save-pipeline-stalecheck-ok", "save-pipeline-stalecheck-stale")
    played.play("bulksave", "pipelineconfig-get-unknown", "delete-pipeline")
    stored = played.lab.call("GET", "/applications/demo/pipelineConfigs/wait-one").json()
    path = "/pipelines?staleCheck=true"
    refused = played.lab.call("POST", path, {**stored, "lastModified": int(stored["updateTs"]) - 1})
    assert (refused.status_code, "The submitted pipeline is stale." in refused.text) == (400, True)
    assert played.lab.call("POST", path, {**stored, "lastModified": int(stored["updateTs"])}).status_code == 200


def test_a_run_is_deleted_and_its_expressions_evaluated(played: Any) -> None:
    saved(played, "save-pipeline-wait")
    for name in ("evaluate-expression", "delete-execution"):
        played.lab.ended(started(played, id_in(played, name), "wait-one", {"user": "ci"}))
    played.play("evaluate-expression", "delete-execution")
    assert played.lab.call("GET", f"/pipelines/{played.ids[id_in(played, 'delete-execution')]}").status_code == 404


def test_a_search_sees_what_was_just_started(played: Any) -> None:
    saved(played, "save-pipeline-wait")
    played.play("search-trigger-post")
    execution = played.ids[played.recording("search-trigger-post")["response"]["body"]["ref"].rpartition("/")[2]]
    played.lab.ended(execution)
    played.play("search-correlation-regex")
    ours = played.lab.call("GET", "/applications/demo/executions/search?trigger=e30%3D&size=1").json()
    assert [each["id"] for each in ours] == [execution]


def test_an_application_is_made_by_a_task(played: Any) -> None:
    played.play("create-application", "create-application-task", "health-downstream", "pubsub-subscriptions")


class Judged:
    """A judgment of x-*: started, waiting, its stage known."""

    def __init__(self, played: Any, name: str) -> None:
        path = played.recording(name)["request"]["path"].split("/")
        self.execution = started(played, path[2], "x-judge", application="xdemo")
        played.same(path[4], played.lab.judged_at(self.execution))


def judge_pipeline(played: Any) -> None:
    context = played.recording("x-execution-judgment-with-input")["response"]["body"]["stages"][0]["context"]
    keys = ("instructions", "judgmentInputs", "notifications", "failPipeline")
    played.lab.save(
        {**JUDGE, **{key: context[key] for key in keys if key in context}}, application="xdemo", name="x-judge"
    )


def test_a_judgment_takes_any_input_and_any_answer_after_its_end(played: Any) -> None:
    judge_pipeline(played)
    judged = Judged(played, "x-judgment-with-input")
    played.play("x-judgment-with-input")
    played.lab.ended(judged.execution)
    played.play("x-execution-judgment-with-input", "x-judgment-after-done", "x-execution-judgment-after-done")
    judged = Judged(played, "x-judgment-input-not-offered")
    played.play("x-judgment-input-not-offered")
    played.lab.ended(judged.execution)
    played.play("x-execution-judgment-input-not-offered")


def test_a_judgment_waits_for_a_word_that_it_knows(played: Any) -> None:
    judge_pipeline(played)
    judged = Judged(played, "x-judgment-odd-status")
    played.play("x-judgment-odd-status", "x-execution-judgment-odd-status", "x-judgment-stop-with-input")
    played.lab.ended(judged.execution)
    played.play("x-execution-judgment-stop-with-input")


def test_a_cancel_says_why(played: Any) -> None:
    played.lab.save(wait(300), application="xdemo", name="x-long")
    execution = started(played, id_in(played, "x-cancel-with-reason-and-force"), "x-long", application="xdemo")
    running(played, execution)
    played.play("x-cancel-with-reason-and-force")
    played.lab.ended(execution)
    played.play("x-execution-after-cancel")


def test_what_a_restart_does_to_runs_that_stand_differently(played: Any) -> None:
    played.lab.save(wait(), application="xdemo", name="x-ok")
    played.lab.save(wait(300), application="xdemo", name="x-long")
    first = played.recording("x-execution-restart-with-skip")["response"]["body"]["stages"]
    check = {"type": "checkPreconditions", "name": first[0]["name"], "refId": "1", "requisiteStageRefIds": [], **FAILS}
    last = next(stage for stage in first if stage["refId"] == "2")
    played.lab.save(check, {**wait(0, "1", reference="2"), "name": last["name"]}, application="xdemo", name="x-fail")
    for name, pipeline in (("x-restart-stage-of-succeeded", "x-ok"), ("x-restart-with-skip", "x-fail")):
        path = played.recording(name)["request"]["path"].split("/")
        execution = started(played, path[2], pipeline, sent(played, name), application="xdemo")
        ended = played.lab.ended(execution)
        played.same(path[4], ended["stages"][0]["id"])
        played.play(name)
        again = played.lab.until(execution, lambda found, ended=ended: found.ended not in {None, ended["endTime"]})
        assert again["stages"][0]["context"]["restartDetails"]["restartedBy"] == "anonymous"
    played.play("x-execution-restart-of-succeeded", "x-restart-no-body")
    synthetic = played.recording("x-execution-restart-with-skip")["response"]["body"]["stages"][1]["id"]
    played.ids.pop(synthetic, None)
    played.play("x-execution-restart-with-skip")
    path = played.recording("x-restart-stage-of-running")["request"]["path"].split("/")
    execution = started(played, path[2], "x-long", application="xdemo")
    running(played, execution)
    played.same(path[4], played.lab.execution(execution)["stages"][0]["id"])
    played.play("x-restart-stage-of-running")


@pytest.mark.account("kube-1")
def test_accounts_and_an_application_with_nothing_in_a_cluster(played: Any) -> None:
    attributes = played.recording("x-clouddriver-200-application-expand-false")["response"]["body"]["attributes"]
    job = {"type": "createApplication", "application": {k: attributes[k] for k in ("name", "email", "cloudProviders")}}
    assert (
        played.lab.call("POST", "/tasks", {"application": "xdemo", "description": "x", "job": [job]}).status_code == 200
    )
    played.lab.save(wait(), application="xdemo", name="x-ok")
    played.play("x-clouddriver-200-application-expand-false", "x-clouddriver-200-applications-list")
    played.play("x-clouddriver-200-credentials-one", "x-clouddriver-200-credentials-one-unknown")
    played.play("x-clouddriver-200-clusters-account", "x-clouddriver-500-credentials-expand")


@pytest.mark.account("kube-1")
@pytest.mark.parametrize(
    "name",
    [
        "404-server-group-managers",
        *(f"500-{name}" for name in ("cluster", "clusters-account", "firewalls", "load-balancers", "security-groups")),
        *(f"500-{name}" for name in ("server-group-managers", "server-groups", "credentials-one")),
    ],
)
def test_a_clouddriver_that_fails_is_told_through_and_takes_nothing_else_along(played: Any, name: str) -> None:
    status = int(name[:3])
    played.lab.gate.clouddriver.fault = (status, "boom (stub)" if status == 500 else "not found (stub)")
    played.play(f"x-clouddriver-{name}")


@pytest.mark.account("kube-1")
def test_saves_starts_and_lists_do_without_clouddriver(played: Any) -> None:
    played.lab.gate.clouddriver.fault = (500, "boom (stub)")
    attributes = played.recording("x-clouddriver-200-application-expand-false")["response"]["body"]["attributes"]
    job = {"type": "createApplication", "application": {k: attributes[k] for k in ("name", "email", "cloudProviders")}}
    played.lab.call("POST", "/tasks", {"application": "xdemo", "description": "x", "job": [job]})
    played.play("x-clouddriver-500-save-pipeline", "x-clouddriver-500-trigger")
    played.play("x-clouddriver-500-application-expand-false", "x-clouddriver-500-applications-list")
    for status in (404, 500):
        for each in played.lab.call("GET", "/applications/xdemo/pipelineConfigs").json():
            played.lab.call("DELETE", f"/pipelines/xdemo/{each['name']}")
        for each in played.recording(f"x-clouddriver-{status}-pipeline-configs")["response"]["body"]:
            played.lab.call("POST", "/pipelines", {key: value for key, value in each.items() if key != "index"})
        played.play(f"x-clouddriver-{status}-pipeline-configs")


def event(played: Any, kind: str, recorded: dict[str, Any]) -> Any:
    """The newest event of that kind that Echo sent, with the recorded keys; headers inside it are the sender's."""

    def newest() -> list[Any]:
        return [e["body"] for e in played.lab.catcher.events if e["body"]["details"]["type"] == kind]

    played.lab.catcher.wait_for(lambda: bool(newest()))
    wanted = recorded["request"]["body"]
    assert set(newest()[-1]["details"]) == set(wanted["details"])
    return newest()[-1]
