"""What ports.Registry promises, by the twin and by the adapter against the local registry."""

from typing import Any

import pytest

from downwind.errors import Refused

NONE = f"sha256:{'0' * 64}"


def test_a_tag_has_the_digest_that_was_pushed(shelf: Any) -> None:
    digest = shelf.push("v1", {})
    assert shelf.registry.digest(shelf.name, "v1") == digest
    assert shelf.registry.exists(shelf.name, digest)


def test_a_moved_tag_has_the_new_digest_and_the_old_image_stays(shelf: Any) -> None:
    old = shelf.push("v1", {"n": "1"})
    new = shelf.push("v1", {"n": "2"})
    assert old != new
    assert shelf.registry.digest(shelf.name, "v1") == new
    assert shelf.registry.exists(shelf.name, old)


def test_no_such_tag_no_such_image_no_such_repository(shelf: Any) -> None:
    assert shelf.registry.digest(shelf.name, "v1") is None
    shelf.push("v1", {})
    assert shelf.registry.digest(shelf.name, "v2") is None
    assert not shelf.registry.exists(shelf.name, NONE)
    assert shelf.registry.digest(f"{shelf.name}-other", "v1") is None


def test_labels_are_those_of_the_images_config(shelf: Any) -> None:
    labels = {"org.opencontainers.image.revision": "2" * 40, "a": "ü"}
    digest = shelf.push("v1", labels)
    assert shelf.registry.labels(shelf.name, digest) == labels


def test_an_image_without_labels_has_none(shelf: Any) -> None:
    assert shelf.registry.labels(shelf.name, shelf.push("v1", {})) == {}


def test_labels_of_an_image_that_is_not_there_are_refused(shelf: Any) -> None:
    with pytest.raises(Refused, match="no image"):
        shelf.registry.labels(shelf.name, NONE)


def test_an_image_is_for_a_platform(shelf: Any) -> None:
    assert list(shelf.registry.platforms(shelf.name, shelf.push("v1", {}))) == ["linux/amd64"]
    with pytest.raises(Refused, match="no image"):
        shelf.registry.platforms(shelf.name, NONE)


def test_a_removed_tag_is_gone_and_its_image_stays(shelf: Any) -> None:
    digest = shelf.push("v1", {})
    shelf.delete("v1")
    assert shelf.registry.digest(shelf.name, "v1") is None
    assert shelf.registry.exists(shelf.name, digest)


def test_a_removed_image_takes_its_tags_with_it(shelf: Any) -> None:
    digest = shelf.push("v1", {})
    shelf.delete(digest)
    assert not shelf.registry.exists(shelf.name, digest)
    assert shelf.registry.digest(shelf.name, "v1") is None


def test_an_index_is_for_the_platforms_of_its_images_but_not_for_those_of_its_attestations(local: Any) -> None:
    digest = local.push("v1", {})
    kind = "application/vnd.oci.image.manifest.v1+json"
    platforms: list[Any] = [
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
        {"os": "linux", "architecture": "amd64"},
        {"os": "unknown", "architecture": "unknown"},
        None,
    ]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": kind, "digest": digest, "size": 1, "platform": each} for each in platforms],
    }
    assert local.put("both", index, index["mediaType"]).status_code == 201
    found = local.registry.digest(local.name, "both")
    assert local.registry.platforms(local.name, found) == ("linux/amd64", "linux/arm64/v8")
