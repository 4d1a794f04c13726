"""What no rollout owns any more: objects that an environment's older rollouts brought, and that its live bundle does not have.

`deployManifest` applies and never prunes, so what a commit takes out of the manifests stays in the cluster. Nothing here deletes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from downwind.model.catalog import Environment
from downwind.perform import bundles
from downwind.perform.look import View, environments
from downwind.perform.world import World
from downwind.ports import Marked
from downwind.reconcile.rollouts import read_rollouts
from downwind.render.kinds import group_of
from downwind.render.serialise import split

OWNER, SEQUENCE = "downwind.dev/owner", "downwind.dev/sequence"
_FENCE = "downwind.dev/fence"
_VERSIONED = "artifact.spinnaker.io/name"
"""Spinnaker's: the name that a versioned ConfigMap or Secret has in its manifest."""

Key = tuple[str, str, str, str]
"""group, kind, name, namespace; that is empty for a cluster-wide object, and where the manifest leaves it to the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """`sequence`: of the rollout that wrote it last. `reason` is a sentence."""

    object: Marked
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What stays: the bundle of `live`, and of every newer entry that was claimed for trigger, which may bring it back."""

    live: int
    newer: tuple[int, ...]
    keys: frozenset[Key]


def kept(world: World, found: View, environment: Environment) -> Kept | None:
    """Reads one object of each part. None: nothing has succeeded here, as far back as is looked."""
    here = next(each for each in environments(found) if each.environment == environment)
    if here.live is None:
        return None
    name = found.registered.application.name
    rollouts = read_rollouts(found.registered.application, environment, found.snapshot)
    newer = tuple(sorted(n for n, rollout in rollouts.items() if rollout.claims and n > here.live.n))
    keys: set[Key] = set()
    for n in (here.live.n, *newer):
        claim = rollouts[n].claim.body
        documents = bundles.read(world, name, environment.name, claim["bundle"], claim["parts"])
        keys.update(_keys(documents.values()))
    return Kept(live=here.live.n, newer=newer, keys=frozenset(keys))


def _keys(documents: Iterable[bytes]) -> Iterable[Key]:
    for value in (value for data in documents for value in split(data)):
        metadata = value["metadata"]
        yield group_of(value["apiVersion"]), value["kind"], metadata["name"], metadata.get("namespace") or ""


def leftovers(objects: Iterable[Marked], owner: str, stays: Kept) -> list[Leftover]:
    """Of all these objects the ones to look at, by namespace, kind and name. What a controller made of another object goes with
    that; fence and guard stay for as long as the environment does."""
    found = []
    for each in objects:
        sequence = each.annotations.get(SEQUENCE, "")
        if each.annotations.get(OWNER) != owner or each.controlled or not sequence.isdecimal():
            continue
        if _FENCE in each.labels or each.name == f"downwind.{owner.replace('/', '.')}.guard":
            continue
        key = (group_of(each.api_version), each.kind, each.name, each.namespace)
        if int(sequence) < stays.live and not stays.keys & {key, (*key[:3], "")}:
            found.append(Leftover(object=each, sequence=int(sequence), reason=_reason(each, key, stays)))
    return sorted(found, key=lambda each: (each.object.namespace, each.object.kind, each.object.name))


def _reason(each: Marked, key: Key, stays: Kept) -> str:
    manifest = each.annotations.get(_VERSIONED, each.name)
    same = {(key[0], key[1], manifest, namespace) for namespace in (each.namespace, "")}
    if manifest != each.name and stays.keys & same:
        return f"an older version of {manifest}"
    return f"not in the manifests of {stays.live}"
