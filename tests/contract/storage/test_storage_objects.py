"""What an object is: generations, metageneration, checksums, times, links, names, errors."""

import base64
import gzip
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound

Raw = Callable[..., Any]


def test_the_resource_is_as_the_real_one(bucket: Any, raw: Raw, storage: Any) -> None:
    blob = bucket.blob("dir/ä b")
    blob.metadata = {"Key": "Value"}
    blob.cache_control = "no-store"
    blob.upload_from_string(b"hello", content_type="text/plain")
    path = f"/storage/v1/b/{bucket.name}/o/{quote('dir/ä b', safe='')}"
    resource = raw("GET", path).json()
    generation = resource["generation"]
    created = resource["timeCreated"]
    assert resource == {
        "kind": "storage#object",
        "id": f"{bucket.name}/dir/ä b/{generation}",
        "selfLink": storage.url + path,
        "mediaLink": f"{storage.url}/download{path}?generation={generation}&alt=media",
        "name": "dir/ä b",
        "bucket": bucket.name,
        "generation": str(blob.generation),
        "metageneration": "1",
        "contentType": "text/plain",
        "cacheControl": "no-store",
        "storageClass": "STANDARD",
        "size": "5",
        "md5Hash": base64.b64encode(hashlib.md5(b"hello").digest()).decode(),
        "crc32c": "mnG7TA==",
        "etag": resource["etag"],
        "metadata": {"Key": "Value"},
        "timeCreated": created,
        "updated": created,
        "timeStorageClassUpdated": created,
        "timeFinalized": created,
    }
    assert len(created) == len("2026-11-24T03:07:58.596Z")
    assert created.endswith("Z")
    assert abs(blob.time_created - datetime.now(UTC)) < timedelta(minutes=1)
    assert raw("GET", resource["mediaLink"].removeprefix(storage.url)).content == b"hello"


def test_generations_rise_like_microseconds(bucket: Any) -> None:
    made = []
    for _ in range(5):
        blob = bucket.blob("a")
        blob.upload_from_string("x")
        made.append(blob.generation)
    assert made == sorted(set(made))
    assert abs(made[-1] / 1_000_000 - datetime.now(UTC).timestamp()) < 60


def test_patch_merges_metadata_and_raises_the_metageneration(bucket: Any) -> None:
    blob = bucket.blob("a")
    blob.metadata = {"keep": "1", "drop": "2"}
    blob.upload_from_string("x", content_type="text/plain")
    assert (blob.metageneration, blob.updated) == (1, blob.time_created)
    etag = blob.etag
    other = bucket.blob("a")
    other.metadata = {"new": "3", "drop": None}
    other.patch()
    now = bucket.get_blob("a")
    assert now.metadata == {"keep": "1", "new": "3"}
    assert (now.metageneration, now.generation, now.content_type) == (2, blob.generation, "text/plain")
    assert now.updated >= now.time_created
    assert now.etag != etag


def test_update_replaces_all_that_can_be_set(bucket: Any, raw: Raw) -> None:
    blob = bucket.blob("a")
    blob.metadata = {"old": "1"}
    blob.cache_control = "no-store"
    blob.upload_from_string("x")
    path = f"/storage/v1/b/{bucket.name}/o/a"
    answer = raw("PUT", path, json={"metadata": {"new": "2"}, "contentType": "text/css", "size": "9"}).json()
    assert (answer["metadata"], answer["contentType"], answer["size"]) == ({"new": "2"}, "text/css", "1")
    assert "cacheControl" not in answer
    assert answer["metageneration"] == "2"


def test_download_gives_generation_hash_and_type_in_headers(bucket: Any, raw: Raw) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string(b"hello", content_type="text/css")
    answer = raw("GET", f"/download/storage/v1/b/{bucket.name}/o/a?alt=media")
    assert answer.headers["X-Goog-Generation"] == str(blob.generation)
    assert answer.headers["X-Goog-Metageneration"] == "1"
    assert answer.headers["X-Goog-Hash"] == f"crc32c={blob.crc32c},md5={blob.md5_hash}"
    assert answer.headers["X-Goog-Stored-Content-Length"] == "5"
    assert answer.headers["Content-Type"] == "text/css"
    assert answer.headers["ETag"] == blob.etag


