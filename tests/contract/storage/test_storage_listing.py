"""Lists: order, prefixes, delimiters, offsets, pages, globs."""

from collections.abc import Callable
from typing import Any

import pytest

from downwind.local.storage.call import Call
from downwind.local.storage.errors import StorageError
from downwind.local.storage.globs import glob_pattern

Raw = Callable[..., Any]
NAMES = ["a", "a/1", "a/2/x", "a/2/y", "a/3", "b//1", "b/2", "c", "é/1", "😀"]


@pytest.fixture
def filled(bucket: Any) -> Any:
    for name in reversed(NAMES):
        bucket.blob(name).upload_from_string(name)
    return bucket


def names(client: Any, bucket: Any, **options: Any) -> tuple[list[str], list[str]]:
    found = client.list_blobs(bucket, **options)
    items = [one.name for one in found]
    return items, sorted(found.prefixes, key=str.encode)


def test_names_come_in_the_order_of_their_bytes(filled: Any, client: Any) -> None:
    assert names(client, filled) == (sorted(NAMES, key=str.encode), [])


def test_an_empty_list_has_no_items(bucket: Any, raw: Raw) -> None:
    assert raw("GET", f"/storage/v1/b/{bucket.name}/o").json() == {"kind": "storage#objects"}


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("options", "items", "prefixes"),
    [
        ({"delimiter": "/"}, ["a", "c", "😀"], ["a/", "b/", "é/"]),
        ({"prefix": "a/", "delimiter": "/"}, ["a/1", "a/3"], ["a/2/"]),
        ({"prefix": "a", "delimiter": "/"}, ["a"], ["a/"]),
        ({"prefix": "b/", "delimiter": "/"}, ["b/2"], ["b//"]),
        ({"delimiter": "/2"}, ["a", "a/1", "a/3", "b//1", "c", "é/1", "😀"], ["a/2", "b/2"]),
        ({"start_offset": "a/2/y", "end_offset": "b/2"}, ["a/2/y", "a/3", "b//1"], []),
        ({"prefix": "a/", "start_offset": "a/3"}, ["a/3"], []),
        ({"prefix": "b/", "start_offset": "a/3"}, ["b//1", "b/2"], []),
        ({"prefix": "a/", "end_offset": "a/2"}, ["a/1"], []),
        ({"match_glob": "a/*"}, ["a/1", "a/3"], []),
        ({"match_glob": "a/**"}, ["a/1", "a/2/x", "a/2/y", "a/3"], []),
        ({"match_glob": "{a/2/,b/}?"}, ["a/2/x", "a/2/y", "b/2"], []),
        ({"match_glob": "**/[!12]"}, ["a/2/x", "a/2/y", "a/3"], []),
        ({"prefix": "none"}, [], []),
    ],
)
def test_options_hold_for_every_size_of_page(
    filled: Any, client: Any, page: int, options: dict[str, str], items: list[str], prefixes: list[str]
) -> None:
    assert names(client, filled, page_size=page, **options) == (items, prefixes)


def test_max_results_ends_the_list(filled: Any, client: Any) -> None:
    assert names(client, filled, max_results=3) == (["a", "a/1", "a/2/x"], [])


def test_a_page_is_at_most_what_was_asked_and_1000(bucket: Any, raw: Raw, storage: Any) -> None:
    for number in range(1003):  # past the sockets, for speed
        path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=n/{number:04d}"
        assert storage.answer(Call.read("POST", path, storage.url, {}, b"")).status_code == 200
    first = raw("GET", f"/storage/v1/b/{bucket.name}/o?maxResults=5000").json()
    assert len(first["items"]) == 1000
    second = raw("GET", f"/storage/v1/b/{bucket.name}/o?pageToken={first['nextPageToken']}").json()
    assert [one["name"] for one in second["items"]] == ["n/1000", "n/1001", "n/1002"]
    assert "nextPageToken" not in second
    assert raw("GET", f"/storage/v1/b/{bucket.name}/o?delimiter=/&maxResults=1").json() == {
        "kind": "storage#objects",
        "prefixes": ["n/"],
    }


def test_versions_are_listed_oldest_first_over_pages(versioned: Any, client: Any) -> None:
    made = []
    for name in ("a", "b", "a"):
        blob = versioned.blob(name)
        blob.upload_from_string("x")
        made.append((name, blob.generation))
    listed = [(one.name, one.generation) for one in client.list_blobs(versioned, versions=True, page_size=1)]
    assert listed == sorted(made)
    assert [one.name for one in client.list_blobs(versioned)] == ["a", "b"]


def test_a_page_goes_on_after_what_was_deleted_meanwhile(filled: Any, raw: Raw) -> None:
    first = raw("GET", f"/storage/v1/b/{filled.name}/o?maxResults=2").json()
    filled.blob("a/1").delete()
    filled.blob("a/2/x").delete()
    second = raw("GET", f"/storage/v1/b/{filled.name}/o?maxResults=2&pageToken={first['nextPageToken']}").json()
    assert [one["name"] for one in second["items"]] == ["a/2/y", "a/3"]


@pytest.mark.parametrize(
    "query", ["maxResults=-1", "maxResults=x", "pageToken=!!!", "pageToken=YQ==", "matchGlob=[z-a]"]
)
def test_a_bad_parameter_is_400(bucket: Any, raw: Raw, query: str) -> None:
    assert raw("GET", f"/storage/v1/b/{bucket.name}/o?{query}").status_code == 400


@pytest.mark.parametrize(
    ("glob", "hits", "misses"),
    [
        ("a?c", ["abc"], ["a/c", "ac", "abbc"]),
        ("a.c", ["a.c"], ["abc"]),
        ("[a-c]x", ["bx"], ["dx", "[x"]),
        ("[^a]x", ["^x", "ax"], ["bx"]),
        ("{a,b{c,d}}", ["a", "bc", "bd"], ["b", "{a"]),
        (r"\*\{", ["*{"], ["x{"]),
        ("a,b}", ["a,b}"], ["a"]),
        ("**", ["", "a/b\nc"], []),
        ("*", ["", "a"], ["a/b"]),
    ],
)
def test_globs(glob: str, hits: list[str], misses: list[str]) -> None:
    matches = glob_pattern(glob).fullmatch
    assert [name for name in hits if not matches(name)] == []
    assert [name for name in misses if matches(name)] == []


def test_an_unfinished_glob_is_refused() -> None:
    with pytest.raises(StorageError, match="matchGlob"):
        glob_pattern("{a,b")
