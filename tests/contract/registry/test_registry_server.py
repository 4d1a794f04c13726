"""The local registry: the distribution API's own rules, and what it tells Pub/Sub."""

import hashlib
from typing import Any

import requests

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_a_push_by_tag_is_announced_with_digest_and_tag(local: Any, inbox: Any) -> None:
    digest = local.push("1.4.0", {})
    message = {"action": "INSERT", "digest": f"{local.name}@{digest}", "tag": f"{local.name}:1.4.0"}
    assert inbox.wait("gcr", 1) == [(message, {})]


def test_a_push_by_digest_is_announced_without_a_tag(local: Any, inbox: Any) -> None:
    digest = local.push("v1", {})
    child = {"mediaType": MANIFEST, "digest": digest, "size": 1}
    index = b'{"schemaVersion":2,"manifests":[%s]}' % str(child).replace("'", '"').encode()
    assert local.put(_digest(index), index, INDEX).status_code == 201
    assert inbox.wait("gcr", 2)[1] == ({"action": "INSERT", "digest": f"{local.name}@{_digest(index)}"}, {})
    assert local.registry.labels(local.name, _digest(index)) == {}


def test_removals_are_announced_by_what_was_removed(local: Any, inbox: Any) -> None:
    digest = local.push("v1", {})
    local.push("v2", {})
    local.delete("v1")
    local.delete(digest)
    assert [data for data, _ in inbox.wait("gcr", 5)[2:]] == [
        {"action": "DELETE", "tag": f"{local.name}:v1"},
        {"action": "DELETE", "tag": f"{local.name}:v2"},
        {"action": "DELETE", "digest": f"{local.name}@{digest}"},
    ]


def test_a_blob_comes_in_pieces_in_one_piece_and_from_another_repository(local: Any, server: Any) -> None:
    data, digest = b"hello world", _digest(b"hello world")
    start = requests.post(f"{local.base}/blobs/uploads/", timeout=5)
    assert (start.status_code, start.headers["Range"]) == (202, "0-0")
    place = f"{server.url}{start.headers['Location']}"
    piece = requests.patch(place, data=data[:5], headers={"Content-Range": "0-4"}, timeout=5)
    assert (piece.status_code, piece.headers["Range"]) == (202, "0-4")
    assert requests.patch(place, data=data[5:], headers={"Content-Range": "9-14"}, timeout=5).status_code == 416
    assert requests.get(place, timeout=5).headers["Range"] == "0-4"
    assert requests.put(f"{place}?digest={digest}", data=data[5:], timeout=5).status_code == 201
    whole = requests.post(f"{server.url}/v2/other/blobs/uploads/?digest={digest}", data=data, timeout=5)
    assert whole.status_code == 201
    mounted = requests.post(f"{server.url}/v2/third/blobs/uploads/?mount={digest}&from=other", timeout=5)
    assert mounted.status_code == 201
    for name in ("acme/shop", "other", "third"):
        assert requests.get(f"{server.url}/v2/{name}/blobs/{digest}", timeout=5).content == data
    assert requests.get(f"{server.url}/v2/fourth/blobs/{digest}", timeout=5).status_code == 404


def test_an_upload_can_be_given_up(local: Any, server: Any) -> None:
    place = f"{server.url}{requests.post(f'{local.base}/blobs/uploads/', timeout=5).headers['Location']}"
    assert requests.delete(place, timeout=5).status_code == 204
    answer = requests.get(place, timeout=5)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_of_another_digest_is_refused(local: Any) -> None:
    answer = requests.post(f"{local.base}/blobs/uploads/?digest={_digest(b'x')}", data=b"y", timeout=5)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")


def test_a_part_of_a_blob_can_be_read(local: Any) -> None:
    digest = _digest(b"hello")
    requests.post(f"{local.base}/blobs/uploads/?digest={digest}", data=b"hello", timeout=5)
    answer = requests.get(f"{local.base}/blobs/{digest}", headers={"Range": "bytes=1-3"}, timeout=5)
    assert (answer.status_code, answer.content) == (206, b"ell")
    assert requests.delete(f"{local.base}/blobs/{digest}", timeout=5).status_code == 202
    assert requests.head(f"{local.base}/blobs/{digest}", timeout=5).status_code == 404


def test_a_manifest_that_names_what_is_not_there_is_refused(local: Any) -> None:
    part = {"mediaType": "x", "digest": _digest(b"nowhere"), "size": 1}
    answer = local.put("v1", {"schemaVersion": 2, "config": part, "layers": []}, MANIFEST)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "MANIFEST_BLOB_UNKNOWN")


def test_manifests_that_are_none_are_refused(local: Any) -> None:
    assert local.put("v1", b"{", MANIFEST).json()["errors"][0]["code"] == "MANIFEST_INVALID"
    assert local.put("v1", {"schemaVersion": 2}, MANIFEST).json()["errors"][0]["code"] == "MANIFEST_INVALID"
    assert local.put("v1", {"manifests": []}, "text/plain").json()["errors"][0]["code"] == "MANIFEST_INVALID"
    assert local.put(f"sha256:{'0' * 64}", {"manifests": []}, INDEX).json()["errors"][0]["code"] == "DIGEST_INVALID"
    assert local.put("v1", b" " * ((4 << 20) + 1), MANIFEST).status_code == 413


def test_tags_and_repositories_are_listed_in_pages(local: Any, server: Any) -> None:
    for tag in ("b", "a", "c"):
        local.push(tag, {})
    first = requests.get(f"{local.base}/tags/list?n=2", timeout=5)
    assert first.json() == {"name": "acme/shop", "tags": ["a", "b"]}
    assert first.headers["Link"] == '</v2/acme/shop/tags/list?n=2&last=b>; rel="next"'
    assert requests.get(f"{local.base}/tags/list?n=2&last=b", timeout=5).json()["tags"] == ["c"]
    assert requests.get(f"{server.url}/v2/_catalog", timeout=5).json() == {"repositories": ["acme/shop"]}
    assert requests.get(f"{server.url}/v2/none/tags/list", timeout=5).json()["errors"][0]["code"] == "NAME_UNKNOWN"


def test_the_version_check_answers(server: Any) -> None:
    answer = requests.get(f"{server.url}/v2/", timeout=5)
    assert (answer.status_code, answer.headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")


def test_what_it_does_not_know_is_refused_loudly(server: Any) -> None:
    answer = requests.get(f"{server.url}/v2/acme/shop/referrers/sha256:{'0' * 64}", timeout=5)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (501, "UNSUPPORTED")


def test_images_outlive_the_process(local: Any, server: Any, outbox: Any, inbox: Any, tmp_path: Any) -> None:
    digest = local.push("v1", {"a": "b"})
    server.stop()
    server.start()
    assert local.registry.labels(local.name, digest) == {"a": "b"}
