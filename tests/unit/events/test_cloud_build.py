"""Cloud Build notifications: what is read from where, and when the build has to be read by its id instead."""

from collections.abc import Callable
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.events.cloud_build import WHOLE_LIMIT, parse, read_build
from downwind.model.event import Build, Message

ONE, TWO = "1" * 40, "2" * 40
DIGEST = "sha256:" + "a" * 64
ID = "7c1f0f6e-8f0b-4f6e-9a53-0f1b2c3d4e5f"
ATTRIBUTES = {"buildId": ID, "status": "SUCCESS"}
Make = Callable[..., Message]
Payload = Callable[[str], dict[str, Any]]


def built(**more: Any) -> Build:
    return read_build({"id": ID, "status": "SUCCESS", **more})


def only(message: Message) -> Build:
    events = parse(message)
    assert isinstance(events, tuple)
    (event,) = events
    assert isinstance(event, Build)
    return event


def test_the_commit_is_looked_up_in_the_order_that_fits_every_source() -> None:
    substitutions = {"COMMIT_SHA": ONE, "REVISION_ID": TWO}
    provenance = {"resolvedGitSource": {"url": "u", "revision": TWO}}
    source = {"gitSource": {"url": "u", "revision": ONE}}
    assert built(substitutions=substitutions).commit == ONE
    assert built(substitutions={"COMMIT_SHA": "", "REVISION_ID": TWO}, sourceProvenance=provenance).commit == TWO
    assert built(sourceProvenance=provenance, source=source).commit == TWO
    assert built(source=source).commit == ONE
    assert built(source={"repoSource": {"commitSha": TWO}}).commit == TWO


@pytest.mark.parametrize("revision", ["main", "refs/heads/main", ONE[:7], ONE.replace("1", "A"), 7, None, [ONE]])
def test_a_revision_that_is_no_commit_is_not_taken_for_one(revision: Any) -> None:
    assert built(source={"gitSource": {"revision": revision}}).commit is None


@pytest.mark.parametrize(
    ("substitutions", "ref"),
    [
        ({"BRANCH_NAME": "main"}, "refs/heads/main"),
        ({"TAG_NAME": "v1"}, "refs/tags/v1"),
        ({"BRANCH_NAME": "main", "TAG_NAME": ""}, "refs/heads/main"),
        ({"BRANCH_NAME": "main", "_PR_NUMBER": "7"}, None),
        ({"BRANCH_NAME": "main", "_PR_NUMBER": ""}, "refs/heads/main"),
        ({"BRANCH_NAME": "^main$"}, None),
        ({}, None),
    ],
)
def test_the_ref_is_that_of_the_trigger(substitutions: dict[str, str], ref: str | None) -> None:
    assert built(substitutions=substitutions).ref == ref


def test_the_ref_may_stand_in_the_source() -> None:
    assert built(source={"repoSource": {"tagName": "v1"}}).ref == "refs/tags/v1"


@pytest.mark.parametrize(
    ("document", "repository"),
    [
        ({"substitutions": {"REPO_FULL_NAME": "acme/shop"}, "source": {"gitSource": {"url": "u"}}}, "acme/shop"),
        ({"source": {"gitSource": {"url": "https://h/shop.git"}}}, "https://h/shop.git"),
        ({"source": {"repoSource": {"projectId": "p", "repoName": "a/b"}}}, "projects/p/repos/a/b"),
        ({"source": {"connectedRepository": {"repository": "projects/p/x"}}}, "projects/p/x"),
        ({"source": {"developerConnectConfig": {"gitRepositoryLink": "projects/p/y"}}}, "projects/p/y"),
        ({"source": {"storageSource": {"bucket": "b"}}}, None),
    ],
)
def test_the_repository_is_named_as_the_build_names_it(document: dict[str, Any], repository: str | None) -> None:
    assert built(**document).repository == repository


@pytest.mark.parametrize(
    ("document", "location"),
    [
        (
            {"name": f"projects/1/locations/europe-west1/builds/{ID}", "logUrl": "https://c/;region=us-east1/x"},
            "europe-west1",
        ),
        ({"logUrl": f"https://c/cloud-build/builds;region=us-east1/{ID}?project=1"}, "us-east1"),
        ({"logUrl": f"https://c/cloud-build/builds/{ID}?project=1"}, "global"),
        ({"name": "something else"}, "global"),
        ({}, "global"),
    ],
)
def test_the_location_comes_from_the_name_or_the_log(document: dict[str, Any], location: str) -> None:
    assert built(**document).location == location


def test_the_id_and_the_project_may_come_from_the_name() -> None:
    build = read_build({"name": f"projects/123/locations/global/builds/{ID}"})
    assert (build.build, build.project, build.status) == (ID, "123", "STATUS_UNKNOWN")


