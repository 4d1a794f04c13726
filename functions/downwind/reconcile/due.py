"""`next_steps`: everything that is due now for one application, and what the rest waits for. The one place that decides."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from downwind.model.catalog import Environment, Registered
from downwind.reconcile import names, notices
from downwind.reconcile.admit import admit_promotion, admit_tip
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.failures import admit_failure
from downwind.reconcile.follow import follow
from downwind.reconcile.log import Hold, LogEntry, is_stopped, read_log, standing_hold
from downwind.reconcile.make_way import make_way
from downwind.reconcile.orders import admit_order, orders_of_rollouts
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
    Verify,
)
from downwind.reconcile.stops import frozen, wait_for_freeze, wait_for_hold
from downwind.render.engine import ENGINES
from downwind.timing import Timing

First = Append | Compare | Verify
"""What comes first and alone: entries, and what has to be known before one."""
RENDERER = "2"
"""Part of a bundle's inputs: a renderer that writes other bytes is another renderer."""
ANNOUNCED = {
    "completed": "dev.downwind.release.completed.v1",
    "blocked": "dev.downwind.release.blocked.v1",
    "started": "dev.downwind.rollout.started.v1",
    "outcome": "dev.downwind.rollout.ended.v1",
    "parked": "dev.downwind.message.parked.v1",
}
"""Types of the CloudEvents, by the kind of the fact."""


def next_steps(
    registered: Registered, snapshot: Snapshot, now: datetime, timing: Timing, tried: Sequence[Step] = ()
) -> Due:
    """Steps in the order in which they are to be done. Entries come first and alone: what they change is decided afresh.
    An entry that was `tried` in this very call and could not be made stops nothing else."""
    application = registered.application
    beside = Collector()
    for environment in application.environments:
        orders_of_rollouts(registered, environment, snapshot, beside)
    missing = tuple(step for step in beside.steps if _is_missing(step, snapshot))
    if missing:
        # Nothing is decided about a rollout before what was ordered of it stands beside it.
        return Due(steps=missing)
    admitted = Collector()
    for environment in application.environments:
        for ref in sorted(snapshot.hints.refs):
            if environment in application.fed_by(ref):
                admit_tip(registered, environment, ref, snapshot, admitted, now, timing)
        for name, identifier in sorted(snapshot.hints.requests):
            if name == environment.name:
                prefix = names.request(application.name, name, identifier)
                admit_order(registered, environment, prefix, snapshot, admitted)
        admit_failure(registered, environment, snapshot, admitted)
        admit_promotion(registered, environment, snapshot, admitted, now)
    firsts = _one_entry_each([step for step in admitted.steps if isinstance(step, First)])
    if any(step not in tried for step in firsts):
        return Due(steps=firsts, waits=tuple(admitted.waits), open=admitted.open)
    for environment in application.environments:
        _environment(registered, environment, snapshot, now, timing, admitted)
    _announce(snapshot, admitted)
    notices.collect(registered, snapshot, now, timing, admitted)
    records = [step for step in admitted.steps if _is_missing(step, snapshot)]
    others = [step for step in admitted.steps if not isinstance(step, Record | First)]
    return Due(steps=(*records, *firsts, *_newest_start_only(others)), waits=tuple(admitted.waits), open=admitted.open)


def _is_missing(step: Step, snapshot: Snapshot) -> bool:
    return isinstance(step, Record) and step.fact.name not in snapshot.facts


def _newest_start_only(steps: Sequence[Step]) -> list[Step]:
    """Where a newer entry starts, a dead worker's claim of an older one is not taken over, nor does its next attempt go: the
    claim that comes supersedes it."""
    newest: dict[str, int] = {}
    for step in steps:
        if isinstance(step, TriggerRollout):
            newest[step.environment] = max(step.n, newest.get(step.environment, 0))
    return [step for step in steps if not isinstance(step, TriggerRollout) or step.n == newest[step.environment]]


def _one_entry_each(steps: Sequence[First]) -> tuple[First, ...]:
    """Two entries for one environment would take the same number: the second is decided after the first stands."""
    kept: list[First] = []
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
    """What runs goes on; then the newest entry that may go, goes. Older ones are passed over: those below a rollback, and
    those below the newest release that stood there when an operator resumed."""
    application = registered.application
    rollouts = read_rollouts(application, environment, snapshot)
    hold = standing_hold(application, environment, snapshot)
    claimed = max((number for number, rollout in rollouts.items() if rollout.claims), default=0)
    for number in sorted(rollouts):
        if rollouts[number].claims and rollouts[number].outcome is None:
            follow(registered, environment, rollouts[number], rollouts[claimed], hold, snapshot, now, timing, collector)
    stopped = resumed = False
    log = read_log(application, environment, snapshot)
    for entry in log:
        if entry.n <= claimed or entry.n < log[0].newest_rollback:
            break
        resumed = resumed or entry.verb == "resume"
        if not (entry.release or entry.rollback) or (stopped and entry.automatic):
            continue
        verdict = _candidate(registered, environment, entry, rollouts, hold, snapshot, now, timing, collector)
        if verdict == "goes" or resumed:
            break
        stopped = stopped or verdict == "stopped"


