"""Where pods and their containers stand in a Kubernetes object, with their paths."""

from collections.abc import Iterator
from typing import Any

LISTS = ("initContainers", "containers", "ephemeralContainers")


def pods(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with a list of containers, at any depth: pods, templates, custom resources with one."""
    if isinstance(value, dict):
        if any(mappings(value.get(name)) for name in LISTS):
            yield path, value
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                yield from pods(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, dict | list):
                yield from pods(inner, f"{path}[{index}]")


def containers(path: str, pod: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(path, list, container) of all of one pod."""
    for name in LISTS:
        for index, container in mappings(pod.get(name)):
            yield f"{path}.{name}[{index}]" if path else f"{name}[{index}]", name, container


def mappings(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """The items of a list that are mappings, with their places; nothing for what is no list."""
    if not isinstance(value, list):
        return []
    return [(index, item) for index, item in enumerate(value) if isinstance(item, dict)]
