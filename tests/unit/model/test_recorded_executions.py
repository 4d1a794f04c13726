"""Every execution that was recorded from a real Spinnaker 2026.2.3, read: what it came to is judged by its stages."""

import json
from pathlib import Path
from typing import Any

import pytest

from downwind.model.execution import FINISHED, read_execution

RECORDED = Path(__file__).parents[2] / "contract/gate/recorded"


def execution(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())["response"]["body"]
    return found


NAMES = sorted(
    path.stem
    for path in RECORDED.glob("*execution*.json")
    if isinstance(json.loads(path.read_text())["response"].get("body"), dict)
    and json.loads(path.read_text())["response"]["body"].get("type") == "PIPELINE"
)


def test_there_are_executions() -> None:
    assert len(NAMES) > 50


@pytest.mark.parametrize("name", NAMES)
def test_each_is_read_whole_and_agrees_with_its_stages(name: str) -> None:
    document = execution(name)
    found = read_execution(document)
    stages = [each for each in document["stages"] if "kato.last.task.id" in each["context"]]
    assert (found.id, found.status, found.application) == (document["id"], document["status"], document["application"])
    assert found.finished == (document["status"] in FINISHED)
    if found.deployed:
        assert {each["status"] for each in stages} == {"SUCCEEDED"}
    if any(each["status"] == "TERMINAL" for each in document["stages"]):
        assert not found.deployed


# (deploying, deployed, what it says): the recorder's fences have another name, so they count as deploying stages here.
SAID = {
    "s0-forbidden-execution": (True, False, "denied request"),
    "s0-manifest-status-failed-execution": (True, False, "for account k8s-prod"),
    "s0-continuePipeline-execution": (True, False, "denied request"),
    "s0-runJob-failed-execution": (True, False, "Job: 'job bad' failed."),
    "s0-stage-timeout-execution": (True, False, "timed out after 20 seconds"),
    "s0-artifact-404-execution": (True, False, "Status: 404, Method: PUT"),
    "s0-ops-400-execution": (True, False, "account not found"),
    "s0-ops-403-execution": (True, False, ""),
    "s0-ops-500-execution": (True, False, ""),
    "s0-guard-precondition-missing-execution": (False, False, "start deliveries from Downwind"),
    "s0-fence-ok-execution": (True, True, None),
    "s0-gcs-nobind-execution": (True, True, None),
    "s0-bluegreen-execution": (True, True, None),
    "s0-stage-runJobManifest-execution": (True, True, None),
    "s0-canceled-while-stabilizing-execution": (True, False, None),
    "s0-judged-canceled-execution": (True, False, None),
    "execution-succeeded": (False, False, None),
    "execution-terminal": (False, False, None),
}


@pytest.mark.parametrize("name", SAID)
def test_what_it_came_to_and_why_in_spinnakers_own_words(name: str) -> None:
    deploying, deployed, said = SAID[name]
    found = read_execution(execution(name))
    assert (found.deploying, found.deployed) == (deploying, deployed)
    if said is None:
        assert found.message is None
    else:
        assert said in str(found.message)
        assert found.message
