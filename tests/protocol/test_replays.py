"""Parked messages are handled again as they would have been; what had an effect once has none again."""

import base64
import json
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from downwind.errors import TransientError
from downwind.model.event import Message
from downwind.perform import parked, parking, replay
from downwind.ports import NewObject
from downwind.reconcile import names

HISTORY = 150
"""Messages that had their effects."""
REPLAYED = int(os.environ.get("REPLAYED_MESSAGES", "2000"))
"""Deliveries of them from then on, in any order, with their own ids; a tenth as many with new ids. 100,000 takes minutes."""


def listed(shop: Any, **more: Any) -> list[parked.Parked]:
    found, _ = parked.listed(shop.world, 100, **more)
    return found


def ordered(shop: Any) -> None:
    """A person asks for all that is parked; the tick does it."""
    for each in listed(shop):
        assert replay.order(shop.world, f"event/{each.event}/", each.number, "sre@acme.example")
    shop.tick()
    assert shop.memory.work.list("open/_replay/") == []


def away(shop: Any, name: str = "shop") -> Any:
    """Somebody breaks an application's file; the answer puts it right."""
    stored = shop.memory.catalog.read(f"application/{name}.yaml")
    broken = shop.memory.catalog.replace(NewObject(name=stored.name, data=b"kind: No"), generation=stored.generation)
    good = NewObject(name=stored.name, data=stored.data, metadata=stored.metadata)
    return lambda: shop.memory.catalog.replace(good, generation=broken.generation)


def replayed(shop: Any) -> list[Mapping[str, Any]]:
    return [body for name, body in shop.facts("parked/").items() if name.endswith(".replayed")]


def test_a_push_that_a_broken_catalog_parked_is_rolled_out_once_that_is_put_right(shop: Any) -> None:
    repair = away(shop)
    commit = shop.push()
    (waiting,) = listed(shop)
    repair()
    ordered(shop)
    assert (listed(shop), shop.log("staging")) == ([], [commit])
    (all_,) = listed(shop, everything=True)
    assert (all_.event, all_.number) == (waiting.event, 0)
    assert all_.replayed == "replayed by order of sre@acme.example: recorded for shop: 1 fact"
    assert shop.deliver(*shop.sent[-1]) == "duplicate"
    shop.build(commit)
    assert len(shop.executions("staging")) == 1


def test_what_fails_again_is_parked_again_with_the_new_reason_and_told(shop: Any) -> None:
    repair = away(shop)
    shop.push()
    repair()
    shop.memory.catalog.delete("application/shop.yaml")
    shop.memory.catalog.create(NewObject(name="application/shop.yaml", data=b"name: [never closed"))
    (first,) = listed(shop)
    ordered(shop)
    (again,) = listed(shop)
    assert (again.event, again.number, again.replayed) == (first.event, 1, None)
    assert again.reason != first.reason
    told = [
        each.attributes["ce-id"] for each in shop.memory.publisher.published if "parked" in each.attributes["ce-id"]
    ]
    assert told == [f"event/{first.event}/parked.0", f"event/{first.event}/parked.1"]
    ordered(shop)
    (third,) = listed(shop)
    assert (third.number, third.reason) == (2, again.reason)


def test_what_was_recorded_for_one_application_is_replayed_for_the_other(shop: Any) -> None:
    shop.second("cart")
    repair = away(shop, "cart")
    commit = shop.push()
    assert (shop.log("staging"), shop.entries("staging", "cart"), len(listed(shop))) == ([commit], [], 1)
    ordered(shop)
    (still,) = listed(shop)
    assert still.number == 1
    repair()
    ordered(shop)
    assert [each["commit"] for each in shop.entries("staging", "cart")] == [commit]
    assert (shop.log("staging"), listed(shop)) == ([commit], [])


