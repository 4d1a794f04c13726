"""The three kinds of upload, byte for byte, and what a broken one leaves."""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from google.api_core.exceptions import BadRequest, PreconditionFailed

Raw = Callable[..., Any]
QUANTUM = 256 * 1024


class Resumable:
    """One resumable upload by raw HTTP."""

    def __init__(self, raw: Raw, bucket: str, name: str, query: str = "", **metadata: Any) -> None:
        self._raw = raw
        path = f"/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={quote(name, safe='')}{query}"
        self.started = raw("POST", path, json=metadata, headers={"X-Upload-Content-Type": "text/css"})
        _, found, rest = self.started.headers.get("Location", "").partition("/upload")
        self._path = found + rest

    def put(self, data: bytes, content_range: str | None, **headers: str) -> Any:
        if content_range is not None:
            headers["Content-Range"] = content_range
        return self._raw("PUT", self._path, data=data, headers=headers)

    def cancel(self) -> Any:
        return self._raw("DELETE", self._path)


def kept(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("Range")


def test_media_upload_takes_the_body_as_it_is(bucket: Any, raw: Raw) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=dir%2F%C3%A4"
    answer = raw("POST", path, data=b"\r\n--x\r\n", headers={"Content-Type": "text/css"}).json()
    assert (answer["name"], answer["contentType"], answer["size"]) == ("dir/ä", "text/css", "7")
    assert bucket.blob("dir/ä").download_as_bytes() == b"\r\n--x\r\n"


def test_an_upload_without_a_name_or_of_an_unknown_kind_is_400(bucket: Any, raw: Raw) -> None:
    base = f"/upload/storage/v1/b/{bucket.name}/o"
    for query in ("?uploadType=media", "?uploadType=media&name=", "?uploadType=torrent&name=a", "?name=a"):
        assert raw("POST", base + query, data=b"x").status_code == 400


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/related", b"--x\r\n\r\n{}\r\n--x\r\n\r\ndata\r\n--x--"),
        ("multipart/related; boundary=x", b"--x\r\n\r\n{}\r\n--x\r\n\r\ndata\r\n"),
        ("multipart/related; boundary=x", b"--x\r\n\r\n{}\r\n--x--"),
        ("multipart/related; boundary=x", b"--x\r\n\r\nnot json\r\n--x\r\n\r\ndata\r\n--x--"),
        ("multipart/related; boundary=x", b""),
    ],
)
def test_a_broken_multipart_body_is_400_and_stores_nothing(
    bucket: Any, raw: Raw, content_type: str, body: bytes
) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart&name=a"
    assert raw("POST", path, data=body, headers={"Content-Type": content_type}).status_code == 400
    assert bucket.get_blob("a") is None


@pytest.mark.parametrize("sums", [{"crc32c": "AAAAAA=="}, {"md5Hash": base64.b64encode(b"0" * 16).decode()}])
def test_a_wrong_checksum_is_400_and_stores_nothing(bucket: Any, raw: Raw, sums: dict[str, str]) -> None:
    head = json.dumps({"name": "a", **sums}).encode()
    body = b"--x\r\nContent-Type: application/json\r\n\r\n" + head + b"\r\n--x\r\n\r\ndata\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/related; boundary=x"}
    answer = raw("POST", f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart", data=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")
    assert "doesn't match calculated" in answer.json()["error"]["message"]
    assert bucket.get_blob("a") is None


def test_the_official_client_meets_the_400_on_a_wrong_md5(bucket: Any) -> None:
    blob = bucket.blob("a")
    blob.md5_hash = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(BadRequest, match="MD5"):
        blob.upload_from_string(b"data", checksum=None)


def test_hash_headers_are_checked_too(bucket: Any, raw: Raw) -> None:
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=a"
    right = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    for headers in ({"Content-MD5": "d3Jvbmc="}, {"X-Goog-Hash": "crc32c=AAAAAA=="}, {"X-Goog-Hash": "md5=d3Jvbmc="}):
        assert raw("POST", path, data=b"x", headers=headers).status_code == 400
    assert raw("POST", path, data=b"x", headers={"Content-MD5": right}).status_code == 200


