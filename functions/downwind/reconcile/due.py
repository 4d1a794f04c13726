"""`next_steps`: everything that is due now for one application, and what the rest waits for. The one place that decides."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from downwind.model.catalog import Environment, Registered
from downwind.model.cron import frozen_until
from downwind.reconcile import names
from downwind.reconcile.admit import admit_promotion, admit_request, admit_tip
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.follow import follow, make_way
from downwind.reconcile.log import LogEntry, read_log
from downwind.reconcile.releases import images_of
from downwind.reconcile.rollouts import Rollout, read_rollouts
from downwind.reconcile.steps import (
    Announce,
    Append,
    Collector,
    Compare,
    Due,
    Record,
    RenderBundle,
    Step,
    TriggerRollout,
)
from downwind.timing import Timing

RENDERER = "1"
"""Part of a bundle's inputs: a renderer that writes other bytes is another renderer."""
_ANNOUNCED = {
    "completed": "dev.downwind.release.completed.v1",
    "blocked": "dev.downwind.release.blocked.v1",
    "started": "dev.downwind.rollout.started.v1",
    "outcome": "dev.downwind.rollout.ended.v1",
    "parked": "dev.downwind.message.parked.v1",
}


def next_steps(
    registered: Registered, snapshot: Snapshot, now: datetime, timing: Timing, tried: Sequence[Step] = ()
) -> Due:
    """Steps in the order in which they are to be done. Entries come first and alone: what they change is decided afresh.
    An entry that was `tried` in this very call and could not be made stops nothing else."""
    application = registered.application
    admitted = Collector()
    for environment in application.environments:
        for ref in sorted(snapshot.hints.refs):
            if environment in application.fed_by(ref):
                admit_tip(registered, environment, ref, snapshot, admitted, now, timing)
        for name, identifier in sorted(snapshot.hints.requests):
            if name == environment.name:
                prefix = names.request(application.name, name, identifier)
                admit_request(registered, environment, prefix, snapshot, admitted)
        admit_promotion(registered, environment, snapshot, admitted)
    firsts = _one_entry_each([step for step in admitted.steps if isinstance(step, Append | Compare)])
    if any(step not in tried for step in firsts):
        return Due(steps=firsts, waits=tuple(admitted.waits), open=admitted.open)
    for environment in application.environments:
        _environment(registered, environment, snapshot, now, timing, admitted)
    _announce(snapshot, admitted)
    records = [step for step in admitted.steps if isinstance(step, Record) and step.fact.name not in snapshot.facts]
    others = [step for step in admitted.steps if not isinstance(step, Record | Append | Compare)]
    return Due(steps=(*records, *firsts, *_newest_start_only(others)), waits=tuple(admitted.waits), open=admitted.open)


def _newest_start_only(steps: Sequence[Step]) -> list[Step]:
    """Where a newer entry starts, a dead worker's claim of an older one is not taken over, nor does its next attempt go: the
    claim that comes supersedes it."""
    newest: dict[str, int] = {}
    for step in steps:
        if isinstance(step, TriggerRollout):
            newest[step.environment] = max(step.n, newest.get(step.environment, 0))
    return [step for step in steps if not isinstance(step, TriggerRollout) or step.n == newest[step.environment]]


def _one_entry_each(steps: Sequence[Append | Compare]) -> tuple[Append | Compare, ...]:
    """Two entries for one environment would take the same number: the second is decided after the first stands."""
    kept: list[Append | Compare] = []
    for step in steps:
        taken = (
            any(isinstance(other, Append) and other.environment == step.environment for other in kept)
            if isinstance(step, Append)
            else False
        )
        if not taken:
            kept.append(step)
    return tuple(kept)


