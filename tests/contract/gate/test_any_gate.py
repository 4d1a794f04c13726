"""What we count on, asked of any Gate: of the local one always, of the one that DOWNWIND_CONTRACT_GATE_URL names instead where it
is set (DOWNWIND_CONTRACT_GATE_HEADERS: `Name: value`, one a line, to sign in).

Everything is asked through Gate's address, by our own adapters and by hand; an application of its own is made, with pipelines of
odd names, and taken away again. What needs a real Clouddriver is left out, loudly, unless DOWNWIND_CONTRACT_ACCOUNT names one of
its Kubernetes accounts and DOWNWIND_CONTRACT_NAMESPACE a namespace that objects may be made in. No version is presumed.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from downwind.adapters.gate import GatePipelines
from downwind.adapters.gate_client import GateClient
from downwind.adapters.gate_spinnaker import GateSpinnaker
from downwind.errors import Misconfigured, Refused
from downwind.model.execution import Execution
from downwind.ports import PipelineConfig

URL = os.environ.get("DOWNWIND_CONTRACT_GATE_URL", "")
HEADERS = dict(
    line.split(": ", 1) for line in os.environ.get("DOWNWIND_CONTRACT_GATE_HEADERS", "").splitlines() if ": " in line
)
PATIENCE = 90.0 if URL else 20.0
PAUSE = 0.25 if URL else 0.005
pytestmark = [pytest.mark.allow_hosts([urlsplit(URL).hostname, "127.0.0.1"])] if URL else []

WAIT = {"type": "wait", "name": "Wait", "refId": "1", "requisiteStageRefIds": [], "waitTime": 0}
JUDGE = {"type": "manualJudgment", "name": "Judge", "refId": "1", "requisiteStageRefIds": [], "failPipeline": True}
AFTER = {**WAIT, "name": "After", "refId": "2", "requisiteStageRefIds": ["1"]}
NAMES = ("plain", "with space", "déploy-日本", "100% (sure)", "a+b", "a?b#c;d", "team/app", "a\\b", "..", "%2e%2F")


def never(**flags: bool) -> dict[str, Any]:
    """A stage that fails by itself."""
    check = {"type": "expression", "failPipeline": True, "context": {"expression": "1 == 2"}}
    stage = {"type": "checkPreconditions", "name": "Never", "refId": "1", "requisiteStageRefIds": []}
    return {**stage, "preconditions": [check], **flags}


class AnyGate:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.application = f"dwcontract{secrets.token_hex(4)}"
        self.pipelines = GatePipelines(url, headers=lambda: HEADERS)
        self.spinnaker = GateSpinnaker(GateClient(url, headers=lambda: HEADERS))
        self.http = requests.Session()
        self.made: set[str] = set()

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {**HEADERS, **more.pop("headers", {})}
        return self.http.request(method, self.url + path, headers=headers, timeout=60, allow_redirects=False, **more)

    def save(self, name: str, *stages: Mapping[str, Any], **more: Any) -> PipelineConfig:
        self.pipelines.save(
            {"application": self.application, "name": name, "stages": list(stages), "triggers": [], **more}
        )
        self.made.add(name)
        found = eventually(lambda: self.pipelines.config(self.application, name))
        assert isinstance(found, PipelineConfig)
        return found

    def until(self, execution: str, reached: Callable[[Execution], bool]) -> Execution:
        def look() -> Execution | None:
            found = self.pipelines.execution(execution)
            return found if found is not None and reached(found) else None

        found = eventually(look)
        assert isinstance(found, Execution)
        return found

    def ended(self, execution: str) -> Execution:
        return self.until(execution, lambda found: found.finished)

    def stages(self, execution: str) -> dict[str, str]:
        found = self.spinnaker.execution(execution)
        assert found is not None
        return {stage["refId"]: stage["status"] for stage in found["stages"] if "parentStageId" not in stage}

    def clean(self) -> None:
        """All that a failed test has left runs no further, and no pipeline stays."""
        for each in self.spinnaker.executions(self.application, limit=100):
            if each["status"] in {"RUNNING", "NOT_STARTED", "PAUSED"}:
                self.pipelines.cancel(each["id"], "the contract suite is over")
        for document in self.call("GET", f"/applications/{self.application}/pipelineConfigs").json():
            # A name with a slash cannot be deleted by its name: it gets another first.
            plain = f"gone-{document['id']}"
            self.call("POST", "/pipelines", json={**document, "name": plain})
            self.call("DELETE", f"/pipelines/{self.application}/{plain}")
        self.spinnaker.delete_application(self.application)


def eventually(look: Callable[[], Any]) -> Any:
    """Front50 and Orca answer out of caches for a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(PAUSE)


