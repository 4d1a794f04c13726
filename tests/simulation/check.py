"""What must hold at the end of a history, held against what really happened outside: git, Cloud Build, the cluster."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation.check_notices import notices
from tests.simulation.check_orders import orders
from tests.simulation.outside import Letter
from tests.simulation.recorded import START, START_SECONDS, claimed_of, facts, log_of, outcomes_of
from tests.simulation.shop import MALFORMED
from tests.simulation.spinnaker import Applied

from downwind.model.execution import FINISHED, read_execution
from downwind.perform import look
from downwind.reconcile import names
from downwind.reconcile.facts import Snapshot, decode_body
from downwind.reconcile.steps import FindBuilds, Observe, Record, RenderBundle, ResolveImage, SearchRollout

if TYPE_CHECKING:
    from tests.simulation.history import History

KINDS = ("double", "backward", "lost", "stuck", "parked_wrongly", "forbidden", "error")
Found = tuple[str, str]


def violations(history: "History") -> list[Found]:
    found = [("error", f"{name}: {type(error).__name__}: {error}") for name, error in history.scheduler.errors]
    found += [("lost", f"message {each} was acknowledged before it was recorded") for each in history.unrecorded]
    found += [("stuck", f"still due two ticks after the last fault: {each}") for each in history.unsettled]
    found += [("stuck", each) for each in sorted(history.unheard)]
    found += _cluster(history)
    found += _parked(history)
    found += _requests(history)
    for application in history.kind.applications():
        logs = {environment: log_of(history, application, environment) for environment in history.kind.environments}
        found += _order(history, application, logs["staging"])
        for environment, log in logs.items():
            found += _environment(history, application, environment, log)
        if "production" in logs:
            found += _promoted(history, application, logs)
    found += _open(history)
    found += _announced(history)
    found += orders(history)
    found += notices(history)
    return found


def _cluster(history: "History") -> Iterator[Found]:
    """At most one rollout per sequence, never backwards: as the cluster saw it."""
    holders: dict[tuple[str, str, int], str] = {}
    highest: dict[tuple[str, str], int] = {}
    for each in history.spinnaker.applied:
        where = (each.application, each.environment)
        key = (*where, each.sequence)
        holder = holders.setdefault(key, each.execution)
        if holder != each.execution and not _retried(history, each):
            yield "double", f"{'/'.join(where)} {each.sequence} was rolled out by two executions"
        if each.sequence < highest.get(where, 0):
            yield "backward", f"{'/'.join(where)} {each.sequence} was rolled out after {highest[where]}"
        highest[where] = max(each.sequence, highest.get(where, 0))


def _retried(history: "History", applied: Applied) -> bool:
    """An operator has ordered that number once more."""
    log = log_of(history, applied.application, applied.environment)
    orders = [entry for entry in log if entry.get("verb") == "retry" and entry["target"] == applied.sequence]
    return any(applied.attempt >= entry["attempt"] for entry in orders)


def _order(history: "History", application: str, log: list[dict[str, Any]]) -> Iterator[Found]:
    """Entries of one ref follow the ref: each is a state that the ref had, later than the one before it."""
    at: dict[str, int] = {}
    for entry in log:
        if entry["by"] != "push":
            continue
        ref = entry["ref"]
        states = [move for move in history.outside.moves if move.ref == ref]
        past = [
            index
            for index, move in enumerate(states)
            if move.object == entry["object"] and move.at <= entry["created"] and index > at.get(ref, -1)
        ]
        if not past:
            yield "backward", f"{application} entry {entry['n']} brings {ref} back to {entry['commit'][:7]}"
            return
        # The earliest that fits: the benefit of the doubt for commits that came twice.
        at[ref] = past[0]


def _environment(history: "History", application: str, environment: str, log: list[dict[str, Any]]) -> Iterator[Found]:
    """In the end the newest: of what was pushed, of what was built, of what was ordered."""
    where = f"{application}/{environment}"
    numbers = [entry["n"] for entry in log]
    if numbers != list(range(1, len(log) + 1)):
        yield "lost", f"{where} has entries {numbers}"
    if environment == "staging":
        for ref in _unadmitted(history, log):
            yield "lost", f"{where}: the tip of {ref} is not its newest entry"
    cancelled = {entry["target"] for entry in log if entry.get("verb") == "cancel"}
    goes = [
        entry
        for entry in log
        if entry.get("verb") == "rollback" or (_brings(entry) and entry["commit"] in history.outside.built)
    ]
    if not goes or goes[-1]["n"] in cancelled:
        return
    newest = goes[-1]
    # A resume passes over whatever is older than the newest release of its moment.
    passed = max((entry["newest_release"] for entry in log if entry.get("verb") == "resume"), default=0)
    if newest["n"] < passed:
        return
    outcomes = outcomes_of(history, application, environment)
    outcome = outcomes.get(newest["n"])
    if outcome is None:
        yield "lost", f"{where} {newest['n']} is the newest that is complete, and has no outcome"
        return
    yield from _truth(history, application, environment, newest["n"], outcome)
    for number in claimed_of(history, application, environment) - outcomes.keys():
        yield "stuck", f"{where} {number} was claimed and has no outcome"


def _brings(entry: dict[str, Any]) -> bool:
    return entry.get("verb", "release") in {"release", "deploy", "promote"}


def unadmitted(history: "History") -> bool:
    """Is there a tip that is not in the log?"""
    return any(_unadmitted(history, log_of(history, each, "staging")) for each in history.kind.applications())


def _unadmitted(history: "History", log: list[dict[str, Any]]) -> list[str]:
    newest = {entry["ref"]: entry["object"] for entry in log if entry.get("ref")}
    tips = {ref: history.outside.tip(ref) for ref in history.kind.refs}
    return [ref for ref, tip in tips.items() if tip is not None and newest.get(ref) != tip]


def _truth(
    history: "History", application: str, environment: str, number: int, outcome: dict[str, Any]
) -> Iterator[Found]:
    """The newest may fail for what really went wrong in Spinnaker, and for nothing else."""
    where = f"{application}/{environment} {number}"
    runs = [read_execution(each) for each in history.spinnaker.executions.values()]
    mine = [
        run
        for run in runs
        if (run.downwind_application, run.downwind_environment, run.sequence) == (application, environment, number)
    ]
    status = outcome["status"]
    if status == "succeeded":
        if not any(run.deployed for run in mine):
            yield "lost", f"{where} is said to have succeeded, and no run deployed"
    elif any(run.deployed for run in mine):
        yield "lost", f"{where} was deployed and is said to have {status}: {outcome['reason']}"
    elif not mine:
        yield "lost", f"{where} {status} and was never started: {outcome['reason']}"
    elif status == "superseded":
        yield "lost", f"{where} is the newest and superseded: {outcome['reason']}"
    elif not any(_went_wrong(run) for run in mine):
        yield "lost", f"{where} {status} for no cause in Spinnaker: {outcome['reason']}"


def _went_wrong(run: Any) -> bool:
    """A person stopped it, or it died for good; a refused fence alone is no cause."""
    return bool(run.stopped or run.deploying or (run.status == "TERMINAL" and run.fence == "passed"))


def _promoted(history: "History", application: str, logs: dict[str, list[dict[str, Any]]]) -> Iterator[Found]:
    """The newest success upstream was taken, but nothing that upstream was rolled back from, and no rollback."""
    outcomes = outcomes_of(history, application, "staging")
    rolled_back = max((entry["n"] for entry in logs["staging"] if entry.get("verb") == "rollback"), default=0)
    good = [
        entry["n"]
        for entry in logs["staging"]
        if _brings(entry) and entry["n"] > rolled_back and outcomes.get(entry["n"], {}).get("status") == "succeeded"
    ]
    taken = [entry["upstream_sequence"] for entry in logs["production"] if entry["by"] == "promotion"]
    if taken != sorted(set(taken)):
        yield "backward", f"{application}/production promoted {taken}"
    if good and max(good) not in taken:
        yield "lost", f"{application}/production never took staging {max(good)}"


def _parked(history: "History") -> Iterator[Found]:
    """Only what nobody can make sense of, and what Pub/Sub gave up."""
    for each in history.stores["ledger"].peek("parked/"):
        body = decode_body(each.name, each.data or b"")
        if body.get("topic") == "dead-letters" or "announced." in each.name or body["kind"] != "parked":
            continue
        raw = history.stores["ledger"].peek(f"event/{each.name.split('/')[1].split('.')[0]}/raw")[0]
        if raw.data != MALFORMED:
            yield "parked_wrongly", f"message {body['message']} of {body['topic']}: {body['reason']}"


def _announced(history: "History") -> Iterator[Found]:
    """Whatever is announced was, at least once, and says so only then."""
    told = {each.attributes.get("ce-id") for each in history.publisher.published if each.topic == "deliveries"}
    ledger = history.stores["ledger"]
    for each in [*ledger.peek("release/"), *ledger.peek("environment/"), *ledger.peek("event/")]:
        folder, _, leaf = each.name.rpartition("/")
        if "/notice/" in folder:
            continue  # `notices` looks at those
        if leaf.startswith("parked.") and history.marker_lost:
            continue  # found in its own minute of the hour
        if leaf.startswith(("completed", "blocked.", "started.", "outcome", "parked.")) and each.name not in told:
            yield "lost", f"{folder[-12:]}/{leaf} was never announced"


def _requests(history: "History") -> Iterator[Found]:
    """Every order that was recorded became an entry, once."""
    ledger = history.stores["ledger"]
    for letter in history.pubsub.letters:
        if letter.kind != "request" or letter.message.id in history.malformed:
            continue
        if not ledger.peek(letter.event + "recorded"):
            yield "lost", f"request {letter.message.id} was never recorded"
            continue
        body = json.loads(letter.message.data)
        log = log_of(history, body["application"], body["environment"])
        entries = [entry["n"] for entry in log if entry.get("request") == body["id"]]
        if len(entries) != 1:
            yield "double" if entries else "lost", f"request {body['id']} became entries {entries}"


def _open(history: "History") -> Iterator[Found]:
    for each in history.stores["work"].peek("open/"):
        yield "stuck", f"marker {each.name} {each.metadata.get('hints', '')} is still open"


def due_now(history: "History") -> list[str]:
    """What the rules would have done on the last tick with what is recorded; nobody else is asked. A held entry's
    bundle may be there for one revision and not for the other."""
    found = []
    last_tick = START + timedelta(seconds=history.scheduler.now // 60 * 60)
    for registered in history.registered:
        seen = look.View(registered=registered, snapshot=Snapshot())
        look.load(history.world, seen)
        found += [
            f"{registered.application.name}: {type(step).__name__} {step.fact.name if isinstance(step, Record) else ''}"
            for step in look.decide(history.world, seen, last_tick).steps
            if not isinstance(step, Observe | SearchRollout | ResolveImage | FindBuilds)
            and not (isinstance(step, RenderBundle) and history.two_revisions)
        ]
    return found


def unheard(history: "History", calm: float) -> set[str]:
    """Started executions that have ended, and of which the ledger says nothing although the next look-up is past. `calm`: the
    second since which nothing goes wrong. A rollout that has its outcome waits for no spare run of it."""
    timing = history.world.timing
    found: set[str] = set()
    if history.scheduler.now - calm <= timing.look_every + 2 * timing.tick:
        return found
    for application in history.kind.applications():
        for environment in history.kind.environments:
            bodies = facts(history, names.rollouts(application, environment))
            known = {body["execution"] for body in bodies if body["kind"] == "ended"}
            decided = {(body["n"], body["attempt"]) for body in bodies if body["kind"] == "outcome"}
            for body in bodies:
                document = history.spinnaker.executions.get(str(body.get("execution")), {})
                waits = body["kind"] == "started" and body["execution"] not in known
                if waits and document.get("status") in FINISHED and (body["n"], body["attempt"]) not in decided:
                    ended = document["endTime"] / 1000 - START_SECONDS - history.skew
                    since = max(calm, body["created"], ended)
                    if history.scheduler.now - since > timing.look_every + 2 * timing.tick:
                        found.add(f"execution {body['execution']} ended at {ended:.0f}, and nobody has looked")
    return found


def is_recorded(history: "History", letter: Letter) -> bool:
    """Recorded, ignored or parked stands beside the event before the acknowledgement."""
    if letter.kind == "execution":
        return True
    standing = {each.name.removeprefix(letter.event) for each in history.stores["ledger"].peek(letter.event)}
    return bool(standing & {"recorded", "ignored", "parked.0"})
