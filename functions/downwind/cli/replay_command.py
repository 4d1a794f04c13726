"""`downwind parked replay`: what was parked is handled again, by the tick."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.identity import claimed
from downwind.cli.output import columns, output_option, show
from downwind.errors import Refused
from downwind.perform import parked, replay
from downwind.perform.find import event_facts
from downwind.perform.parked import Parked
from downwind.reconcile import words

_AT_ONCE = 10_000
_PAUSE = 1.0
_LISTS = 50
"""Lists made in a second, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`state`: ordered; with --wait replayed, parked or ordered (not handled in time); with --dry-run what it would come to:
    recorded, ignored, duplicate or parked."""

    asked: Parked
    state: str
    text: str
    applications: Sequence[str] = ()


@click.command("replay")
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@click.option("--all", "everything", is_flag=True, help="All that is parked.")
@click.option("--topic", help="With --all: only what came on this topic (dead-letters for what Pub/Sub gave up).")
@click.option("--dry-run", is_flag=True, help="Say what each would come to now; nothing is written.")
@click.option("--wait", is_flag=True, help="Until the tick has handled them.")
@click.option("--timeout", type=click.IntRange(1), default=300, show_default=True, help="Seconds to --wait.")
@output_option
@pass_session
def replay_command(
    session: Session,
    events: Sequence[str],
    *,
    everything: bool,
    topic: str | None,
    dry_run: bool,
    wait: bool,
    timeout: int,
    output: str,
) -> None:
    """Handle parked messages again, as if they came now: after the catalog or whatever stopped them was put right.

    EVENT is what the list names, or the message's, delivery's or request's id. The next tick handles it with the parsers and
    rules of today, under the same event: what was recorded before is not recorded twice. One that fails again is parked again,
    with the new reason. A dead letter goes to the function of the topic that it came from.

    Exit code: 0; 1 where one was (with --dry-run: would be) parked again; 3 where --wait ended before all were handled.

    \b
    Examples:
      downwind parked replay 3fa9c1d2b7e4 --dry-run
      downwind parked replay 3fa9c1d2b7e4 --wait
      downwind parked replay --all --topic rollout-requests
    """
    if bool(events) == everything or (topic and not everything):
        raise click.UsageError("name events, or give --all (and with it perhaps --topic)")
    chosen = _all(session, topic) if everything else [_parked(session, each) for each in dict.fromkeys(events)]
    answers = [_outlook(session, each) if dry_run else _order(session, each) for each in chosen]
    if wait and not dry_run:
        answers = _follow(session, answers, timeout)

    def table() -> Iterator[str]:
        if not answers:
            yield "nothing is parked"
            return
        rows = [[each.asked.event[:12], each.asked.topic, each.asked.message[:40], each.text] for each in answers]
        yield from columns(["EVENT", "TOPIC", "MESSAGE", "OUTCOME"], rows)

    show({"replays": [_json(each) for each in answers]}, output, table)
    states = {each.state for each in answers}
    click.get_current_context().exit(1 if "parked" in states else 3 if wait and "ordered" in states else 0)


def _all(session: Session, topic: str | None) -> list[Parked]:
    found, more = parked.listed(session.world, _AT_ONCE, topic=topic)
    if more:
        click.echo(f"only the newest {_AT_ONCE}: repeat it for the rest", err=True)
    return found


def _parked(session: Session, word: str) -> Parked:
    """Asked before anything is ordered: all that is named must be parked."""
    found = parked.read(session.world, word)
    if found.replayed is not None:
        raise Refused(f"{word} is not parked any more: {found.replayed}", fix="downwind parked list")
    return found


def _outlook(session: Session, asked: Parked) -> Answer:
    found = replay.waiting(session.world, f"event/{asked.event}/")
    if found is None:
        return Answer(asked=asked, state="duplicate", text="it was replayed a moment ago")
    reading = replay.outlook(session.world, found)
    meaning = reading.meaning
    reasons = "; ".join(reading.reasons)
    if meaning is None or not meaning.work:
        text = f"would be parked again: {reasons}" if reading.word == "parked" else f"{reading.word}: {reasons}"
        return Answer(asked=asked, state=reading.word, text=text.removesuffix(": "))
    facts = {fact.name: words.of_body(fact.body) for work in meaning.work.values() for fact in work.facts}
    told = [text for text in facts.values() if not text.startswith("a pointer")]
    text = f"would be recorded for {', '.join(sorted(meaning.work))}: {'; '.join(told)}"
    if meaning.unreadable:
        return Answer(asked=asked, state="parked", text=f"{text}; and parked again: {'; '.join(meaning.unreadable)}")
    return Answer(asked=asked, state="recorded", text=text, applications=sorted(meaning.work))


def _order(session: Session, asked: Parked) -> Answer:
    new = replay.order(session.world, f"event/{asked.event}/", asked.number, claimed(session.environment))
    text = "ordered" if new else "had been ordered already"
    return Answer(asked=asked, state="ordered", text=f"{text}; the next tick handles it")


def _follow(session: Session, answers: Sequence[Answer], timeout: int) -> list[Answer]:
    found = list(answers)
    ends = session.now().timestamp() + timeout
    while True:
        open_ = [index for index, each in enumerate(found) if each.state == "ordered"]
        for index, facts in zip(open_, _events(session, [found[index].asked for index in open_]), strict=True):
            found[index] = _outcome(found[index], facts)
        if all(each.state != "ordered" for each in found) or session.now().timestamp() > ends:
            return found
        session.sleep(max(_PAUSE, len(open_) / _LISTS))


def _events(session: Session, asked: Sequence[Parked]) -> list[dict[str, Any]]:
    found = event_facts(session.world, [f"event/{each.event}/" for each in asked])
    return [{fact.name.rpartition("/")[2]: fact for fact in facts} for facts in found]


def _outcome(answer: Answer, facts: dict[str, Any]) -> Answer:
    replayed = facts.get(f"replayed.{answer.asked.number}")
    again = facts.get(f"parked.{answer.asked.number + 1}")
    if replayed is not None:
        applications = replayed.body["applications"]
        return Answer(asked=answer.asked, state="replayed", text=words.of_fact(replayed), applications=applications)
    if again is not None:
        return Answer(asked=answer.asked, state="parked", text=f"parked again: {again.body['reason']}")
    return answer


def _json(answer: Answer) -> dict[str, Any]:
    return {
        "event": answer.asked.event,
        "message": answer.asked.message,
        "topic": answer.asked.topic,
        "state": answer.state,
        "text": answer.text,
        "applications": list(answer.applications),
    }
