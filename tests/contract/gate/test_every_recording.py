"""Each recording is a case of some test here, or stands in the list of what is not covered, with its reason; and that list is
what docs/reference/local-gate.md says."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs/reference/local-gate.md"
# What the recorder's pipelines or its stub Clouddriver had and the local world has not. A name may end with `*`.
NOT_COVERED = {
    "artifacts-credentials": "a Gate without any artifact account",
    "artifacts-fetch-stub": "a stub's answer",
    "credentials": "a Gate without any account",
    "echo-event-judgment-stage-starting": "as any stage's start, which is compared",
    "echo-event-orchestration-complete": "Echo's events about tasks of applications are not sent",
    "execution-just-started": "a run between its start and its first stage: over too soon here",
    "s0-artifact-404-execution": "an object that is not there is asked for three times, not ten",
    "s0-canceled-while-stabilizing-execution": "objects are stable or failed at once",
    "s0-gcs-nobind-execution": "the same run as of the shipped pipelines, which are played whole",
    "s0-limited-second-queued": "as execution-queued-not-started",
    "s0-limited-second-superseded": "as execution-canceled-by-limit",
    "s0-judged-waiting-execution": "as execution-awaiting-judgment",
    "s0-judged-cancel": "as cancel",
    "s0-queued-canceled-execution": "a queued run that is cancelled: its shape is that of the one superseded",
    "s0-restart-fence-stage": "as restart-stage",
    "s0-stage-timeout-execution": "objects are stable or failed at once",
    "s0-ops-400-execution": "Clouddriver takes every operation here",
    "s0-ops-403-execution": "Clouddriver takes every operation here",
    "s0-ops-500-execution": "Clouddriver takes every operation here",
    "s0-ops-artifacts-fetch-gcs": "between Orca and Clouddriver, which are one part here",
    "s0-ops-bluegreen-cluster-lookup": "between Orca and Clouddriver, which are one part here",
    "s0-ops-cleanupArtifacts-fence": "as the cleanup of bluegreen",
    "s0-ops-deployManifest-*": "other expressions and artifacts of an operation whose body is compared for the fence",
    "s0-ops-manifest-poll": "between Orca and Clouddriver, which are one part here",
    "s0-ops-resolveTarget-dynamic": "between Orca and Clouddriver, which are one part here",
    "s0-ops-runJob-job-poll": "between Orca and Clouddriver, which are one part here",
    "s0-ops-task-*": "between Orca and Clouddriver, which are one part here",
    "s0-ops-undoRolloutManifest": "the local cluster keeps no revisions",
    "s0-echo-forbidden-pipeline-failed": "as the task's failed event, which is compared",
    "s0-echo-forbidden-stage-failed": "as the task's failed event, which is compared",
    "s0-echo-pipeline-complete-downwind": "as echo-event-pipeline-complete",
    "echo-event-pipeline-failed": "as echo-event-pipeline-canceled",
    "search-trigger-empty-json": "all runs of the recorder; that an empty filter finds all is tested",
    "x-clouddriver-200-cluster": "a stub's empty answer; ours is the {} that Gate makes of Clouddriver's 404",
    "x-clouddriver-200-instances": "instances are not part of the local world",
    "x-clouddriver-200-search": "search is not part of the local world",
    "x-clouddriver-500-instances": "instances are not part of the local world",
    "x-clouddriver-500-search": "search is not part of the local world",
    "x-execution-right-after-cancel": "a moment between two others: over too soon here",
}
# Families that a test takes by their beginning.
BY_PATTERN = re.compile(
    r"trigger-v1-.*|search-.*|.*-unknown.*|save-pipeline-(?!fresh|webhook|limited|long|wait2|again|stale).*"
)


def covered() -> set[str]:
    text = "".join(path.read_text() for path in HERE.glob("test_*.py") if path.name != Path(__file__).name)
    text += (HERE / "conftest.py").read_text()
    named = set(re.findall(r"[\"']([a-z0-9][A-Za-z0-9-]+)[\"']", text))
    made = {f"save-pipeline-{name}" for name in named} | {f"x-clouddriver-{name}" for name in named}
    made |= {f"x-clouddriver-500-{name}" for name in named} | {
        f"x-clouddriver-{s}-pipeline-configs" for s in (404, 500)
    }
    made |= {f"s0-stage-{name}-execution" for name in named} | {f"s0-ops-{name}" for name in named}
    made |= {f"s0-{name}-execution" for name in named} | {f"execution-judgment-{name}" for name in named}
    return named | made


def excused(name: str) -> bool:
    return any(name == each or (each.endswith("*") and name.startswith(each[:-1])) for each in NOT_COVERED)


def test_each_recording_is_a_case_or_is_said_not_to_be_one() -> None:
    names = {path.stem for path in (HERE / "recorded").glob("*.json")}
    cases = covered()
    left = sorted(each for each in names if each not in cases and not BY_PATTERN.fullmatch(each) and not excused(each))
    assert left == []
    assert len(names) == 351
    for each in NOT_COVERED:
        assert any(name == each or (each.endswith("*") and name.startswith(each[:-1])) for name in names), each


def test_the_page_says_what_is_not_covered() -> None:
    page = PAGE.read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", page.split("## What is not covered")[1], re.MULTILINE))
    assert rows == NOT_COVERED