def _environment(
    registered: Registered,
    environment: Environment,
    snapshot: Snapshot,
    now: datetime,
    timing: Timing,
    collector: Collector,
) -> None:
    rollouts = read_rollouts(registered.application, environment, snapshot)
    claimed = max((number for number, rollout in rollouts.items() if rollout.claims), default=0)
    for number in sorted(rollouts):
        if rollouts[number].claims and rollouts[number].outcome is None:
            follow(registered, environment, rollouts[number], claimed, snapshot, now, timing, collector)
    frozen = False
    for entry in read_log(registered.application, environment, snapshot):
        if entry.n <= claimed:
            break
        if entry.newest_rollback == entry.n:
            break  # nothing below it is started any more
        if not entry.release:
            continue
        if frozen and entry.by != "request":
            continue
        verdict = _candidate(registered, environment, entry, rollouts, snapshot, now, timing, collector)
        if verdict == "goes":
            break
        frozen = frozen or verdict == "frozen"


def _candidate(
    registered: Registered,
    environment: Environment,
    entry: LogEntry,
    rollouts: dict[int, Rollout],
    snapshot: Snapshot,
    now: datetime,
    timing: Timing,
    collector: Collector,
) -> Literal["goes", "frozen", "not yet"]:
    """goes: older ones are superseded by it. frozen: of the older ones only an order may still go. not yet: any older may."""
    application = registered.application
    if entry.n in rollouts and rollouts[entry.n].outcome is not None:
        return "not yet"
    images = images_of(registered, entry, snapshot, now, timing, collector)
    if images is None:
        return "not yet"
    commit = entry.manifests_commit or entry.commit
    inputs = bundle_inputs(registered, environment, entry, dict(images))
    release = names.release(application.name, entry.commit)
    if any(fact.body.get("inputs") == inputs for fact in snapshot.under(f"{release}blocked.render-")):
        return "not yet"
    bundle = snapshot.facts.get(f"{release}bundle/{environment.name}/{inputs}")
    if bundle is None:
        collector.add(
            RenderBundle(
                environment=environment.name, commit=entry.commit, manifests_commit=commit, images=images, inputs=inputs
            )
        )
        return "goes"
    if entry.by != "request":
        # Freeze windows stop what automation appended; an order passes.
        windows = [until for freeze in environment.freeze if (until := frozen_until(freeze, now))]
        if windows:
            until = max(windows)
            collector.wait(
                f"the freeze window to end at {until:%Y-%m-%d %H:%M} UTC",
                environment=environment.name,
                n=entry.n,
                until=until,
            )
            return "frozen"
    if not make_way(environment, entry.n, rollouts, snapshot, collector):
        return "goes"
    collector.add(
        TriggerRollout(
            environment=environment.name,
            n=entry.n,
            attempt=0,
            epoch=1,
            commit=entry.commit,
            bundle=bundle.body["bundle"],
            parts=tuple(bundle.body["parts"]),
            namespace=environment.namespace,
            pipeline=(environment.pipeline_application, environment.pipeline),
            search=False,
        )
    )
    return "goes"


def bundle_inputs(registered: Registered, environment: Environment, entry: LogEntry, images: dict[str, str]) -> str:
    """The hash of all that goes into a bundle: equal inputs give equal bytes."""
    manifests = registered.application.manifests_of(environment)
    repository = manifests.repository or registered.application.repository
    return names.digest_of_json(
        {
            "renderer": RENDERER,
            "application": registered.application.name,
            "environment": environment.name,
            "namespace": environment.namespace,
            "commit": entry.commit,
            "manifests": [
                repository.address,
                entry.manifests_commit or entry.commit,
                dict(manifests.paths(environment.name)),
            ],
            "images": images,
        }
    )


def _announce(snapshot: Snapshot, collector: Collector) -> None:
    for name in sorted(snapshot.facts):
        fact = snapshot.facts[name]
        kind = _ANNOUNCED.get(str(fact.body.get("kind"))) if not fact.name.startswith("parked/") else None
        if kind is not None and names.announced(name) not in snapshot.facts:
            collector.add(Announce(type=kind, fact=fact))
            if fact.name.startswith("release/"):
                collector.keep(commits=frozenset({fact.body["commit"]}))
