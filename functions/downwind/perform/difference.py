"""Two bundles beside each other, or a bundle beside what is live. Nothing is written, and nothing is rendered anew."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from downwind.errors import Refused
from downwind.model.catalog import Environment, Registered
from downwind.perform import bundles, ledger
from downwind.perform.look import environments, view
from downwind.perform.world import World
from downwind.ports import Cluster
from downwind.reconcile import names
from downwind.reconcile.log import read_log
from downwind.reconcile.wanted import Query
from downwind.render.compare import LAST_APPLIED, Change, changes, without_removed
from downwind.render.serialise import split
from downwind.render.tree import FileTree

LIVE = "live"
SEQUENCE = "downwind.dev/sequence"
_SHORTEST = 4
_FACTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A bundle of one environment. `name` is how people call it: `staging 3`; `images`: those that it uses."""

    name: str
    n: int
    commit: str
    content: str
    objects: tuple[dict[str, Any], ...]
    images: Mapping[str, str]


def bundle_of(world: World, registered: Registered, environment: Environment, which: str, now: datetime) -> Side:
    """`which`: `live` (the newest success), the number of an entry, or a commit (of its newest entry). Refused, with the fix,
    where there is none or its manifests are not rendered."""
    application = registered.application.name
    seen = view(world, registered, now)
    if which == LIVE:
        here = next(each for each in environments(seen) if each.environment == environment)
        if here.live is None:
            fix = "name an entry or a commit: downwind history"
            raise Refused(f"no rollout has succeeded in {application}/{environment.name}", fix=fix)
        number = here.live.n
    elif which.isdecimal() and len(which) < 10:
        number = int(which)
    else:
        log = read_log(registered.application, environment, seen.snapshot)
        matching = (each.n for each in log if len(which) >= _SHORTEST and each.commit and each.commit.startswith(which))
        found = next(matching, None)
        if found is None:
            raise Refused(
                f"no entry of {application}/{environment.name} that is read is of {which!r}",
                fix=f"give live, the number of an entry or a commit: downwind history {application}",
            )
        number = found
    return _of_entry(world, application, environment.name, number)


def _of_entry(world: World, application: str, environment: str, n: int) -> Side:
    """As it was claimed for trigger; of one that was not, the newest bundle of its commit."""
    queries = [
        Query(prefix=names.rollout(application, environment, n), limit=_FACTS),
        Query(prefix=names.entry(application, environment, n), limit=1),
    ]
    (rollout, _), (entry, _) = ledger.load(world.ledger, queries)
    body = next((fact.body for fact in rollout if fact.body["kind"] == "claim"), None)
    if body is None and entry:
        body = entry[0].body if entry[0].body.get("bundle") else None
        commit = entry[0].body.get("commit")
        if body is None and commit:
            prefix = f"{names.release(application, commit)}bundle/{environment}/"
            rendered, _ = ledger.load(world.ledger, [Query(prefix=prefix, limit=_FACTS)])[0]
            body = max(rendered, key=lambda fact: fact.created).body if rendered else None
    if body is None:
        raise Refused(
            f"{application}/{environment} has no bundle of {n}",
            fix=f"see what became of it: downwind history {application}",
        )
    documents = bundles.read(world, application, environment, body["bundle"], body["parts"])
    return Side(
        name=f"{environment} {n}",
        n=n,
        commit=body["commit"],
        content=body["bundle"],
        objects=tuple(value for part in sorted(documents) for value in split(documents[part])),
        images=bundles.images(world, application, environment, body["bundle"]) or {},
    )


def rendered(
    world: World, registered: Registered, environment: Environment, side: Side, tree: FileTree
) -> list[dict[str, Any]]:
    """What these files would give instead of `side`, with the images that it uses: only the manifests make a difference. Refused
    where they can't be rendered."""
    made = bundles.make(world, registered, environment, side.commit, side.commit, side.images, tree)
    return [value for data in made.documents.values() for value in split(data)]


def against(cluster: Cluster, objects: Sequence[Mapping[str, Any]]) -> list[Change]:
    """What an apply of these objects would change there. Objects that only the cluster has are not looked for: that is `prune`.
    Refused, with the policy's words, where the cluster would refuse one."""
    before, after = [], []
    for manifest in objects:
        standing = cluster.live(manifest)
        if standing is None:
            after.append(cluster.preview(manifest))
            continue
        before.append(standing)
        made = cluster.preview(_numbered(manifest, standing))
        after.append(without_removed(made, manifest, _last_applied(standing)))
    return changes(before, after)


def _numbered(manifest: Mapping[str, Any], standing: Mapping[str, Any]) -> Mapping[str, Any]:
    """A bundle holds no sequence, and the admission policy lets none be taken away: it keeps the one that stands."""
    number = (standing["metadata"].get("annotations") or {}).get(SEQUENCE)
    if number is None:
        return manifest
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "annotations": {**metadata["annotations"], SEQUENCE: number}}}


def _last_applied(standing: Mapping[str, Any]) -> Any:
    text = (standing["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
