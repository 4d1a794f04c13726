"""An operator's order: what it means now, what would follow from it, and carried out. Who may order has been asked before."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from downwind.errors import Refused, TransientError
from downwind.model.catalog import Environment, Registered
from downwind.model.event import Message, Order
from downwind.perform import ledger, record
from downwind.perform.effects import Effects
from downwind.perform.look import View, load, observe_open
from downwind.perform.meaning import ordered_images
from downwind.perform.reading import read
from downwind.perform.world import World
from downwind.reconcile import names, words
from downwind.reconcile.due import next_steps
from downwind.reconcile.facts import Fact, Hints, NewFact, Snapshot
from downwind.reconcile.orders import resolve
from downwind.reconcile.recording import record_request
from downwind.reconcile.steps import Append, Compare, Due, Observe, Record, Step, Verify
from downwind.reconcile.wanted import Query

SOURCE = "operate"
_ROUNDS = 12
_ASKS = Verify | Compare | Observe
"""Steps that only look."""
_REPEATED = ("verb", "commit", "build", "images", "target", "who")
"""What has to be the same where an id comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`state`: would (a dry run), done, or accepted (recorded; the tick goes on with it). `sequence`: the entry that it became,
    or the rollout that was judged. `then`: what follows in the environment, in sentences."""

    request: str
    application: str
    environment: str
    verb: str
    state: str
    sequence: int | None
    says: str
    then: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "then": list(self.then)}


def operate(world: World, registered: Registered, request: Order, now: datetime, *, dry_run: bool) -> Answer:
    """Refused: it means nothing now, and why; nothing is written then. TransientError: it could not be recorded, or Gate has to
    be asked first and does not answer; sending it again with its id does no harm."""
    fact = record_request(request, registered).facts[0]
    prefix = fact.name.removesuffix("order")
    environment = _environment(registered, request)
    standing = _facts(world, prefix).get("order")
    if standing is not None:
        check_repeated(standing.body, fact.body)
        return _answer(world, registered, request, prefix, now)
    ordered_images(world, request)
    found = _look(world, registered, request, fact, now)
    if found.silent and request.target is None and request.verb in {"rollback", "approve", "reject"}:
        raise TransientError(f"Spinnaker did not say what runs, so a sequence has to be named: {found.silent}")
    meant = resolve(registered, environment, fact.body, found.snapshot)
    request = replace(
        request,
        target=meant["target"],
        commit=meant["commit"],
        execution=meant["execution"],
        stage=meant["stage"],
    )
    fact = record_request(request, registered).facts[0]
    found.snapshot.add([Fact(name=fact.name, body=fact.body, created=now)])
    load(world, found)
    would = _preview(world, found, request, prefix, now)
    if dry_run:
        return would
    data = json.dumps({**asdict(request), "images": dict(request.images)}, sort_keys=True).encode()
    message = Message(id=request.id, data=data, attributes={}, topic=SOURCE, published=now.isoformat())
    found_there = record.handle_reading(world, message, read(world, lambda _: (request,), SOURCE, message))
    if found_there.word == "parked":
        raise Refused("; ".join(found_there.reasons))
    return _answer(world, registered, request, prefix, now)


def _environment(registered: Registered, request: Order) -> Environment:
    environment = registered.application.environment(request.environment)
    assert environment is not None  # record_request has refused it otherwise
    return environment


def check_repeated(standing: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Refused: what stands under this id is another order. `why` may differ: what was recorded first stands."""
    if any(standing.get(name) != body.get(name) for name in _REPEATED if body.get(name) is not None):
        raise Refused(
            f"another order has the id {body['id']} already", field="id", fix="give each order an id of its own"
        )


def _facts(world: World, prefix: str) -> dict[str, Fact]:
    """What stands of one order: order, then entry or refused."""
    ((facts, _),) = ledger.load(world.ledger, [Query(prefix=prefix, limit=20)])
    return {fact.name.removeprefix(prefix): fact for fact in facts}