@pytest.fixture(scope="module")
def gate(request: pytest.FixtureRequest) -> Iterator[AnyGate]:
    found = AnyGate(URL or request.getfixturevalue("module_lab").gate.url)
    attributes = {"name": found.application, "email": "contract@acme.example", "cloudProviders": "kubernetes"}
    found.spinnaker.save_application(attributes)
    eventually(lambda: found.spinnaker.application(found.application))
    yield found
    found.clean()
    found.pipelines.close()
    found.spinnaker.close()
    found.http.close()


@pytest.fixture
def correlation() -> str:
    return f"dwc-{secrets.token_hex(8)}"


def since(minutes: int = 5) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_of_any_name_is_saved_found_and_started_by_its_id(gate: AnyGate, name: str) -> None:
    config = gate.save(name, WAIT)
    again = gate.save(name, WAIT, AFTER)
    assert again.id == config.id
    eventually(lambda: len((gate.pipelines.config(gate.application, name) or config).document["stages"]) == 2)
    found = gate.ended(gate.pipelines.start(again, {}))
    assert (found.status, found.name, found.config_id) == ("SUCCEEDED", name, config.id)


def test_a_name_in_other_letters_or_of_nobody_is_none(gate: AnyGate) -> None:
    config = gate.save("case", WAIT)
    for name in ("Case", config.id, "nosuch"):
        assert gate.pipelines.config(gate.application, name) is None
    assert gate.pipelines.config("nosuchapplication", "case") is None


def test_our_words_come_back_and_the_run_is_found_by_its_correlation_id(gate: AnyGate, correlation: str) -> None:
    words = {"application": "shop", "environment": "prod", "sequence": "7", "attempt": "0"}
    config = gate.save("search", WAIT)
    started = gate.pipelines.start(config, {"type": "downwind", "correlationId": correlation, "downwind": words})
    gate.pipelines.start(config, {"correlationId": f"{correlation}0"})
    gate.pipelines.start(config, {"correlationId": correlation.upper()})
    found = gate.ended(started)
    ours = (found.downwind_application, found.downwind_environment, found.sequence, found.attempt, found.correlation_id)
    assert ours == ("shop", "prod", 7, 0, correlation)
    assert [each.id for each in gate.pipelines.search(gate.application, correlation, since())] == [started]
    assert gate.pipelines.search(gate.application, correlation, since(-5)) == []
    assert gate.pipelines.search(gate.application, ".*", since()) == []
    assert gate.pipelines.search("nosuchapplication", correlation, since()) == []


def test_one_correlation_id_is_one_run_until_it_has_ended(gate: AnyGate, correlation: str) -> None:
    config = gate.save("correlation", JUDGE)
    first = gate.pipelines.start(config, {"correlationId": correlation})
    gate.until(first, lambda found: found.judgment is not None)
    assert gate.pipelines.start(config, {"correlationId": correlation, "parameters": {"a": "b"}}) == first
    gate.pipelines.cancel(first, "enough")
    gate.ended(first)
    second = gate.pipelines.start(config, {"correlationId": correlation})
    assert second != first
    gate.pipelines.cancel(second, "enough")


def test_a_cancel_tells_why_and_leaves_an_ended_run_alone(gate: AnyGate) -> None:
    config = gate.save("cancel", JUDGE, AFTER)
    started = gate.pipelines.start(config, {})
    gate.until(started, lambda found: found.judgment is not None)
    gate.pipelines.cancel(started, "superseded by 8 (sha256:ab)")
    found = gate.ended(started)
    assert (found.status, found.reason, found.judged) == ("CANCELED", "superseded by 8 (sha256:ab)", False)
    gate.pipelines.cancel(started, "again")
    assert gate.ended(started).reason == found.reason
    with pytest.raises(Refused):
        gate.pipelines.cancel("01ARZ3NDEKTSV4RRFFQ69G5FAV", "nobody")
    assert gate.pipelines.execution("01ARZ3NDEKTSV4RRFFQ69G5FAV") is None


@pytest.mark.parametrize(("word", "status"), [("continue", "SUCCEEDED"), ("stop", "TERMINAL")])
def test_a_judgment_is_answered_once(gate: AnyGate, word: str, status: str) -> None:
    config = gate.save("judgment", JUDGE, AFTER)
    started = gate.pipelines.start(config, {})
    waiting = gate.until(started, lambda found: found.judgment is not None)
    gate.pipelines.judge(waiting, word)
    found = gate.ended(started)
    assert (found.status, found.judged, found.stopped) == (status, True, word == "stop")
    with pytest.raises(Refused, match="no judgment"):
        gate.pipelines.judge(waiting, word)