@pytest.mark.parametrize(
    ("header", "status", "content", "range_"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"Request range not satisfiable", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_is_a_part(bucket: Any, raw: Raw, header: str, status: int, content: bytes, range_: str | None) -> None:
    bucket.blob("a").upload_from_string(b"0123456789")
    answer = raw("GET", f"/storage/v1/b/{bucket.name}/o/a?alt=media", headers={"Range": header})
    assert (answer.status_code, answer.content, answer.headers.get("Content-Range")) == (status, content, range_)


def test_a_chunked_download_arrives_whole(bucket: Any) -> None:
    data = bytes(range(256)) * 4096
    bucket.blob("a").upload_from_string(data)
    blob = bucket.blob("a", chunk_size=256 * 1024)
    assert blob.download_as_bytes() == data


def test_gzip_is_undone_for_those_who_cannot_read_it(bucket: Any, raw: Raw) -> None:
    blob = bucket.blob("a")
    blob.content_encoding = "gzip"
    stored = gzip.compress(b"hello")
    blob.upload_from_string(stored)
    assert blob.download_as_bytes() == b"hello"
    assert blob.download_as_bytes(raw_download=True) == stored
    plain = raw("GET", f"/storage/v1/b/{bucket.name}/o/a?alt=media", headers={"Accept-Encoding": "identity"})
    assert plain.content == b"hello"
    assert "Content-Encoding" not in plain.headers


def test_the_public_url_is_a_plain_read(bucket: Any, raw: Raw, storage: Any) -> None:
    blob = bucket.blob("dir/ä b.txt")
    blob.upload_from_string(b"hello", content_type="text/plain")
    assert raw("GET", blob.public_url.removeprefix(storage.url)).content == b"hello"
    assert raw("GET", f"/{bucket.name}/dir/%C3%A4%20b.txt").content == b"hello"
    head = raw("HEAD", f"/{bucket.name}/dir/%C3%A4%20b.txt")
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "5", b"")


def test_an_absent_object_and_an_absent_bucket_are_told_apart(bucket: Any, raw: Raw) -> None:
    answer = raw("GET", f"/storage/v1/b/{bucket.name}/o/none")
    text = f"No such object: {bucket.name}/none"
    assert answer.json() == {
        "error": {
            "code": 404,
            "message": text,
            "errors": [{"message": text, "domain": "global", "reason": "notFound"}],
        }
    }
    for method, path in (("GET", "o/none"), ("GET", "o"), ("DELETE", "o/none"), ("GET", "")):
        answer = raw(method, f"/storage/v1/b/no-such-bucket/{path}".rstrip("/"))
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, "The specified bucket does not exist.")
    media = raw("GET", f"/download/storage/v1/b/{bucket.name}/o/none?alt=media")
    assert (media.status_code, media.text) == (404, text)


@pytest.mark.parametrize("name", ["a%0Ab", "a%0Db", ".", "..", ".well-known/acme-challenge/x", "x" * 1025])
def test_a_name_that_the_real_one_refuses_is_400(bucket: Any, raw: Raw, name: str) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name={name}"
    assert raw("POST", path, data=b"x").status_code == 400


def test_an_address_that_is_not_utf8_is_400(bucket: Any, raw: Raw) -> None:
    assert raw("GET", f"/storage/v1/b/{bucket.name}/o/%FF").status_code == 400


def test_compose_joins_and_counts_components(bucket: Any) -> None:
    for name in ("a", "b"):
        bucket.blob(name).upload_from_string(name * 3, content_type="text/css")
    target = bucket.blob("target")
    target.compose([bucket.blob("a"), bucket.blob("b"), bucket.blob("a")])
    assert target.download_as_bytes() == b"aaabbbaaa"
    target.reload()
    assert (target.component_count, target.md5_hash, target.content_type) == (3, None, "text/css")
    again = bucket.blob("again")
    again.compose([target, bucket.blob("b")])
    again.reload()
    assert again.component_count == 4