@pytest.mark.parametrize("size", [0, 1, QUANTUM, QUANTUM * 3, QUANTUM * 3 + 7])
def test_the_official_client_uploads_in_chunks(bucket: Any, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    blob = bucket.blob("dir/a b", chunk_size=QUANTUM)
    blob.metadata = {"k": "v"}
    blob.upload_from_file(io.BytesIO(data), content_type="text/css", if_generation_match=0)
    assert (blob.size, blob.metadata, blob.content_type) == (size, {"k": "v"}, "text/css")
    assert bucket.blob("dir/a b").download_as_bytes() == data


def test_a_stream_of_unknown_length_is_uploaded_whole(bucket: Any) -> None:
    with bucket.blob("a").open("wb", chunk_size=QUANTUM, ignore_flush=True) as file:
        for _ in range(5):
            file.write(b"x" * 100_000)
    assert bucket.blob("a").download_as_bytes() == b"x" * 500_000


def test_an_interrupted_upload_says_how_far_it_is_and_goes_on(bucket: Any, raw: Raw) -> None:
    upload = Resumable(raw, bucket.name, "a/ü", metadata={"k": "v"})
    total = QUANTUM * 2 + 5
    data = b"a" * QUANTUM + b"b" * QUANTUM + b"c" * 5
    assert kept(upload.put(b"", f"bytes */{total}")) == (308, None)
    assert kept(upload.put(data[:QUANTUM], f"bytes 0-{QUANTUM - 1}/{total}")) == (308, f"bytes=0-{QUANTUM - 1}")
    assert kept(upload.put(b"", "bytes */*")) == (308, f"bytes=0-{QUANTUM - 1}")
    # a repeated chunk is not stored twice
    assert kept(upload.put(data[:QUANTUM], f"bytes 0-{QUANTUM - 1}/{total}")) == (308, f"bytes=0-{QUANTUM - 1}")
    # a gap is refused
    assert upload.put(data[-5:], f"bytes {total - 5}-{total - 1}/{total}").status_code == 503
    assert bucket.get_blob("a/ü") is None
    done = upload.put(data[QUANTUM:], f"bytes {QUANTUM}-{total - 1}/{total}")
    assert (done.status_code, done.json()["metadata"], done.json()["contentType"]) == (200, {"k": "v"}, "text/css")
    assert bucket.blob("a/ü").download_as_bytes() == data
    # who lost the answer asks again
    assert upload.put(b"", f"bytes */{total}").json()["generation"] == done.json()["generation"]
    assert upload.put(data[QUANTUM:], f"bytes {QUANTUM}-{total - 1}/{total}").json() == done.json()


def test_of_a_chunk_that_is_not_the_last_whole_quanta_are_kept(bucket: Any, raw: Raw) -> None:
    upload = Resumable(raw, bucket.name, "a")
    assert kept(upload.put(b"x" * 10, "bytes 0-9/*")) == (308, None)
    assert kept(upload.put(b"x" * (QUANTUM + 9), f"bytes 0-{QUANTUM + 8}/*")) == (308, f"bytes=0-{QUANTUM - 1}")


def test_a_whole_upload_in_one_put_needs_no_range(bucket: Any, raw: Raw) -> None:
    assert Resumable(raw, bucket.name, "a").put(b"whole", None).status_code == 200
    assert bucket.blob("a").download_as_bytes() == b"whole"


def test_a_chunk_that_contradicts_its_range_is_400(bucket: Any, raw: Raw) -> None:
    upload = Resumable(raw, bucket.name, "a")
    for bad in ("bytes 0-9/5x", "bytes 0-3/10", "lines 0-4/5"):
        assert upload.put(b"12345", bad).status_code == 400


def test_a_resumable_upload_checks_its_precondition_at_the_start_and_at_the_end(bucket: Any, raw: Raw) -> None:
    upload = Resumable(raw, bucket.name, "a", "&ifGenerationMatch=0")
    bucket.blob("a").upload_from_string("faster")
    assert upload.put(b"slower", None).status_code == 412
    assert bucket.blob("a").download_as_bytes() == b"faster"
    assert Resumable(raw, bucket.name, "a", "&ifGenerationMatch=0").started.status_code == 412
    blob = bucket.blob("a", chunk_size=QUANTUM)
    with pytest.raises(PreconditionFailed):
        blob.upload_from_file(io.BytesIO(b"x"), if_generation_match=0)


@pytest.mark.parametrize("where", ["metadata", "header"])
def test_a_resumable_upload_with_a_wrong_checksum_stores_nothing(bucket: Any, raw: Raw, where: str) -> None:
    upload = Resumable(raw, bucket.name, "a", **({"crc32c": "AAAAAA=="} if where == "metadata" else {}))
    headers = {"X-Goog-Hash": "crc32c=AAAAAA=="} if where == "header" else {}
    assert upload.put(b"whole", None, **headers).status_code == 400
    assert bucket.get_blob("a") is None


def test_a_given_up_upload_is_forgotten(bucket: Any, raw: Raw) -> None:
    upload = Resumable(raw, bucket.name, "a")
    upload.put(b"x" * QUANTUM, f"bytes 0-{QUANTUM - 1}/*")
    assert upload.cancel().status_code == 499
    assert upload.put(b"", "bytes */*").status_code == 404
    assert bucket.get_blob("a") is None


def test_an_upload_into_no_bucket_is_404(raw: Raw) -> None:
    assert raw("POST", "/upload/storage/v1/b/no-such-bucket/o?uploadType=media&name=a", data=b"x").status_code == 404
    assert Resumable(raw, "no-such-bucket", "a").started.status_code == 404