@pytest.mark.parametrize("subscription", ["repo-pushes", "acme-repo-pushes", "on-push", "dev-on_push"])
def test_a_dead_letter_goes_to_the_topic_that_it_came_from(shop: Any, subscription: str) -> None:
    before, after = shop.commit()
    deliver, shop.deliver = shop.deliver, lambda kind, message: "lost"
    shop.announce(before, after)
    shop.deliver = deliver
    dead = {
        "CloudPubSubDeadLetterSourceSubscription": subscription,
        "CloudPubSubDeadLetterSourceDeliveryCount": "100",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-24T09:00:00Z",
    }
    shop.memory.publisher.publish("dead-letters", shop.sent[-1][1].data, dead)
    shop.tick()
    (waiting,) = listed(shop)
    assert waiting.topic == "dead-letters"
    ordered(shop)
    assert (listed(shop), shop.log("staging")) == ([], [after])
    (became,) = replayed(shop)
    assert (became["became"], became["event"]) == ("recorded", None)


def test_a_dead_letter_that_had_been_recorded_all_the_same_has_no_second_effect(shop: Any) -> None:
    """The function wrote it down and died before it said so, a hundred times."""
    commit = shop.push()
    body = {"id": "r1", "verb": "deploy", "application": "shop", "environment": "staging", "commit": commit}
    shop.send("request", body)
    shop.memory.publisher.publish(
        "dead-letters", json.dumps(body).encode(), {"CloudPubSubDeadLetterSourceSubscription": "rollout-requests"}
    )
    shop.tick()
    before = len(shop.entries("staging"))
    ordered(shop)
    (became,) = replayed(shop)
    assert (became["became"], became["event"]) == ("duplicate", names.event("request", "r1").split("/")[1])
    assert (len(shop.entries("staging")), listed(shop)) == (before, [])


def test_a_dead_letter_of_an_unknown_subscription_says_so_and_stays(shop: Any) -> None:
    shop.memory.publisher.publish("dead-letters", b"?", {"CloudPubSubDeadLetterSourceSubscription": "somebody-elses"})
    shop.tick()
    ordered(shop)
    (still,) = listed(shop)
    assert (still.number, still.reason) == (1, "no function takes what comes from somebody-elses")


def test_an_order_that_the_rules_refused_is_not_replayed_into_nothing(shop: Any) -> None:
    shop.request("promote", "production", id="r1")
    (refused,) = listed(shop)
    assert "nothing to promote" in refused.reason
    ordered(shop)
    (still,) = listed(shop)
    assert still.reason == "the order under this id was refused for good; order it again, under another id"


def test_an_order_that_is_refused_once_its_message_can_be_handled_is_parked_for_that(shop: Any) -> None:
    repair = away(shop)
    shop.request("promote", "production", id="r1")
    repair()
    ordered(shop)
    (refused,) = listed(shop)
    assert (refused.number, "nothing to promote" in refused.reason) == (1, True)
    shop.tick(2)
    assert shop.open() == []


def test_a_request_whose_id_was_used_already_stays_parked_and_changes_nothing(shop: Any) -> None:
    one, two = shop.push(), shop.push()
    shop.request("deploy", "staging", id="1", commit=one)
    shop.request("deploy", "staging", id="1", commit=two)
    before = shop.log("staging")
    ordered(shop)
    (still,) = listed(shop)
    assert (still.number, "with this id already" in still.reason) == (1, True)
    assert shop.log("staging") == before


def test_what_could_not_be_read_at_all_is_read_again_from_its_envelope(shop: Any) -> None:
    commit = shop.push()
    inner = shop.sent[-1][1]
    body = json.dumps({"message": {"messageId": "m77", "data": base64.b64encode(inner.data).decode()}}).encode()
    identifier = names.digest_of(body.hex())
    parking.park(
        shop.world,
        names.event("repo-pushes", identifier),
        Message(id=identifier, data=body, attributes={}, topic="repo-pushes"),
        "an older version could not read it",
    )
    ordered(shop)
    assert (listed(shop), shop.log("staging")) == ([], [commit])
    parking.park(
        shop.world,
        names.event("repo-pushes", names.digest_of(b"[".hex())),
        Message(id=names.digest_of(b"[".hex()), data=b"[", attributes={}, topic="repo-pushes"),
        "no envelope",
    )
    ordered(shop)
    (still,) = listed(shop)
    assert (still.number, "not JSON" in still.reason) == (1, True)


