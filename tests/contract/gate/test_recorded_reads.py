"""Every recorded read of runs: the recorder's runs are put into the local Spinnaker, and each answer has to be the recorded one.

So filters, order, limits and what `expand` leaves out are compared to the letter, on all runs of one recorder at once.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from downwind.local.gate.records import COMPLETE, Records

RECORDED = Path(__file__).parent / "recorded"
# Each was recorded while the run it tells of stood as it says; the others were recorded when all of x-* had ended or waited.
LISTS = (
    "x-pipelines-list-default",
    "x-pipelines-list-limit-0",
    "x-pipelines-list-limit-1",
    "x-pipelines-list-limit-2-expand-true",
    "x-pipelines-list-limit-per-config",
    "x-pipelines-list-name-filter",
    "x-pipelines-list-running",
    "x-pipelines-list-status-lower",
    "x-pipelines-list-two-statuses",
    "x-execution-list-of-canceled",
    "x-executions-by-config",
    "x-executions-by-config-limit-1",
    "x-executions-by-config-statuses",
    "x-executions-by-ids-expand-false",
    "x-executions-by-two-configs",
    "executions-by-config-limit",
    "executions-by-ids",
    "pipelines-list-limit",
    "s0-search-nested-downwind-app",
    "s0-search-nested-downwind-none",
    "s0-search-nested-downwind-seq",
    "s0-search-nested-downwind-seq-number",
    "search-boundary-future",
    "search-correlation-regex",
    "search-eventid",
    "search-webhook-run",
)


def recording(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


def runs_of(body: Any) -> Iterator[dict[str, Any]]:
    for each in body if isinstance(body, list) else [body]:
        if isinstance(each, dict) and each.get("type") == "PIPELINE":
            yield each


def seed(records: Records, *bodies: Any) -> None:
    """Those runs, each by its fullest text, and a saved pipeline for each config that they name."""
    found: dict[str, dict[str, Any]] = {}
    for body in bodies:
        for run in runs_of(body):
            if len(json.dumps(run)) > len(json.dumps(found.get(run["id"], ""))):
                found[run["id"]] = run
    for run in found.values():
        records.put_execution(run, active=run["status"] not in COMPLETE)
        pipeline = {"id": run["pipelineConfigId"], "application": run["application"], "name": run["name"]}
        records.put_pipeline({**pipeline, "updateTs": "1", "stages": []})


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_runs_is_answered_as_recorded(lab: Any, replay_of: Any, name: str) -> None:
    wanted = recording(name)
    records = Records(lab.folder / "gate" / "spinnaker.db")
    # Beside the answer's own runs, those that the same recorder saw in a full list: they must not get in.
    others = recording("x-pipelines-list-default")["response"]["body"] if name.startswith("x-") else ()
    seed(records, others, wanted["response"]["body"])
    records.stop()
    replay_of(lab).check_exactly(wanted)
