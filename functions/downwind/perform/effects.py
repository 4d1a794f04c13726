"""One step: its calls, and its result as facts in the snapshot. A fact that another worker wrote first makes us read again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from downwind.errors import DownwindError, Refused
from downwind.model.catalog import Environment, Registered
from downwind.perform import (
    announce,
    build_effects,
    bundles,
    compare,
    ledger,
    markers,
    notify,
    observe,
    order_effects,
    verification,
)
from downwind.perform.moment import Moment, drop_if_late
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import NewFact, Snapshot
from downwind.reconcile.log import RELEASES
from downwind.reconcile.observed import started_body
from downwind.reconcile.orders import stopped_meanwhile
from downwind.reconcile.rollouts import Rollout, read_rollouts
from downwind.reconcile.steps import (
    Announce,
    Append,
    CancelRollout,
    Compare,
    FindBuilds,
    Judge,
    Notify,
    Observe,
    Record,
    RenderBundle,
    ResolveImage,
    SearchRollout,
    StartBuild,
    Step,
    TriggerRollout,
    Verify,
)
from downwind.reconcile.stops import frozen
from downwind.reconcile.wanted import LOG_LIMIT, Query

SEARCH_BACK = timedelta(minutes=10)
"""How far before the claim a search for its execution begins: two clocks are compared."""


class Effects:
    """Performs steps for one application; `snapshot` grows by what they record."""

    def __init__(self, world: World, registered: Registered, snapshot: Snapshot, moment: Moment | None = None) -> None:
        """`moment`: when this worker began with what it is about. Without one it only asks, and writes nothing."""
        self.began = world.monotonic() if moment is None else moment.began
        self.world = world
        self.registered = registered
        self.snapshot = snapshot
        self._moment = moment
        self._marked = set(snapshot.hints.commits)
        self.doubtful: frozenset[str] = frozenset()
        """Commits of releases of which a fact may have been written that nobody has announced."""
        self._documents: dict[str, dict[str, bytes]] = {}

    def record(self, steps: Sequence[Record]) -> None:
        """One call for all."""
        self._create(*(step.fact for step in steps))

    def perform(self, step: Step) -> None:
        """Any other step."""
        match step:
            case Append():
                self._append(step)
            case Compare():
                compare.compare(self.world, self.registered, self.snapshot, step)
            case Verify():
                order_effects.verify(self.world, self.registered, self.snapshot, step)
            case Judge():
                order_effects.judge(self.world, self.registered, self.snapshot, step)
            case StartBuild():
                blocked = build_effects.start(self.world, self.registered, self.snapshot, step)
                self._create(*([blocked] if blocked else []))
            case FindBuilds():
                build_effects.find(self.world, self.registered, self.snapshot, step)
            case ResolveImage():
                build_effects.resolve(self.world, self.registered, self.snapshot, step)
            case RenderBundle():
                self._render(step)
            case TriggerRollout():
                self._trigger(step)
            case SearchRollout():
                self._search(step)
            case CancelRollout():
                self._cancel(step)
            case Notify():
                notify.deliver(self.world, self.registered, step, self._create, partial(drop_if_late, self.world))
            case Observe():
                observe.observe(self.world, self.snapshot, step.execution)

    def announce(self, steps: Sequence[Announce]) -> None:
        """Publish first, then say so: a repeat has the same id, so receivers drop it."""
        self._create(*announce.publish_all(self.world.publisher, steps))

    def _create(self, *facts: NewFact) -> list[bool]:
        releases = markers.announced_releases(facts)
        for commit in sorted(releases - self._marked):
            # So that somebody looks at that release again if this worker dies before it has announced the fact.
            self.world.work.create(markers.of_release(self.registered.application.name, commit, self._now()))
            self._marked.add(commit)
        try:
            return ledger.record(self.world.ledger, self.snapshot, *facts)
        except DownwindError:
            self.doubtful |= releases
            raise

    def _now(self) -> datetime:
        assert self._moment is not None, "whoever has no moment writes nothing"
        return self._moment.now(self.world)

    def _append(self, step: Append) -> None:
        entry = order_effects.entry_of(self.world, step)
        self._create(entry)
        if entry.body.get("verb") not in RELEASES:
            # What an order is about may have been claimed since it was read.
            self.snapshot.forget(names.rollouts(self.registered.application.name, step.environment))

    def _render(self, step: RenderBundle) -> None:
        environment = self._environment(step.environment)
        release = names.release(self.registered.application.name, step.commit)
        about = {
            "application": self.registered.application.name,
            "environment": environment.name,
            "commit": step.commit,
            "inputs": step.inputs,
        }
        try:
            verification.check(self.world, self.registered, step)
            made = bundles.render(self.world, self.registered, environment, step)
        except Refused as error:
            name = f"{release}blocked.render-{environment.name}-{step.inputs[:16]}"
            reason = f"{error.reason}; {error.fix}" if error.fix else error.reason
            what = "blocked by policy" if error.field == "policy" else "manifests"
            self._create(NewFact(name=name, body={**about, "kind": "blocked", "reason": f"{what}: {reason}"[:1500]}))
            return
        content = made.bundle.digest
        self._documents[content] = made.documents
        fact = {**about, "kind": "bundle", "bundle": content, "parts": [*made.documents], "images": dict(step.images)}
        self._create(NewFact(name=f"{release}bundle/{environment.name}/{step.inputs}", body={**fact, **made.about}))

    def _trigger(self, step: TriggerRollout) -> None:
        """Look where an outcome is unknown; claim and stamp; then one post to Gate. Looking is free, a claim is for ever."""
        application, environment = self.registered.application.name, step.environment
        drop_if_late(self.world, self.began)
        began = self.world.monotonic()
        documents = self._documents.get(step.bundle) or bundles.read(
            self.world, application, environment, step.bundle, step.parts
        )
        if step.search and step.claimed is not None and self._find(step, step.pipeline[0], step.claimed):
            return
        rollout = names.rollout(application, environment, step.n)
        claim = NewFact(
            name=f"{rollout}claim.{step.attempt}.{step.epoch}",
            body={
                "kind": "claim",
                "application": application,
                "environment": environment,
                "n": step.n,
                "attempt": step.attempt,
                "epoch": step.epoch,
                "commit": step.commit,
                "bundle": step.bundle,
                "parts": list(step.parts),
                "namespace": step.namespace,
                "pipeline": list(step.pipeline),
                "inputs": step.inputs,
                "by": step.by,
            },
        )
        claimed, artifacts = self.world.side_by_side(
            [
                lambda: self._create(claim)[0],
                lambda: self._stamp(step, documents),
            ]
        )
        if not claimed:
            return
        try:
            if isinstance(artifacts, Refused):
                raise artifacts
            config, stopped = self.world.side_by_side(
                [
                    lambda: self.world.pipelines.config(*step.pipeline),
                    lambda: self._stopped(step.environment, step.n, step.by),
                ]
            )
            if stopped or self._frozen(step, claim.name):
                return
            if config is None:
                raise Refused(
                    f"Spinnaker has no pipeline {step.pipeline[1]!r} in application {step.pipeline[0]!r}",
                    fix="downwind pipelines save FILE, then order a deploy",
                )
            correlation = names.correlation(application, environment, step.n, step.attempt)
            trigger = bundles.trigger_of(config, application, environment, step, correlation, artifacts)
            drop_if_late(self.world, began)
            execution = self.world.pipelines.start(config, trigger)
        except Refused as error:
            body = {
                "kind": "outcome",
                "application": application,
                "environment": environment,
                "n": step.n,
                "commit": step.commit,
                "attempt": step.attempt,
                "status": "failed",
                "reason": f"refused: {error.reason}"[:1500],
                "execution": None,
            }
            leaf = self._rollout(step).outcome_leaf
            self._create(NewFact(name=rollout + leaf, body=body))
            return
        claims = {(step.attempt, step.epoch): self.snapshot.facts[claim.name]}
        body = started_body(application, environment, Rollout(n=step.n, claims=claims), step.attempt, execution)
        pointer = f"{names.execution_pointer(execution)}{application}/{environment}/{step.n}"
        self._create(
            NewFact(name=f"{rollout}started.{step.attempt}.{execution}", body=body),
            NewFact(name=pointer, body={"kind": "pointer"}),
        )

    def _stopped(self, name: str, n: int, by: str) -> bool:
        """Reads once more what a hold or a cancel of this entry would have been written to."""
        environment = self._environment(name)
        log = names.log(self.registered.application.name, environment.name)
        queries = [Query(prefix=log, limit=LOG_LIMIT), Query(prefix=names.ALL_HOLDS, limit=1)]
        for facts, _ in ledger.load(self.world.ledger, queries):
            self.snapshot.add(facts)
        return stopped_meanwhile(self.registered, environment, n, by, self.snapshot)

    def _frozen(self, step: TriggerRollout, claim: str) -> bool:
        """Had a freeze window opened when the claim came to stand? What was started before goes on, with its next attempts."""
        environment, created = self._environment(step.environment), self.snapshot.facts[claim].created
        return step.attempt == 0 and frozen(environment, step.by, created) is not None

    def _rollout(self, step: TriggerRollout) -> Rollout:
        environment = self._environment(step.environment)
        return read_rollouts(self.registered.application, environment, self.snapshot)[step.n]

    def _search(self, step: SearchRollout) -> None:
        self._find(step, step.application, step.claimed)
        self.snapshot.searched.add((step.environment, step.n, step.attempt))

    def _find(self, step: TriggerRollout | SearchRollout, application: str, claimed: datetime) -> bool:
        """Executions that an attempt has started in that application of Spinnaker, whoever heard of it, into the snapshot."""
        own = self.registered.application.name
        correlation = names.correlation(own, step.environment, step.n, step.attempt)
        found = self.world.pipelines.search(application, correlation, claimed - SEARCH_BACK)
        self.snapshot.executions.update({execution.id: execution for execution in found})
        return bool(found)

    def _stamp(self, step: TriggerRollout, documents: Mapping[str, bytes]) -> Sequence[Mapping[str, Any]] | Refused:
        """A refusal is given back, so that it ends the attempt that was claimed at the same time."""
        try:
            return bundles.stamp_all(self.world, self.registered.application.name, step, documents)
        except Refused as error:
            return error

    def _cancel(self, step: CancelRollout) -> None:
        """Why first, then the call: the end of the run is judged by the reason that stands. Way for a newer one is made only
        while that may go itself: as with a start, whoever holds sees either the reason, or that nothing comes of it."""
        prefix = names.rollout(self.registered.application.name, step.environment, step.n)
        body = {
            "kind": "cancel",
            "n": step.n,
            "attempt": step.attempt,
            "execution": step.execution,
            "reason": step.reason,
            "status": step.status,
        }
        self._create(NewFact(name=f"{prefix}cancel.{step.attempt}", body=body))
        if step.newer is not None and self._stopped(step.environment, *step.newer):
            return
        self.world.pipelines.cancel(step.execution, step.reason)
        self.snapshot.cancelled.add(step.execution)

    def _environment(self, name: str) -> Environment:
        environment = self.registered.application.environment(name)
        if environment is None:
            raise Refused(f"{self.registered.application.name} has no environment {name} any more")
        return environment
