"""Pins the images of a release by digest, wherever an object names a container's image."""

from collections.abc import Iterator, Mapping
from typing import Any

_CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})


def image_name(reference: str) -> str:
    """The name of `name[:tag][@digest]`. A colon before the last slash is a registry's port, not a tag."""
    name = reference.partition("@")[0]
    colon = name.rfind(":")
    return name[:colon] if colon > name.rfind("/") else name


def pin_images(value: Any, images: Mapping[str, str]) -> set[str]:
    """Writes `name@digest` over every image in `value` (a Kubernetes object, changed in place) whose name is exactly
    a key of `images`; returns the names found. Other images stay as they are.

    The lists of containers are found at any depth, so custom resources with a pod template (Argo Rollouts, Knative)
    are pinned as the built-in kinds are. An image mounted as a volume (`volumes[].image.reference`) is one as well.
    """
    found = set()
    for holder, key in _places(value):
        reference = holder.get(key)
        name = image_name(reference) if isinstance(reference, str) else ""
        if name in images:
            holder[key] = f"{name}@{images[name]}"
            found.add(name)
    return found


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every mapping and key under which an image stands."""
    if isinstance(value, list):
        for item in value:
            yield from _places(item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in _CONTAINER_LISTS:
                yield from ((container, "image") for container in _mappings(inner))
            elif key == "volumes":
                yield from (
                    (volume["image"], "reference") for volume in _mappings(inner) if _mappings([volume.get("image")])
                )
            yield from _places(inner)


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
