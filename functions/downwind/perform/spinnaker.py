"""Reads what the checks of `downwind.soundness.spinnaker` judge, and lays what is live beside the release that should be. Writes
nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from downwind.errors import DownwindError, Misconfigured
from downwind.model.catalog import Environment, Registered
from downwind.model.live import Live, ServerGroup
from downwind.perform import bundles
from downwind.perform.look import View, environments, views
from downwind.perform.verify import Verdict
from downwind.perform.world import World
from downwind.ports_of_people import Spinnaker
from downwind.reconcile import names
from downwind.reconcile.rollouts import read_rollouts
from downwind.soundness import spinnaker as checks
from downwind.soundness.finding import Finding
from downwind.soundness.pipeline import check_pipeline

_ASKED = 5
"""Ends that are compared with Gate's own times."""
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})


def verify_spinnaker(
    world: World,
    spinnaker: Spinnaker,
    registered: Sequence[Registered],
    now: datetime,
    *,
    ways: str = "nothing",
    spin: str | None = None,
    local: bool = False,
) -> Verdict:
    """`ways`: how we sign in. `spin`: what the one on the path says of itself; None: there is none. `local`: the laptop's, of
    which neither version nor sign-in is asked. Raises what Gate says that does not answer."""
    findings: list[Finding] = []
    said = spinnaker.version()
    checked = [f"Gate: Spinnaker {said or 'of an unknown version'}"]
    user = spinnaker.user()
    checked.append(f"Gate: it takes us for {user.get('username') or 'nobody'}, signed in by {ways}")
    if not local:
        findings += checks.check_version(said)
        findings += checks.check_user(user, ways)
    accounts = spinnaker.accounts()
    findings += checks.check_accounts(registered, accounts, spinnaker.artifact_accounts())
    checked.append(f"accounts: {', '.join(sorted(str(each.get('name')) for each in accounts)) or 'none'}")
    findings += checks.check_applications(registered, spinnaker.applications())
    checked.append("applications that the catalog names")
    seen = views(world, registered, now)
    for view in seen:
        for environment in view.registered.application.environments:
            findings += _pipeline(world, view.registered, environment)
            name = f"{environment.pipeline_application}/{environment.pipeline}"
            checked.append(f"pipeline {name}: precondition, fence, bundle")
            read = _artifact(world, spinnaker, view, environment)
            if isinstance(read, Finding):
                findings.append(read)
            elif read is not None:
                checked.append(read)
    delays = _delays(world, seen)
    if not local:
        findings += checks.check_echo(delays)
        checked.append(f"Echo: {len(delays)} ends compared" if delays else "Echo: no end to compare with yet")
    if spin is not None:
        findings += checks.check_spin(spin)
        checked.append(f"spin on the path: {' '.join(spin.split())}")
    return Verdict(findings=tuple(dict.fromkeys(findings)), checked=tuple(dict.fromkeys(checked)))


def _pipeline(world: World, registered: Registered, environment: Environment) -> Sequence[Finding]:
    config = world.pipelines.config(environment.pipeline_application, environment.pipeline)
    document = config.document if config is not None else None
    return check_pipeline(registered.application, environment, document, world.bundles_bucket)


def _artifact(world: World, spinnaker: Spinnaker, view: View, environment: Environment) -> Finding | str | None:
    """Has Clouddriver read the manifest of the newest rollout; None where nothing was rolled out yet."""
    application = view.registered.application
    rollouts = read_rollouts(application, environment, view.snapshot)
    claimed = [number for number, rollout in rollouts.items() if rollout.claims]
    if not claimed:
        return None
    parts = application.manifests_of(environment).paths(environment.name)
    part = next(iter(parts))
    name = names.stamped(application.name, environment.name, max(claimed), part, len(parts))
    stored = world.bundles.list(name, limit=1)
    if not stored or stored[0].name != name:
        return None
    artifact = {
        "type": "gcs/object",
        "name": names.artifact(world.bundles_bucket, application.name, environment.name, part, len(parts)),
        "reference": f"gs://{world.bundles_bucket}/{name}#{stored[0].generation}",
        "artifactAccount": environment.artifact_account,
    }
    try:
        size = spinnaker.fetch(artifact)
    except Misconfigured:
        raise
    except DownwindError as error:
        return Finding(
            where=f"{application.name}/{environment.name}",
            what=f"Spinnaker cannot read {artifact['reference']} by {environment.artifact_account}: {error}",
            fix="give Clouddriver's service account roles/storage.objectViewer on the bucket of bundles",
        )
    return f"artifact {artifact['reference']}: {size} bytes, read by {environment.artifact_account}"


