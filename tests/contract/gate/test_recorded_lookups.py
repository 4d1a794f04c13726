"""Recorded look-ups and saves, sent again: the same status, content type and body."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parent / "recorded"
SAVES = (
    "save-pipeline-duplicate-name",
    "save-pipeline-case-duplicate",
    "save-pipeline-no-app",
    "delete-pipeline-unknown",
)
# Those need what a session or a recorder's runs bring with them: test_recorded_sessions, test_recorded_reads.
ELSEWHERE = {
    "judgment-unknown-stage",
    "restart-unknown-stage",
    "search-bad-base64",
    "search-boundary-future",
    "search-correlation-regex",
    "search-eventid",
    "search-trigger-empty-json",
    "search-trigger-post",
    "search-webhook-run",
    "x-clouddriver-200-credentials-one-unknown",
}
UNKNOWN = sorted(
    path.stem for path in RECORDED.glob("*-unknown*.json") if not path.stem.startswith(("save", "trigger"))
)
PLAIN = (
    "health",
    "version",
    "auth-user",
    "not-found-route",
    "method-not-allowed",
    "get-application",
    "list-applications",
)
CONTROL = (
    "x-executions-both-parameters",
    "x-executions-no-parameter",
    "x-pipelines-list-limit-negative",
    "x-pipelines-list-limit-text",
)
SEARCHES = sorted(path.stem for path in RECORDED.glob("search-*.json"))


@pytest.fixture(scope="module", autouse=True)
def _runs(replay: Any) -> None:
    """The application, the runs that the recorded searches look for, and the red ones of the recorded refusals."""
    replay.send(replay.recording("create-application")["request"])
    replay.send(replay.recording("trigger-v1-disabled")["request"])
    for name in ("unmatched-artifact", "artifacts-no-expected-ids", "artifacts-both", "artifacts-ambiguous"):
        _run(replay, f"trigger-v1-{name}")
    for name in ("expected-ids-unknown", "expected-ids-no-artifacts", "bad-artifact-shape", "success"):
        _run(replay, f"trigger-v1-{name}")
    for trigger in (
        {"correlationId": "a.b:c+d(s1795415969", "eventId": "ev-s1795415969"},
        {"correlationId": "plain-s1795415969"},
    ):
        replay.lab.ended(replay.lab.start("wait-one", trigger, application="demo"))


def _run(replay: Any, name: str) -> None:
    answer = replay.send(replay.recording(name)["request"])
    if answer.status_code == 202:
        replay.lab.ended(answer.json()["ref"].removeprefix("/pipelines/"))


@pytest.mark.parametrize("name", sorted({*SAVES, *UNKNOWN, *PLAIN, *CONTROL, *SEARCHES} - ELSEWHERE))
def test_a_look_up_is_answered_as_recorded(replay: Any, name: str) -> None:
    replay.check(name)


def test_a_broken_percent_encoding_drops_the_filter_of_a_search(replay: Any) -> None:
    """Sent by hand, since every good client mends the address."""
    found = replay.recording("search-bad-base64")
    connection = http.client.HTTPConnection("127.0.0.1", replay.lab.gate.port, timeout=20)
    connection.request("GET", found["request"]["path"])
    body = json.loads(connection.getresponse().read())
    connection.close()
    assert replay.shape(body[:2]) == replay.shape(found["response"]["body"][:2])


def test_a_saved_pipeline_is_listed_as_recorded(replay: Any) -> None:
    wanted = replay.recording("pipelineconfigs-list")["response"]["body"]
    found = {item["name"]: item for item in replay.lab.call("GET", "/applications/demo/pipelineConfigs").json()}
    common = [item for item in wanted if item["name"] in found]
    assert len(common) >= 8
    for item in common:
        assert set(found[item["name"]]) == set(item)
