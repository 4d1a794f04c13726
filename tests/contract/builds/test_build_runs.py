"""A push becomes a build, its statuses become messages, its image stands in the registry."""

import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from downwind.local.builds import BuildsServer
from downwind.local.outbox import Outbox

FAILING = "import unittest\n\nclass T(unittest.TestCase):\n    def test_no(self):\n        self.fail('as it should')\n"


def _steps(*steps: str) -> dict[str, str]:
    return {"cloudbuild.yaml": "steps:\n" + "".join(f"  - {step}\n" for step in steps)}


def test_a_push_becomes_an_image_with_its_exact_digest(workshop: Any) -> None:
    trigger = workshop.trigger()
    commit = workshop.release()
    assert workshop.statuses(3) == ["QUEUED", "WORKING", "SUCCESS"]
    build = workshop.ended()
    tagged, latest = build["results"]["images"]
    assert (tagged["name"], latest["name"]) == (f"{workshop.image}:{commit}", f"{workshop.image}:latest")
    assert workshop.images.digest(workshop.image, commit) == tagged["digest"] == latest["digest"]
    assert workshop.images.labels(workshop.image, tagged["digest"]) == {"org.opencontainers.image.revision": commit}
    assert build["buildTriggerId"] == trigger["id"]
    pushed = {"action": "INSERT", "digest": f"{workshop.image}@{tagged['digest']}", "tag": f"{workshop.image}:{commit}"}
    assert workshop.inbox.wait("gcr", 1)[0][0] == pushed


def test_messages_carry_the_whole_build_in_cloud_builds_shape(workshop: Any) -> None:
    trigger = workshop.trigger()
    commit = workshop.release()
    for data, attributes in workshop.inbox.wait("cloud-builds", 3):
        assert attributes == {"buildId": data["id"], "status": data["status"]}
    build = workshop.ended()
    assert build["name"] == f"projects/123456789012/locations/us-central1/builds/{build['id']}"
    assert build["projectId"] == "demo"
    assert build["source"] == {"repoSource": {"projectId": "demo", "repoName": "shop", "branchName": "main"}}
    assert build["sourceProvenance"]["resolvedRepoSource"]["commitSha"] == commit
    assert build["tags"] == [f"trigger-{trigger['id']}"]
    assert build["substitutions"] == {
        "TRIGGER_NAME": "shop",
        "TRIGGER_BUILD_CONFIG_PATH": "cloudbuild.yaml",
        "COMMIT_SHA": commit,
        "REVISION_ID": commit,
        "SHORT_SHA": commit[:7],
        "REPO_NAME": "shop",
        "REPO_FULL_NAME": "shop",
        "BRANCH_NAME": "main",
        "REF_NAME": "main",
        "_IMAGE": workshop.image,
    }
    assert [step["status"] for step in build["steps"]] == ["SUCCESS", "SUCCESS"]
    assert set(build["timing"]) == {"FETCHSOURCE", "BUILD", "PUSH"}
    assert set(build["results"]["images"][0]["pushTiming"]) == {"startTime", "endTime"}
    assert build["createTime"] <= build["startTime"] <= build["finishTime"]
    assert "built sha256:" in workshop.log(build)


def test_a_failing_unit_test_ends_the_build_without_an_image(workshop: Any) -> None:
    workshop.trigger()
    commit = workshop.release({"checks.py": FAILING})
    assert workshop.statuses(3) == ["QUEUED", "WORKING", "FAILURE"]
    build = workshop.ended()
    assert build["failureInfo"]["type"] == "USER_BUILD_STEP"
    assert "build step 0 (test) failed: exit code 1" in build["statusDetail"]
    assert "results" not in build
    assert "status" not in build["steps"][1]
    assert workshop.images.digest(workshop.image, commit) is None
    assert "as it should" in workshop.log(build)


def test_two_builds_of_one_commit_make_the_same_digest(workshop: Any) -> None:
    workshop.trigger()
    commit = workshop.release()
    first = workshop.ended()
    trigger = workshop.adapter.trigger("projects/demo/locations/us-central1/triggers/shop")
    build = workshop.adapter.run(trigger, commit)
    second = workshop.ended(6)
    assert second["id"] == build != first["id"]
    assert second["results"]["images"][0]["digest"] == first["results"]["images"][0]["digest"]


def test_a_tag_trigger_sees_the_commit_behind_an_annotated_tag(workshop: Any) -> None:
    workshop.trigger("release", triggerTemplate={"repoName": "shop", "tagName": "^v[0-9]"})
    commit = workshop.commit()
    workshop.tag("v1.0.0", commit)
    workshop.push("refs/tags/v1.0.0", f"{commit}:refs/heads/main", f"{commit}:refs/tags/other")
    build = workshop.ended()
    assert build["status"] == "SUCCESS", workshop.log(build)
    found = build["substitutions"]
    assert (found["COMMIT_SHA"], found["TAG_NAME"], found["REF_NAME"]) == (commit, "v1.0.0", "v1.0.0")
    assert "BRANCH_NAME" not in found
    assert len(workshop.call("GET", "locations/us-central1/builds").json()["builds"]) == 1