def _delays(world: World, seen: Sequence[View]) -> list[float]:
    """Of the newest ends: seconds from Gate's own end time to our fact."""
    standings = [
        standing
        for view in seen
        for place in environments(view)
        for standing in (place.live, place.last)
        if standing is not None and standing.execution is not None and standing.since is not None
    ]
    newest = sorted(standings, key=lambda each: each.since.timestamp() if each.since else 0, reverse=True)[:_ASKED]
    delays = []
    for standing in newest:
        execution = world.pipelines.execution(str(standing.execution))
        if execution is not None and execution.ended is not None and standing.since is not None:
            delays.append(standing.since.timestamp() - execution.ended / 1000)
    return delays


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One environment: the release that we think is there, what Spinnaker sees in its namespace, and how they differ.
    `drift`: (server group or workload, what is not as it should be)."""

    environment: Environment
    n: int | None
    commit: str | None
    live: Live
    groups: tuple[ServerGroup, ...]
    drift: tuple[tuple[str, str], ...]


def look_live(world: World, spinnaker: Spinnaker, view: View) -> list[Seen]:
    """Asks for each application of Spinnaker once."""
    application = view.registered.application
    asked: dict[str, Live] = {}
    found = []
    for place in environments(view):
        environment = place.environment
        name = environment.pipeline_application
        if name not in asked:
            asked[name] = spinnaker.live(name)
        groups = tuple(
            each
            for each in asked[name].groups
            if each.namespace == environment.namespace and environment.account in (None, each.account)
        )
        drift: tuple[tuple[str, str], ...] = ()
        if place.live is not None:
            rollout = read_rollouts(application, environment, view.snapshot).get(place.live.n)
            index = _index(world, application.name, environment, rollout.bundle) if rollout is not None else None
            drift = (
                tuple(_drift(index, groups))
                if index is not None
                else (("", "its bundle is not in its bucket any more"),)
            )
        found.append(
            Seen(
                environment=environment,
                n=place.live.n if place.live else None,
                commit=place.live.commit if place.live else None,
                live=asked[name],
                groups=groups,
                drift=drift,
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    images: Mapping[str, str]
    workloads: tuple[str, ...]


def _index(world: World, application: str, environment: Environment, bundle: str) -> _Index | None:
    images = bundles.images(world, application, environment.name, bundle)
    stored = world.bundles.read(f"{names.bundle(application, environment.name, bundle)}index.json")
    if images is None or stored is None or stored.data is None:
        return None
    parts = json.loads(stored.data)["parts"]
    here = ("", None, environment.namespace)
    listed = [
        (kind, name)
        for part in parts.values()
        for kind, namespace, name, *_ in part["objects"]
        if kind in _WORKLOADS and namespace in here
    ]
    return _Index(images=images, workloads=tuple(f"{kind[:1].lower()}{kind[1:]} {name}" for kind, name in listed))


def _drift(index: _Index, groups: Sequence[ServerGroup]) -> list[tuple[str, str]]:
    """What the release says and the clusters do not, and the other way round."""
    found: list[tuple[str, str]] = []
    serving = [each for each in groups if not each.disabled and (each.desired or each.total)]
    ours: set[str] = set()
    for workload in index.workloads:
        groups_of = [each for each in serving if workload in (each.manager, each.name, each.cluster)]
        ours.update(each.name for each in groups_of)
        if not groups_of:
            found.append((workload, "is not there"))
        elif not any(_has(index.images, each) for each in groups_of):
            for each in groups_of:
                found += [(each.name, what) for what in _wrong_images(index.images, each)]
        found += [
            (each.name, f"{each.up} of {each.desired} up")
            for each in groups_of
            if each.up < max(each.desired, each.total)
        ]
    found += [(each.name, "is not of this release") for each in serving if each.name not in ours]
    return found


def _has(images: Mapping[str, str], group: ServerGroup) -> bool:
    return not list(_wrong_images(images, group))


def _wrong_images(images: Mapping[str, str], group: ServerGroup) -> list[str]:
    wrong = []
    for image in group.images:
        name, _, digest = image.partition("@")
        wanted = images.get(name) or images.get(name.rpartition(":")[0])
        if wanted is not None and digest != wanted:
            wrong.append(f"runs {digest or image}, the release has {wanted}")
    return wrong
