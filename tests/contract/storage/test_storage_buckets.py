"""Buckets, batches, partial answers, and that everything else is refused loudly."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, MethodNotImplemented, NotFound

Raw = Callable[..., Any]


def test_a_bucket_is_created_once(bucket: Any, client: Any) -> None:
    with pytest.raises(Conflict, match="already own it"):
        client.create_bucket(bucket.name)
    found = client.get_bucket(bucket.name)
    assert (found.metageneration, found.storage_class, found.location) == (1, "STANDARD", "US")
    assert found.time_created == found.updated


@pytest.mark.parametrize("name", ["ab", "Upper", "-dash", "ü", "under_score-", None])
def test_a_bad_bucket_name_is_400(raw: Raw, name: str | None) -> None:
    answer = raw("POST", "/storage/v1/b?project=p", json={"name": name})
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")


def test_buckets_are_listed_by_prefix_and_page(client: Any) -> None:
    prefix = f"list-{uuid.uuid4().hex[:8]}-"
    for letter in "cab":
        client.create_bucket(prefix + letter)
    names = [one.name for one in client.list_buckets(prefix=prefix, page_size=2)]
    assert names == [prefix + letter for letter in "abc"]


def test_fields_of_a_bucket_are_kept_and_patched_by_key(bucket: Any, client: Any) -> None:
    bucket.labels = {"team": "a", "stage": "b"}
    bucket.lifecycle_rules = [{"action": {"type": "Delete"}, "condition": {"age": 30}}]
    bucket.soft_delete_policy.retention_duration_seconds = 0
    bucket.patch()
    again = client.get_bucket(bucket.name)
    again.versioning_enabled = True
    again.labels = {"team": "c"}
    again.patch()
    found = client.get_bucket(bucket.name)
    assert found.labels == {"team": "c"}
    assert list(found.lifecycle_rules) == [{"action": {"type": "Delete"}, "condition": {"age": 30}}]
    assert (found.versioning_enabled, found.metageneration) == (True, 3)


def test_versioning_can_be_turned_off(versioned: Any) -> None:
    versioned.versioning_enabled = False
    versioned.patch()
    first = versioned.blob("a")
    first.upload_from_string("1")
    versioned.blob("a").upload_from_string("2")
    assert versioned.get_blob("a", generation=first.generation) is None


def test_a_retention_of_nothing_is_400(bucket: Any) -> None:
    bucket.retention_period = 0
    with pytest.raises(BadRequest, match="retention"):
        bucket.patch()


def test_a_batch_answers_each_call_for_itself(bucket: Any, client: Any) -> None:
    names = ["a", "dir/ü", "c"]
    for name in names:
        bucket.blob(name).upload_from_string(name)
    with client.batch(raise_exception=False) as batch:
        bucket.blob("a").delete()
        bucket.blob("none").delete()
        changed = bucket.blob("dir/ü")
        changed.metadata = {"k": "é"}
        changed.patch()
        bucket.blob("c").delete(if_generation_match=1)
    assert [one.status_code for one in batch._responses] == [204, 404, 200, 412]
    assert changed.metageneration == 2
    assert bucket.get_blob("dir/ü").metadata == {"k": "é"}
    assert [one.name for one in client.list_blobs(bucket)] == ["c", "dir/ü"]


def test_a_batch_takes_no_downloads_and_at_most_100_calls(bucket: Any, raw: Raw) -> None:
    def batch(count: int, line: str) -> Any:
        part = f"--x\r\nContent-Type: application/http\r\n\r\n{line} HTTP/1.1\r\n\r\n\r\n"
        headers = {"Content-Type": "multipart/mixed; boundary=x"}
        return raw("POST", "/batch/storage/v1", data=part * count + "--x--\r\n", headers=headers)

    assert "HTTP/1.1 400" in batch(1, f"GET /download/storage/v1/b/{bucket.name}/o/a?alt=media").text
    assert batch(100, f"GET /storage/v1/b/{bucket.name}").text.count("HTTP/1.1 200") == 100
    assert batch(101, f"GET /storage/v1/b/{bucket.name}").status_code == 400
    assert "HTTP/1.1 400" in batch(1, "NONSENSE").text
    assert raw("POST", "/batch/storage/v1", data="x").status_code == 400


def test_fields_selects_what_is_answered(bucket: Any, raw: Raw) -> None:
    blob = bucket.blob("a")
    blob.metadata = {"x": "1", "y": "2"}
    blob.upload_from_string("1")
    base = f"/storage/v1/b/{bucket.name}/o"
    assert raw("GET", f"{base}/a?fields=name,metadata/x").json() == {"name": "a", "metadata": {"x": "1"}}
    assert raw("GET", f"{base}?fields=items(name,size),kind").json() == {
        "kind": "storage#objects",
        "items": [{"name": "a", "size": "1"}],
    }
    assert raw("GET", f"{base}?fields=items/metadata/*").json() == {"items": [{"metadata": {"x": "1", "y": "2"}}]}
    for bad in ("items(", "items)", "(a)", "a,,b", "a b!"):
        assert raw("GET", f"{base}?fields={bad}").status_code == 400


REFUSED = [
    ("GET", "/storage/v1/b/{bucket}/iam"),
    ("PUT", "/storage/v1/b/{bucket}/iam"),
    ("GET", "/storage/v1/b/{bucket}/notificationConfigs"),
    ("POST", "/storage/v1/b/{bucket}/lockRetentionPolicy?ifMetagenerationMatch=1"),
    ("GET", "/storage/v1/b/{bucket}/o/a/acl"),
    ("POST", "/storage/v1/b/{bucket}/o/a/restore?generation=1"),
    ("GET", "/storage/v1/b/{bucket}/o?softDeleted=true"),
    ("GET", "/storage/v1/b/{bucket}/o/a?softDeleted=true&generation=1"),
    ("GET", "/storage/v1/projects/p/serviceAccount"),
    ("POST", "/storage/v1/b/{bucket}/o/a/moveTo/o/b"),
    ("POST", "/{bucket}/a?uploads"),
    ("PUT", "/{bucket}/a"),
    ("GET", "/"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_what_it_does_not_have_is_501_and_named(bucket: Any, raw: Raw, method: str, path: str) -> None:
    bucket.blob("a").upload_from_string("1")
    answer = raw(method, path.format(bucket=bucket.name))
    assert answer.status_code == 501
    assert "is not part of the local world" in answer.json()["error"]["message"]


@pytest.mark.parametrize("field", [{"temporaryHold": True}, {"kmsKeyName": "k"}, {"retention": {"mode": "Locked"}}])
def test_a_field_with_an_effect_that_it_does_not_have_is_501(bucket: Any, raw: Raw, field: dict[str, Any]) -> None:
    bucket.blob("a").upload_from_string("1")
    assert raw("PATCH", f"/storage/v1/b/{bucket.name}/o/a", json=field).status_code == 501
    assert raw("PATCH", f"/storage/v1/b/{bucket.name}", json={"billing": {"requesterPays": True}}).status_code == 501


def test_the_official_client_sees_the_501(bucket: Any) -> None:
    with pytest.raises(MethodNotImplemented):
        bucket.get_iam_policy()


def test_a_body_that_is_not_json_is_400(bucket: Any, raw: Raw) -> None:
    bucket.blob("a").upload_from_string("1")
    for body in (b"{", b"[]", b"\xff"):
        assert raw("PATCH", f"/storage/v1/b/{bucket.name}/o/a", data=body).status_code == 400


def test_faults_are_checked_listed_and_cleared(raw: Raw, bucket: Any, fault: Callable[..., None]) -> None:
    for bad in (
        {"method": "x"},
        {"method": "get", "status": 200},
        {"method": "get", "times": 0},
        {"method": "get", "after": 1},
    ):
        assert raw("POST", "/-/faults", json=bad).status_code == 400
    fault("delete", 429, 2)
    assert raw("GET", "/-/faults").json() == {
        "faults": [{"method": "delete", "status": 429, "times": 2, "after": False}]
    }
    answer = raw("DELETE", f"/storage/v1/b/{bucket.name}/o/a")
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (429, "rateLimitExceeded")
    assert raw("DELETE", "/-/faults").json() == {"faults": []}
    with pytest.raises(NotFound):
        bucket.blob("a").delete()


def test_health_says_which_part_this_is(raw: Raw) -> None:
    assert raw("GET", "/-/health").json() == {"part": "storage"}