def test_pause_holds_and_resume_goes_on(gate: AnyGate) -> None:
    config = gate.save("pause", JUDGE, AFTER)
    started = gate.pipelines.start(config, {})
    gate.until(started, lambda found: found.judgment is not None)
    gate.spinnaker.control(started, "pause")
    gate.until(started, lambda found: found.status == "PAUSED")
    gate.spinnaker.control(started, "resume")
    waiting = gate.until(started, lambda found: found.status == "RUNNING" and found.judgment is not None)
    gate.pipelines.judge(waiting, "continue")
    assert gate.ended(started).status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("flags", "first", "second", "execution"),
    [
        ({}, "TERMINAL", "NOT_STARTED", "TERMINAL"),
        ({"failPipeline": False, "continuePipeline": True}, "FAILED_CONTINUE", "SUCCEEDED", "SUCCEEDED"),
        ({"failPipeline": False, "continuePipeline": False}, "STOPPED", "NOT_STARTED", "SUCCEEDED"),
        (
            {"failPipeline": False, "continuePipeline": False, "completeOtherBranchesThenFail": True},
            *("STOPPED", "NOT_STARTED", "TERMINAL"),
        ),
    ],
)
def test_what_a_run_says_of_a_failed_stage(
    gate: AnyGate, flags: dict[str, bool], first: str, second: str, execution: str
) -> None:
    stage = {"type": "evaluateVariables", "name": "Never", "refId": "1", "requisiteStageRefIds": [], **flags}
    stage |= {"failOnFailedExpressions": True, "variables": [{"key": "a", "value": "${nosuch.thing}"}]}
    config = gate.save("failure", stage, AFTER)
    started = gate.pipelines.start(config, {})
    assert gate.ended(started).status == execution
    assert gate.stages(started) == {"1": first, "2": second}


def test_a_run_that_downwind_did_not_start_stops_at_the_precondition(gate: AnyGate) -> None:
    expression = "${trigger['downwind'] != null && trigger['downwind']['sequence'] != null}"
    check = {
        "type": "expression",
        "failPipeline": True,
        "context": {"expression": expression, "failureMessage": "use downwind"},
    }
    config = gate.save("precondition", {**never(), "preconditions": [check]}, AFTER, spelEvaluator="v4")
    refused = gate.ended(gate.pipelines.start(config, {}))
    assert (refused.status, refused.precondition_failed, refused.message) == ("TERMINAL", True, "use downwind")
    words = {"application": "shop", "environment": "prod", "sequence": "7", "attempt": "0"}
    assert gate.ended(gate.pipelines.start(config, {"downwind": words})).status == "SUCCEEDED"


def test_a_failed_stage_is_restarted_alone(gate: AnyGate) -> None:
    config = gate.save("restart", never(), AFTER)
    started = gate.pipelines.start(config, {})
    before = gate.ended(started)
    stage = (gate.spinnaker.execution(started) or {})["stages"][0]["id"]
    gate.spinnaker.restart(started, stage)
    after = gate.until(started, lambda found: found.finished and found.ended not in {None, before.ended})
    assert after.status == "TERMINAL"
    with pytest.raises(Refused):
        gate.spinnaker.restart(started, "nosuch")


def test_a_limited_pipeline_queues_and_the_newest_goes(gate: AnyGate) -> None:
    config = gate.save("limited", JUDGE, limitConcurrent=True, keepWaitingPipelines=False)
    first = gate.pipelines.start(config, {})
    gate.until(first, lambda found: found.judgment is not None)
    second, third = gate.pipelines.start(config, {}), gate.pipelines.start(config, {})
    assert gate.until(second, lambda found: found.status == "NOT_STARTED").started is None
    gate.pipelines.cancel(first, "make way")
    dropped = gate.ended(second)
    assert (dropped.status, dropped.canceled_by) == ("CANCELED", "spinnaker")
    gate.until(third, lambda found: found.judgment is not None)
    gate.pipelines.cancel(third, "enough")
    gate.ended(third)


def test_what_is_refused_for_good_is_said_and_stays_as_a_red_run(gate: AnyGate) -> None:
    config = gate.save("refused", WAIT, disabled=True)
    eventually(lambda: (gate.pipelines.config(gate.application, "refused") or config).document.get("disabled"))
    with pytest.raises(Refused, match="disabled"):
        gate.pipelines.start(config, {})
    red = [each for each in gate.spinnaker.executions(gate.application) if each["name"] == "refused"]
    assert {each["status"] for each in red} == {"TERMINAL"}
    gone = PipelineConfig(id="0e4c-nobody", name="x", application=gate.application, document={})
    with pytest.raises(Refused, match="0e4c-nobody"):
        gate.pipelines.start(gone, {})
    needs = gate.save("needs", WAIT, parameterConfig=[{"name": "version", "required": True}])
    with pytest.raises(Refused, match="version"):
        gate.pipelines.start(needs, {})
    assert gate.ended(gate.pipelines.start(needs, {"parameters": {"version": "1"}})).status == "SUCCEEDED"


