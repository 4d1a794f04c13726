"""The patrol finds what a lost marker stood for, whatever it was, within one round; and costs the same each hour."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from downwind.errors import TransientError
from downwind.perform import applications
from downwind.perform.slots import SLOTS, in_slot, some
from downwind.ports import NewObject
from downwind.reconcile import names

REPOSITORY = "https://github.com/acme/shop.git"
DOWN = TransientError("503")


def forget(shop: Any) -> None:
    """Every marker is gone: a lifecycle rule, or a hand that slipped."""
    for name in shop.open():
        shop.memory.work.delete(name)


def round_(shop: Any) -> None:
    """One patrol, and the two ticks in which settles what it found."""
    shop.tick(SLOTS + 2)


def deliveries(shop: Any) -> list[str]:
    return [each.attributes["ce-id"] for each in shop.memory.publisher.published if each.topic == "deliveries"]


def test_an_entry_that_waited_for_its_images(new_shop: Callable[..., Any]) -> None:
    """No build is known here: the image comes by its tag, and nobody says so."""
    shop = new_shop(("build: {trigger: projects/acme/locations/us-central1/triggers/shop}\n", ""))
    commit = shop.push()
    forget(shop)
    shop.memory.registry.push(shop.IMAGE, commit)
    assert shop.executions("staging") == []
    round_(shop)
    assert len(shop.executions("staging")) == 1


def test_a_build_that_was_recorded_and_had_no_effect(shop: Any) -> None:
    commit = shop.push()

    def dies(method: str, name: str) -> None:
        if method == "list" and name.startswith("environment/"):
            raise DOWN

    shop.memory.ledger.fail = dies
    shop.build(commit)
    shop.memory.ledger.fail = None
    forget(shop)
    assert shop.executions("staging") == []
    round_(shop)
    assert len(shop.executions("staging")) == 1


def test_a_push_that_was_recorded_and_had_no_effect(shop: Any) -> None:
    before, after = shop.commit()
    shop.memory.repository.fail(DOWN, verb="tips")
    shop.announce(before, after)
    forget(shop)
    assert shop.log("staging") == []
    round_(shop)
    assert shop.log("staging") == [after]


def test_an_order_without_an_entry(shop: Any) -> None:
    one, _ = shop.push(), shop.push()

    def dies(method: str, name: str) -> None:
        if method == "create" and "/log/" in name:
            raise DOWN

    shop.memory.ledger.fail = dies
    shop.request("deploy", "staging", commit=one)
    shop.request("promote", "production", commit=one)
    shop.memory.ledger.fail = None
    forget(shop)
    round_(shop)
    assert shop.log("staging")[-1] == one
    assert [body["reason"].split(":")[0] for body in shop.facts("parked/").values()] == ["nothing to promote"]


def test_an_order_of_yesterday_is_not_taken_up_by_itself(shop: Any) -> None:
    one, two = shop.push(), shop.push()

    def dies(method: str, name: str) -> None:
        if method == "create" and "/log/" in name:
            raise DOWN

    shop.memory.ledger.fail = dies
    shop.request("deploy", "staging", commit=one)
    shop.memory.ledger.fail = None
    forget(shop)
    shop.memory.clock.advance(shop.memory.timing.wait)
    round_(shop)
    assert shop.log("staging") == [one, two]


@pytest.mark.parametrize("kind", ["completed", "blocked", "started", "outcome"])
def test_a_fact_that_nobody_was_told_of(shop: Any, kind: str) -> None:
    publish = shop.memory.publisher.publish

    def deaf(topic: str, data: bytes, attributes: Any) -> str:
        if attributes["ce-id"].rpartition("/")[2].startswith(kind):
            raise DOWN
        return str(publish(topic, data, attributes))

    shop.memory.publisher.publish = deaf
    if kind == "blocked":
        shop.build(shop.push(), "FAILURE")
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])
    del shop.memory.publisher.publish
    forget(shop)
    assert [name for name in deliveries(shop) if f"/{kind}" in name] == []
    round_(shop)
    told = [name for name in deliveries(shop) if f"/{kind}" in name]
    assert len(set(told)) == len(told) >= 1


def test_a_claim_whose_worker_died_before_it_posted(shop: Any) -> None:
    shop.memory.pipelines.fail(DOWN, verb="start")
    shop.build(shop.push())
    forget(shop)
    assert shop.executions("staging") == []
    round_(shop)
    assert len(shop.executions("staging")) == 1


@pytest.mark.parametrize("echo", [True, False])
def test_a_run_that_ended_and_nobody_heard_of_it(shop: Any, echo: bool) -> None:
    shop.build(shop.push())
    (execution,) = shop.executions("staging")
    shop.memory.pipelines.advance(execution["id"])
    if echo:
        shop.memory.pipelines.fail(DOWN, verb="execution")
        shop.echo(execution)
    forget(shop)
    round_(shop)
    assert shop.outcomes("staging") == [(1, "succeeded")]
    assert len(shop.executions("production")) == 1


def test_a_run_below_many_newer_ones(shop: Any) -> None:
    """Deeper than the minute's round looks."""
    shop.memory.pipelines.lose_answers()
    shop.build(shop.push())
    (old,) = shop.executions("staging")
    shop.echo(old)
    for _ in range(45):
        shop.build(shop.push())
        shop.finish(shop.executions("staging")[-1])
    shop.tick(3)
    shop.memory.pipelines.advance(old["id"])
    forget(shop)
    round_(shop)
    assert (1, "succeeded") in shop.outcomes("staging")


