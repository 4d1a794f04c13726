"""Every story of policy-cases.yaml, on our cluster store and on a real API server: the same steps, the same outcomes."""

import json
from typing import Any

import pytest
from tests.contract.cluster.kubectl import Kubectl
from tests.contract.cluster.story import CASES, MARKS, Story


@pytest.mark.parametrize("story", CASES, ids=[each["story"] for each in CASES])
def test_story(story: dict[str, Any], kubectl: Kubectl, namespace: str) -> None:
    if "real" in story and not kubectl.server.real:
        pytest.skip(f"only a real API server has {story['real']}")
    Story(kubectl, namespace, story).play()


def test_the_table_asks_for_nothing_that_nobody_reads() -> None:
    known = {
        "do",
        "by",
        "object",
        "name",
        "generate_name",
        "labels",
        "annotations",
        "data",
        "spec",
        "controlled",
        "bare",
    }
    known |= {
        "dry_run",
        "manager",
        "force_conflicts",
        "patch",
        "replicas",
        "refused",
        "answers",
        "live",
        "gone",
        "real",
    }
    for story in CASES:
        assert set(story) <= {"story", "object", "namespace", "name", "marks", "by", "before", "real", "steps"}
        for step in (*story.get("before", ()), *story["steps"]):
            assert set(step) <= known | set(MARKS), json.dumps(step)
