"""Digests for the Spinnaker chart: every image of its list, by the tag of the release, or none at all."""

import pytest
import yaml

from downwind.adapters.memory_registry import MemoryRegistry
from downwind.cli.chart_images import STORES, VALUES, digests
from downwind.errors import Refused

IMAGES = {
    name: image["repository"]
    for name, image in yaml.safe_load(VALUES.read_text())["images"].items()
    if isinstance(image, dict)
}


def tag(image: str) -> str:
    return STORES.get(image, "2026.2.4")


def test_every_image_of_the_chart_gets_the_digest_of_its_tag() -> None:
    registry = MemoryRegistry()
    pushed = {name: registry.push(repository, tag(name), seed=name) for name, repository in IMAGES.items()}
    registry.push(IMAGES["gate"], "2026.2.3", seed="older")
    assert digests(registry, IMAGES, tag) == pushed
    assert len(pushed) == 10


def test_a_mirror_is_asked_in_place_of_every_host() -> None:
    registry = MemoryRegistry()
    mirror = "europe-west1-docker.pkg.dev/acme/mirror"
    pushed = {
        name: registry.push(f"{mirror}/{repository.partition('/')[2]}", tag(name), seed=name)
        for name, repository in IMAGES.items()
    }
    assert digests(registry, IMAGES, tag, mirror) == pushed


def test_a_missing_tag_is_named_and_nothing_is_answered() -> None:
    registry = MemoryRegistry()
    for name, repository in IMAGES.items():
        if name not in {"orca", "deck"}:
            registry.push(repository, tag(name))
    with pytest.raises(Refused, match=r"no such tag: \S+/deck:2026\.2\.4, \S+/orca:2026\.2\.4"):
        digests(registry, IMAGES, tag)
