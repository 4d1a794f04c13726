"""`downwind parked replay`: asked for here, done by the tick, told by `list`, `show` and `why`."""

from typing import Any

from downwind.ports import NewObject


def parked_push(shop: Any) -> tuple[str, Any]:
    """A push that a broken catalog parked; the commit, and what puts the catalog right."""
    stored = shop.memory.catalog.read("application/shop.yaml")
    broken = NewObject(name=stored.name, data=b"kind: Nonsense")
    generation = shop.memory.catalog.replace(broken, generation=stored.generation).generation
    commit = shop.push()
    good = NewObject(name=stored.name, data=stored.data, metadata=stored.metadata)
    return commit, lambda: shop.memory.catalog.replace(good, generation=generation)


def test_a_dry_run_says_what_it_would_come_to_and_writes_nothing(cli: Any, shop: Any) -> None:
    commit, repair = parked_push(shop)
    before = [each.name for each in (*shop.memory.ledger.list(""), *shop.memory.work.list(""))]
    done = cli.run("parked", "replay", "m1", "--dry-run")
    assert (done.exit_code, "would be parked again: catalog application/shop.yaml" in done.stdout) == (1, True)
    repair()
    (answer,) = cli.json("parked", "replay", "--all", "--dry-run")["replays"]
    assert (answer["state"], answer["applications"], answer["message"]) == ("recorded", ["shop"], "m1")
    assert answer["text"] == (
        f"would be recorded for shop: refs/heads/main of github.com/acme/shop was created at {commit[:7]}"
    )
    assert [each.name for each in (*shop.memory.ledger.list(""), *shop.memory.work.list(""))] == before


def test_it_is_ordered_and_the_tick_does_it(cli: Any, shop: Any) -> None:
    commit, repair = parked_push(shop)
    repair()
    (event,) = [each["event"] for each in cli.json("parked", "list")["parked"]]
    (answer,) = cli.json("parked", "replay", event[:12])["replays"]
    assert (answer["state"], answer["text"]) == ("ordered", "ordered; the next tick handles it")
    assert "had been ordered already" in cli.run("parked", "replay", "m1").stdout
    shop.tick()
    assert shop.log("staging") == [commit]
    assert cli.json("parked", "list") == {"parked": [], "more": False}
    (listed,) = cli.json("parked", "list", "--all")["parked"]
    assert listed["replayed"].endswith("recorded for shop: 1 fact")
    assert listed["replayed"] in cli.run("parked", "list", "--all").stdout
    assert "REPLAYED" in cli.run("parked", "show", event).stdout
    told = [line["text"] for line in cli.steps(commit) if line["step"] in {"parked", "replayed"}]
    assert [text.partition(" by ")[0].partition(": catalog")[0] for text in told] == [
        "message m1: parked",
        "message m1: replayed",
    ]
    again = cli.run("parked", "replay", event)
    assert (again.exit_code, "is not parked any more: replayed" in again.stderr) == (1, True)


def test_waiting_for_it(cli: Any, shop: Any) -> None:
    _, repair = parked_push(shop)
    shop.send("request", b"{", id="bad")
    cli.passing = shop.tick
    done = cli.run("parked", "replay", "--all", "--topic", "rollout-requests", "--wait")
    assert (done.exit_code, "parked again: the body is not JSON" in done.stdout) == (1, True)
    repair()
    done = cli.run("parked", "replay", "m1", "--wait")
    assert (done.exit_code, "recorded for shop: 1 fact" in done.stdout) == (0, True)
    cli.passing = lambda: None
    done = cli.run("parked", "replay", "bad", "--wait", "--timeout", "3")
    assert (done.exit_code, "the next tick handles it" in done.stdout) == (3, True)


def test_a_part_that_would_be_parked_again_is_said(cli: Any, shop: Any) -> None:
    shop.second("cart")
    _, repair = parked_push(shop)
    done = cli.run("parked", "replay", "m1", "--dry-run")
    assert (done.exit_code, "would be recorded for cart" in done.stdout) == (1, True)
    assert "; and parked again: catalog application/shop.yaml" in done.stdout
    repair()
    assert cli.run("parked", "replay", "m1", "--dry-run").exit_code == 0


def test_what_is_ignored_or_was_recorded_since_is_said(cli: Any, shop: Any) -> None:
    _, repair = parked_push(shop)
    repair()
    shop.memory.catalog.delete("application/shop.yaml")
    (answer,) = cli.json("parked", "replay", "m1", "--dry-run")["replays"]
    assert answer["state"] == "ignored"
    assert "no application of the catalog names the repository" in answer["text"]


def test_nothing_to_replay_and_wrong_usage(cli: Any, shop: Any) -> None:
    assert cli.run("parked", "replay", "--all").stdout == "nothing is parked\n"
    for wrong in ([], ["m1", "--all"], ["m1", "--topic", "gcr"]):
        assert cli.run("parked", "replay", *wrong).exit_code == 2
    shop.push()
    done = cli.run("parked", "replay", "m1")
    assert (done.exit_code, done.stderr) == (1, "Error: m1 was not parked; downwind why m1 says what became of it\n")


def dead(shop: Any, subscription: str) -> None:
    shop.push()
    attributes = {"CloudPubSubDeadLetterSourceSubscription": subscription}
    shop.memory.publisher.publish("dead-letters", shop.sent[-1][1].data, attributes)
    shop.tick()


def test_a_dead_letter_goes_to_the_topic_of_its_subscription(cli: Any, shop: Any) -> None:
    dead(shop, "repo-pushes")
    (answer,) = cli.json("parked", "replay", "--all", "--topic", "dead-letters", "--dry-run")["replays"]
    assert (answer["state"], answer["topic"]) == ("recorded", "dead-letters")


def test_a_dead_letter_of_a_subscription_that_is_not_ours_says_so(cli: Any, shop: Any) -> None:
    dead(shop, "somebody-elses")
    done = cli.run("parked", "replay", "--all", "--dry-run")
    assert (done.exit_code, "no function takes what comes from somebody-elses" in done.stdout) == (1, True)