def test_a_build_that_we_start_and_whose_worker_died(new_shop: Callable[..., Any]) -> None:
    shop = new_shop(("triggers/shop}", "triggers/shop, start: true}"))
    shop.memory.builds.fail(DOWN, verb="run")
    shop.push()
    forget(shop)
    assert shop.memory.builds.runs == []
    round_(shop)
    assert len(shop.memory.builds.runs) == 1


def test_a_parked_message_that_nobody_was_told_of(shop: Any) -> None:
    shop.memory.publisher.fail(DOWN, verb="publish")
    shop.send("push", b"{")
    forget(shop)
    assert deliveries(shop) == []
    round_(shop)
    (told,) = deliveries(shop)
    assert told.endswith("/parked.0")
    round_(shop)
    assert deliveries(shop) == [told]


def test_a_refused_order_that_nobody_parked(shop: Any) -> None:
    def dies(method: str, name: str) -> None:
        if method == "create" and name.endswith("/parked.0"):
            raise DOWN

    shop.memory.ledger.fail = dies
    shop.request("promote", "production")
    shop.memory.ledger.fail = None
    forget(shop)
    round_(shop)
    assert [name.rpartition("/")[2] for name in deliveries(shop)] == ["parked.0"]


def test_a_tag_whose_first_answer_was_recorded(new_shop: Callable[..., Any]) -> None:
    shop = new_shop()
    _, commit = shop.commit()
    shop.tick(SLOTS)
    while not shop.facts(names.tip("shop", "staging", "refs/heads/main", commit)):
        shop.tick()
    forget(shop)
    shop.tick(2 * SLOTS)
    assert shop.log("staging") == [commit]


@pytest.mark.parametrize("hidden", ["silent", "empty"])
def test_an_application_whose_host_says_nothing_is_gone_through_all_the_same(shop: Any, hidden: str) -> None:
    shop.memory.pipelines.fail(DOWN, verb="start")
    shop.build(shop.push())
    forget(shop)
    if hidden == "silent":
        shop.memory.repository.fail(DOWN, verb="tips", times=10_000)
    else:
        shop.memory.repository.delete(REPOSITORY, "refs/heads/main")
    round_(shop)
    assert len(shop.executions("staging")) == 1


def test_every_marker_lost_at_any_call_of_a_release(new_shop: Callable[..., Any], player: Any) -> None:
    """A worker goes on after its marker went; what it left is found."""
    alive = player(new_shop())
    alive_points = play(alive, None)
    for index in range(0, alive_points, 5):
        each = player(new_shop())
        play(each, index)
        shop = each.shop
        assert shop.outcomes("staging") == [(1, "succeeded")], each.points[index]
        assert shop.outcomes("production") == [(1, "succeeded")], each.points[index]
        assert len(shop.executions("staging")) == len(shop.executions("production")) == 1
        assert shop.open() == []
        told = deliveries(shop)
        kinds = {"completed": 1, "started": 2, "outcome": 2}
        for kind, count in kinds.items():
            found = {name for name in told if name.rpartition("/")[2].startswith(kind)}
            assert len(found) == count, (each.points[index], kind, found)


