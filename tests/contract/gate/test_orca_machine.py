"""Random pipelines of the supported stages, with random cancels and answers: what Orca's state machine promises holds for each.

The seed is printed; ORCA_SEED repeats it, ORCA_EXAMPLES=2000 plays more than every run does, which has a dozen
(`scripts/test --long`: sixty).
"""

import os
import random
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from downwind.model.execution import FINISHED, read_execution

SEED = int(os.environ.get("ORCA_SEED") or random.SystemRandom().randrange(2**32))
EXAMPLES = int(os.environ.get("ORCA_EXAMPLES") or ("60" if os.environ.get("WITH_LONG") else "12"))
FAIL = {"local.downwind.dev/fail": "true"}
IMAGE = "r.example/web@sha256:" + "a" * 64
GOES_ON = {"SUCCEEDED", "FAILED_CONTINUE", "SKIPPED"}
STATUSES = {"NOT_STARTED", "SUCCEEDED", "TERMINAL", "CANCELED", "STOPPED", "FAILED_CONTINUE"}
FLAGS = st.sampled_from(
    [
        {},
        {"failPipeline": False, "continuePipeline": True},
        {"failPipeline": False, "continuePipeline": False},
        {"failPipeline": False, "continuePipeline": False, "completeOtherBranchesThenFail": True},
    ]
)


def deploy(number: int, *, fails: bool) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "web", "image": IMAGE}]}}
    metadata = {"name": f"web{number}", "namespace": "shop", "annotations": FAIL if fails else {}}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": pod}}
    return {"type": "deployManifest", "account": "local", "manifests": [manifest]}


def check(*, fails: bool) -> dict[str, Any]:
    expression = {
        "type": "expression",
        "failPipeline": True,
        "context": {"expression": "1 == 2" if fails else "1 == 1"},
    }
    return {"type": "checkPreconditions", "preconditions": [expression]}


@st.composite
def stages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to five stages; each may wait for any that come before it. Judgments are answered by their name."""
    found: list[dict[str, Any]] = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        kind = draw(
            st.sampled_from(
                ["wait", "check", "bad check", "deploy", "bad deploy", "continue", "stop", "nosuch", "variables"]
            )
        )
        stage = {
            "wait": {"type": "wait", "waitTime": 0},
            "check": check(fails=False),
            "bad check": check(fails=True),
            "deploy": deploy(number, fails=False),
            "bad deploy": deploy(number, fails=True),
            "continue": {"type": "manualJudgment"},
            "stop": {"type": "manualJudgment"},
            "nosuch": {"type": "nosuchStage"},
            "variables": {"type": "evaluateVariables", "variables": [{"key": "a", "value": "${execution.id}"}]},
        }[kind]
        before = [each["refId"] for each in found]
        after = draw(st.lists(st.sampled_from(before), unique=True, max_size=2)) if before else []
        found.append({**stage, "name": kind, "refId": str(number), "requisiteStageRefIds": after, **draw(FLAGS)})
    return found


@seed(SEED)
@settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)
@given(pipeline=stages(), cancelled=st.booleans(), limited=st.booleans())
def test_what_orca_promises_holds_for_any_pipeline(
    module_lab: Any, pipeline: list[dict[str, Any]], cancelled: bool, limited: bool
) -> None:
    print(f"ORCA_SEED={SEED}")
    standing = module_lab.call("GET", "/applications/machine/pipelineConfigs").json()
    more = {"id": standing[0]["id"]} if standing else {}
    module_lab.save(*pipeline, application="machine", name="p", limitConcurrent=limited, **more)
    started = module_lab.start("p", {"user": "ci"}, "machine")
    judged(module_lab, started, cancelled=cancelled)
    document = module_lab.ended(started)
    holds(module_lab, document, pipeline)


def judged(lab: Any, execution: str, *, cancelled: bool) -> None:
    """Answers what waits, by the stage's name, until the run has ended; or cancels it at its first judgment."""
    while True:
        found = read_execution(
            lab.until(
                execution, lambda found: found.judgment is not None or (found.finished and found.ended is not None)
            )
        )
        if found.judgment is None:
            return
        if cancelled:
            assert lab.call("PUT", f"/pipelines/{execution}/cancel?reason=enough").status_code == 200
            return
        stage = next(each for each in lab.execution(execution)["stages"] if each["id"] == found.judgment)
        path = f"/pipelines/{execution}/stages/{stage['id']}"
        assert lab.call("PATCH", path, {"judgmentStatus": stage["name"]}).status_code == 200
        lab.until(execution, lambda now, answered=found.judgment: now.judgment != answered)


def holds(lab: Any, document: dict[str, Any], pipeline: list[dict[str, Any]]) -> None:
    found = read_execution(document)
    top = {stage["refId"]: stage for stage in document["stages"] if "parentStageId" not in stage}
    statuses = {each["status"] for each in document["stages"]}
    # A run that has ended has nothing at work, and every stage of its pipeline once.
    assert document["status"] in FINISHED
    assert statuses <= STATUSES
    assert set(top) == {stage["refId"] for stage in pipeline}
    assert document["startTime"] <= document["endTime"]
    # What the run says follows from its stages.
    stopped = any(
        each["status"] == "STOPPED" and each["context"].get("completeOtherBranchesThenFail") for each in top.values()
    )
    if document["canceled"]:
        assert (document["status"], document["cancellationReason"]) == ("CANCELED", "enough")
    elif "TERMINAL" in {each["status"] for each in top.values()} or stopped:
        assert document["status"] == "TERMINAL"
    else:
        assert document["status"] == "SUCCEEDED"
    for stage in top.values():
        before = [top[reference] for reference in stage["requisiteStageRefIds"]]
        begun = "startTime" in stage
        # A stage begins only behind what lets it, and does not begin twice.
        assert begun == (stage["status"] != "NOT_STARTED")
        if begun:
            assert all(each["status"] in GOES_ON and each["endTime"] <= stage["startTime"] for each in before)
            assert document["startTime"] <= stage["startTime"] <= stage["endTime"] <= document["endTime"]
        elif before and document["status"] == "SUCCEEDED":
            assert any(each["status"] not in GOES_ON for each in before)
        tasks = [task["status"] for task in stage["tasks"]]
        if stage["status"] == "SUCCEEDED":
            assert set(tasks) <= {"SUCCEEDED"}
        elif begun:
            assert "RUNNING" not in tasks
            assert tasks == sorted(tasks, key=lambda each: each == "NOT_STARTED"), (
                "nothing runs behind a task that did not begin"
            )
    for child in (each for each in document["stages"] if "parentStageId" in each):
        parent = next(each for each in document["stages"] if each["id"] == child["parentStageId"])
        assert parent["startTime"] <= child["startTime"] <= child["endTime"] <= parent["endTime"]
    # Success is not only the run's own word.
    deploys = [each for each in top.values() if each["type"] == "deployManifest"]
    assert found.deployed == (
        document["status"] == "SUCCEEDED" and bool(deploys) and all(each["status"] == "SUCCEEDED" for each in deploys)
    )
    # Its end is announced, a cancelled one's maybe twice, and never both ways.
    end = "orca:pipeline:complete" if document["status"] == "SUCCEEDED" else "orca:pipeline:failed"
    lab.catcher.wait_for(lambda: end in lab.catcher.kinds(document["id"]))
    assert len({kind for kind in lab.catcher.kinds(document["id"]) if kind in ENDS}) == 1


ENDS = {"orca:pipeline:complete", "orca:pipeline:failed"}
