"""`downwind events read`: what a message means to us, offline, by the parsers that the functions use."""

import json
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import click

from downwind.errors import Refused
from downwind.events import fields
from downwind.events.describe import to_json
from downwind.events.envelope import PUBLISHED, read_message
from downwind.events.limits import PUBSUB_LIMIT, WEBHOOK_LIMIT, load_json
from downwind.events.sources import PARSERS
from downwind.events.webhook import unproved
from downwind.model.event import Event, Ignored, Message

_ENVELOPES = ("x-goog-pubsub-", "ce-")


@click.group("events")
def events_group() -> None:
    """Messages from outside, and what they mean to us."""


@events_group.command("read")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--source",
    type=click.Choice(["push", "webhook", "build", "image", "request", "execution"]),
    required=True,
    help="Whose message it is: the topic it came from, or webhook for what is posted to `receive`.",
)
@click.option(
    "--headers",
    "headers_file",
    type=click.File("rb"),
    help="The HTTP headers it came with: `Name: value` lines, or a JSON object.",
)
@click.option("-o", "--output", type=click.Choice(["json", "yaml", "table"]), default="table", show_default=True)
@click.pass_context
def read_command(
    context: click.Context, file: BinaryIO, source: str, headers_file: BinaryIO | None, output: str
) -> None:
    """Say what the message in FILE means: its facts, or why it is ignored or refused.

    FILE is the message's data as the sender wrote it, or a whole push body in any form that Pub/Sub sends; - reads
    standard input. Nothing is sent anywhere. The signature of a webhook and the token of a push are NOT checked here:
    that needs the secrets, and the deployed functions do it.

    Exit code: 0 facts or ignored, 1 refused, 2 wrong usage.

    \b
    Examples:
      downwind events read notification.json --source build -o json
      gcloud pubsub subscriptions pull SUBSCRIPTION --format='value(message.data)' | base64 -d |
        downwind events read - --source image
      downwind events read delivery.json --source webhook --headers headers.txt
    """
    headers = {} if headers_file is None else _headers(_content(headers_file, "--headers"))
    answer = explain(source, headers, _content(file, "FILE"))
    _print(answer, output)
    context.exit(1 if "refused" in answer else 0)


def explain(source: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """`{"facts": […]}`, `{"ignored": REASON}` or `{"refused": REASON}` with `field` and `fix` where they are known."""
    try:
        found = _webhook(headers, body) if source == "webhook" else PARSERS[source](_message(headers, body))
    except Refused as error:
        known = {"field": error.field, "fix": error.fix}
        return {"refused": error.reason, **{key: text for key, text in known.items() if text}}
    if isinstance(found, Ignored):
        return {"ignored": found.reason}
    return {"facts": [to_json(event) for event in found]}


def _webhook(headers: Mapping[str, str], body: bytes) -> tuple[Event, ...] | Ignored:
    if not headers:
        raise Refused(
            "the headers say which event a webhook is", field="--headers", fix="save them and add --headers FILE"
        )
    sent = unproved(headers, body)
    if isinstance(sent, Ignored):
        return sent
    parser = PARSERS["push" if sent.topic == "repo-pushes" else "execution"]
    return parser(Message(id="offline", data=sent.data, attributes=sent.attributes))


def _message(headers: Mapping[str, str], body: bytes) -> Message:
    """The message in a wire form, or else the body as its data and the headers as its attributes."""
    if any(name.lower().startswith(_ENVELOPES) for name in headers) or _is_envelope(body):
        return read_message(headers, body)
    return Message(id="offline", data=body, attributes={name.strip(): text for name, text in headers.items()})


def _is_envelope(body: bytes) -> bool:
    """A push body, a structured CloudEvent around one, or the form of 1st gen functions."""
    try:
        document = fields.obj(load_json(body, limit=PUBSUB_LIMIT), "the body")
    except Refused:
        return False
    if isinstance(document.get("message"), dict) or "subscription" in document or document.get("type") == PUBLISHED:
        return True
    data = document.get("data")
    return isinstance(data, dict) and ("message" in data or "@type" in data)


def _content(file: BinaryIO, name: str) -> bytes:
    """At most one byte more than the largest limit, so that what is too large is known to be."""
    try:
        return file.read(PUBSUB_LIMIT + 1)
    except OSError as error:
        raise click.BadParameter(f"cannot be read: {error.strerror}", param_hint=name) from None


def _headers(raw: bytes) -> dict[str, str]:
    """`Name: value` lines as a browser or curl shows them (a status line is skipped), or one JSON object of texts."""
    try:
        if raw.lstrip().startswith(b"{"):
            found = fields.obj(load_json(raw, limit=WEBHOOK_LIMIT), "the headers")
            return {name: fields.required(text, "a header", limit=65536) for name, text in found.items()}
        text = raw.decode("utf-8-sig")
    except (Refused, UnicodeDecodeError):
        raise click.BadParameter(
            "neither `Name: value` lines nor a JSON object of texts", param_hint="--headers"
        ) from None
    lines = [line.partition(":") for line in text.splitlines() if line.strip() and not line.startswith("HTTP/")]
    return {name.strip(): value.strip() for name, colon, value in lines if colon}


def _print(answer: Mapping[str, Any], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(answer, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(dict(answer), sort_keys=False), nl=False)
    else:
        encoding = sys.stdout.encoding
        for line in _table(answer):
            shown = "".join(char if char.isprintable() else "?" for char in line)
            click.echo(shown.encode(encoding, "backslashreplace").decode(encoding))


def _table(answer: Mapping[str, Any]) -> list[str]:
    if "facts" not in answer:
        return [f"{key.upper():<12}{text}" for key, text in answer.items()]
    lines: list[str] = []
    for fact in answer["facts"]:
        lines += [""] if lines else []
        for key, value in fact.items():
            for text in _texts(value):
                lines.append(f"{key.upper():<12}{text}")
    return lines


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)] or ["-"]
    if isinstance(value, dict):
        tag = f":{value['tag']}" if value["tag"] else ""
        digest = f"@{value['digest']}" if value["digest"] else ""
        return [f"{value['name']}{tag}{digest}"]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return ["-" if value is None else str(value).replace("\n", " ")]
