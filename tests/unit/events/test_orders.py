"""Operators' orders as operate takes them: the fields, and what is said of a wrong one."""

import json
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.events.order import VERBS, Asked, read_order

COMMIT = "a" * 40
SHOP = {"verb": "hold", "application": "shop"}


def read(body: Any) -> Asked:
    return read_order(json.dumps(body).encode(), "made up")


def test_an_order_is_read_whole() -> None:
    images = {"gcr.io/acme/shop": "sha256:" + "0" * 64}
    body = {"id": "CHG-1", "verb": "deploy", "application": "shop", "environment": "staging", "commit": COMMIT}
    found = read(body | {"build": "b1", "images": images, "why": "fix\nit", "dry_run": True})
    assert found == Asked(
        id="CHG-1",
        verb="deploy",
        application="shop",
        environment="staging",
        commit=COMMIT,
        build="b1",
        images=images,
        why="fix\nit",
        dry_run=True,
    )


def test_what_is_left_out_is_nothing_and_the_id_is_made_up() -> None:
    assert read(SHOP) == Asked(id="made up", verb="hold", application="shop")
    assert read({"verb": "resume", "all": True}) == Asked(id="made up", verb="resume", everything=True)
    assert read({"verb": "rollback", "application": "shop", "sequence": 7}).target == 7


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_taken(verb: str) -> None:
    more = {"commit": COMMIT} if verb == "deploy" else {}
    assert read({"verb": verb, "application": "shop", **more}).verb == verb


WRONG: list[tuple[Any, str | None, str]] = [
    ([], None, "no JSON object"),
    (SHOP | {"verbs": 1}, "verbs", "unknown field verbs"),
    (SHOP | {"nothing_like_it": 1}, "nothing_like_it", "unknown field"),
    ({"application": "shop"}, "verb", "verb is missing"),
    (SHOP | {"verb": "explode"}, "verb", "none that is known"),
    ({"verb": "hold"}, "application", "application is missing"),
    (SHOP | {"application": "Shop"}, "application", "application is not a name"),
    (SHOP | {"environment": "Prod"}, "environment", "environment is not a name"),
    (SHOP | {"all": True}, "all", "all stands beside an application"),
    (SHOP | {"verb": "retry", "all": True}, "all", "retry is for one environment"),
    (SHOP | {"all": 1}, "all", "neither true nor false"),
    (SHOP | {"sequence": 4}, "sequence", "hold takes no sequence"),
    (SHOP | {"commit": COMMIT}, "commit", "hold takes no commit"),
    (SHOP | {"verb": "promote", "build": "b"}, "build", "promote takes no build"),
    (SHOP | {"verb": "retry", "images": {"x": "y"}}, "images", "retry takes no images"),
    (SHOP | {"verb": "deploy"}, "commit", "commit is missing"),
    (SHOP | {"verb": "rollback", "commit": "abc"}, "commit", "not 40 lower case hex"),
    (SHOP | {"verb": "rollback", "commit": COMMIT, "sequence": 4}, "sequence", "stands beside commit"),
    (SHOP | {"verb": "retry", "sequence": -1}, "sequence", "no number of an entry"),
    (SHOP | {"verb": "retry", "sequence": True}, "sequence", "no number of an entry"),
    (SHOP | {"verb": "retry", "sequence": 10**18}, "sequence", "no number of an entry"),
    (SHOP | {"verb": "retry", "sequence": "4"}, "sequence", "no number of an entry"),
    (SHOP | {"why": "x" * 2001}, "why", "more than 2000"),
    (SHOP | {"id": "x" * 257}, "id", "more than 256"),
]


@pytest.mark.parametrize(("body", "field", "reason"), WRONG)
def test_a_wrong_order_is_refused_with_the_field(body: Any, field: str | None, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        read(body)
    assert caught.value.field == field


def test_an_order_is_capped_before_it_is_parsed() -> None:
    with pytest.raises(Refused, match="more than 65536 bytes"):
        read_order(b" " * 65537, "x")
