"""Reads files of Kubernetes manifests as Kubernetes itself reads them, without trusting them."""

import re
from collections.abc import Iterator
from typing import Any

from downwind.errors import Refused
from downwind.render.json_reader import read_json
from downwind.render.limits import LIMITS, Limits
from downwind.render.origin import Sourced
from downwind.render.yaml_events import Builder

_BYTE_ORDER_MARK = re.compile("\ufeff")  # inside a file (two were joined) readers take it for nothing, or for a letter


def read_documents(name: str, data: bytes, limits: Limits = LIMITS, *, loader: Any = None) -> list[dict[str, Any]]:
    """The objects in one file, in its order; lists (`kind: List`) are unfolded, empty documents skipped.

    `name` is the file's path: it stands in errors, and `.json` says how to read. `loader` is a PyYAML loader; without
    one the C loader where PyYAML has it. Each object knows where it stood. Refused, with file, line and fix: whatever is no
    stream of mappings or over a limit.
    """
    if len(data) > limits.bytes_in:
        raise Refused(f"{name}: {len(data)} bytes are too many", fix=f"use at most {limits.bytes_in} bytes a file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Refused(f"{name}:{line}: not UTF-8", fix="save the file as UTF-8") from None
    found = [(read_json(name, text, limits), 1)] if name.endswith(".json") else _read_yaml(name, text, limits, loader)
    objects: list[dict[str, Any]] = []
    for value, line in found:
        if isinstance(value, dict):
            where = name if name.endswith(".json") else f"{name}:{line}"
            objects.extend(Sourced(each, where) for each in _unfolded(name, value, line))
        elif value is not None:
            raise Refused(
                f"{name}:{line}: this document is not a mapping", fix="write one object a document, `---` between"
            )
    if len(objects) > limits.documents:
        raise Refused(f"{name}: {len(objects)} objects are too many", fix=f"use at most {limits.documents}")
    return objects


def _read_yaml(name: str, text: str, limits: Limits, loader: Any) -> list[tuple[Any, int]]:
    import yaml

    odd = yaml.reader.Reader.NON_PRINTABLE.search(text) or _BYTE_ORDER_MARK.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise Refused(
            f"{name}:{line}: the character {odd.group()!r} is not allowed", fix="quote it, and write an escape"
        )
    if text.count("\n%") > limits.directives:  # libyaml compares each with all before it
        raise Refused(f"{name}: more than {limits.directives} lines begin with %", fix="take the directives out")
    chosen = loader or getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return list(Builder(name, limits).documents(_events(chosen(text))))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        raise Refused(f"{name}:{line}: not YAML: {error.problem}", fix="correct the line, or the one before") from None


def _events(loader: Any) -> Iterator[Any]:
    """As `yaml.parse`, with half of its calls."""
    import yaml

    try:
        following = loader.get_event
        while type(event := following()) is not yaml.StreamEndEvent:
            yield event
    finally:
        loader.dispose()


def _unfolded(name: str, value: dict[str, Any], line: int) -> Iterator[dict[str, Any]]:
    """The items of a list, as kubectl takes them: items of a `ConfigMapList` without kind are ConfigMaps."""
    kind, items = value.get("kind"), value.get("items")
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(items, list):
        yield value
        return
    inherited = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")} if kind != "List" else {}
    for item in items:
        if not isinstance(item, dict):
            raise Refused(
                f"{name}:{line}: an item of this {kind} is not a mapping", fix="write every item as an object"
            )
        yield from _unfolded(name, {**inherited, **item}, line)
