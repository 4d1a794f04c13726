"""The door of operate: whose token it is, what it answers, and that nothing else leaks. A real key, a loopback key server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from downwind import entry
from downwind.adapters.identity import GCLOUD
from downwind.errors import TransientError
from downwind.local.http import HttpPart, json_response
from downwind.local.pubsub.state import State
from downwind.local.pubsub.tokens import Tokens
from downwind.settings import Settings

URL = "https://operate.acme.example"
ME = "sre@acme.example"
STAGING = "pipeline: {application: shop, name: deploy-staging}"
OPERATORS = (STAGING, f"{STAGING}\n    operators: [{ME}]")


class Keys(HttpPart):
    name = "keys"

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        super().__init__()

    def routes(self) -> Any:
        return [(("GET",), "/certs", lambda _request: json_response(self.tokens.certificates()))]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    folder: Path = tmp_path_factory.mktemp("keys")
    part = Keys(Tokens(State(folder)))
    part.start()
    yield part
    part.stop()


class Door:
    def __init__(self, shop: Any, keys: Keys) -> None:
        self.shop = shop
        self.keys = keys

    def call(self, body: Any, *, token: str | None = None, method: str = "POST", **claims: Any) -> tuple[int, Any]:
        """Status and JSON. Without `token`, one of `claims`."""
        self.shop.memory.clock.advance(1)
        token = self.token(**claims) if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with Flask("door").test_request_context("/", method=method, data=data, headers=headers):
            text, status, more = entry.operate(request)
        assert more == {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return status, json.loads(text)

    def token(self, audience: str = URL, email: str = ME) -> str:
        return self.keys.tokens.issue(audience, email)


@pytest.fixture
def door(new_shop: Any, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    shop = new_shop(OPERATORS)
    settings = Settings(
        project="x",
        ledger_bucket="x",
        work_bucket="x",
        catalog_bucket="x",
        bundles_bucket="x",
        gate_url="x",
        local=True,
        certs_url=f"{keys.url}/certs",
        operate_url=URL,
        operators=f"{ME}, other@acme.example",
    )
    instance = entry.Instance(settings)
    instance.world = shop.world
    monkeypatch.setattr(entry, "instance", lambda: instance)
    yield Door(shop, keys)


HOLD = {"verb": "hold", "application": "shop", "environment": "staging", "why": "INC-7", "id": "o1"}


@pytest.mark.parametrize("audience", [URL, GCLOUD])
def test_an_order_is_answered_with_what_it_became(door: Door, audience: str) -> None:
    status, answer = door.call(HOLD, audience=audience)
    assert (status, answer["who"], answer["refused"]) == (200, ME, [])
    assert answer["orders"] == [
        {
            "request": "o1",
            "application": "shop",
            "environment": "staging",
            "verb": "hold",
            "state": "done",
            "sequence": 1,
            "says": f"staging 1 holds: ordered by {ME}, because: INC-7",
            "then": [],
        }
    ]
    assert door.shop.entries("staging")[0]["who"] == ME


def test_everything_is_held_by_those_whom_the_installation_names(door: Door) -> None:
    assert door.call({"verb": "hold", "all": True})[0] == 200
    assert door.call({"verb": "resume", "all": True}, email="other@acme.example")[0] == 200
    assert door.call({"verb": "hold", "all": True}, email="eve@acme.example")[0] == 403


NO: list[tuple[Any, dict[str, Any], int, str]] = [
    (HOLD, {"token": ""}, 401, "there is no Authorization header"),
    (HOLD, {"token": "e30.e30.e30"}, 401, "not signed with RS256"),
    (HOLD, {"audience": "https://elsewhere.example"}, 401, "aud is not the expected one"),
    (HOLD, {"email": "eve@acme.example"}, 403, "eve@acme.example is no operator of shop/staging"),
    (HOLD | {"environment": "production"}, {}, 403, "or there is no such place"),
    (HOLD | {"application": "unknown"}, {}, 403, "or there is no such place"),
    (HOLD | {"verb": "resume"}, {}, 409, "nothing holds staging"),
    (HOLD | {"verb": "explode"}, {}, 400, "verb is none that is known"),
    (b"{", {}, 400, "not JSON"),
    (b" " * 70_000, {}, 413, "at most 65536 bytes"),
    (HOLD, {"method": "GET"}, 405, "GET is not how an order comes"),
]


@pytest.mark.parametrize(("body", "how", "status", "reason"), NO)
def test_a_no_says_why_and_writes_nothing(door: Door, body: Any, how: dict[str, Any], status: int, reason: str) -> None:
    before = [each.name for each in door.shop.memory.ledger.list("")]
    got, answer = door.call(body, **how)
    assert (got, answer["error"]["code"]) == (status, status)
    assert reason in answer["error"]["reason"]
    assert [each.name for each in door.shop.memory.ledger.list("")] == before


def test_what_breaks_inside_leaks_nothing(door: Door, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def burst(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret text")

    monkeypatch.setattr(entry, "carry_out", burst)
    status, answer = door.call(HOLD)
    assert (status, answer["error"]["reason"]) == (500, "something is wrong in operate itself; its log says where")
    assert "secret text" not in capsys.readouterr().out


def test_what_could_not_be_recorded_is_to_be_sent_again(door: Door) -> None:
    def away(*_: Any) -> None:
        raise TransientError("the store is away")

    door.shop.memory.work.fail = away
    status, answer = door.call(HOLD)
    assert (status, "same id" in answer["error"]["fix"]) == (503, True)
    door.shop.memory.work.fail = None
    assert door.call(HOLD)[1]["orders"][0]["sequence"] == 1
