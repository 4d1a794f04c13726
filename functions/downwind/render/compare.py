"""What differs between two sets of Kubernetes objects, as people read it. Secrets are masked, as kubectl diff masks them."""

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.render.kinds import group_of
from downwind.render.scalars import resolve

Key = tuple[str, str, str, str]
"""(namespace, kind, name, group): what tells two objects apart, in the order of reading."""
_OF_EVERY_RELEASE = frozenset(f"downwind.dev/{name}" for name in ("commit", "release", "sequence"))
_OF_THE_SERVER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
_OF_CLOUDDRIVER = ("artifact.spinnaker.io/", "moniker.spinnaker.io/")
"""Annotations that Clouddriver writes on objects and on their pod templates as it applies them."""
_MANAGED_BY, _NAME = "app.kubernetes.io/managed-by", "app.kubernetes.io/name"
"""Labels that it writes: the first says `spinnaker` then."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_CONTEXT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object that differs; `before` or `after` is None where it is only on the other side. Both are masked."""

    key: Key
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def what(self) -> str:
        """added, removed or changed"""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def title(self) -> str:
        """`Deployment.apps shop/web`"""
        namespace, kind, name, group = self.key
        return f"{kind}{f'.{group}' if group else ''} {f'{namespace}/' if namespace else ''}{name}"

    def lines(self, before: str, after: str) -> Iterator[str]:
        """A unified diff of both as YAML, without line ends; `before` and `after` name the sides."""
        sides = [[] if side is None else _yaml(side).splitlines() for side in (self.before, self.after)]
        names = (f"{before} {self.title}", f"{after} {self.title}")
        yield from difflib.unified_diff(sides[0], sides[1], *names, n=_CONTEXT, lineterm="")


def changes(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[Change]:
    """By namespace, kind and name. What every release or the API server writes anew does not count."""
    old, new = ({key_of(value): plain(value) for value in side} for side in (before, after))
    found = []
    for key in sorted(old.keys() | new.keys()):
        one, other = old.get(key), new.get(key)
        if one != other:
            one, other = _masked(one, other)
            found.append(Change(key=key, before=one, after=other))
    return found


def key_of(value: Mapping[str, Any]) -> Key:
    metadata = value["metadata"]
    return metadata.get("namespace") or "", value["kind"], metadata["name"], group_of(value["apiVersion"])


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """A copy without status, and without what the API server, kubectl, Clouddriver, or every release of ours writes anew."""
    found = copy.deepcopy({key: inner for key, inner in value.items() if key != "status"})
    metadata = found["metadata"]
    for name in _OF_THE_SERVER:
        metadata.pop(name, None)
    annotations = metadata.get("annotations") or {}
    for name in (*_OF_EVERY_RELEASE, LAST_APPLIED):
        annotations.pop(name, None)
    _without_clouddrivers(found)
    return found


def _without_clouddrivers(value: Any) -> None:
    """In place, wherever there is metadata; what is empty then goes, as it was not there before."""
    if isinstance(value, list):
        for item in value:
            _without_clouddrivers(item)
    elif isinstance(value, dict):
        for inner in value.values():
            _without_clouddrivers(inner)
        metadata = value.get("metadata")
        if not isinstance(metadata, dict):
            return
        annotations, labels = metadata.get("annotations"), metadata.get("labels")
        if isinstance(annotations, dict):
            for name in [each for each in annotations if each.startswith(_OF_CLOUDDRIVER)]:
                del annotations[name]
        if isinstance(labels, dict) and labels.get(_MANAGED_BY) == "spinnaker":
            labels.pop(_MANAGED_BY)
            labels.pop(_NAME, None)
        for name in ("annotations", "labels"):
            if not metadata.get(name):
                metadata.pop(name, None)
        if not metadata:
            value.pop("metadata")


def without_removed(after: Any, manifest: Any, last_applied: Any) -> Any:
    """`after` without what the last apply wrote and this manifest does not have any more: kubectl takes that away, as Spinnaker
    does by it, while a server-side apply by another manager leaves it. Items of lists are told apart by their name."""
    if isinstance(after, dict) and isinstance(manifest, dict) and isinstance(last_applied, dict):
        gone = last_applied.keys() - manifest.keys()
        return {
            key: without_removed(inner, manifest.get(key), last_applied.get(key))
            for key, inner in after.items()
            if key not in gone
        }
    if isinstance(after, list) and isinstance(manifest, list) and isinstance(last_applied, list):
        wanted, applied = _named(manifest), _named(last_applied)
        kept = []
        for item in after:
            name = item.get("name") if isinstance(item, dict) else None
            if name in applied and name not in wanted:
                continue
            kept.append(without_removed(item, wanted.get(name), applied.get(name)))
        return kept
    return after


def _named(items: list[Any]) -> dict[Any, Any]:
    return {item["name"]: item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)}


def _masked(
    one: dict[str, Any] | None, other: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Which keys a Secret has, and whether a value differs, may be seen; what it is may not."""
    if (one or other or {}).get("kind") != "Secret":
        return one, other
    found = []
    for side, opposite, mark in ((one, other, "before"), (other, one, "after")):
        found.append(None if side is None else _masked_side(side, opposite or {}, mark))
    return found[0], found[1]


def _masked_side(side: dict[str, Any], opposite: Mapping[str, Any], mark: str) -> dict[str, Any]:
    masked = dict(side)
    for field in ("data", "stringData"):
        values, against = side.get(field), opposite.get(field)
        if isinstance(values, dict):
            others = against if isinstance(against, dict) else {}
            masked[field] = {
                key: f"*** ({mark})" if key in others and others[key] != value else "***"
                for key, value in values.items()
            }
        elif values is not None:
            masked[field] = "***"
    return masked


def _yaml(value: Mapping[str, Any]) -> str:
    """Keys sorted; a text that an unquoted reader would take for something else stands in quotes."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def text(dumper: Any, found: str) -> Any:
        style = "|" if "\n" in found else None if isinstance(resolve(found), str) else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", found, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(value, Dumper=Dumper, sort_keys=True, allow_unicode=True, width=1_000_000)