def play(each: Any, lost_at: int | None) -> int:
    shop, mark = each.shop, each.mark

    def lose(point: str) -> None:
        mark(point)
        if not each.over and len(each.points) - 1 == lost_at:
            each.over = True
            forget(shop)
            each.over = False

    each.mark = lose
    for name in ("ledger", "work", "catalog", "bundles"):
        store = getattr(shop.memory, name)
        store.fail = lambda method, about, name=name: lose(f"before {name}.{method} {about}")
        store.fail_after = lambda method, about, name=name: lose(f"after {name}.{method} {about}")
    before, after = shop.commit()
    shop.announce(before, after)
    shop.build(after)
    for environment in ("staging", "production"):
        patient(each, partial(shop.executions, environment))
        each.run(shop.executions(environment)[-1], judge="continue", echo=False)
    patient(each, lambda: shop.outcomes("production"))
    points = len(each.points)
    each.over = True
    round_(shop)
    return points


def patient(each: Any, wanted: Callable[[], Any]) -> None:
    for _ in range(2):
        if not each.see(wanted):
            each.over, over = True, each.over
            round_(each.shop)
            each.over = over
    assert each.see(wanted), each.points[-1]


def test_a_repository_is_asked_once_an_hour_however_many_applications_are_in_it(shop: Any) -> None:
    for number in range(5):
        shop.second(f"cart-{number}")
    shop.tick(3)
    asked: list[tuple[str, ...]] = []
    tips = shop.memory.repository.tips

    def ask(*place: str) -> Any:
        asked.append(place)
        return tips(*place)

    shop.memory.repository.tips = ask
    shop.tick(5 * SLOTS)
    assert len(asked) == 5


def test_a_patrol_costs_the_same_however_much_has_happened(shop: Any, meter: Any) -> None:
    costs = []
    for _ in range(2):
        for _ in range(3):
            shop.build(shop.push())
            shop.finish(shop.executions("staging")[-1])
            shop.finish(shop.executions("production")[-1])
            shop.judge(shop.executions("production")[-1])
        shop.memory.clock.advance(10 * 3600)
        shop.tick(2)
        calls = 0
        for _ in range(SLOTS):
            meter.of(shop, shop.tick)
            calls += len(meter.calls)
        costs.append(calls - 3 * SLOTS)
    assert costs[0] == costs[1]


def test_a_slot_takes_its_sixtieth_and_all_sixty_take_everything(shop: Any) -> None:
    keys = {names.digest_of(str(number))[:32] for number in range(500)} | {"0" * 32, "f" * 32}
    store = shop.memory.work
    store.create_all([NewObject(name=f"x/{key}", data=b"") for key in keys])
    found = [each.name for tick in range(SLOTS) for each in in_slot(store, "x/", tick, 1000)]
    assert sorted(found) == sorted(f"x/{key}" for key in keys)


def test_more_than_one_round_takes_are_all_seen_in_the_end(shop: Any) -> None:
    store = shop.memory.work
    store.create_all([NewObject(name=f"x/{names.digest_of(str(number))}", data=b"") for number in range(200)])
    rounds = [some(store, "x/", 20, number * SLOTS) for number in range(40)]
    assert all(len(found) <= 20 for found in rounds)
    assert len({each.name for found in rounds for each in found}) == 200


def test_pages_are_read_on_to_the_end(shop: Any) -> None:
    store = shop.memory.work
    store.create_all([NewObject(name=f"x/{names.digest_of(str(number))}", data=b"") for number in range(2500)])
    assert len(some(store, "x/", 5000, 0)) == 2500


def test_an_application_that_breaks_stops_no_patrol(shop: Any) -> None:
    shop.second("aaa")
    _, after = shop.commit()
    stored = shop.memory.catalog.read("application/aaa.yaml")
    shop.memory.catalog.replace(NewObject(name=stored.name, data=b"kind: No"), generation=stored.generation)
    round_(shop)
    assert shop.log("staging") == [after]
    assert applications.all_names(shop.memory.catalog) == ["aaa", "shop"]
