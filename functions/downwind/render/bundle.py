"""From the objects of one release to the bytes that its environment gets. The same for every engine."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from downwind.errors import Refused
from downwind.model.policy import Rules
from downwind.render.images import pin_images, unpinned
from downwind.render.kinds import group_of, is_namespaced, priority
from downwind.render.limits import LIMITS
from downwind.render.origin import where_of
from downwind.render.policy import MARKS, check_object, place_of
from downwind.render.rules import breaches
from downwind.render.serialise import clean, document, join

TOLD = 10
"""Breaches of the policy that one refusal tells; more are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts:
    """What a bundle needs to know. `images`: name without tag to `sha256:<hex>`, all images of the release.
    `namespace`: the environment's; "" leaves objects without one as they are. `repository`: its address without credentials.
    `marked`: False for a folder that is no release of anything: no annotations and no labels."""

    application: str
    environment: str
    namespace: str
    commit: str
    images: Mapping[str, str] = field(default_factory=dict)
    repository: str | None = None
    rules: Rules = field(default_factory=Rules)
    marked: bool = True

    @property
    def owner(self) -> str:
        return f"{self.application}/{self.environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSummary:
    """`namespace` is None for a cluster-wide object and for a kind that Downwind does not know. `sha256`: of its document."""

    kind: str
    name: str
    namespace: str | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """`documents`: JSON documents, `---` between, in Clouddriver's order of deploying. No sequence in it.

    `pinned`: `name@sha256:…` of every image of the release that stands in the objects; `unused`: names of the others.
    """

    documents: bytes
    objects: tuple[ObjectSummary, ...]
    pinned: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the documents: what names the bundle."""
        return hashlib.sha256(self.documents).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSet:
    """The bundles of one release for one environment, by part name; where the catalog names no parts there is one."""

    parts: Mapping[str, Bundle]

    @property
    def digest(self) -> str:
        """Hex SHA-256 over the lines `<digest>  <part>`, sorted by part: other bytes, or another part, another name."""
        lines = (f"{bundle.digest}  {part}\n" for part, bundle in sorted(self.parts.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def make_bundle(objects: Sequence[Any], release: ReleaseFacts) -> Bundle:
    """Pins images, sets the namespace where a built-in kind has none, marks, checks and serialises.

    `objects` is left untouched, and its order does not matter. Refused, with the fix: no objects at all, an object that
    may not be part of a bundle, two of one name, more than the limits; and, all of them at once, an image of the release that
    nobody has pinned and what the catalog's policy does not allow.
    """
    if not objects:
        raise Refused("there are no manifests", fix="check the path under `manifests` in the catalog")
    if len(objects) > LIMITS.documents:
        raise Refused(f"{len(objects)} objects are too many", fix=f"use at most {LIMITS.documents}")
    prepared: dict[tuple[int, str, str, str, str], dict[str, Any]] = {}
    found: set[str] = set()
    wrong: list[str] = []
    rules = release.rules
    for number, value in enumerate(objects, 1):
        where = where_of(value)
        place = f"{where}: {place_of(value, number)}" if where else place_of(value, number)
        copy = clean(value, place)
        check_object(copy, place)
        found |= pin_images(copy, release.images, rules.image_paths)
        _mark(copy, release)
        for path, reference in unpinned(copy, release.images):
            wrong.append(f"{place}: {path}: {reference} is an image of this release without its digest (image_paths)")
        wrong += (f"{place}: {breach}" for breach in breaches(copy, rules.policy, release.namespace))
        key = _key(copy)
        if key in prepared:
            raise Refused(f"{place} is there twice", fix="take one of them out, or rename it")
        prepared[key] = copy
    if wrong:
        more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
        fix = "change the manifests, or the field of the catalog in brackets"
        raise Refused("; ".join(wrong[:TOLD]) + more, field="policy", fix=fix)
    ordered = [prepared[key] for key in sorted(prepared)]
    lines = [document(value, place_of(value, 0)) for value in ordered]
    documents = join(lines)
    if len(documents) > LIMITS.bytes_out:
        raise Refused(f"the bundle has {len(documents)} bytes", fix=f"use at most {LIMITS.bytes_out}")
    return Bundle(
        documents=documents,
        objects=tuple(map(_summary, ordered, lines)),
        pinned=tuple(f"{name}@{release.images[name]}" for name in sorted(found)),
        unused=tuple(sorted(set(release.images) - found)),
    )


def _mark(value: dict[str, Any], release: ReleaseFacts) -> None:
    """On the object only: an annotation on a pod template would restart every pod with every commit, and a selector may never
    change. The labels are for `kubectl get --selector`."""
    metadata = value["metadata"]
    if release.namespace and not metadata.get("namespace") and is_namespaced(value["apiVersion"], value["kind"]):
        metadata["namespace"] = release.namespace
    if not release.marked:
        return
    labels = metadata.setdefault("labels", {})
    labels[f"{MARKS}application"], labels[f"{MARKS}environment"] = release.application, release.environment
    annotations = metadata.setdefault("annotations", {})
    annotations["downwind.dev/owner"] = release.owner
    annotations["downwind.dev/commit"] = release.commit
    annotations["downwind.dev/release"] = f"{release.application}/{release.commit}"
    if release.repository:
        annotations["downwind.dev/repository"] = release.repository


def _key(value: dict[str, Any]) -> tuple[int, str, str, str, str]:
    """Clouddriver's order first, then what tells two objects apart (the version of the API does not)."""
    metadata = value["metadata"]
    kind, group = value["kind"], group_of(value["apiVersion"])
    return priority(kind), metadata.get("namespace", ""), kind, metadata["name"], group


def identities(objects: Sequence[Any], namespace: str) -> set[tuple[str, str, str, str]]:
    """(group, kind, namespace, name) of each as it would be in a bundle of that namespace; what is no object is left out."""
    found = set()
    for value in objects:
        metadata = value.get("metadata") if isinstance(value, dict) else None
        if not isinstance(metadata, dict):
            continue
        version, kind, name = value.get("apiVersion"), value.get("kind"), metadata.get("name")
        if isinstance(version, str) and isinstance(kind, str) and isinstance(name, str):
            own = metadata.get("namespace") or (namespace if is_namespaced(version, kind) else "")
            found.add((group_of(version), kind, str(own), name))
    return found


def _summary(value: dict[str, Any], line: bytes) -> ObjectSummary:
    metadata = value["metadata"]
    return ObjectSummary(
        kind=value["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        sha256=hashlib.sha256(line).hexdigest(),
    )
