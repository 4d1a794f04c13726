"""`downwind parked`: what could not be handled, and what it was."""

from typing import Any

import yaml

from downwind.model.event import Message


def test_nothing_parked_says_so(cli: Any, shop: Any) -> None:
    assert cli.run("parked", "list").stdout == "nothing is parked\n"
    assert cli.json("parked", "list") == {"parked": [], "more": False}


def test_a_malformed_request_is_listed_and_shown_with_its_data(cli: Any, shop: Any) -> None:
    shop.send("request", b'{"verb": "deploy"', {"team": "a"}, id="bad-1")
    (listed,) = cli.json("parked", "list")["parked"]
    assert (listed["message"], listed["topic"]) == ("bad-1", "rollout-requests")
    assert listed["reason"]
    shown = cli.json("parked", "show", "bad-1")
    assert {key: shown[key] for key in listed} == listed
    assert (shown["data"], shown["data_base64"], shown["cut"], shown["bytes"]) == ('{"verb": "deploy"', None, False, 17)
    assert shown["attributes"] == {"team": "a"}
    bucket, _, name = shown["object"].removeprefix("gs://").partition("/")
    assert bucket == "acme-ledger"
    assert shop.memory.ledger.read(name).data == b'{"verb": "deploy"'
    table = cli.run("parked", "list").stdout.splitlines()
    assert table[0].split() == ["PARKED", "EVENT", "TOPIC", "MESSAGE", "REASON"]
    event = table[1].split()[1]
    text = cli.run("parked", "show", event).stdout
    assert "ATTRIBUTE  team: a" in text
    assert '  {"verb": "deploy"' in text


def test_the_newest_stands_first_and_a_limit_is_told(cli: Any, shop: Any) -> None:
    for index in range(3):
        shop.send("request", b"{", id=f"bad-{index}")
    assert [each["message"] for each in cli.json("parked", "list")["parked"]] == ["bad-2", "bad-1", "bad-0"]
    document = cli.json("parked", "list", "--limit", "2")
    assert (len(document["parked"]), document["more"]) == (2, True)
    assert "and more than these 2" in cli.run("parked", "list", "--limit", "2").stdout


def test_large_and_binary_data_is_cut_and_cannot_move_the_cursor(cli: Any, shop: Any) -> None:
    shop.send("request", b"\x1b[2J\xff" + b"x" * 70_000, id="bad-1")
    text = cli.run("parked", "show", "bad-1").stdout
    assert "\x1b" not in text
    assert "70005 bytes, the first 4096" in text
    assert len(text) < 6000
    shown = yaml.safe_load(cli.run("parked", "show", "bad-1", "-o", "yaml").stdout)
    assert (shown["data"], shown["cut"], shown["bytes"]) == (None, True, 70_005)
    assert len(shown["data_base64"]) == 87_384


def test_many_attributes_are_counted_and_the_tick_still_runs(cli: Any, shop: Any) -> None:
    """They once pushed the description of the raw message out of its metadata, and the tick read the data as a fact."""
    attributes = {f"attribute-{index}": "\u00e9" * 500 for index in range(100)}
    shop.memory.publisher.fail(_silent(), times=1, verb="publish")
    shop.deliver("request", Message(id="bad-1", data=b"{", attributes=attributes, topic="rollout-requests"))
    shop.tick()
    assert [each.name for each in shop.memory.work.list("open/_parked/")] == []
    shown = cli.json("parked", "show", "bad-1")
    assert shown["attributes_left_out"] == 100 - len(shown["attributes"])
    assert 0 < len(shown["attributes"]) < 100
    assert "that were too large to keep" in cli.run("parked", "show", "bad-1").stdout


def _silent() -> Exception:
    from downwind.errors import TransientError

    return TransientError("Pub/Sub did not answer")


def test_an_event_that_was_not_parked_leads_to_why(cli: Any, shop: Any) -> None:
    shop.push()
    done = cli.run("parked", "show", "m1")
    assert (done.exit_code, done.stderr) == (1, "Error: m1 was not parked; downwind why m1 says what became of it\n")


def test_dead_letters_are_listed_too(cli: Any, shop: Any) -> None:
    shop.memory.publisher.publish("dead-letters", b"?", {"CloudPubSubDeadLetterSourceSubscription": "on-push"})
    shop.tick()
    (listed,) = cli.json("parked", "list")["parked"]
    assert (listed["topic"], listed["reason"]) == ("dead-letters", "on-push gave up after many attempts")
    assert "Pub/Sub gave it up" in cli.run("why", listed["event"]).stdout
