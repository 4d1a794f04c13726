"""Who sent a webhook: proof first, then size, then parser; and what goes on to which topic."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from downwind.errors import Refused, Unauthorized
from downwind.events.execution import parse as parse_execution
from downwind.events.limits import WEBHOOK_LIMIT
from downwind.events.webhook import (
    Outgoing,
    ReceiveSecrets,
    by_headers,
    receive,
    unproved,
    verify_bearer,
    verify_github,
)
from downwind.model.event import Execution, Ignored, Message

OLD, NEW = b"an old secret of 32 bytes or more", b"a new secret of 32 bytes or more"
SECRETS = ReceiveSecrets(github=(NEW, OLD), spinnaker=(b"echo-new", b"echo-old"))
BODY = b'{"ref": "refs/heads/main"}'
EXECUTION = "01M83J1SM4V2W5AKJS9955A2MC"
ECHO = {"Authorization": "Bearer echo-new", "X-SPINNAKER-EXECUTION-ID": EXECUTION}


def sign(body: bytes, secret: bytes = NEW) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def github(body: bytes = BODY, **more: str) -> dict[str, str]:
    found = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "d-1", "X-Hub-Signature-256": sign(body)}
    return found | {"Content-Type": "application/json"} | {key.replace("_", "-"): text for key, text in more.items()}


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_either_of_two_secrets_proves_github(secret: bytes) -> None:
    verify_github({"x-hub-signature-256": sign(BODY, secret)}, BODY, (NEW, OLD))


BAD_SIGNATURES = {
    "no header": {},
    "empty": {"X-Hub-Signature-256": ""},
    "of another body": {"X-Hub-Signature-256": sign(BODY + b" ")},
    "of another secret": {"X-Hub-Signature-256": sign(BODY, b"guess")},
    "of the empty secret": {"X-Hub-Signature-256": sign(BODY, b"")},
    "sha1 prefix": {"X-Hub-Signature-256": sign(BODY).replace("sha256", "sha1")},
    "sha1 header only": {"X-Hub-Signature": "sha1=" + hmac.new(NEW, BODY, "sha1").hexdigest()},
    "sha256 in the sha1 header": {"X-Hub-Signature": sign(BODY)},
    "no prefix": {"X-Hub-Signature-256": sign(BODY)[7:]},
    "prefix in capitals": {"X-Hub-Signature-256": sign(BODY).replace("sha256", "SHA256")},
    "digits in capitals": {"X-Hub-Signature-256": "sha256=" + sign(BODY)[7:].upper()},
    "one digit short": {"X-Hub-Signature-256": sign(BODY)[:-1]},
    "one digit more": {"X-Hub-Signature-256": sign(BODY) + "0"},
    "one bit flipped": {"X-Hub-Signature-256": sign(BODY)[:-1] + ("0" if sign(BODY)[-1] != "0" else "1")},
    "two signatures": {"X-Hub-Signature-256": f"{sign(BODY)}, {sign(BODY)}"},
    "a new line at the end": {"X-Hub-Signature-256": sign(BODY) + "\n"},
    "spaces around": {"X-Hub-Signature-256": f" {sign(BODY)} "},
    "beyond ASCII": {"X-Hub-Signature-256": "sha256=" + "é" * 64},
    "arabic digits": {"X-Hub-Signature-256": "sha256=" + "٣" * 64},
    "base64": {"X-Hub-Signature-256": "sha256=" + "A" * 43 + "="},
}


@pytest.mark.parametrize("name", BAD_SIGNATURES)
def test_a_bad_signature_is_unauthorized(name: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        verify_github(BAD_SIGNATURES[name], BODY, (NEW, OLD))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("secrets", [(), (b"",), (b"", b"")])
def test_without_a_secret_nothing_is_proved(secrets: tuple[bytes, ...]) -> None:
    with pytest.raises(Unauthorized):
        verify_github({"X-Hub-Signature-256": sign(BODY, b"")}, BODY, secrets)
    with pytest.raises(Unauthorized):
        verify_bearer({"Authorization": "Bearer "}, secrets)


@pytest.mark.parametrize("secret", ["echo-new", "echo-old"])
def test_either_of_two_bearers_proves_echo(secret: str) -> None:
    verify_bearer({"AUTHORIZATION": f"Bearer {secret}"}, SECRETS.spinnaker)


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Bearer guess", "Bearer echo-new ", "bearer echo-new", "Basic echo-new", "echo-new",
     "Bearer echo-new, Bearer echo-old", "Bearer echo-newecho-old", "Bearer écho", "Bearer \ud800"],
)  # fmt: skip
def test_a_bad_bearer_is_unauthorized(value: str) -> None:
    with pytest.raises(Unauthorized):
        verify_bearer({"Authorization": value}, SECRETS.spinnaker)


def test_a_github_event_goes_on_with_its_raw_body() -> None:
    for event in ("push", "ping", "issues"):
        sent = receive(github(X_GitHub_Event=event), BODY, SECRETS)
        attributes = {"source": "github", "event": event, "delivery": "d-1"}
        assert sent == Outgoing(topic="repo-pushes", data=BODY, attributes=attributes)


def test_headers_come_in_any_case_and_without_content_type() -> None:
    headers = {name.lower(): text for name, text in github().items() if name != "Content-Type"}
    assert isinstance(receive(headers, BODY, SECRETS), Outgoing)
    assert isinstance(receive(headers | {"CONTENT-TYPE": "application/JSON; charset=utf-8"}, BODY, SECRETS), Outgoing)


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (github(Content_Type="application/x-www-form-urlencoded"), BODY, "content type"),
        (github(X_GitHub_Event=""), BODY, "X-GitHub-Event"),
        (github(X_GitHub_Event="a b"), BODY, "x-github-event"),
        (github(X_GitHub_Delivery=""), BODY, "X-GitHub-Delivery"),
        (github(b"x"), b"x", "not JSON"),
        (github(b"[]"), b"[]", "no object|not an object"),
        (github(b" " * (WEBHOOK_LIMIT + 1)), b" " * (WEBHOOK_LIMIT + 1), "more than"),
    ],
)
def test_what_github_proved_but_cannot_be_used_is_refused(headers: dict[str, str], body: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        receive(headers, body, SECRETS)


def test_the_refusal_of_a_form_says_what_to_choose() -> None:
    with pytest.raises(Refused) as caught:
        receive(github(Content_Type="application/x-www-form-urlencoded"), BODY, SECRETS)
    assert "application/json" in (caught.value.fix or "")


@pytest.mark.parametrize("body", [b"x", b" " * (WEBHOOK_LIMIT + 1), b"[" * 1000])
@pytest.mark.parametrize(
    "headers",
    [
        github() | {"X-Hub-Signature-256": sign(b"other"), "Content-Type": "text/plain"},
        {"X-GitHub-Event": "push"},
        {"X-Hub-Signature-256": "sha1=0"},
        {"Authorization": "Bearer guess"},
        {"X-SPINNAKER-EXECUTION-ID": EXECUTION},
        {},
    ],
)
def test_proof_comes_before_size_and_parser(headers: Mapping[str, str], body: bytes) -> None:
    with pytest.raises(Unauthorized):
        receive(headers, body, SECRETS)


def test_of_echo_only_the_executions_id_goes_on_whatever_the_size_of_the_body() -> None:
    for body in (b"", b"not read", b"x" * (WEBHOOK_LIMIT + 1)):
        sent = receive(ECHO, body, SECRETS)
        attributes = {"source": "spinnaker", "execution": EXECUTION}
        assert sent == Outgoing(topic="executions", data=b"", attributes=attributes)
    assert by_headers(ECHO, SECRETS) == sent


def test_what_goes_on_is_what_on_execution_reads() -> None:
    sent = by_headers(ECHO, SECRETS)
    assert isinstance(sent, Outgoing)
    assert parse_execution(Message(id="1", data=sent.data, attributes=sent.attributes)) == (
        Execution(execution=EXECUTION),
    )


def test_headers_do_not_decide_for_github_or_for_echo_without_an_execution() -> None:
    assert by_headers(github(), SECRETS) is None
    assert by_headers({"Authorization": "Bearer echo-new"}, SECRETS) is None


@pytest.mark.parametrize(
    ("content", "execution"),
    [({"executionId": EXECUTION}, EXECUTION), ({"execution": {"id": EXECUTION}}, EXECUTION), ({}, None), (None, None)],
)
def test_without_the_header_the_body_names_the_execution(content: Any, execution: str | None) -> None:
    body = json.dumps({"details": {"type": "orca:pipeline:complete"}, "content": content}).encode()
    sent = receive({"Authorization": "Bearer echo-old"}, body, SECRETS)
    if execution is None:
        assert isinstance(sent, Ignored)
    else:
        assert isinstance(sent, Outgoing)
        assert sent.attributes["execution"] == execution


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"details": 7}', b'{"details": {"type": "x"}, "content": 7}'])
def test_a_body_that_is_not_echos_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        receive({"Authorization": "Bearer echo-new"}, body, SECRETS)


@pytest.mark.parametrize("execution", ["", "../x", "a b", "x" * 65, "é"])
def test_an_odd_execution_id_is_refused(execution: str) -> None:
    with pytest.raises(Refused):
        receive(ECHO | {"X-SPINNAKER-EXECUTION-ID": execution}, b"", SECRETS)
    with pytest.raises(Refused):
        parse_execution(Message(id="1", data=b"", attributes={"source": "spinnaker", "execution": execution}))


def test_offline_nothing_is_proved_and_the_rest_is_the_same() -> None:
    assert unproved(github() | {"X-Hub-Signature-256": ""}, BODY) == receive(github(), BODY, SECRETS)
    assert unproved({"X-SPINNAKER-EXECUTION-ID": EXECUTION}, b"") == receive(ECHO, b"", SECRETS)


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(SECRETS)


RECORDED = Path(__file__).parents[2] / "contract/gate/recorded"
EVENTS = sorted(path.stem for path in RECORDED.glob("*echo-*.json"))


def forms(event: dict[str, Any]) -> list[bytes]:
    """As Echo sends one: plain, wrapped, wrapped into a field of another name, flattened, and both."""
    flat = {**event, **{key: json.dumps(event[key]) for key in ("details", "content")}}
    wrapped = [
        {"eventName": "spinnaker_events", field: each} for field in ("payload", "event") for each in (event, flat)
    ]
    return [json.dumps(each).encode() for each in (event, flat, *wrapped)]


@pytest.mark.parametrize("name", EVENTS)
def test_a_recorded_event_names_its_execution_in_every_form_with_the_header_and_without(name: str) -> None:
    request = json.loads((RECORDED / f"{name}.json").read_text())["request"]
    content = request["body"]["content"]
    wanted = content.get("executionId") or content.get("execution", {}).get("id")
    headers = {"Authorization": "Bearer echo-new"}
    for body in forms(request["body"]):
        sent = receive(headers, body, SECRETS)
        if wanted is None:
            assert isinstance(sent, Ignored)
        else:
            assert isinstance(sent, Outgoing)
            assert (sent.topic, sent.data, sent.attributes["execution"]) == ("executions", b"", wanted)
    told = {
        key: value for key, value in request.get("headers", {}).items() if key.lower() == "x-spinnaker-execution-id"
    }
    if told:
        assert by_headers(headers | told, SECRETS) == receive(headers, forms(request["body"])[0], SECRETS)


@pytest.mark.parametrize(
    "body", [b'{"payload": {"details": 7}}', b'{"a": {"details": {}}, "b": {"details": {}}}', b'{"details": "[]"}']
)
def test_what_is_no_event_in_any_form_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        receive({"Authorization": "Bearer echo-new"}, body, SECRETS)
