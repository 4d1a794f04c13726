"""Pins the images of a release by digest, wherever an object names a container's image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.model.policy import ImagePath, matches
from downwind.render.kinds import group_of

_CONTAINER_LISTS = frozenset({"containers", "initContainers", "ephemeralContainers"})
_TEXTS_OF_USERS = frozenset({"metadata", "data", "stringData", "binaryData"})
"""At the top of an object: what stands there is no image that Kubernetes pulls."""
_MARKS = frozenset({"annotations", "labels"})


def image_name(reference: str) -> str:
    """The name of `name[:tag][@digest]`. A colon before the last slash is a registry's port, not a tag."""
    name = reference.partition("@")[0]
    colon = name.rfind(":")
    return name[:colon] if colon > name.rfind("/") else name


def pin_images(value: Any, images: Mapping[str, str], paths: Sequence[ImagePath] = ()) -> set[str]:
    """Writes `name@digest` over every image in `value` (a Kubernetes object, changed in place) whose name is exactly
    a key of `images`; returns the names found. Other images stay as they are.

    The lists of containers are found at any depth, so custom resources with a pod template (Argo Rollouts, Knative)
    are pinned as the built-in kinds are. An image mounted as a volume (`volumes[].image.reference`) is one as well, and what
    the catalog's `paths` name.
    """
    found = set()
    for holder, key in (*_places(value), *_configured(value, paths)):
        reference = holder.get(key)
        name = image_name(reference) if isinstance(reference, str) else ""
        if name in images:
            holder[key] = f"{name}@{images[name]}"
            found.add(name)
    return found


def unpinned(value: dict[str, Any], images: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(path, reference) of every image of the release that stands in a place where nobody has pinned it: a reference with a
    tag or another digest anywhere, a bare name under a key that ends in `image`. Annotations, labels, and the data of a
    ConfigMap or a Secret are texts of the user."""
    for key, inner in value.items():
        if key not in _TEXTS_OF_USERS:
            yield from _unpinned(inner, key, key, images)


def _unpinned(value: Any, path: str, key: str, images: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _MARKS:
                yield from _unpinned(inner, f"{path}.{name}", name, images)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unpinned(inner, f"{path}[{index}]", key, images)
    elif isinstance(value, str):
        name = image_name(value)
        if name in images and value != f"{name}@{images[name]}" and (value != name or key.lower().endswith("image")):
            yield path, value


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every mapping and key under which an image stands."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _places(item)
    else:
        for key, inner in value.items():
            if not isinstance(inner, dict | list):
                continue
            if key in _CONTAINER_LISTS:
                yield from ((container, "image") for container in _mappings(inner))
            elif key == "volumes":
                yield from (
                    (volume["image"], "reference") for volume in _mappings(inner) if _mappings([volume.get("image")])
                )
            yield from _places(inner)


def _configured(value: dict[str, Any], paths: Sequence[ImagePath]) -> Iterator[tuple[dict[str, Any], str]]:
    if not paths:
        return
    group = group_of(value["apiVersion"])
    kind = f"{group}/{value['kind']}" if group else value["kind"]
    for each in paths:
        if matches((each.kind,), kind):
            *steps, last = each.path.split(".")
            holders: list[Any] = [value]
            for step in steps:
                holders = list(_down(holders, step))
            yield from ((holder, last) for holder in holders if isinstance(holder, dict))


def _down(holders: list[Any], step: str) -> Iterator[Any]:
    key = step.removesuffix("[*]")
    for holder in holders:
        inner = holder.get(key) if isinstance(holder, dict) else None
        if step == key:
            yield inner
        elif isinstance(inner, list):
            yield from inner


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
