"""Every recorded v1 start, sent again: the same status, content type and body.

What a start must say decides whether Downwind repeats, looks up or gives up, so no row is left out.
"""

from pathlib import Path
from typing import Any

import pytest

NAMES = sorted(path.stem for path in (Path(__file__).parent / "recorded").glob("trigger-v1-*.json"))


@pytest.fixture(scope="module", autouse=True)
def _known_id(replay: Any) -> None:
    """Two recordings start `wait-one` by the id that the recorded Front50 gave it."""
    recorded = replay.recording("pipelineconfig-get")["response"]["body"]
    replay.lab.call("DELETE", "/pipelines/demo/wait-one")
    replay.lab.save(*recorded["stages"], application="demo", name="wait-one", id=recorded["id"])


def test_there_are_recordings() -> None:
    assert len(NAMES) > 40


@pytest.mark.parametrize("name", NAMES)
def test_a_start_is_answered_as_recorded(replay: Any, name: str) -> None:
    replay.check(name)


@pytest.mark.parametrize(
    "name", ["trigger-v1-disabled", "trigger-v1-unmatched-artifact", "trigger-v1-bad-artifact-shape"]
)
def test_a_refused_start_leaves_a_red_execution_and_no_event(replay: Any, name: str) -> None:
    request = replay.recording(name)["request"]
    pipeline = request["path"].rpartition("/")[2]
    before = len(replay.lab.call("GET", "/applications/demo/pipelines?limit=100").json())
    replay.send(request)
    after = replay.lab.call("GET", "/applications/demo/pipelines?limit=100").json()
    assert len(after) == before + 1
    assert (after[0]["name"], after[0]["status"], after[0]["canceledBy"]) == (pipeline, "TERMINAL", "system")
    assert after[0]["cancellationReason"].startswith("Failed on startup: ")
    assert replay.lab.catcher.kinds(after[0]["id"]) == []
