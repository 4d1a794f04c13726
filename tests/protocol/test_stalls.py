"""A worker that is stopped for minutes and goes on must not think that no time has passed, nor leave work unknown."""

from typing import Any

from downwind.errors import UnknownOutcome

SHORT = 'pipeline: {application: shop, name: deploy-staging}\n    freeze: [{cron: "2 9 * * *", lasts: 3m}]\n'


def stall(shop: Any, port: str, method: str, seconds: float) -> None:
    """The next call of that method takes so long."""
    twin = getattr(shop.memory, port)
    inner = getattr(twin, method)

    def slow(*arguments: Any, **named: Any) -> Any:
        setattr(twin, method, inner)
        shop.memory.clock.advance(seconds)
        return inner(*arguments, **named)

    setattr(twin, method, slow)


def test_a_worker_that_stalls_into_a_freeze_window_starts_nothing(new_shop: Any) -> None:
    shop = new_shop(("pipeline: {application: shop, name: deploy-staging}\n", SHORT))
    commit = shop.push()
    stall(shop, "repository", "tree", 150)  # from nine into the window, which opens two minutes later
    shop.build(commit)
    assert shop.executions("staging") == []
    shop.tick(4)
    assert len(shop.executions("staging")) == 1


def test_a_claim_that_came_to_stand_in_a_freeze_window_starts_nothing_there(new_shop: Any) -> None:
    """Stopped within the very call that creates it, for less than what counts as late."""
    shop = new_shop(("pipeline: {application: shop, name: deploy-staging}\n", SHORT))
    commit = shop.push()
    shop.memory.clock.advance(100)

    def slow(method: str, name: str) -> None:
        if method == "create" and name.endswith("/claim.0.1"):
            shop.memory.ledger.fail = None
            shop.memory.clock.advance(25)

    shop.memory.ledger.fail = slow
    shop.build(commit)
    assert shop.executions("staging") == []
    shop.tick(2)
    assert shop.executions("staging") == []
    shop.tick(4)
    assert len(shop.executions("staging")) == 1


def test_a_worker_that_reads_and_stalls_claims_nothing(shop: Any) -> None:
    commit = shop.push()
    stall(shop, "repository", "tree", 40)
    shop.build(commit)
    assert shop.executions("staging") == []
    shop.tick()
    assert len(shop.executions("staging")) == 1


def test_what_a_late_worker_wrote_has_a_marker_again_though_a_tick_took_it_away(shop: Any) -> None:
    before, after = shop.commit()
    tips = shop.memory.repository.tips

    def slow(*arguments: Any) -> Any:
        shop.memory.repository.tips = tips
        found = tips(*arguments)
        shop.memory.clock.advance(90)
        for each in shop.memory.work.list("open/"):  # what a tick does that finds nothing open
            shop.memory.work.delete(each.name)
        return found

    shop.memory.repository.tips = slow
    shop.announce(before, after)
    assert shop.log("staging") == [after]
    assert len(shop.open()) == 1


def test_the_marker_of_a_late_worker_has_another_name(shop: Any) -> None:
    """A tick that read before may be about to delete the first one."""
    before, after = shop.commit()
    tips = shop.memory.repository.tips
    first: list[str] = []

    def slow(*arguments: Any) -> Any:
        shop.memory.repository.tips = tips
        shop.memory.clock.advance(90)
        first.extend(shop.open())
        return tips(*arguments)

    shop.memory.repository.tips = slow
    shop.announce(before, after)
    for each in first:
        shop.memory.work.delete(each)
    assert first
    assert len(shop.open()) == 1


def test_a_tick_that_became_late_takes_no_marker_away(shop: Any) -> None:
    commit = shop.push()
    shop.tick()
    standing = shop.open()
    assert standing, "it waits for the build"
    create = shop.memory.work.create

    def slow(new: Any) -> Any:
        if new.name.startswith("tick/"):
            shop.memory.work.create = create
            stall(shop, "repository", "tips", 90)  # within the round of this very tick
        return create(new)

    shop.memory.work.create = slow
    shop.build(commit)
    shop.tick()
    assert set(standing) <= set(shop.open())
    left = [name for name in shop.open() if "/late-" in name]
    assert len(left) == 1, "and what this round left open stands by a name of its own"
    shop.tick()
    assert len(shop.executions("staging")) == 1


def test_a_tick_that_stalls_before_its_lock_does_not_think_that_the_freeze_is_over(new_shop: Any) -> None:
    shop = new_shop(("pipeline: {application: shop, name: deploy-staging}\n", SHORT))
    shop.memory.clock.advance(125)  # the window is open until five past nine
    shop.build(shop.push())
    stall(shop, "work", "create", 100)
    shop.tick()
    assert shop.memory.clock().strftime("%H:%M") < "09:05"
    assert shop.executions("staging") == []


def test_a_tick_that_stalls_before_its_lock_takes_over_no_claim_that_is_young(shop: Any) -> None:
    commit = shop.push()
    create = shop.memory.work.create

    def slow(*arguments: Any) -> Any:
        shop.memory.work.create = create
        shop.memory.clock.advance(100)
        shop.memory.pipelines.fail(UnknownOutcome("no answer"), verb="start")
        shop.build(commit)  # somebody claims meanwhile, whose post is still on its way
        return create(*arguments)

    shop.memory.work.create = slow
    shop.tick()
    claims = [name for name, body in shop.rollouts("staging").items() if body["kind"] == "claim"]
    assert [name.rpartition("/")[2] for name in claims] == ["claim.0.1"]
