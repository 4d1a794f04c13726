"""`downwind queue`: what is open and why, by the markers that the tick goes by."""

import json
from typing import Any

from downwind.errors import TransientError
from downwind.perform import markers
from downwind.ports import NewObject
from downwind.reconcile import names
from downwind.reconcile.facts import Hints


def opened(cli: Any, *arguments: str) -> list[dict[str, Any]]:
    """What is open of the only application that has something open."""
    (application,) = cli.json("queue", *arguments)["applications"]
    found: list[dict[str, Any]] = application["open"]
    return found


NOTHING = "nothing is open; what is held or blocked: downwind status\n"


def mark(shop: Any, **hints: Any) -> None:
    """As a tick leaves it."""
    shop.memory.work.create(markers.of_round("shop", "tick-1", Hints(**hints)))


def settle(shop: Any) -> None:
    for each in shop.memory.work.list("open/"):
        shop.memory.work.delete(each.name)


def test_nothing_is_open_where_nothing_is_marked(cli: Any, shop: Any) -> None:
    done = cli.run("queue")
    assert (done.exit_code, done.stdout) == (0, NOTHING)
    assert cli.json("queue") == {"applications": [], "parked": 0, "more": 0}


def test_what_runs_and_what_waits_stand_with_their_reasons(cli: Any, shop: Any) -> None:
    first = shop.push()
    shop.build(first)
    second = shop.push()
    running, waiting = sorted(opened(cli), key=lambda each: each["sequence"])
    execution = shop.executions("staging")[-1]["id"]
    assert (running["sequence"], running["state"], running["waits"]) == (
        1,
        "running",
        [f"execution {execution} to end"],
    )
    assert (waiting["commit"], waiting["state"], waiting["waits"]) == (second, "waiting", ["a build of this commit"])
    text = cli.run("queue").stdout
    assert f"shop          staging       2       {second[:7]}   waiting" in text
    assert f"waits for execution {execution} to end" in text


def test_what_is_blocked_is_not_open_and_the_marker_that_is_left_goes_with_the_next_tick(cli: Any, shop: Any) -> None:
    shop.build(shop.push(), "FAILURE")
    assert opened(cli) == []
    assert "   open    0s ago   nothing is due any more: the next tick closes it" in cli.run("queue").stdout
    shop.tick()
    assert cli.json("queue")["applications"] == []


def test_what_is_held_is_not_open(cli: Any, shop: Any) -> None:
    shop.order("hold", "staging")
    commit = shop.push()
    shop.build(commit)
    shop.image(commit)
    assert [each for each in opened(cli) if each["environment"] == "staging"] == []
    shop.order("resume", "staging")
    assert [each["state"] for each in opened(cli) if each["environment"] == "staging"] == ["running"]


def test_a_claimed_rollout_without_execution_waits_for_its_worker(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.memory.pipelines.fail(TransientError("Gate did not answer"), verb="start", times=99)
    shop.build(commit)
    (claimed,) = opened(cli)
    assert claimed["waits"] == ["the worker that claimed it, or the tick that takes over"]


def test_due_steps_are_told(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.memory.pipelines.fail(TransientError("Gate did not answer"), verb="config", times=99)
    shop.build(commit)
    for each in shop.memory.ledger.list(""):  # as if the worker had died before it wrote these
        if each.name.endswith(("/announced.completed", "/claim.0.1")):
            shop.memory.ledger.delete(each.name)
    texts = [(each["sequence"], each["state"], each["reason"]) for each in opened(cli)]
    assert texts == [
        (1, "due", "staging 1 is to be triggered"),
        (None, "due", "dev.downwind.release.completed.v1 is to be announced"),
    ]


def test_an_image_that_the_registry_is_to_be_asked_for_is_due_and_does_not_wait_for_a_newer_entry(
    cli: Any, shop: Any
) -> None:
    shop.apply("\n".join(line for line in shop.catalog.splitlines() if not line.startswith("build:")))
    commit = shop.push()
    (entry,) = opened(cli)
    assert (entry["state"], entry["reason"]) == ("due", f"the registry is to be asked for {shop.IMAGE}:{commit}")


def test_a_moved_ref_is_asked_of_its_repository(cli: Any, shop: Any) -> None:
    shop.push()
    settle(shop)
    _, commit = shop.commit()
    mark(shop, refs=frozenset({"refs/heads/main"}))
    texts = [(each["environment"], each["state"], each["waits"]) for each in opened(cli) if each["sequence"] is None]
    assert texts == [
        ("staging", "waiting", ["two ticks on which refs/heads/main answers the same: no recorded push leads there"])
    ]
    shop.announce(shop.log("staging")[0], commit)
    assert opened(cli)[0]["commit"] == commit


def test_a_repository_that_does_not_answer_is_told(cli: Any, shop: Any) -> None:
    settle(shop)
    mark(shop, refs=frozenset({"refs/heads/main"}))
    shop.memory.repository.fail(TransientError("the host did not answer"), times=2)
    (application,) = cli.json("queue")["applications"]
    assert application["silent"] == ["the host did not answer"]
    assert application["open"][0]["waits"] == ["the repository to say where refs/heads/main is"]
    shop.memory.repository.fail(TransientError("the host did not answer"), times=2)
    assert "shop: no answer: the host did not answer" in cli.run("queue").stdout


def test_an_execution_that_somebody_spoke_of_is_to_be_asked_for_until_its_end_is_known(cli: Any, shop: Any) -> None:
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])
    settle(shop)
    ended = shop.executions("staging")[-1]["id"]
    mark(shop, executions=frozenset({ended, "01UNHEARD"}))
    asked = [each for each in opened(cli) if each["state"] == "due"]
    assert [(each["execution"], each["reason"]) for each in asked] == [
        ("01UNHEARD", "Spinnaker is to be asked for execution 01UNHEARD")
    ]