def test_a_log_that_is_no_https_address_is_left_out() -> None:
    assert built(logUrl="javascript:alert(1)").log_url is None


@pytest.mark.parametrize(
    ("image", "name", "digest", "tag"),
    [
        ({"name": "h:5000/a/b:1", "digest": DIGEST}, "h:5000/a/b", DIGEST, "1"),
        ({"name": "h:5000/a/b", "digest": DIGEST}, "h:5000/a/b", DIGEST, None),
        ({"name": f"h/a@{DIGEST}"}, "h/a", DIGEST, None),
        ({"name": f"h/a:1@{DIGEST}", "digest": DIGEST}, "h/a", DIGEST, "1"),
        ({"name": "h/a:1"}, "h/a", None, "1"),
    ],
)
def test_images_are_split_into_name_digest_and_tag(
    image: dict[str, str], name: str, digest: str | None, tag: str | None
) -> None:
    (found,) = built(results={"images": [image]}).images
    assert (found.name, found.digest, found.tag) == (name, digest, tag)


def test_user_substitutions_may_hold_anything() -> None:
    assert built(substitutions={"_SCRIPT": "a\nb\x00" * 9000, "_N": None}).commit is None


BROKEN = [
    {"id": 7},
    {"id": "../x"},
    {},
    {"id": ID, "status": ["SUCCESS"]},
    {"id": ID, "status": "ALL GOOD\n"},
    {"id": ID, "substitutions": []},
    {"id": ID, "substitutions": {"COMMIT_SHA": 7}},
    {"id": ID, "sourceProvenance": {"resolvedGitSource": 1}},
    {"id": ID, "source": "here"},
    {"id": ID, "source": {"gitSource": {"url": 7}}},
    {"id": ID, "results": {"images": {}}},
    {"id": ID, "results": {"images": ["h/a"]}},
    {"id": ID, "results": {"images": [{"name": "h/a:1", "digest": "sha256:short"}]}},
    {"id": ID, "results": {"images": [{"name": "h/a:1", "digest": 7}]}},
    {"id": ID, "results": {"images": [{"digest": DIGEST}]}},
    {"id": ID, "results": {"images": [{"name": f"h/a@{DIGEST}", "digest": "sha256:" + "b" * 64}]}},
    {"id": ID, "logUrl": 7},
    [],
    None,
]


@pytest.mark.parametrize("document", BROKEN)
def test_what_is_no_build_is_refused(message: Make, document: Any) -> None:
    with pytest.raises(Refused):
        read_build(document)
    with pytest.raises(Refused):
        parse(message(document))


@pytest.mark.parametrize("document", BROKEN)
def test_with_its_attributes_it_is_read_by_id_instead(message: Make, document: Any) -> None:
    build = only(message(document, ATTRIBUTES, subscription="projects/p/subscriptions/s"))
    assert build == Build(build=ID, status="SUCCESS", project="p", location="global", whole=False)


def test_a_notification_over_1_mebibyte_is_read_by_id(message: Make, payload: Payload) -> None:
    large = payload("build/success.json") | {"options": {"env": ["x" * WHOLE_LIMIT]}}
    build = only(message(large, ATTRIBUTES))
    assert (build.whole, build.project, build.location, build.images) == (False, "123456789012", "us-central1", ())
    assert only(message(large)).whole


def test_another_builds_name_in_the_data_is_not_taken(message: Make) -> None:
    data = f'"projects/1/locations/x/builds/other" "projects/2/locations/y/builds/{ID}"'.encode()
    build = only(message(data, ATTRIBUTES))
    assert (build.project, build.location) == ("2", "y")


def test_attributes_alone_say_which_build(message: Make) -> None:
    build = only(message(b"", ATTRIBUTES))
    assert build == Build(build=ID, status="SUCCESS", project=None, location="global", whole=False)


@pytest.mark.parametrize("attributes", [{"buildId": ID}, {"status": "SUCCESS"}, {}])
def test_without_both_attributes_the_data_must_say_it(message: Make, attributes: dict[str, str]) -> None:
    assert only(message({"id": ID, "status": "WORKING"}, attributes)).status == "WORKING"
    with pytest.raises(Refused, match="empty"):
        parse(message(b"", attributes))


@pytest.mark.parametrize("attributes", [{"buildId": "../x", "status": "SUCCESS"}, {"buildId": ID, "status": "a b"}])
def test_odd_attributes_are_refused(message: Make, attributes: dict[str, str]) -> None:
    with pytest.raises(Refused):
        parse(message(b"", attributes))


def test_attributes_of_another_build_are_refused(message: Make) -> None:
    with pytest.raises(Refused, match="differs"):
        parse(message({"id": "other"}, ATTRIBUTES))
