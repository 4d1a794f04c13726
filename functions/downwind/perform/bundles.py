"""Bundles in their bucket: rendered once and named by content; stamped for one entry at trigger time; both create-only."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from downwind.errors import Refused, TransientError
from downwind.model.catalog import Environment, Registered
from downwind.perform.world import World
from downwind.ports import NewObject, PipelineConfig, StoredObject
from downwind.reconcile import names
from downwind.reconcile.due import neighbours
from downwind.reconcile.stamp import stamp
from downwind.reconcile.steps import RenderBundle, TriggerRollout
from downwind.render.bundle import BundleSet, ReleaseFacts, identities, make_bundle
from downwind.render.engine import Fetched, Rendered, read_objects
from downwind.render.object_files import MOST, object_files
from downwind.render.tree import FileTree
from downwind.soundness.document import items, mapping

YAML = "application/yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle that is not written yet. `about`: what the bundle fact is to say of how it was made, since a content may come of
    several inputs, and its index holds only what follows from it."""

    bundle: BundleSet
    about: Mapping[str, Any]

    @property
    def documents(self) -> dict[str, bytes]:
        return {part: each.documents for part, each in sorted(self.bundle.parts.items())}


def make(
    world: World,
    registered: Registered,
    environment: Environment,
    commit: str,
    manifests_commit: str,
    images: Mapping[str, str],
    tree: FileTree | None = None,
) -> Made:
    """What a commit gives to an environment; nothing is written. `tree`: files to take instead of that commit's. Refused: the
    manifests can't be rendered."""
    application = registered.application
    manifests = application.manifests_of(environment)
    repository = manifests.repository or application.repository
    release = ReleaseFacts(
        application=application.name,
        environment=environment.name,
        namespace=environment.namespace,
        commit=commit,
        images=images,
        repository=application.repository.address,
        rules=application.rules_of(environment),
    )
    files = tree or world.repository.tree(repository.address, manifests_commit, repository.credentials)

    def objects_of(where: Environment, path: str) -> tuple[list[dict[str, Any]], Rendered]:
        options = application.manifests_of(where).options.of(application.name, where.name, where.namespace)
        rendered = world.renderer.render(files, path, options)
        return read_objects(rendered), rendered

    parts, engines = {}, {}
    fetched: list[Mapping[str, str]] = []
    own: set[tuple[str, str, str, str]] = set()
    for part, path in manifests.paths(environment.name).items():
        objects, rendered = objects_of(environment, path)
        engines[part] = rendered.engine.as_json()
        fetched += [each for each in map(Fetched.as_json, rendered.fetched) if each not in fetched]
        parts[part] = make_bundle(objects, release)
        own |= identities(objects, environment.namespace)
    _keep_apart(registered, environment, own, objects_of)
    about = {
        "engines": engines,
        "fetched": fetched,
        "manifests_commit": manifests_commit,
        "rules": names.digest_of_json(release.rules.document()),
        "unused": sorted(set.intersection(*(set(each.unused) for each in parts.values()))),
    }
    return Made(bundle=BundleSet(parts=parts), about=about)


def render(world: World, registered: Registered, environment: Environment, step: RenderBundle) -> Made:
    """`make`, and written. The objects are all there before the caller writes the ledger's bundle fact, which is the commit
    point: nobody reads a bundle that no fact names."""
    made = make(world, registered, environment, step.commit, step.manifests_commit, step.images)
    prefix = names.bundle(registered.application.name, environment.name, made.bundle.digest)
    own_files = sum(len(each.objects) for each in made.bundle.parts.values()) <= MOST
    index = {
        "v": 2,
        "object_files": own_files,
        "parts": {
            part: {
                "sha256": each.digest,
                "objects": [[item.kind, item.namespace, item.name, item.sha256] for item in each.objects],
                "pinned": list(each.pinned),
            }
            for part, each in sorted(made.bundle.parts.items())
        },
    }
    new = [
        NewObject(name=f"{prefix}{part}.yaml", data=data, content_type=YAML) for part, data in made.documents.items()
    ]
    if own_files:
        new += [
            NewObject(name=f"{prefix}objects/{part}/{name}", data=data)
            for part, each in sorted(made.bundle.parts.items())
            for name, data in object_files(each).items()
        ]
    world.bundles.create_all(
        [*new, NewObject(name=f"{prefix}index.json", data=json.dumps(index, sort_keys=True).encode())]
    )
    return made