def test_a_replay_waits_for_a_ledger_that_is_away_and_is_done_once_by_two_ticks(shop: Any) -> None:
    repair = away(shop)
    commit = shop.push()
    repair()
    (waiting,) = listed(shop)
    prefix = f"event/{waiting.event}/"
    assert replay.order(shop.world, prefix, 0, "me")
    assert not replay.order(shop.world, prefix, 0, "me")

    def down(method: str, name: str) -> None:
        if method == "create" and name.startswith("release/"):
            raise TransientError("503")

    shop.memory.ledger.fail = down
    shop.tick()
    assert len(shop.memory.work.list("open/_replay/")) == 1
    shop.memory.ledger.fail = None
    marker = names.replay(prefix, 0)
    shop.tick()
    replay.order(shop.world, prefix, 0, "me")  # as a tick sees it that listed before the other deleted
    shop.tick()
    assert (shop.log("staging"), shop.memory.work.read(marker), len(replayed(shop))) == ([commit], None, 1)


def test_a_marker_that_nobody_of_us_wrote_stops_no_other_replay(shop: Any) -> None:
    repair = away(shop)
    commit = shop.push()
    repair()
    shop.memory.work.create(NewObject(name=f"open/_replay/{listed(shop)[0].event}.0", data=b"not JSON"))
    shop.memory.work.create(NewObject(name="open/_replay/nonsense", data=b""))
    shop.tick(2)
    assert shop.log("staging") == [commit]


def effects(shop: Any) -> tuple[object, ...]:
    memory = shop.memory
    return (
        memory.pipelines.posts,
        len(memory.pipelines.cancellations),
        len(memory.builds.runs),
        len(memory.publisher.published),
        {each.name: each.generation for each in memory.ledger.list("environment/")},
        {each.name: each.generation for each in memory.ledger.list("release/")},
        {each.name: each.generation for each in memory.ledger.list("build/")},
        {each.name: each.generation for each in memory.bundles.list("")},
    )


def history(shop: Any, messages: int) -> None:
    """Releases one after another, each with its push, build, image, orders and Spinnaker's events, until there are enough."""
    while len(shop.sent) < messages:
        commit = shop.push()
        shop.image(commit)
        shop.build(commit)
        for environment in ("staging", "production"):
            shop.finish(shop.executions_newest(environment))
        shop.judge(shop.executions_newest("production"))
        shop.tick()


@pytest.fixture
def lived(shop: Any) -> Any:
    """A shop with a past. Every execution is looked at by its newest only: there are many."""

    def newest(environment: str) -> Any:
        documents = reversed(shop.memory.pipelines.executions.values())
        return next(each for each in documents if each["trigger"]["downwind"]["environment"] == environment)

    shop.executions_newest = newest
    history(shop, HISTORY)
    shop.tick(2)
    assert shop.open() == []
    return shop


@pytest.mark.parametrize("anew", [False, True], ids=["a seek of all subscriptions", "published again under new ids"])
def test_old_messages_have_no_new_effect(lived: Any, anew: bool) -> None:
    before, old, chance = effects(lived), list(lived.sent), random.Random(7)
    said: dict[str, int] = {}
    for index in range(REPLAYED // 10 if anew else REPLAYED):
        if index % len(old) == 0:
            chance.shuffle(old)
        kind, message = old[index % len(old)]
        word = lived.deliver(kind, replace(message, id=f"again-{index}") if anew else message)
        said[word] = said.get(word, 0) + 1
    lived.tick(3)
    assert effects(lived) == before
    assert lived.open() == []
    assert set(said) <= {"duplicate", "ignored", "recorded"}
