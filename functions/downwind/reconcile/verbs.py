"""What each verb of an order comes to where it is given, as things stand now: an entry, a step, or why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused
from downwind.model.catalog import Environment, Registered
from downwind.reconcile import names
from downwind.reconcile.admit import newest_success, promotion_body
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.failures import rollback_body
from downwind.reconcile.log import LogEntry, read_log, standing_hold
from downwind.reconcile.rollouts import Rollout, good_before, good_ones, live_rollout, read_rollouts
from downwind.reconcile.steps import Judge, Verify

Body = Mapping[str, Any]
Verdict = dict[str, object] | Judge | Verify | str
"""The body of an entry, a step that is due, or why the order is refused."""
JUDGMENTS = {"approve": "continue", "reject": "stop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an order is to be carried out, as it stands now."""

    registered: Registered
    environment: Environment
    snapshot: Snapshot

    @property
    def log(self) -> tuple[LogEntry, ...]:
        return read_log(self.registered.application, self.environment, self.snapshot)

    @property
    def rollouts(self) -> dict[int, Rollout]:
        return read_rollouts(self.registered.application, self.environment, self.snapshot)

    @property
    def claimed(self) -> int:
        return max((number for number, rollout in self.rollouts.items() if rollout.claims), default=0)

    def entry(self, number: int) -> LogEntry | None:
        return next((entry for entry in self.log if entry.n == number), None)

    def says(self, number: int) -> str:
        return f"{self.environment.name} {number}"


def verdict_on(place: Place, body: Body, prefix: str) -> Verdict:
    """`prefix`: where the order's facts stand."""
    return _VERBS[body["verb"]](place, body, prefix)


def meaning_of(place: Place, body: Body) -> dict[str, Any]:
    """What the order leaves open, filled in. Refused: it means nothing now."""
    return _RESOLVED.get(body["verb"], _nothing)(place, body)


def _nothing(_place: Place, _body: Body) -> dict[str, Any]:
    return {}


# Releases.


def _deploy(_place: Place, body: Body, _prefix: str) -> Verdict:
    return {"commit": body["commit"], "build": body.get("build"), "images": body.get("images") or None}


def _promote(place: Place, body: Body, _prefix: str) -> Verdict:
    application, environment = place.registered.application, place.environment
    upstream = application.environment(environment.after or "")
    source = newest_success(application, upstream, place.snapshot, body.get("commit")) if upstream else None
    if upstream is None or source is None:
        where = f"in {upstream.name}" if upstream else "since nothing feeds this environment"
        return f"nothing to promote: no rollout of {body.get('commit') or 'any commit'} has succeeded {where}"
    promoted = place.log[0].promoted if place.log else 0
    if source.n < promoted:
        return f"{upstream.name} {source.n} is older than {promoted}, which was promoted already; use rollback"
    return promotion_body(upstream, source)


# Rollback, hold, resume.


def _rollback_to(place: Place, body: Body) -> dict[str, Any]:
    if body.get("target") is not None:
        return {}
    if body.get("commit") is not None:
        good = next((each for each in good_ones(place.rollouts) if each.claim.body["commit"] == body["commit"]), None)
        if good is None:
            raise Refused(
                f"no rollout of {body['commit']} has succeeded in {place.environment.name}, as far back as is looked",
                fix="name its sequence",
            )
        return {"target": good.n}
    live = live_rollout(place.rollouts, place.snapshot.executions)
    if live is None:
        raise Refused(f"nothing has been rolled out to {place.environment.name} yet")
    good = next(good_before(place.rollouts, live), None)
    if good is None:
        raise Refused(
            f"{place.environment.name} has no earlier success with other manifests than {live.n} has, as far back as is looked",
            fix="name one by its sequence",
        )
    return {"target": good.n}


def _rollback(place: Place, body: Body, _prefix: str) -> Verdict:
    good = place.rollouts.get(body["target"])
    if good is None or not good.claims:
        return f"{place.says(body['target'])} was never rolled out"
    if not good.succeeded:
        state = good.outcome["status"] if good.outcome else "still on its way"
        return f"{place.says(good.n)} is {state}; only a success can be rolled back to"
    if good.bundle not in place.snapshot.verified:
        return Verify(environment=place.environment.name, bundle=good.bundle)
    gone = place.snapshot.verified[good.bundle]
    if gone is not None:
        return f"{place.says(good.n)} can't come back: {gone}"
    return rollback_body(good)


def _hold(_place: Place, _body: Body, _prefix: str) -> Verdict:
    return {}