def test_expected_artifacts_are_bound_only_when_they_are_asked_for(gate: AnyGate) -> None:
    match = {"type": "gcs/object", "name": "gs://b/m", "artifactAccount": "gcs"}
    expected = {"id": "bundle", "displayName": "bundle", "matchArtifact": match, "useDefaultArtifact": False}
    config = gate.save("artifacts", WAIT, expectedArtifacts=[{**expected, "usePriorArtifact": False}])
    artifact = {"type": "gcs/object", "name": "gs://b/m", "reference": "gs://b/m.yaml#7", "version": "7"}
    for ids, bound in (([], []), (["bundle"], ["gs://b/m.yaml#7"])):
        started = gate.pipelines.start(config, {"artifacts": [artifact], "expectedArtifactIds": ids})
        found = (gate.spinnaker.execution(started) or {})["trigger"]["resolvedExpectedArtifacts"]
        assert [each["boundArtifact"]["reference"] for each in found] == bound
        assert gate.ended(started).status == "SUCCEEDED"
    with pytest.raises(Refused, match="Unmatched expected artifact"):
        gate.pipelines.start(config, {"artifacts": [], "expectedArtifactIds": ["bundle"]})


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [(b"{", "application/json", 400), (b"[]", "application/json", 400), (b"{}", "text/plain", 415)],
)
def test_what_gate_cannot_read_is_a_problem_of_rfc_7807(gate: AnyGate, data: bytes, kind: str, status: int) -> None:
    config = gate.save("shapes", WAIT)
    path = f"/pipelines/{gate.application}/{config.id}"
    answer = gate.call("POST", path, data=data, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert {"title", "status", "detail"} <= answer.json().keys()


def test_an_encoded_slash_never_reaches_gate_and_a_route_that_is_none_is_no_verdict(gate: AnyGate) -> None:
    answer = gate.call("GET", f"/applications/{gate.application}/pipelineConfigs/a%2Fb")
    assert (answer.status_code, "Invalid URI" in answer.text) == (400, True)
    elsewhere = GatePipelines(f"{gate.url}/nosuchpath", headers=lambda: HEADERS)
    with pytest.raises(Misconfigured, match="no Gate at this address"):
        elsewhere.execution("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    elsewhere.close()


def test_gate_says_what_it_is_and_who_we_are(gate: AnyGate) -> None:
    assert gate.spinnaker.version() is None or isinstance(gate.spinnaker.version(), str)
    assert gate.spinnaker.user().get("username") or gate.spinnaker.user().get("email")
    assert isinstance(gate.spinnaker.accounts(), list)


def account_of(gate: AnyGate) -> tuple[str, str]:
    """The Kubernetes account and namespace that objects may be made in."""
    if not URL:
        return "local", "shop"
    account, namespace = (os.environ.get(f"DOWNWIND_CONTRACT_{name}", "") for name in ("ACCOUNT", "NAMESPACE"))
    if not account or not namespace:
        pytest.skip("needs a real Clouddriver: DOWNWIND_CONTRACT_ACCOUNT and DOWNWIND_CONTRACT_NAMESPACE name none")
    if account not in [each.get("name") for each in gate.spinnaker.accounts()]:
        pytest.skip(f"needs a real Clouddriver: Gate shows no account {account}")
    return account, namespace


def test_an_object_is_deployed_with_the_words_of_the_run_and_deleted_again(gate: AnyGate) -> None:
    account, namespace = account_of(gate)
    name = f"downwind-contract-{secrets.token_hex(4)}"
    annotations = {"downwind.example/execution": "${execution.id}", "strategy.spinnaker.io/versioned": "false"}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}
    common = {"account": account, "cloudProvider": "kubernetes", "requisiteStageRefIds": []}
    deploy = {**common, "type": "deployManifest", "refId": "1", "source": "text", "manifests": [manifest]}
    target = {
        "location": namespace,
        "manifestName": f"configMap {name}",
        "mode": "static",
        "options": {"cascading": True},
    }
    delete = {
        **common,
        **target,
        "type": "deleteManifest",
        "refId": "2",
        "requisiteStageRefIds": ["1"],
        "app": gate.application,
    }
    config = gate.save("deploy", {**deploy, "moniker": {"app": gate.application}}, delete, spelEvaluator="v4")
    started = gate.pipelines.start(config, {})
    found = gate.ended(started)
    assert (found.status, found.deployed) == ("SUCCEEDED", True)
    stage = (gate.spinnaker.execution(started) or {})["stages"][0]["context"]
    assert stage["outputs.manifests"][0]["metadata"]["annotations"]["downwind.example/execution"] == started