def _keep_apart(
    registered: Registered,
    environment: Environment,
    own: set[tuple[str, str, str, str]],
    objects_of: Callable[[Environment, str], tuple[list[dict[str, Any]], Rendered]],
) -> None:
    """Refused where another environment of the same cluster has one of these objects: each rollout would take it from the other.
    A neighbour that can't be rendered says so itself, when it is its turn."""
    for neighbour, paths in neighbours(registered, environment):
        try:
            objects = [value for path in paths.values() for value in objects_of(neighbour, path)[0]]
        except Refused:
            continue
        for _, kind, namespace, name in sorted(own & identities(objects, neighbour.namespace)):
            place = f"{namespace}/{name}" if namespace else f"{name}, for the whole cluster,"
            raise Refused(
                f"{kind} {place} is in the manifests of {neighbour.name} too, in the same cluster {environment.cluster}",
                field="policy",
                fix="give it a name of each environment's own, or take it out of one of them",
            )


def read(world: World, application: str, environment: str, content: str, parts: Sequence[str]) -> dict[str, bytes]:
    """The documents of a bundle by part. TransientError where one is missing: a retention rule has taken it too early."""
    prefix = names.bundle(application, environment, content)
    found = world.bundles.read_all([f"{prefix}{part}.yaml" for part in parts])
    documents = {}
    for part, each in zip(parts, found, strict=True):
        if each is None or each.data is None:
            raise TransientError(f"bundle {prefix}{part}.yaml is not in its bucket")
        documents[part] = each.data
    return documents


def images(world: World, application: str, environment: str, content: str) -> Mapping[str, str] | None:
    """Image name to digest of those that the bundle uses, as its index says; None where it is not in its bucket any more."""
    stored = world.bundles.read(f"{names.bundle(application, environment, content)}index.json")
    if stored is None or stored.data is None:
        return None
    index = json.loads(stored.data)
    if "v" not in index:  # renderer 1: all images of the release
        old: Mapping[str, str] = index["images"]
        return old
    references = {reference for part in index["parts"].values() for reference in part["pinned"]}
    return {name: digest for name, _, digest in (each.partition("@") for each in sorted(references))}


def stamp_all(
    world: World, application: str, step: TriggerRollout, documents: Mapping[str, bytes]
) -> list[dict[str, Any]]:
    """Writes the entry's stamped manifests and gives the artifacts that pin them.

    Other bytes may stand there: of a revision that stamps otherwise, whose worker died. What the pipeline deploys is what this
    call pins, so ours go beside them, under a name of their content.
    """
    environment = step.environment
    new = [
        NewObject(
            name=names.stamped(application, environment, step.n, part, len(documents)),
            data=stamp(
                data, application=application, environment=environment, namespace=step.namespace, sequence=step.n
            ),
            content_type=YAML,
        )
        for part, data in sorted(documents.items())
    ]
    artifacts = []
    for part, each, created in zip(sorted(documents), new, world.bundles.create_all(new), strict=True):
        stored = created or _standing(world, each)
        name = names.artifact(world.bundles_bucket, application, environment, part, len(documents))
        reference = f"gs://{world.bundles_bucket}/{stored.name}#{stored.generation}"
        artifacts.append(
            {"type": "gcs/object", "name": name, "reference": reference, "version": str(stored.generation)}
        )
    return artifacts


def _standing(world: World, new: NewObject) -> StoredObject:
    for name in (new.name, names.beside(new.name, new.data)):
        stored = world.bundles.create(replace(new, name=name)) if name != new.name else None
        stored = stored or world.bundles.read(name)
        if stored is not None and stored.data in (None, new.data):
            return stored
    raise Refused(f"{new.name} stands already with other bytes", fix="nobody but Downwind may write there")


def trigger_of(
    config: PipelineConfig,
    application: str,
    environment: str,
    step: TriggerRollout,
    correlation: str,
    artifacts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The body of Gate's v1 trigger. Refused when the saved pipeline expects none of our manifests, or one that we lack:
    without `expectedArtifactIds` Orca would start it silently unbound."""
    by_name = {artifact["name"]: dict(artifact) for artifact in artifacts}
    expected = []
    for each in items(config.document.get("expectedArtifacts")):
        match = mapping(mapping(each).get("matchArtifact"))
        name = match.get("name")
        if isinstance(name, str) and name in by_name:
            if not each.get("id"):
                raise Refused(f"pipeline {config.name!r} expects {name} without an id", fix="save it again with one")
            expected.append(each["id"])
            if match.get("artifactAccount"):
                by_name[name]["artifactAccount"] = match["artifactAccount"]
    if len(expected) != len(by_name):
        raise Refused(
            f"pipeline {config.name!r} does not expect each of {', '.join(sorted(by_name))} exactly once",
            fix="give it one expected artifact of type gcs/object with exactly that name",
        )
    return {
        "type": "downwind",
        "user": "downwind",
        "correlationId": correlation,
        "downwind": {
            "application": application,
            "environment": environment,
            "sequence": str(step.n),
            "attempt": str(step.attempt),
        },
        "artifacts": list(by_name.values()),
        "expectedArtifactIds": expected,
    }
