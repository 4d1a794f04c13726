"""How the adapter reads answers that are no success, and how long it asks."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError
from werkzeug.wrappers import Request, Response

from downwind.adapters.pubsub import PubsubPublisher
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.local.http import Handler, HttpPart, json_response


class OddPubsub(HttpPart):
    """Gives `answers` in turn, the last one for ever; keeps what was asked."""

    name = "odd"

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Response] = []
        self.asked: list[tuple[str, Any]] = []

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("POST",), "/<path:rest>", self._any)]

    def _any(self, request: Request, rest: str) -> Response:
        self.asked.append((rest, json.loads(request.get_data())))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def odd() -> Iterator[OddPubsub]:
    part = OddPubsub()
    part.start()
    yield part
    part.stop()


@pytest.fixture
def pubsub(odd: OddPubsub) -> Iterator[PubsubPublisher]:
    found = PubsubPublisher("demo", timeout=1, endpoint=odd.url)
    yield found
    found.close()


def _error(code: int) -> Response:
    return json_response({"error": {"code": code, "message": "no", "status": "X"}}, code)


@pytest.mark.parametrize(
    ("code", "published", "pulled"),
    [
        (400, Refused, Refused),
        (401, Misconfigured, Misconfigured),
        (403, Misconfigured, Misconfigured),
        (404, Misconfigured, Misconfigured),
        (409, UnknownOutcome, TransientError),
        (413, Refused, Refused),
        (429, TransientError, TransientError),
        (500, UnknownOutcome, TransientError),
        (503, UnknownOutcome, TransientError),
    ],
)
def test_an_answer_that_is_none_tells_whether_asking_again_helps(
    pubsub: PubsubPublisher,
    odd: OddPubsub,
    code: int,
    published: type[DownwindError],
    pulled: type[DownwindError],
) -> None:
    odd.answers = [_error(code)]
    with pytest.raises(published) as caught:
        pubsub.publish("executions", b"secret", {})
    assert caught.type is published
    assert "secret" not in str(caught.value)
    with pytest.raises(pulled) as caught:
        pubsub.pull("dead-letters", 1)
    assert caught.type is pulled


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(pubsub: PubsubPublisher, odd: OddPubsub, code: int) -> None:
    odd.answers = [_error(code), json_response({"messageIds": ["17"]})]
    assert pubsub.publish("executions", b"\x00\xff", {"a": "b"}) == "17"
    message = {"data": "AP8=", "attributes": {"a": "b"}}
    assert odd.asked == [("v1/projects/demo/topics/executions:publish", {"messages": [message]})] * 2


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b"\xff"])
def test_an_answer_without_an_id_is_an_unknown_outcome(pubsub: PubsubPublisher, odd: OddPubsub, answer: bytes) -> None:
    odd.answers = [Response(answer)]
    with pytest.raises(UnknownOutcome):
        pubsub.publish("executions", b"x", {})


def test_a_redirect_is_not_followed(pubsub: PubsubPublisher, odd: OddPubsub) -> None:
    odd.answers = [Response(status=307, headers={"Location": "/elsewhere"})]
    with pytest.raises(UnknownOutcome):
        pubsub.publish("executions", b"x", {})
    assert len(odd.asked) == 1


class Expired(AnonymousCredentials):
    """A token service that answers `error` whenever a token is asked for."""

    def __init__(self, error: RefreshError) -> None:
        self._error = error

    def before_request(self, *_: Any) -> None:
        raise self._error


@pytest.mark.parametrize(("retryable", "error"), [(True, TransientError), (False, Misconfigured)])
def test_without_a_token_nothing_is_sent(
    odd: OddPubsub, monkeypatch: pytest.MonkeyPatch, retryable: bool, error: type[DownwindError]
) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    refused = RefreshError("no", retryable=retryable)
    monkeypatch.setattr("google.auth.default", lambda **_: (Expired(refused), "demo"))
    pubsub = PubsubPublisher("demo", timeout=1)
    with pytest.raises(error) as caught:
        pubsub.publish("executions", b"x", {})
    assert caught.type is error
    pubsub.close()
