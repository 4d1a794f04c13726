"""Orders become entries, or answers to a judgment; each once, or refused with the reason (design.md section 4, Operators'
orders). `resolve` says what an operator's order means now, before it is written down; `admit_order` carries it out."""

from typing import Any

from downwind.errors import Refused
from downwind.model.catalog import Environment, Registered
from downwind.reconcile import names
from downwind.reconcile.admit import append
from downwind.reconcile.facts import Snapshot
from downwind.reconcile.log import is_stopped, read_log, standing_hold
from downwind.reconcile.steps import Collector, Judge, Verify
from downwind.reconcile.verbs import Body, Place, meaning_of, verdict_on


def admit_order(
    registered: Registered, environment: Environment, prefix: str, snapshot: Snapshot, collector: Collector
) -> None:
    """What is written down under `prefix` becomes an entry once. An order from the topic that never will is parked."""
    order = snapshot.facts.get(prefix + "order")
    if order is None or prefix + "entry" in snapshot.facts:
        return
    body = order.body
    by = body.get("by") or "request"
    if prefix + "refused" in snapshot.facts:
        if by == "request":
            _park(body, snapshot.facts[prefix + "refused"].body["reason"], snapshot, collector)
        return
    collector.keep(requests=frozenset({(environment.name, body["id"])}))
    place = Place(registered=registered, environment=environment, snapshot=snapshot)
    standing = next((entry for entry in place.log if entry.request == body["id"]), None)
    if standing is not None:
        collector.record(prefix + "entry", kind="ordered", environment=environment.name, n=standing.n)
        return
    verdict = verdict_on(place, body, prefix)
    if isinstance(verdict, str):
        collector.record(prefix + "refused", kind="refused", environment=environment.name, reason=verdict)
    elif isinstance(verdict, Judge | Verify):
        collector.add(verdict)
    else:
        who = {"request": body["id"], "who": body.get("who"), "why": body.get("why")}
        append(registered, environment, snapshot, collector, {"verb": body["verb"], **verdict, **who, "by": by})


def resolve(registered: Registered, environment: Environment, body: Body, snapshot: Snapshot) -> dict[str, Any]:
    """An operator's order with what it leaves open filled in from how things stand: whatever happens before it is carried
    out, it means what its sender was told. Refused: it means nothing now, and why."""
    place = Place(registered=registered, environment=environment, snapshot=snapshot)
    found = {**body, **meaning_of(place, body)}
    verdict = verdict_on(place, found, "")
    if isinstance(verdict, str):
        raise Refused(verdict)
    return found


def _park(order: Body, reason: str, snapshot: Snapshot, collector: Collector) -> None:
    """Where people look for messages that came to nothing, and announced as those are. Before it was refused, the message may
    have been parked for something else, and replayed."""
    event = names.event("request", order["id"])
    prefix = f"{event}parked."
    reasons = {int(fact.name.removeprefix(prefix)): fact.body["reason"] for fact in snapshot.under(prefix)}
    number = next((number for number in sorted(reasons) if reasons[number] == reason), len(reasons))
    parked = f"{prefix}{number}"
    if parked not in snapshot.facts or names.announced(parked) not in snapshot.facts:
        collector.keep(requests=frozenset({(order["environment"], order["id"])}))
    raw = snapshot.facts.get(event + "raw")
    message, topic = (raw.body["id"], raw.body["topic"]) if raw else (order["id"], None)
    for name in (parked, names.parked(event, number)):
        collector.record(name, kind="parked", reason=reason, message=message, topic=topic)


def orders_of_rollouts(
    registered: Registered, environment: Environment, snapshot: Snapshot, collector: Collector
) -> None:
    """What the log orders for one rollout, written beside that, where it is found however long the log grows."""
    application = registered.application.name
    for entry in read_log(registered.application, environment, snapshot):
        if entry.verb not in {"cancel", "retry"} or entry.target is None:
            continue
        name = names.rollout_order(application, environment.name, entry.target, entry.verb, entry.n)
        said = f"{entry.verb} ordered by {entry.who}" + (f": {entry.why}" if entry.why else "")
        about = {"environment": environment.name, "n": entry.target, "entry": entry.n, "reason": said}
        collector.record(name, kind=f"{entry.verb}-order", attempt=entry.attempt, **about)


def stopped_meanwhile(registered: Registered, environment: Environment, n: int, by: str, snapshot: Snapshot) -> bool:
    """Was entry n held or cancelled by an order that came while its start, or the way for it, was being made? Asked between claim
    and post, of what stands then: so whoever orders sees either that the start was claimed, or that it never happens."""
    if is_stopped(standing_hold(registered.application, environment, snapshot), n, by):
        return True
    log = read_log(registered.application, environment, snapshot)
    newest = next((entry.verb for entry in log if entry.target == n and entry.verb in {"cancel", "retry"}), None)
    return newest == "cancel"
