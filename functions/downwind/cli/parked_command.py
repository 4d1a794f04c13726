"""`downwind parked`: messages that could not be handled. How they are replayed stands in `replay_command`."""

import base64
from collections.abc import Iterator
from typing import Any

import click

from downwind.cli.context import Session, pass_session
from downwind.cli.output import columns, moment, output_option, show
from downwind.cli.replay_command import replay_command
from downwind.perform import parked

_SHOWN = 4096
"""Bytes of the data in the table;"""
_KEPT = 65536
"""and in JSON and YAML."""
_EVENT = 12


@click.group("parked")
def parked_group() -> None:
    """Messages that could not be handled: recorded with the reason, acknowledged, and announced on deliveries."""


parked_group.add_command(replay_command)


@parked_group.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="Those that were replayed, too.")
@output_option
@pass_session
def list_command(session: Session, limit: int, output: str, *, everything: bool) -> None:
    """List parked messages, newest first. One that was replayed is parked no more.

    \b
    Examples:
      downwind parked list
      downwind parked list --all
      downwind parked list -o json
    """
    found, more = parked.listed(session.world, limit, everything=everything)

    def table() -> Iterator[str]:
        if not found:
            yield "nothing is parked"
            return
        rows = [
            [moment(each.parked), each.event[:_EVENT], each.topic, each.message[:40], each.replayed or each.reason]
            for each in found
        ]
        yield from columns(["PARKED", "EVENT", "TOPIC", "MESSAGE", "REASON"], rows)
        if more:
            yield f"and more than these {limit}: raise --limit"

    show({"parked": [_json(each) for each in found], "more": more}, output, table)


@parked_group.command("show")
@click.argument("event")
@output_option
@pass_session
def show_command(session: Session, event: str, output: str) -> None:
    """Show one parked message: the reason, its attributes and its data.

    EVENT is what the list names, or the message's, delivery's or request's id.

    \b
    Examples:
      downwind parked show 3fa9c1d2b7e4
      downwind parked show 3fa9c1d2b7e4 -o json
    """
    found = parked.read(session.world, event)
    data = found.data or b""

    def table() -> Iterator[str]:
        about = {"EVENT": found.event, "PARKED": moment(found.parked), "REASON": found.reason, "TOPIC": found.topic}
        about |= {"MESSAGE": found.message, "PUBLISHED": found.published}
        about |= {"REPLAYED": found.replayed} if found.replayed else {}
        yield from (f"{name:<11}{text or '-'}" for name, text in about.items())
        for name, text in sorted(found.attributes.items()):
            yield f"{'ATTRIBUTE':<11}{name}: {text}"
        if found.left_out:
            yield f"{'ATTRIBUTE':<11}and {found.left_out} that were too large to keep"
        yield f"{'DATA':<11}{len(data)} bytes{f', the first {_SHOWN}' if len(data) > _SHOWN else ''}"
        yield from (f"  {line}" for line in data[:_SHOWN].decode("utf-8", "replace").splitlines())

    document = {
        **_json(found),
        "published": found.published,
        "attributes": dict(found.attributes),
        "attributes_left_out": found.left_out,
        "bytes": len(data),
        "cut": len(data) > _KEPT,
        **_data(data[:_KEPT]),
        "object": session.uri("ledger", f"event/{found.event}/raw"),
    }
    show(document, output, table)


def _json(found: parked.Parked) -> dict[str, Any]:
    return {
        "event": found.event,
        "parked": moment(found.parked),
        "reason": found.reason,
        "message": found.message,
        "topic": found.topic,
        "number": found.number,
        "replayed": found.replayed,
    }


def _data(data: bytes) -> dict[str, str | None]:
    """As text where it is one; both names always stand."""
    try:
        return {"data": data.decode(), "data_base64": None}
    except UnicodeDecodeError:
        return {"data": None, "data_base64": base64.b64encode(data).decode()}
