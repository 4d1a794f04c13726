"""The REST API as google-cloud-build uses it, its errors, and what it refuses."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.devtools import cloudbuild_v1

PARENT = "projects/demo/locations/us-central1"
STEP = {"name": "ubuntu", "args": ["true"]}


@pytest.fixture
def client(workshop: Any) -> Iterator[Any]:
    options = {"api_endpoint": workshop.builds.url}
    found = cloudbuild_v1.CloudBuildClient(credentials=AnonymousCredentials(), transport="rest", client_options=options)
    yield found
    found.transport.close()


def test_the_official_client_makes_lists_changes_and_deletes_triggers(client: Any) -> None:
    template = cloudbuild_v1.RepoSource(repo_name="shop", branch_name="^main$")
    trigger = cloudbuild_v1.BuildTrigger(name="t", filename="cloudbuild.yaml", trigger_template=template)
    made = client.create_build_trigger(request={"parent": PARENT, "project_id": "", "trigger": trigger})
    assert made.resource_name == f"{PARENT}/triggers/{made.id}"
    assert [found.id for found in client.list_build_triggers(request={"parent": PARENT})] == [made.id]
    with pytest.raises(exceptions.Conflict):
        client.create_build_trigger(request={"parent": PARENT, "trigger": trigger})
    assert client.get_build_trigger(request={"name": f"{PARENT}/triggers/t"}) == made
    client.delete_build_trigger(request={"name": f"{PARENT}/triggers/{made.id}"})
    with pytest.raises(exceptions.NotFound):
        client.get_build_trigger(request={"name": f"{PARENT}/triggers/t"})


def test_a_trigger_is_changed_by_patch(workshop: Any) -> None:
    made = workshop.trigger()
    changed = {"name": "shop", "filename": "ci.yaml", "github": {"owner": "acme", "name": "shop", "push": {"tag": "v"}}}
    answer = workshop.call("PATCH", f"locations/us-central1/triggers/{made['id']}", changed).json()
    assert (answer["id"], answer["filename"], "triggerTemplate" in answer) == (made["id"], "ci.yaml", False)


def test_the_official_client_runs_a_build_and_follows_its_operation(client: Any) -> None:
    build = cloudbuild_v1.Build(steps=[cloudbuild_v1.BuildStep(name="ubuntu", args=["true"])])
    operation = client.create_build(request={"parent": PARENT, "build": build})
    assert operation.metadata.build.status == cloudbuild_v1.Build.Status.QUEUED
    done = operation.result(timeout=30)
    assert done.status == cloudbuild_v1.Build.Status.SUCCESS
    assert client.get_build(request={"name": f"{PARENT}/builds/{done.id}"}).id == done.id


def test_options_that_the_client_sends_as_numbers_are_published_by_name(client: Any, workshop: Any) -> None:
    options = {"substitution_option": "ALLOW_LOOSE", "logging": "CLOUD_LOGGING_ONLY"}
    step = cloudbuild_v1.BuildStep(name="ubuntu", args=["true", "${_NONE}"])
    client.create_build(request={"parent": PARENT, "build": cloudbuild_v1.Build(steps=[step], options=options)})
    build = workshop.ended()
    assert build["options"] == {"substitutionOption": "ALLOW_LOOSE", "logging": "CLOUD_LOGGING_ONLY"}
    assert build["steps"][0]["args"] == ["true", ""]


def test_builds_are_listed_newest_first_by_filter_and_page(client: Any, workshop: Any) -> None:
    builds = []
    for _ in range(3):
        body = workshop.call("POST", "locations/us-central1/builds", {"steps": [STEP]}).json()["metadata"]["build"]
        builds.append(body["id"])
    listed = client.list_builds(request={"parent": PARENT, "page_size": 2})
    assert [build.id for build in listed] == builds[::-1]
    chosen = client.list_builds(request={"parent": PARENT, "filter": f'id="{builds[1]}" AND status != "EXPIRED"'})
    assert [build.id for build in chosen] == [builds[1]]


@pytest.mark.parametrize("text", ["status", 'status="A" OR status="B"', 'create_time>"2026"', 'unknown="x"'])
def test_a_filter_that_is_not_known_is_refused(client: Any, text: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="filter"):
        client.list_builds(request={"parent": PARENT, "filter": text})


def test_paths_without_a_location_are_global(client: Any, workshop: Any) -> None:
    made = workshop.call("POST", "builds", {"steps": [STEP]}).json()
    assert made["name"].startswith("operations/build/demo/")
    build = made["metadata"]["build"]["id"]
    assert workshop.call("GET", f"locations/global/builds/{build}").json()["id"] == build
    assert client.get_build(project_id="demo", id=build).id == build
    assert workshop.call("GET", f"locations/us-central1/builds/{build}").status_code == 404


def test_a_build_can_take_its_source_from_a_branch(workshop: Any) -> None:
    commit = workshop.release()
    source = {"repoSource": {"repoName": "shop", "branchName": "main"}}
    workshop.call("POST", "builds", {"steps": [{"name": "git", "args": ["ls", "app"]}], "source": source})
    build = workshop.ended()
    assert (build["status"], build["sourceProvenance"]["resolvedRepoSource"]["commitSha"]) == ("SUCCESS", commit)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": []}, "no steps"),
        ({"availableSecrets": {}}, "availableSecrets: unknown, or not part of"),
        ({"steps": [STEP | {"secretEnv": ["X"]}]}, "secretEnv: unknown, or not part of"),
        ({"steps": [STEP | {"waitFor": ["later"]}]}, "waits for later, which is no step before it"),
        ({"steps": [STEP | {"args": [1]}]}, "args must be a list of strings"),
        ({"steps": [STEP | {"args": ["$HOME"]}]}, "HOME is no valid substitution: write \\$\\$"),
        ({"steps": [STEP | {"args": ["${_X}"]}]}, "_X is no valid substitution: give it a value"),
        ({"steps": [STEP | {"args": ["${_X:-y}"]}]}, "replaces names only"),
        ({"substitutions": {"X": "y"}}, "substitution X: names are _UPPER_CASE"),
        ({"options": {"machineType": 5}}, "machineType: write the name, not 5"),
        ({"timeout": "10m"}, "10m is no duration"),
        ({"options": {"pubsubTopic": "t"}}, "pubsubTopic: unknown, or not part of"),
    ],
)
def test_a_config_that_cannot_run_here_is_refused_by_name(workshop: Any, change: dict[str, Any], said: str) -> None:
    answer = workshop.call("POST", "builds", {"steps": [STEP], **change})
    assert answer.status_code == 400
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(answer.json()["error"]["message"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "a b"}, 400),
        ({"filename": None}, 400),
        ({"triggerTemplate": {}}, 400),
        ({"triggerTemplate": {"repoName": "shop", "branchName": "("}}, 400),
        ({"triggerTemplate": {"repoName": "shop", "dir": "x"}}, 501),
        ({"includedFiles": ["a"]}, 501),
        ({"repositoryEventConfig": {}}, 501),
    ],
)
def test_a_trigger_that_cannot_run_here_is_refused(workshop: Any, change: dict[str, Any], code: int) -> None:
    trigger = {"name": "t", "filename": "cloudbuild.yaml", "triggerTemplate": {"repoName": "shop", "branchName": "x"}}
    body = {key: value for key, value in {**trigger, **change}.items() if value is not None}
    assert workshop.call("POST", "triggers", body).status_code == code


def test_a_run_at_a_commit_that_is_not_there_is_refused_and_makes_no_build(workshop: Any) -> None:
    workshop.trigger()
    answer = workshop.call("POST", "locations/us-central1/triggers/shop:run", {"commitSha": "1" * 40})
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert workshop.call("GET", "locations/us-central1/builds").json()["builds"] == []


def test_another_project_and_an_unknown_call_are_refused_loudly(workshop: Any) -> None:
    assert requests.get(f"{workshop.builds.url}/v1/projects/other/builds", timeout=5).status_code == 404
    answer = workshop.call("GET", "locations/us-central1/workerPools")
    assert (answer.status_code, answer.json()["error"]["status"]) == (501, "UNIMPLEMENTED")


def test_substitutions_may_name_each_other_in_a_trigger(workshop: Any) -> None:
    workshop.trigger(substitutions={"_IMAGE": workshop.image, "_A": "${_B}-$SHORT_SHA", "_B": "b"})
    commit = workshop.release({"cloudbuild.yaml": "steps: [{name: bash, args: [echo, 'is $_A $_NONE.']}]"})
    build = workshop.ended()
    assert build["substitutions"]["_A"] == f"b-{commit[:7]}"
    assert f"bash: is b-{commit[:7]} ." in workshop.log(build)
