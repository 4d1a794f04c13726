"""What cannot be handled is written down once, acknowledged and told; and what is told is told under one id."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from downwind.errors import Refused, TransientError
from downwind.model.event import Message
from downwind.ports import NewObject

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/schemas/deliveries.schema.json").read_text())
DOWN = TransientError("Pub/Sub: unavailable")


def told(shop: Any, kind: str) -> list[Any]:
    published = shop.memory.publisher.published
    return [
        each
        for each in published
        if each.topic == "deliveries" and each.attributes["ce-type"] == f"dev.downwind.{kind}.v1"
    ]


def test_a_malformed_message_is_acknowledged_and_written_down_once(shop: Any) -> None:
    assert shop.send("push", b"{", id="bad") == "parked"
    assert shop.send("push", b"{", id="bad") == "duplicate"
    assert len(shop.facts("parked/")) == 1
    assert len(told(shop, "message.parked")) == 1
    shop.tick(2)
    assert (len(told(shop, "message.parked")), shop.open()) == (1, [])


def test_what_could_not_be_told_is_told_by_the_tick(shop: Any) -> None:
    shop.memory.publisher.fail(DOWN, verb="publish", times=2)
    shop.send("push", b"{")
    shop.tick()
    assert (told(shop, "message.parked"), len(shop.open())) == ([], 1)
    shop.tick()
    assert (len(told(shop, "message.parked")), shop.open()) == (1, [])


def test_the_tick_does_not_take_the_marker_of_a_message_that_is_being_parked(shop: Any) -> None:
    def between(method: str, name: str) -> None:
        if name.endswith("/parked.0"):
            shop.memory.ledger.fail = None
            shop.tick()
            shop.memory.publisher.fail(DOWN, verb="publish")

    shop.memory.ledger.fail = between
    shop.send("push", b"{")
    assert told(shop, "message.parked") == []
    shop.tick()
    assert len(told(shop, "message.parked")) == 1


def test_dead_letters_are_parked(shop: Any) -> None:
    attributes = {
        "CloudPubSubDeadLetterSourceSubscription": "on-push",
        "CloudPubSubDeadLetterSourceDeliveryCount": "100",
    }
    shop.memory.publisher.publish("dead-letters", b"?", attributes)
    shop.tick(2)
    shop.memory.publisher.redeliver("dead-letters")
    shop.tick()
    assert [body["reason"] for body in shop.facts("parked/").values()] == ["on-push gave up after 100 attempts"]


def test_one_bad_catalog_file_stops_only_its_own_application(shop: Any) -> None:
    shop.second("cart")
    good = shop.memory.catalog.read("application/cart.yaml")
    shop.memory.catalog.replace(NewObject(name=good.name, data=b"kind: Nonsense"), generation=good.generation)
    commit = shop.push()
    shop.build(commit)
    (execution,) = shop.executions("staging")
    assert execution["application"] == "shop"
    assert {body["reason"].split(" ")[1] for body in shop.facts("parked/").values()} == {"application/cart.yaml"}
    shop.finish(execution)
    shop.tick(62)
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_a_message_that_could_not_be_recorded_is_not_acknowledged(shop: Any) -> None:
    before, after = shop.commit()
    for part in ("event/", "open/", "release/"):
        store = shop.memory.work if part == "open/" else shop.memory.ledger

        def fail(method: str, name: str, part: str = part) -> None:
            if method == "create" and name.startswith(part):
                raise TransientError("503")

        store.fail = fail
        with pytest.raises(TransientError):
            shop.announce(before, after, id="one")
        store.fail = None
    assert shop.announce(before, after, id="one") == "recorded"
    shop.tick(2)
    assert shop.log("staging") == [after]


def test_effects_do_not_decide_the_answer(shop: Any) -> None:
    before, after = shop.commit()
    shop.memory.repository.fail(Refused("401"), verb="tips", times=2)
    assert shop.announce(before, after) == "recorded"
    shop.tick(2)
    assert shop.log("staging") == [after]


def test_reads_that_fail_after_the_record_do_not_decide_it_either(shop: Any) -> None:
    before, after = shop.commit()

    def fail(method: str, name: str) -> None:
        if method == "list" and name.startswith("environment/"):
            raise TransientError("503")

    shop.memory.ledger.fail = fail
    assert shop.announce(before, after) == "recorded"
    shop.memory.ledger.fail = None
    shop.tick()
    assert shop.log("staging") == [after]


def released(shop: Any) -> None:
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])
    shop.finish(shop.executions("production")[-1])
    shop.judge(shop.executions("production")[-1])


def test_every_announcement_is_a_cloudevent_of_the_schema(shop: Any) -> None:
    released(shop)
    shop.build(shop.push(), "FAILURE")
    shop.send("push", b"{")
    shop.tick()
    published = [each for each in shop.memory.publisher.published if each.topic == "deliveries"]
    kinds = [each.attributes["ce-type"] for each in published]
    assert sorted(set(kinds)) == sorted(SCHEMA["properties"])
    for each in published:
        assert each.attributes["content-type"] == "application/json"
        assert each.attributes["ce-source"] == "//downwind.dev"
        Draft202012Validator(SCHEMA["properties"][each.attributes["ce-type"]]).validate(json.loads(each.data))
    identifiers = [each.attributes["ce-id"] for each in published]
    assert len(identifiers) == len(set(identifiers)) == 7


def test_announcements_are_retried_by_the_tick_under_the_same_id(shop: Any) -> None:
    shop.memory.publisher.fail(DOWN, verb="publish", times=10)
    released(shop)
    before = [each for each in shop.memory.publisher.published if each.topic == "deliveries"]
    shop.tick(8)
    identifiers = [each.attributes["ce-id"] for each in shop.memory.publisher.published]
    assert len(identifiers) == len(set(identifiers)) == 5
    assert (len(before) < 5, shop.open()) == (True, [])


def test_a_message_larger_than_metadata_is_kept_whole(shop: Any) -> None:
    big = b"[" + b"1," * 20_000
    shop.deliver("push", Message(id="big", data=big, attributes={}, topic="repo-pushes"))
    (raw,) = [each.name for each in shop.memory.ledger.list("event/") if each.name.endswith("/raw")]
    assert shop.memory.ledger.read(raw).data == big