def test_a_disabled_trigger_runs_only_when_asked_and_a_deletion_runs_none(workshop: Any) -> None:
    workshop.trigger(disabled=True)
    commit = workshop.release()
    workshop.push(":refs/heads/main")
    workshop.inbox.wait("repo-pushes", 2)
    answer = workshop.call("POST", "locations/us-central1/triggers/shop:run", {"commitSha": commit})
    assert answer.json()["metadata"]["build"]["status"] == "QUEUED"
    assert workshop.ended()["source"] == {"repoSource": {"projectId": "demo", "repoName": "shop", "commitSha": commit}}
    assert len(workshop.call("GET", "locations/us-central1/builds").json()["builds"]) == 1


def test_a_hook_that_comes_twice_starts_one_build(workshop: Any) -> None:
    workshop.trigger()
    commit = workshop.commit()
    workshop.push(f"{commit}:refs/heads/other")
    update = {"ref": "refs/heads/main", "new": commit, "commit": commit}
    hook = {"repository": "shop", "number": 7, "updates": [update]}
    started = [requests.post(f"{workshop.builds.url}/-/push", json=hook, timeout=30).json() for _ in range(2)]
    assert [len(answer["builds"]) for answer in started] == [1, 0]
    again = requests.post(f"{workshop.builds.url}/-/push", json=hook | {"number": 8}, timeout=30).json()
    assert len(again["builds"]) == 1


def test_a_push_without_a_readable_config_fails_where_everybody_sees_it(workshop: Any) -> None:
    workshop.trigger()
    workshop.release({"cloudbuild.yaml": "steps: [{name: python, volumes: []}]"})
    build = workshop.ended(1)
    assert (build["status"], build["statusDetail"]) == (
        "FAILURE",
        "cloudbuild.yaml: step 0: volumes: unknown, or not part of the local builder",
    )


def test_steps_share_the_workspace_and_see_a_small_environment(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOWNWIND_TEST_SECRET", "hidden")
    workshop.trigger()
    workshop.release(
        _steps(
            "{name: ubuntu, script: 'echo made > /workspace/made; env > all'}",
            "{name: bash, args: [sh, -c, 'cat made; echo $$OWN $_IMAGE'], env: ['OWN=$SHORT_SHA'], dir: .}",
            "{name: ubuntu, entrypoint: grep, args: [DOWNWIND_TEST_SECRET, all], allowFailure: true}",
        )
    )
    build = workshop.ended()
    assert build["status"] == "SUCCESS", workshop.log(build)
    lines = workshop.log(build).splitlines()
    assert "Step #1 - bash: made" in lines
    assert f"Step #1 - bash: {build['substitutions']['SHORT_SHA']} {workshop.image}" in lines
    assert (build["steps"][2]["status"], build["steps"][2]["exitCode"]) == ("FAILURE", 1)


def test_a_tool_that_this_machine_has_not_fails_with_a_clear_line(workshop: Any) -> None:
    workshop.trigger()
    workshop.release(_steps("{name: gcr.io/cloud-builders/nosuchtool, args: [x]}"))
    assert "this machine has no nosuchtool" in workshop.ended()["statusDetail"]


def test_a_step_or_build_that_takes_too_long_is_killed(workshop: Any) -> None:
    workshop.trigger()
    workshop.release(_steps("{name: bash, args: [sleep, '60'], timeout: 0.2s}"))
    build = workshop.ended()
    assert (build["status"], build["steps"][0]["status"]) == ("TIMEOUT", "TIMEOUT")


def test_a_running_and_a_waiting_build_can_be_cancelled(workshop: Any) -> None:
    workshop.trigger()
    for number in range(3):  # two workers: the third waits
        workshop.release(_steps("{name: bash, args: [sleep, '60']}") | {"n": str(number)})
    workshop.inbox.wait("cloud-builds", 5)
    listed = [build["id"] for build in workshop.call("GET", "locations/us-central1/builds").json()["builds"]]
    for build in listed:
        answer = workshop.call("POST", f"locations/us-central1/builds/{build}:cancel", {})
        assert answer.json()["status"] == "CANCELLED"
    again = workshop.call("POST", f"locations/us-central1/builds/{listed[0]}:cancel", {})
    assert (again.status_code, again.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert workshop.statuses(8).count("CANCELLED") == 3


def test_a_build_cut_off_in_the_middle_starts_again_under_its_id(workshop: Any, outbox: Outbox, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    workshop.trigger()
    workshop.release(_steps(f"{{name: bash, script: 'until [ -e {flag} ]; do sleep 0.05; done'}}"))
    build = workshop.ended(2)
    workshop.builds.stop()
    flag.touch()
    workshop.builds = BuildsServer(
        tmp_path / "builds",
        port=workshop.builds.port,
        outbox=outbox,
        pubsub_url=workshop.inbox.url,
        project="demo",
        git_url=workshop.git.url,
    )
    workshop.builds.start()
    again = workshop.ended(4)
    assert (again["id"], again["status"]) == (build["id"], "SUCCESS")
    assert "starts again from the beginning" in workshop.log(again)


def test_python_images_run_this_interpreter(workshop: Any) -> None:
    workshop.trigger()
    workshop.release(_steps("{name: 'python:3.12', args: [python, -c, 'import sys; print(sys.executable)']}"))
    assert f"python:3.12: {sys.executable}" in workshop.log(workshop.ended())


def test_a_git_step_stands_in_a_clone_of_the_commit(workshop: Any) -> None:
    workshop.trigger()
    commit = workshop.release(_steps("{name: gcr.io/cloud-builders/git, args: [rev-parse, HEAD]}"))
    assert f"Step #0 - gcr.io/cloud-builders/git: {commit}" in workshop.log(workshop.ended())