def _look(world: World, registered: Registered, request: Order, fact: NewFact | None, now: datetime) -> View:
    """Everything that a decision about this order reads, with what Spinnaker says of the open runs."""
    commits = frozenset({request.commit}) if request.commit else frozenset[str]()
    requests = frozenset({(request.environment, request.id)}) if fact else frozenset[tuple[str, str]]()
    found = View(registered=registered, snapshot=Snapshot(hints=Hints(commits=commits, requests=requests)))
    if fact is not None:
        found.snapshot.add([Fact(name=fact.name, body=fact.body, created=now)])
    load(world, found)
    observe_open(world, found)
    return found


def _preview(world: World, found: View, request: Order, prefix: str, now: datetime) -> Answer:
    """Plays the decision on in the snapshot alone, as the reconciler would; asks where that only asks."""
    entry: int | None = request.target if request.verb in {"approve", "reject"} else None
    says = words.of_body(found.snapshot.facts[prefix + "order"].body)
    due = Due()
    for due in rounds(world, found, now):
        for step in due.steps:
            if isinstance(step, Record) and step.fact.name == prefix + "refused":
                raise Refused(step.fact.body["reason"])
            if isinstance(step, Append) and step.entry.body.get("request") == request.id:
                entry, says = step.entry.body["n"], words.of_body(step.entry.body)
    return _says(request, "would", entry, says, then(found, request.environment, due))


def rounds(world: World, found: View, now: datetime) -> Iterator[Due]:
    """What is due, and again when what is to be written counts as written; the last one is where it comes to rest."""
    effects = Effects(world, found.registered, found.snapshot)
    tried: list[Step] = []
    for _ in range(_ROUNDS):
        due = next_steps(found.registered, found.snapshot, now, world.timing, tried)
        yield due
        if not _play(effects, due.steps, tried, now):
            break
        load(world, found)


def _play(effects: Effects, steps: Sequence[Step], tried: list[Step], now: datetime) -> bool:
    """What is to be written counts as written; False when nothing was."""
    new = [step for step in steps if step not in tried and isinstance(step, Record | Append | _ASKS)]
    for step in new:
        if isinstance(step, Record):
            effects.snapshot.add([Fact(name=step.fact.name, body=step.fact.body, created=now)])
        elif isinstance(step, Append):
            effects.snapshot.add([Fact(name=step.entry.name, body=step.entry.body, created=now)])
        else:
            effects.perform(step)
    tried += new
    return bool(new)


def then(found: View, environment: str, due: Due) -> tuple[str, ...]:
    """Sentences about one environment, each once."""
    lines = [words.of_step(step) for step in due.steps if _concerns(step, environment)]
    lines += [words.of_wait(wait) for wait in due.waits if wait.environment == environment]
    if found.silent:
        lines.append(f"Spinnaker did not say how open executions are: {found.silent}")
    return tuple(dict.fromkeys(lines))


def _concerns(step: Step, environment: str) -> bool:
    return not isinstance(step, Record | _ASKS) and getattr(step, "environment", None) == environment


def _answer(world: World, registered: Registered, request: Order, prefix: str, now: datetime) -> Answer:
    """How it stands after it was recorded. Refused when it was meanwhile."""
    facts = _facts(world, prefix)
    if "refused" in facts:
        raise Refused(facts["refused"].body["reason"])
    found = _look(world, registered, request, None, now)
    due = next_steps(registered, found.snapshot, now, world.timing)
    follows = then(found, request.environment, due)
    if "entry" not in facts:
        says = "recorded; the next tick goes on with it"
        return _says(request, "accepted", None, says, follows)
    number = int(facts["entry"].body["n"])
    name = names.entry(registered.application.name, request.environment, number)
    entry = found.snapshot.facts.get(name)
    judged = request.verb in {"approve", "reject"}
    says = words.of_body(facts["order"].body if judged or entry is None else entry.body)
    return _says(request, "done", number, says, follows)


def _says(request: Order, state: str, number: int | None, says: str, follows: tuple[str, ...]) -> Answer:
    return Answer(
        request=request.id,
        application=request.application,
        environment=request.environment,
        verb=request.verb,
        state=state,
        sequence=number,
        says=says,
        then=follows,
    )