def test_an_event_that_is_not_written_down_is_waited_for(cli: Any, shop: Any) -> None:
    event = names.event("repo-pushes", "m-lost")
    shop.memory.work.create(markers.of_event("shop", event, Hints()))
    (marker,) = cli.json("queue")["applications"][0]["markers"]
    assert (marker["recorded"], marker["object"]) == (False, f"gs://acme-work/open/shop/{event.split('/')[1]}")
    assert f"waits for event {event.split('/')[1][:12]} to be written down" in cli.run("queue").stdout


def test_an_application_that_is_gone_from_the_catalog_keeps_its_markers(cli: Any, shop: Any) -> None:
    shop.push()
    shop.memory.catalog.delete("application/shop.yaml")
    (application,) = cli.json("queue", "shop")["applications"]
    assert (application["missing"], application["open"]) == (True, [])
    assert "the catalog does not have it" in cli.run("queue").stdout


def test_one_that_can_t_be_read_stops_no_other(cli: Any, shop: Any) -> None:
    shop.push()
    shop.memory.catalog.create(NewObject(name="application/odd.yaml", data=b"name: odd\n"))
    shop.memory.work.create(markers.of_round("odd", "tick-1", Hints()))
    done = cli.run("queue", "-o", "json")
    assert (done.exit_code, done.stderr.startswith("Error: catalog application/odd.yaml")) == (1, True)
    assert [each["application"] for each in json.loads(done.stdout)["applications"]] == ["odd", "shop"]


def test_parked_messages_that_nobody_was_told_of_are_counted(cli: Any, shop: Any) -> None:
    shop.memory.publisher.fail(TransientError("no topic"), times=9)
    shop.send("request", b"{", id="bad")
    assert cli.json("queue")["parked"] == 1
    assert "1 parked message not announced yet: downwind parked list" in cli.run("queue").stdout


def test_an_unknown_application_is_refused_a_quiet_one_is_not(cli: Any, shop: Any) -> None:
    assert cli.run("queue", "shop").stdout == NOTHING
    done = cli.run("queue", "cart")
    assert (done.exit_code, done.stderr) == (1, "Error: the catalog has no application 'cart'; downwind app list\n")


def test_it_costs_by_what_is_open_and_never_more_than_the_limit(cli: Any, shop: Any) -> None:
    for number in range(4):
        shop.second(f"shop{number}")
    shop.push()
    document = cli.json("queue", "--limit", "2")
    assert ([each["application"] for each in document["applications"]], document["more"]) == (["shop", "shop0"], 3)
    assert "and 3 applications more: raise --limit, or name one" in cli.run("queue", "--limit", "2").stdout
    settle(shop)
    mark(shop)
    calls = shop.memory.ledger.calls
    assert [each["application"] for each in cli.json("queue")["applications"]] == ["shop"]
    assert (
        shop.memory.ledger.calls - calls <= 1 + 4 + 3
    )  # holds, the lists of two environments, and those of one release


def test_it_writes_nothing(cli: Any, shop: Any) -> None:
    shop.build(shop.push())
    memory = shop.memory
    before = [{each.name: each.generation for each in store.list("")} for store in (memory.ledger, memory.work)]
    cli.run("queue")
    assert [{each.name: each.generation for each in store.list("")} for store in (memory.ledger, memory.work)] == before
