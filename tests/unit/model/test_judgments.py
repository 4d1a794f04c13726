"""Which answer a judgment got: continue and stop mean opposite things for the outcome of a run that deployed nothing."""

from typing import Any

import pytest

from downwind.model.execution import read_execution


@pytest.mark.parametrize(
    ("status", "answer", "stopped"),
    [
        ("TERMINAL", "stop", True),
        ("RUNNING", "Stop", True),
        ("SUCCEEDED", "continue", False),
        ("TERMINAL", None, False),
        ("RUNNING", "later", False),
    ],
)
def test_only_the_answer_stop_stops(status: str, answer: str | None, stopped: bool) -> None:
    context = {"judgmentStatus": answer} if answer else {}
    stage: dict[str, Any] = {"type": "manualJudgment", "id": "s1", "status": status, "context": context}
    assert read_execution({"id": "e1", "status": "TERMINAL", "stages": [stage]}).stopped is stopped
