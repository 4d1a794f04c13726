"""Requests of other systems: strict, with a fix in each refusal; and the published schema says the same."""

import base64
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from downwind.errors import Refused
from downwind.events.request import FIELDS, parse
from downwind.model.event import Message, Request

COMMIT = "2" * 40
DIGEST = "sha256:" + "a" * 64
DEPLOY = {"id": "7", "verb": "deploy", "application": "shop", "environment": "production", "commit": COMMIT}
PROMOTE = {"id": "8", "verb": "promote", "application": "shop", "environment": "production"}
SCHEMA = json.loads(files("downwind.events").joinpath("schemas/rollout-request.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
Make = Callable[..., Message]


def read(body: Any, **attributes: str) -> Request:
    named = {key.replace("_", "-"): value for key, value in attributes.items()}
    events = parse(Message(id="message-id", data=json.dumps(body).encode(), attributes=named))
    assert isinstance(events, tuple)
    (event,) = events
    assert isinstance(event, Request)
    return event


def refusal(body: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read(body)
    return caught.value


def test_the_schema_is_a_schema_and_its_examples_are_requests() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == set(FIELDS)
    for example in SCHEMA["examples"]:
        assert VALIDATOR.is_valid(example)
        read(example)


def test_a_whole_request_is_read() -> None:
    whole: dict[str, Any] = {
        **DEPLOY,
        "build": "b-1",
        "images": {"h:5000/i": DIGEST},
        "who": "ci",
        "why": "one\n\ttwo",
    }
    assert read(whole) == Request(**whole)
    assert VALIDATOR.is_valid(whole)


@pytest.mark.parametrize("absent", [None, ""])
def test_null_and_empty_text_count_as_absent(absent: str | None) -> None:
    assert read(PROMOTE | dict.fromkeys(("id", "commit", "build", "who", "why"), absent)) == read(
        PROMOTE | {"id": None}
    )


def test_the_id_is_the_requests_own_then_the_cloud_events_then_the_messages() -> None:
    body = {key: value for key, value in DEPLOY.items() if key != "id"}
    event = {"specversion": "1.0", "id": "e", "source": "/s", "type": "t"}
    assert read(body).id == "message-id"
    assert read(body, ce_id="a").id == "a"
    assert read(body, ce_id="a", ce_source="/x").id == "/x a"
    assert read(event | {"data": body}, ce_id="a").id == "/s e"
    assert read(event | {"data": DEPLOY}, ce_id="a").id == "7"
    assert read(DEPLOY, ce_id="a").id == "7"


def test_a_structured_cloud_event_may_hold_its_data_in_base64() -> None:
    data = base64.b64encode(json.dumps(DEPLOY).encode()).decode()
    assert read({"specversion": "1.0", "id": "e", "source": "/s", "data_base64": data}) == read(DEPLOY)


@pytest.mark.parametrize(
    "body", [{"data": None}, {"data": "x"}, {}, {"data_base64": "!"}, {"data_base64": 7}, {"data_base64": "W10="}]
)
def test_a_cloud_event_without_a_request_is_refused(body: dict[str, Any]) -> None:
    assert refusal({"specversion": "1.0", "id": "e", "source": "/s", **body}).reason


@pytest.mark.parametrize("verb", ["rollback", "hold", "resume", "cancel", "retry", "approve", "reject"])
def test_operators_verbs_are_sent_to_their_own_door(verb: str) -> None:
    error = refusal(DEPLOY | {"verb": verb})
    assert (error.field, "operate" in (error.fix or "")) == ("verb", True)


@pytest.mark.parametrize(
    ("change", "field", "fix"),
    [
        ({"verb": "ship"}, "verb", "deploy or promote"),
        ({"verb": None}, "verb", ""),
        ({"verb": 7}, "verb", ""),
        ({"comit": COMMIT}, "comit", "did you mean commit?"),
        ({"zzzzzz": 1}, "zzzzzz", "known fields: id, verb"),
        ({"x\x00" + "y" * 99: 1}, "x?" + "y" * 38, "known fields"),
        ({"application": "Shop"}, "application", "lower case"),
        ({"application": None}, "application", ""),
        ({"application": "-shop"}, "application", "first and last"),
        ({"application": "s" * 64}, "application", "at most 63"),
        ({"environment": "../x"}, "environment", "lower case"),
        ({"environment": "prod\n"}, "environment", ""),
        ({"commit": "2" * 7}, "commit", "git rev-parse"),
        ({"commit": "A" * 40}, "commit", "git rev-parse"),
        ({"commit": None}, "commit", "needs the commit"),
        ({"build": "../b"}, "build", ""),
        ({"images": ["h/i"]}, "images", ""),
        ({"images": {"h/i": "1.0"}}, "images", "no tag"),
        ({"images": {"h/i": 7}}, "images", "no tag"),
        ({"images": {"h/i:1": DIGEST}}, "images", "NAME: sha256"),
        ({"images": {f"h/i@{DIGEST}": DIGEST}}, "images", "NAME: sha256"),
        ({"images": {"h i": DIGEST}}, "images", ""),
        ({"images": {f"h/{n}": DIGEST for n in range(101)}}, "images", ""),
        ({"id": "x" * 257}, "id", ""),
        ({"who": "x" * 257}, "who", ""),
        ({"who": "a\nb"}, "who", ""),
        ({"why": "x" * 2001}, "why", "shorter"),
        ({"why": "a\x1b[31m"}, "why", ""),
        ({"why": ["x"]}, "why", ""),
    ],
)
def test_what_is_wrong_is_refused_by_its_field_with_a_fix(change: dict[str, Any], field: str, fix: str) -> None:
    error = refusal(DEPLOY | change)
    assert error.field == field
    assert fix in (error.fix or "")


def test_promote_takes_neither_build_nor_images() -> None:
    assert refusal(PROMOTE | {"build": "b"}).field == "build"
    assert refusal(PROMOTE | {"images": {"h/i": DIGEST}}).field == "images"
    assert read(PROMOTE | {"commit": COMMIT, "images": {}}).commit == COMMIT


@pytest.mark.parametrize("body", [[], "deploy", None, 7])
def test_what_is_no_object_is_refused(body: Any) -> None:
    assert "no JSON object" in refusal(body).reason


_TEXT = st.text(max_size=12) | st.none() | st.integers() | st.sampled_from(["", "a\nb", "x" * 300])
_BODY = st.fixed_dictionaries(
    {
        "verb": st.sampled_from(["deploy", "promote"]) | _TEXT,
        "application": st.sampled_from(["shop", "Shop"]),
        "environment": st.just("production"),
    },
    optional={
        "commit": st.sampled_from([COMMIT, "2" * 64, "22", None, ""]),
        "id": _TEXT,
        "who": _TEXT,
        "why": _TEXT,
        "build": _TEXT,
        "images": st.none() | st.dictionaries(st.sampled_from(["h/i", "h:5000/i"]), st.sampled_from([DIGEST, "1.0"])),
    },
)


@given(_BODY)
def test_the_schema_and_the_parser_agree(body: dict[str, Any]) -> None:
    try:
        read(body)
    except Refused:
        assert not VALIDATOR.is_valid(body)
    else:
        assert VALIDATOR.is_valid(body)
