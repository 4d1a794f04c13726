"""The attempts of one entry: what was claimed, started and ended, and what their ends mean (design.md section 4, Outcome)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from downwind.model.catalog import Application, Environment
from downwind.model.execution import Execution
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Snapshot

ATTEMPTS = 3
PURGED = "newer queued execution supercede"
"""Orca's own spelling, in the reason of a run that it purged from its queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of one attempt. `end` is the body of its `ended` fact."""

    execution: str
    attempt: int
    started: datetime
    end: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    n: int
    claims: Mapping[tuple[int, int], Fact] = field(default_factory=dict)
    """(attempt, epoch) to the claim"""
    runs: tuple[Run, ...] = ()
    cancels: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """attempt to the body of the fact that we asked Gate to cancel it"""
    ordered_cancel: Mapping[str, Any] | None = None
    """the operator's order that ends it"""
    retry: int = 0
    """the first attempt of the newest retry; its outcome has a name of its own"""
    outcome: Mapping[str, Any] | None = None
    settled_at: datetime | None = None
    """when the outcome was written down"""

    @property
    def outcome_leaf(self) -> str:
        return f"outcome.{self.retry}" if self.retry else "outcome"

    @property
    def attempt(self) -> int:
        return max(attempt for attempt, _ in self.claims)

    @property
    def claim(self) -> Fact:
        """The newest claim of the newest attempt."""
        return self.claims[max(self.claims)]

    @property
    def first(self) -> Fact:
        """The very first claim, of whichever attempt."""
        return self.claims[min(self.claims)]

    @property
    def bundle(self) -> str:
        return str(self.claim.body["bundle"])

    @property
    def succeeded(self) -> bool:
        return self.outcome is not None and self.outcome["status"] == "succeeded"

    @property
    def first_claim(self) -> Fact:
        return self.claims[min(key for key in self.claims if key[0] == self.attempt)]

    def runs_of(self, attempt: int) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.attempt == attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """succeeded | failed | cancelled | superseded"""

    status: str
    reason: str
    execution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Spinnaker itself ended the run before it deployed anything: the next attempt goes."""

    reason: str


def read_rollouts(application: Application, environment: Environment, snapshot: Snapshot) -> dict[int, Rollout]:
    """Every rollout that was listed whole, by number. Where the list was cut, the last one may be half: it is left out. Only the
    newest never is: `wanted` asks for a list of its own."""
    prefix = names.rollouts(application.name, environment.name)
    cut = bool(snapshot.loaded.get(prefix))
    return snapshot.remember(f"{prefix} cut: {cut}", prefix, lambda: _grouped(prefix, snapshot, cut=cut))


def _grouped(prefix: str, snapshot: Snapshot, *, cut: bool) -> dict[int, Rollout]:
    grouped: dict[int, list[Fact]] = {}
    for fact in snapshot.under(prefix):
        number = names.HIGHEST - int(fact.name.removeprefix(prefix).split("/")[0])
        grouped.setdefault(number, []).append(fact)
    listed = [number for number in grouped if f"{prefix}{names.down(number)}/" not in snapshot.loaded]
    if cut and listed and min(listed) != max(grouped):
        del grouped[min(listed)]
    return {number: _read(number, facts) for number, facts in grouped.items()}


def _read(number: int, facts: list[Fact]) -> Rollout:
    by_kind: dict[str, list[Fact]] = {}
    for fact in facts:
        by_kind.setdefault(str(fact.body.get("kind")), []).append(fact)
    retried = max((fact.body["entry"] for fact in by_kind.get("retry-order", [])), default=0)
    retry = max((fact.body["attempt"] for fact in by_kind.get("retry-order", [])), default=0)
    cancels = [fact.body for fact in by_kind.get("cancel-order", []) if fact.body["entry"] > retried]
    outcome = next((fact for fact in by_kind.get("outcome", []) if fact.body["attempt"] >= retry), None)
    ends = {fact.body["execution"]: fact.body for fact in by_kind.get("ended", [])}
    return Rollout(
        n=number,
        claims={(fact.body["attempt"], fact.body["epoch"]): fact for fact in by_kind.get("claim", [])},
        runs=tuple(
            Run(
                execution=fact.body["execution"],
                attempt=fact.body["attempt"],
                started=fact.created,
                end=ends.get(fact.body["execution"]),
            )
            for fact in by_kind.get("started", [])
        ),
        cancels={fact.body["attempt"]: fact.body for fact in by_kind.get("cancel", [])},
        ordered_cancel=cancels[0] if cancels else None,
        retry=retry,
        outcome=outcome.body if outcome else None,
        settled_at=outcome.created if outcome else None,
    )


def end_of(execution: Execution) -> dict[str, Any]:
    """What of a finished execution is worth recording."""
    return {
        "execution": execution.id,
        "attempt": execution.attempt,
        "status": execution.status,
        "fence": execution.fence,
        "fence_message": execution.fence_message,
        "precondition_failed": execution.precondition_failed,
        "deploying": execution.deploying,
        "deployed": execution.deployed,
        "judged": execution.judged,
        "stopped": execution.stopped,
        "canceled_by": execution.canceled_by,
        "reason": execution.reason,
        "message": execution.message,
        "began": execution.started is not None,
    }


def spare_only(rollout: Rollout) -> bool:
    """Has the fence refused a run of the newest attempt, and let none by that we know?"""
    fences = {(run.end or {}).get("fence") for run in rollout.runs_of(rollout.attempt)}
    return "refused" in fences and "passed" not in fences


def decide(rollout: Rollout, *, newer_claimed: bool) -> Outcome | Again:
    """What the ended runs of the newest attempt mean. To be asked only when each of them has ended.

    The run that passed the fence decides. Where none did, one that forbids a repeat is enough, whatever the others say.
    """
    runs = rollout.runs_of(rollout.attempt)
    cancel = rollout.cancels.get(rollout.attempt)
    found = [(run, _judge(run.end or {}, cancel, newer_claimed=newer_claimed)) for run in runs]
    passed = [(run, judged) for run, judged in found if run.end and run.end["fence"] == "passed"]
    final = [(run, judged) for run, judged in found if isinstance(judged, Outcome)]
    deciding, outcome = (passed or final or found)[0]
    if isinstance(outcome, Outcome):
        return Outcome(status=outcome.status, reason=outcome.reason, execution=deciding.execution)
    if rollout.ordered_cancel is not None:
        return Outcome(status="cancelled", reason=rollout.ordered_cancel["reason"], execution=deciding.execution)
    if rollout.attempt + 1 >= ATTEMPTS:
        reason = f"{outcome.reason}; {ATTEMPTS} attempts were made"
        return Outcome(status="failed", reason=reason, execution=deciding.execution)
    return outcome


def failed_deploying(rollout: Rollout) -> bool:
    """Did it fail in a deploying stage? Only then on_failure acts."""
    outcome = rollout.outcome
    if outcome is None or outcome["status"] != "failed":
        return False
    return any(run.execution == outcome["execution"] and (run.end or {}).get("deploying") for run in rollout.runs)


def live_rollout(rollouts: Mapping[int, Rollout], executions: Mapping[str, Execution]) -> Rollout | None:
    """The newest that has changed what is live, whether or not it did so to the end."""
    touched = [rollout for rollout in rollouts.values() if rollout.claims and _has_touched(rollout, executions)]
    return max(touched, key=lambda rollout: rollout.n, default=None)


def _has_touched(rollout: Rollout, executions: Mapping[str, Execution]) -> bool:
    if rollout.succeeded:
        return True
    ended = any((run.end or {}).get("deploying") for run in rollout.runs)
    return ended or any(run.execution in executions and executions[run.execution].deploying for run in rollout.runs)


def good_before(rollouts: Mapping[int, Rollout], live: Rollout) -> Iterator[Rollout]:
    """Successes before `live` with another bundle, newest first: what one may roll back to."""
    return (each for each in good_ones(rollouts) if each.n < live.n and each.bundle != live.bundle)


def good_ones(rollouts: Mapping[int, Rollout]) -> Iterator[Rollout]:
    """Successes, newest first."""
    for number in sorted(rollouts, reverse=True):
        if rollouts[number].claims and rollouts[number].succeeded:
            yield rollouts[number]


def _judge(end: Mapping[str, Any], cancel: Mapping[str, Any] | None, *, newer_claimed: bool) -> Outcome | Again:
    message = end.get("message") or end.get("reason") or f"the execution ended {end.get('status')}"
    if end.get("deployed"):
        return Outcome(status="succeeded", reason="every deploying stage succeeded")
    if end.get("status") == "CANCELED":
        if PURGED in (end.get("reason") or "") and not end.get("deploying"):
            if newer_claimed:
                return Outcome(status="superseded", reason="Spinnaker started a newer one instead")
            return Again(reason="Spinnaker purged the run from its queue")
        if cancel is not None:
            return Outcome(status=cancel.get("status") or "superseded", reason=cancel["reason"])
        if end.get("deploying"):
            return Outcome(
                status="cancelled", reason=f"{end.get('canceled_by')} cancelled it after it had begun to deploy"
            )
        return Outcome(status="cancelled", reason=f"{end.get('canceled_by')} cancelled it: {end.get('reason')}")
    if end.get("deploying"):
        return Outcome(status="failed", reason=message)
    if end.get("stopped"):
        return Outcome(status="cancelled", reason="the manual judgment said stop")
    if end.get("fence") == "refused":
        text = end.get("fence_message") or message
        return Outcome(status="superseded" if newer_claimed else "failed", reason=f"the fence refused it: {text}")
    if end.get("precondition_failed"):
        return Outcome(status="failed", reason=f"a precondition refused it: {message}")
    if not end.get("began") and not newer_claimed:
        return Again(reason=f"Spinnaker could not start the run: {message}")
    if end.get("status") == "SUCCEEDED":
        return Outcome(status="failed", reason="the execution succeeded, but not every deploying stage did")
    return Outcome(status="superseded" if newer_claimed and not end.get("began") else "failed", reason=message)