def _candidate(
    registered: Registered,
    environment: Environment,
    entry: LogEntry,
    rollouts: dict[int, Rollout],
    hold: Hold | None,
    snapshot: Snapshot,
    now: datetime,
    timing: Timing,
    collector: Collector,
) -> Literal["goes", "stopped", "not yet"]:
    """goes: older ones are superseded by it. stopped: of the older ones only an order may still go. not yet: any older may."""
    about: dict[str, object] = {"environment": environment.name, "n": entry.n}
    rollout = rollouts.get(entry.n)
    if rollout is not None and rollout.outcome is None and rollout.ordered_cancel is not None:
        # Nobody has claimed it, and who does so now reads the log once more before the post.
        reason = rollout.ordered_cancel["reason"]
        application = registered.application.name
        name = names.rollout(application, environment.name, entry.n) + rollout.outcome_leaf
        body = {"application": application, "commit": entry.commit, "attempt": 0, "execution": None, **about}
        collector.record(name, kind="outcome", status="cancelled", reason=reason, **body)
        return "not yet"
    if rollout is not None and rollout.outcome is not None:
        return "not yet"
    bundle = _bundle(registered, environment, entry, snapshot, now, timing, collector)
    if bundle is None or isinstance(bundle, RenderBundle):
        return "goes" if bundle else "not yet"
    if is_stopped(hold, entry.n, entry.by):
        wait_for_hold(hold, collector, about)
        return "stopped"
    until = frozen(environment, entry.by, now)
    if until is not None:
        wait_for_freeze(until, collector, about)
        return "stopped"
    if not make_way(environment, (entry.n, entry.by), rollouts, snapshot, collector):
        return "goes"
    content, parts = bundle
    collector.add(
        TriggerRollout(
            environment=environment.name,
            n=entry.n,
            attempt=0,
            epoch=1,
            commit=entry.commit,
            bundle=content,
            parts=parts,
            namespace=environment.namespace,
            pipeline=(environment.pipeline_application, environment.pipeline),
            search=False,
            by=entry.by,
        )
    )
    return "goes"


def _bundle(
    registered: Registered,
    environment: Environment,
    entry: LogEntry,
    snapshot: Snapshot,
    now: datetime,
    timing: Timing,
    collector: Collector,
) -> tuple[str, tuple[str, ...]] | RenderBundle | None:
    """The content's name and its parts; what has to be rendered (collected); None while the release is not complete."""
    if entry.rollback:
        return str(entry.bundle), entry.parts
    images = images_of(registered, entry, snapshot, now, timing, collector)
    if images is None:
        return None
    inputs = bundle_inputs(registered, environment, entry, dict(images))
    release = names.release(registered.application.name, entry.commit)
    if any(fact.body.get("inputs") == inputs for fact in snapshot.under(f"{release}blocked.render-")):
        return None
    written = snapshot.facts.get(f"{release}bundle/{environment.name}/{inputs}")
    if written is not None:
        return written.body["bundle"], tuple(written.body["parts"])
    render = RenderBundle(
        environment=environment.name,
        commit=entry.commit,
        manifests_commit=entry.manifests_commit or entry.commit,
        images=images,
        inputs=inputs,
    )
    collector.add(render)
    return render


def bundle_inputs(registered: Registered, environment: Environment, entry: LogEntry, images: dict[str, str]) -> str:
    """The hash of all that goes into a bundle: equal inputs give equal bytes."""
    manifests = registered.application.manifests_of(environment)
    repository = manifests.repository or registered.application.repository
    return names.digest_of_json(
        {
            "renderer": [RENDERER, ENGINES],
            "application": registered.application.name,
            "environment": environment.name,
            "namespace": environment.namespace,
            "commit": entry.commit,
            "manifests": [
                repository.address,
                entry.manifests_commit or entry.commit,
                dict(manifests.paths(environment.name)),
                asdict(manifests.options),
            ],
            "images": images,
            "rules": registered.application.rules_of(environment).document(),
            "beside": [[each.name, each.namespace, dict(paths)] for each, paths in neighbours(registered, environment)],
        }
    )


def neighbours(registered: Registered, environment: Environment) -> list[tuple[Environment, Mapping[str, str]]]:
    """The environments of the same cluster whose manifests are of the same commit, so that they can be compared; and their
    paths by part."""
    application = registered.application
    own = application.manifests_of(environment)
    return [
        (each, application.manifests_of(each).paths(each.name))
        for each in application.rivals_of(environment)
        if application.manifests_of(each).repository == own.repository
    ]


def _announce(snapshot: Snapshot, collector: Collector) -> None:
    for name in sorted(snapshot.facts):
        fact = snapshot.facts[name]
        kind = ANNOUNCED.get(str(fact.body.get("kind"))) if not fact.name.startswith("parked/") else None
        if kind is not None and names.announced(name) not in snapshot.facts:
            collector.add(Announce(type=kind, fact=fact))
            if fact.name.startswith("release/"):
                collector.keep(commits=frozenset({fact.body["commit"]}))