def test_compose_refuses_none_33_and_absent_sources(bucket: Any) -> None:
    bucket.blob("a").upload_from_string("a")
    for sources in ([], [bucket.blob("a")] * 33):
        with pytest.raises(BadRequest):
            bucket.blob("target").compose(sources)
    with pytest.raises(NotFound):
        bucket.blob("target").compose([bucket.blob("a"), bucket.blob("none")])
    assert bucket.get_blob("target") is None


def test_copy_and_rewrite_keep_data_and_fields_over_buckets(bucket: Any, versioned: Any) -> None:
    source = bucket.blob("dir/source")
    source.metadata = {"k": "v"}
    source.upload_from_string("data", content_type="text/css")
    copied = bucket.copy_blob(source, versioned, "dir/copy ü")
    assert (copied.metadata, copied.content_type, copied.metageneration) == ({"k": "v"}, "text/css", 1)
    target = versioned.blob("rewritten")
    token, done, size = target.rewrite(source)
    assert (token, done, size) == (None, 4, 4)
    assert versioned.blob("rewritten").download_as_bytes() == b"data"
    changed = versioned.blob("changed")
    changed.metadata = {"other": "1"}
    changed.rewrite(source)
    assert versioned.get_blob("changed").metadata == {"other": "1"}
    with pytest.raises(NotFound):
        bucket.copy_blob(bucket.blob("none"), versioned)


def test_versions_stay_readable_and_a_named_one_is_deleted_for_good(versioned: Any, client: Any) -> None:
    generations = []
    for text in ("1", "2", "3"):
        blob = versioned.blob("a")
        blob.upload_from_string(text)
        generations.append(blob.generation)
    read = [versioned.blob("a", generation=number).download_as_bytes() for number in generations]
    assert read == [b"1", b"2", b"3"]
    assert [one.generation for one in client.list_blobs(versioned, versions=True)] == generations
    assert versioned.get_blob("a", generation=generations[0]).time_deleted is not None
    versioned.blob("a").delete()
    assert versioned.get_blob("a") is None
    assert [one.generation for one in client.list_blobs(versioned)] == []
    assert versioned.blob("a", generation=generations[2]).download_as_bytes() == b"3"
    versioned.blob("a", generation=generations[1]).delete()
    assert [one.generation for one in client.list_blobs(versioned, versions=True)] == [generations[0], generations[2]]
    with pytest.raises(NotFound):
        versioned.blob("a", generation=generations[1]).download_as_bytes()
    versioned.blob("a").upload_from_string("4", if_generation_match=0)


def test_without_versioning_an_old_generation_is_gone(bucket: Any) -> None:
    first = bucket.blob("a")
    first.upload_from_string("1")
    bucket.blob("a").upload_from_string("2")
    with pytest.raises(NotFound):
        bucket.blob("a", generation=first.generation).download_as_bytes()
    with pytest.raises(NotFound):
        bucket.blob("a", generation=first.generation).reload()


def test_retention_keeps_from_delete_and_overwrite_but_not_from_metadata(bucket: Any) -> None:
    bucket.blob("a").upload_from_string("1")
    bucket.retention_period = 3600
    bucket.patch()
    for act in (bucket.blob("a").delete, lambda: bucket.blob("a").upload_from_string("2")):
        with pytest.raises(Forbidden, match="retention policy"):
            act()
    blob = bucket.get_blob("a")
    assert blob.retention_expiration_time == blob.time_created + timedelta(hours=1)
    blob.metadata = {"k": "v"}
    blob.patch()
    bucket.blob("b").upload_from_string("new names are free")
    bucket.reload()
    assert (bucket.retention_period, bucket.retention_policy_effective_time is not None) == (3600, True)
    bucket.retention_period = None
    bucket.patch()
    bucket.blob("a").delete()


def test_a_bucket_that_is_not_empty_is_not_deleted(bucket: Any, versioned: Any, client: Any) -> None:
    bucket.blob("a").upload_from_string("1")
    versioned.blob("a").upload_from_string("1")
    versioned.blob("a").delete()
    for one in (bucket, versioned):
        with pytest.raises(Conflict, match="not empty"):
            one.delete()
    bucket.blob("a").delete()
    bucket.delete()
    assert client.lookup_bucket(bucket.name) is None
