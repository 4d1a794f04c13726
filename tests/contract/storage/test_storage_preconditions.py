"""All four preconditions on every method, through the official client and raw HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError, NotFound, NotModified, PreconditionFailed

Raw = Callable[..., Any]
CONDITIONS = (
    "if_generation_match",
    "if_generation_not_match",
    "if_metageneration_match",
    "if_metageneration_not_match",
)


# Google documents 412 for a match that fails and 304 for a not-match, on reads and writes alike.
STATUS = ("412", "304", "412", "304")


def put(bucket: Any, name: str = "a", data: bytes = b"one") -> Any:
    blob = bucket.blob(name)
    blob.upload_from_string(data)
    return blob


def failing(blob: Any) -> list[dict[str, int]]:
    """Each of the four in a form that does not hold for what stands."""
    right = (blob.generation, blob.generation, blob.metageneration, blob.metageneration)
    return [
        {name: value if name.endswith("not_match") else value - 1}
        for name, value in zip(CONDITIONS, right, strict=True)
    ]


def holding(blob: Any) -> dict[str, int]:
    """All four in a form that holds."""
    return {
        "if_generation_match": blob.generation,
        "if_generation_not_match": blob.generation - 1,
        "if_metageneration_match": blob.metageneration,
        "if_metageneration_not_match": blob.metageneration + 1,
    }


def test_create_only_the_second_time_is_412(bucket: Any) -> None:
    bucket.blob("a").upload_from_string("1", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("a").upload_from_string("2", if_generation_match=0)
    assert bucket.blob("a").download_as_bytes() == b"1"


def test_a_412_has_googles_shape(bucket: Any, raw: Raw) -> None:
    put(bucket)
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=a&ifGenerationMatch=0"
    answer = raw("POST", path, data=b"x")
    assert answer.status_code == 412
    text = "At least one of the pre-conditions you specified did not hold."
    first = {"message": text, "domain": "global", "reason": "conditionNotMet"}
    assert answer.json() == {
        "error": {
            "code": 412,
            "message": text,
            "errors": [{**first, "locationType": "header", "location": "If-Match"}],
        }
    }


@pytest.mark.parametrize("index", range(4), ids=CONDITIONS)
def test_upload_obeys_each(bucket: Any, index: int) -> None:
    blob = put(bucket)
    with pytest.raises(GoogleAPICallError, match=STATUS[index]):
        bucket.blob("a").upload_from_string("2", **failing(blob)[index])
    assert bucket.blob("a").download_as_bytes() == b"one"


def test_upload_passes_where_all_four_hold(bucket: Any) -> None:
    blob = put(bucket)
    bucket.blob("a").upload_from_string("2", **holding(blob))
    assert bucket.blob("a").download_as_bytes() == b"2"


def test_upload_over_a_generation_that_does_not_exist_is_412(bucket: Any) -> None:
    with pytest.raises(PreconditionFailed):
        bucket.blob("a").upload_from_string("2", if_generation_match=1)


def test_not_match_zero_wants_something_to_stand(bucket: Any) -> None:
    for number in (0, 7):
        with pytest.raises(NotModified):
            bucket.blob("a").upload_from_string("1", if_generation_not_match=number)
    assert bucket.get_blob("a") is None
    put(bucket)
    bucket.blob("a").upload_from_string("2", if_generation_not_match=0)
    assert bucket.blob("a").exists(if_generation_not_match=0)


@pytest.mark.parametrize("index", range(4), ids=CONDITIONS)
def test_media_upload_obeys_each(bucket: Any, raw: Raw, index: int) -> None:
    """The Python client never sends uploadType=media."""
    (name, value) = next(iter(failing(put(bucket))[index].items()))
    camel = "if" + name.removeprefix("if_").title().replace("_", "")
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=a&{camel}={value}"
    assert raw("POST", path, data=b"x").status_code == int(STATUS[index])


@pytest.mark.parametrize("index", range(4), ids=CONDITIONS)
@pytest.mark.parametrize("method", ["reload", "download_as_bytes"])
def test_a_read_obeys_each(bucket: Any, method: str, index: int) -> None:
    blob = put(bucket)
    with pytest.raises(GoogleAPICallError, match=STATUS[index]):
        getattr(bucket.blob("a"), method)(**failing(blob)[index])
    getattr(bucket.blob("a"), method)(**holding(blob))


@pytest.mark.parametrize("index", range(4), ids=CONDITIONS)
@pytest.mark.parametrize("method", ["delete", "patch", "update"])
def test_a_change_obeys_each(bucket: Any, method: str, index: int) -> None:
    standing = put(bucket)
    blob = bucket.blob("a")
    blob.metadata = {"k": "v"}
    with pytest.raises(GoogleAPICallError, match=STATUS[index]):
        getattr(blob, method)(**failing(standing)[index])
    now = bucket.get_blob("a")
    assert (now.generation, now.metageneration, now.metadata) == (standing.generation, 1, None)
    blob = bucket.blob("a")
    blob.metadata = {"k": "v"}
    getattr(blob, method)(**holding(standing))
    assert bucket.get_blob("a") is None if method == "delete" else bucket.get_blob("a").metadata == {"k": "v"}


@pytest.mark.parametrize("condition", [{"if_generation_match": 7}, {"if_generation_match": 0}, {}])
def test_on_what_is_not_there_a_read_and_a_delete_are_404(bucket: Any, condition: dict[str, int]) -> None:
    for method in ("reload", "delete", "download_as_bytes"):
        with pytest.raises(NotFound):
            getattr(bucket.blob("none"), method)(**condition)


@pytest.mark.parametrize("name", ["if_generation_match", "if_metageneration_match"])
def test_compose_obeys_those_that_it_has(bucket: Any, name: str) -> None:
    standing = put(bucket, "target")
    sources = [put(bucket, "s1", b"1"), put(bucket, "s2", b"2")]
    with pytest.raises(PreconditionFailed):
        bucket.blob("target").compose(sources, **{name: 0})
    assert bucket.blob("target").download_as_bytes() == b"one"
    bucket.blob("target").compose(sources, **{name: holding(standing)[name]})
    assert bucket.blob("target").download_as_bytes() == b"12"


def test_compose_obeys_the_generation_of_each_source(bucket: Any) -> None:
    sources = [put(bucket, "s1", b"1"), put(bucket, "s2", b"2")]
    stale = [sources[0].generation, sources[1].generation - 1]
    with pytest.raises(PreconditionFailed):
        bucket.blob("target").compose(sources, if_source_generation_match=stale)
    right = [source.generation for source in sources]
    bucket.blob("target").compose(sources, if_source_generation_match=right, if_generation_match=0)
    assert bucket.blob("target").download_as_bytes() == b"12"


def source_conditions(conditions: dict[str, int]) -> dict[str, int]:
    return {name.replace("if_", "if_source_"): value for name, value in conditions.items()}


@pytest.mark.parametrize("index", range(4), ids=CONDITIONS)
def test_copy_and_rewrite_obey_each_for_the_target_and_the_source(bucket: Any, index: int) -> None:
    source, target = put(bucket, "source", b"new"), put(bucket, "target")
    for conditions in (failing(target)[index], source_conditions(failing(source)[index])):
        with pytest.raises(GoogleAPICallError, match=STATUS[index]):
            bucket.copy_blob(source, bucket, "target", **conditions)
        with pytest.raises(GoogleAPICallError, match=STATUS[index]):
            bucket.blob("target").rewrite(source, **conditions)
    assert bucket.blob("target").download_as_bytes() == b"one"
    conditions = {**holding(target), **source_conditions(holding(source))}
    bucket.copy_blob(source, bucket, "target", **conditions)
    assert bucket.blob("target").download_as_bytes() == b"new"


def test_copy_with_zero_over_what_stands_is_412(bucket: Any) -> None:
    source = put(bucket, "source", b"new")
    put(bucket, "target")
    with pytest.raises(PreconditionFailed):
        bucket.copy_blob(source, bucket, "target", if_generation_match=0)


def test_etags_are_preconditions_of_reads(bucket: Any) -> None:
    etag = put(bucket).etag
    assert bucket.blob("a").download_as_bytes(if_etag_match=etag) == b"one"
    bucket.blob("a").reload(if_etag_not_match="other")
    with pytest.raises(PreconditionFailed):
        bucket.blob("a").reload(if_etag_match="other")
    with pytest.raises(NotModified):
        bucket.blob("a").download_as_bytes(if_etag_not_match=etag)


def test_etags_on_a_write_are_refused_since_google_documents_them_for_reads_only(bucket: Any, raw: Raw) -> None:
    etag = put(bucket).etag
    path = f"/storage/v1/b/{bucket.name}/o/a"
    assert raw("PATCH", path, json={}, headers={"If-Match": etag}).status_code == 501
    assert raw("DELETE", path, headers={"If-None-Match": "x"}).status_code == 501


def test_a_condition_that_is_no_number_is_400(bucket: Any, raw: Raw) -> None:
    put(bucket)
    assert raw("GET", f"/storage/v1/b/{bucket.name}/o/a?ifGenerationMatch=x").status_code == 400


def test_a_bucket_obeys_its_metageneration(bucket: Any) -> None:
    bucket.labels = {"a": "b"}
    with pytest.raises(PreconditionFailed):
        bucket.patch(if_metageneration_match=7)
    with pytest.raises(PreconditionFailed):
        bucket.delete(if_metageneration_match=7)
    bucket.patch(if_metageneration_match=1)
    bucket.reload(if_metageneration_match=2)
    assert bucket.labels == {"a": "b"}
