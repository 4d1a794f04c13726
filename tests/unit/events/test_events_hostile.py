"""No parser raises anything but Refused, whatever arrives; and no reason quotes what arrived."""

import copy
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.cli.events_command import explain
from downwind.errors import Refused, Unauthorized
from downwind.events.describe import to_json
from downwind.events.envelope import read_message
from downwind.events.sources import PARSERS
from downwind.events.webhook import ReceiveSecrets, receive
from downwind.model.event import Event, Ignored, Message

CORPUS = Path(__file__).parents[2] / "events"
SOURCES = sorted(PARSERS)
GITHUB = {"source": "github", "event": "push", "delivery": "d"}
BUILD = {"buildId": "b-1", "status": "SUCCESS"}
PAYLOADS = sorted((source, path.name) for source in (*SOURCES, "webhook") for path in (CORPUS / source).glob("*.json"))
WRONG: tuple[Any, ...] = (None, True, 0, -1.5, "", "x\x00y", "../..", [], [[]], [None], {}, {"": {}}, "x" * 5000)

_KEYS = st.sampled_from(
    ["message", "data", "attributes", "messageId", "specversion", "type", "source", "id", "name", "refUpdateEvent",
     "refUpdates", "ref", "before", "after", "repository", "clone_url", "action", "digest", "tag", "verb", "application",
     "environment", "commit", "images", "results", "substitutions", "status", "context", "details", "content"]
)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | _KEYS, inner, max_size=6),
    max_leaves=20,
)
_ATTRIBUTES = st.sampled_from([{}, GITHUB, BUILD, {"ce-id": "1", "ce-source": "/s"}]) | st.dictionaries(
    st.text(), st.text()
)


def read_all(data: bytes, attributes: dict[str, str]) -> None:
    """Every parser on this message, and what it found as plain JSON; only Refused may come out."""
    for source in SOURCES:
        try:
            found = PARSERS[source](Message(id="1", data=data, attributes=attributes))
        except Refused:
            continue
        assert check(found)


def check(found: tuple[Event, ...] | Ignored) -> bool:
    """What an event promises whoever sent it: text that can be stored, and names without surprises."""
    if isinstance(found, Ignored):
        return found.reason.isprintable()
    for event in found:
        shown = to_json(event)
        json.dumps(shown, ensure_ascii=False).encode()
        for key in ("ref", "repository", "application", "environment", "status", "id"):
            text = shown.get(key)
            assert text is None or (text and "\n" not in text and "\x00" not in text)
        assert ".." not in (shown.get("ref") or "")
    return bool(found)


@given(st.binary(max_size=300), _ATTRIBUTES)
def test_random_bytes(data: bytes, attributes: dict[str, str]) -> None:
    read_all(data, attributes)
    with suppress(Refused):
        read_message(attributes, data)


@given(_JSON, _ATTRIBUTES)
def test_random_json(document: Any, attributes: dict[str, str]) -> None:
    data = json.dumps(document).encode()
    read_all(data, attributes)
    for headers in ({}, {"content-type": "application/cloudevents+json"}, {"x-goog-pubsub-message-id": "1"}):
        with suppress(Refused):
            read_message(headers, data)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)), st.binary(max_size=50))
def test_random_webhooks_are_never_proved(headers: dict[str, str], body: bytes) -> None:
    for more in ({}, {"X-GitHub-Event": "push"}, {"X-SPINNAKER-EXECUTION-ID": "1"}):
        with pytest.raises(Unauthorized):
            receive(headers | more, body, ReceiveSecrets(github=(b"s" * 32,), spinnaker=(b"t" * 32,)))


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for step, inner in steps:
        yield from places(inner, (*path, step))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    found = copy.deepcopy(document)
    inner = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


@pytest.mark.parametrize(("source", "name"), PAYLOADS)
def test_a_wrong_value_at_any_place_of_a_real_payload(source: str, name: str) -> None:
    raw = (CORPUS / source / name).read_bytes()
    try:
        document = json.loads(raw)
    except ValueError:
        assert explain(source, {"X-GitHub-Event": "push", "X-GitHub-Delivery": "d"}, raw)["refused"]
        return
    attributes = GITHUB if name.startswith("github-") else {}
    tries = [
        (path, WRONG[(number + turn) % len(WRONG)])
        for number, path in enumerate(places(document))
        for turn in (0, 5, 9)
    ]
    for path, value in tries:
        data = json.dumps(changed(document, path, value)).encode()
        parser = PARSERS["push" if source == "webhook" else source]
        for given_attributes in (attributes, BUILD):
            try:
                assert check(parser(Message(id="1", data=data, attributes=given_attributes)))
            except Refused as error:
                assert len(error.reason) < 300
                assert "x" * 50 not in error.reason
        with suppress(Refused):
            read_message({}, data)


@pytest.mark.parametrize(("source", "name"), PAYLOADS)
def test_a_cut_or_damaged_real_payload(source: str, name: str) -> None:
    raw = (CORPUS / source / name).read_bytes()
    chance = random.Random(name)  # the same damage in every run
    for _ in range(30):
        damaged = bytearray(raw)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        data = bytes(damaged[: chance.randrange(len(damaged))] if chance.random() < 0.3 else damaged)
        read_all(data, GITHUB if source == "webhook" else {})
        answer = explain(source, {"X-GitHub-Event": "push", "X-GitHub-Delivery": "d"}, data)
        assert len(answer.keys() & {"facts", "ignored", "refused"}) == 1


@pytest.mark.parametrize("data", [b"[" * 200_000, b'{"message":' * 100_000, b'{"a":' * 65 + b"1" + b"}" * 65])
def test_deep_nesting(data: bytes) -> None:
    read_all(data, {})
    with pytest.raises(Refused, match="deeper"):
        read_message({}, data)


@pytest.mark.parametrize("source", SOURCES)
def test_no_reason_quotes_the_message(source: str) -> None:
    """A canary in every value of every payload of the source never shows in a refusal."""
    for path in sorted((CORPUS / source).glob("*.json")):
        document = json.loads(path.read_bytes())
        for place in places(document):
            data = json.dumps(changed(document, place, "canary\n")).encode()
            answer = explain(source, {}, data)
            assert "canary" not in str({key: answer.get(key) for key in ("refused", "ignored", "field", "fix")})