def _resume(place: Place, _body: Body, _prefix: str) -> Verdict:
    if place.log and place.log[0].hold is not None:
        return {}
    over_all = standing_hold(place.registered.application, place.environment, place.snapshot)
    if over_all is not None:
        return f"everything is held, by {over_all.who}, not {place.environment.name} alone; downwind resume --all ends that"
    return f"nothing holds {place.environment.name}"


# Runs.


def _cancelled(place: Place, body: Body) -> dict[str, Any]:
    if body.get("target") is not None:
        return {}
    running = [n for n, rollout in place.rollouts.items() if rollout.claims and rollout.outcome is None]
    if len(running) != 1:
        what = f"{', '.join(map(str, sorted(running)))} run" if running else "nothing runs"
        raise Refused(f"{what} in {place.environment.name}", fix="name the entry to cancel by its sequence")
    return {"target": running[0]}


def _cancel(place: Place, body: Body, _prefix: str) -> Verdict:
    number = body["target"]
    entry, rollout = place.entry(number), place.rollouts.get(number)
    if rollout is not None and rollout.outcome is not None:
        return f"{place.says(number)} has ended already: {rollout.outcome['status']}"
    if rollout is not None and rollout.ordered_cancel is not None:
        return f"{place.says(number)} is being cancelled already"
    if (rollout is None or not rollout.claims) and (entry is None or not (entry.release or entry.rollback)):
        return f"{place.environment.name} has no entry {number} that could be cancelled"
    if (rollout is None or not rollout.claims) and number < place.claimed:
        return f"{place.says(number)} will never go: {place.claimed} went first"
    return {"target": number, "commit": entry.commit if entry else rollout.claim.body["commit"] if rollout else None}


def _newest(place: Place) -> int:
    return max((place.log[0].newest_release, place.log[0].newest_rollback)) if place.log else 0


def _retried(place: Place, body: Body) -> dict[str, Any]:
    return {} if body.get("target") is not None else {"target": _newest(place)}


def _retry(place: Place, body: Body, _prefix: str) -> Verdict:
    number, newest = body["target"], _newest(place)
    if not newest:
        return f"nothing has been rolled out to {place.environment.name} yet"
    if number != newest:
        return f"{place.says(number)} is not the newest: {newest} is; deploy or roll back to what is older"
    rollout = place.rollouts.get(number)
    if rollout is None or not rollout.claims:
        return f"{place.says(number)} was not tried yet: `downwind status` says what it waits for"
    if rollout.outcome is None:
        return f"{place.says(number)} is still on its way; cancel it first"
    if rollout.succeeded:
        return f"{place.says(number)} has succeeded; deploy its commit to roll it out once more"
    return {"target": number, "attempt": rollout.attempt + 1, "commit": rollout.claim.body["commit"]}


# Judgments.


def _waiting(place: Place, body: Body) -> dict[str, Any]:
    if body.get("stage") is not None:
        return {}
    waiting = [
        (number, execution)
        for number, rollout in place.rollouts.items()
        for run in rollout.runs
        if (execution := place.snapshot.executions.get(run.execution)) is not None
        and execution.judgment is not None
        and body.get("target") in (None, number)
    ]
    if len(waiting) != 1:
        numbers = ", ".join(str(number) for number, _ in sorted(waiting, key=lambda each: each[0]))
        what = f"{numbers} wait for a judgment" if waiting else "nothing waits for a judgment"
        raise Refused(
            f"{what} in {place.environment.name}", fix="name one by its sequence" if waiting else "downwind status"
        )
    ((number, execution),) = waiting
    return {"target": number, "execution": execution.id, "stage": execution.judgment}


def _judge(place: Place, body: Body, prefix: str) -> Verdict:
    name = names.judgment(place.registered.application.name, place.environment.name, body["target"], body["stage"])
    answered = place.snapshot.facts.get(name)
    if answered is not None and answered.body["request"] != body["id"]:
        return f"{answered.body['who']} has answered this judgment already: {answered.body['decision']}"
    return Judge(
        environment=place.environment.name,
        n=body["target"],
        execution=body["execution"],
        stage=body["stage"],
        decision=JUDGMENTS[body["verb"]],
        order=prefix,
        who=body["who"],
        why=body.get("why"),
    )


_VERBS: dict[str, Callable[[Place, Body, str], Verdict]] = {
    "deploy": _deploy,
    "promote": _promote,
    "rollback": _rollback,
    "hold": _hold,
    "resume": _resume,
    "cancel": _cancel,
    "retry": _retry,
    "approve": _judge,
    "reject": _judge,
}
_RESOLVED: dict[str, Callable[[Place, Body], dict[str, Any]]] = {
    "rollback": _rollback_to,
    "cancel": _cancelled,
    "retry": _retried,
    "approve": _waiting,
    "reject": _waiting,
}
