"""A host whose answers lag must never move an environment backwards; a push that nobody announced must still be found."""

from typing import Any

from downwind.errors import TransientError

REPOSITORY = "https://github.com/acme/shop.git"


def test_an_unannounced_push_is_appended_when_two_ticks_hear_the_same(shop: Any) -> None:
    first = shop.push()
    _, second = shop.commit()
    shop.build(second)  # the build names the ref, so the tip is asked; nothing links the two
    assert shop.log("staging") == [first]
    shop.tick()
    assert shop.log("staging") == [first]
    shop.tick()
    assert shop.log("staging") == [first, second]


def test_two_stale_answers_that_lie_far_apart_prove_nothing(shop: Any) -> None:
    first = shop.push()
    _, second = shop.commit()
    shop.build(second)
    shop.tick(2)
    third = shop.push()
    assert shop.log("staging") == [first, second, third]
    for _ in range(2):
        shop.memory.repository.lag(REPOSITORY, 1)  # answers `second` again, which two ticks once heard
        shop.announce(first, second, id=f"late-{len(shop.sent)}")
        shop.tick()
        shop.memory.repository.lag(REPOSITORY, 0)
        shop.tick(10)
    assert shop.log("staging") == [first, second, third]


def test_a_push_that_was_told_of_and_is_not_shown_yet_is_waited_for(shop: Any) -> None:
    """A new branch that a replica does not know looks like a deleted one; found by the simulator."""
    before, first = shop.commit()
    shop.memory.repository.lag(REPOSITORY, 1)
    shop.announce(before, first)
    shop.tick()
    assert shop.log("staging") == []
    shop.memory.repository.lag(REPOSITORY, 0)
    shop.tick()
    assert shop.log("staging") == [first]
    before, second = shop.commit()
    shop.memory.repository.lag(REPOSITORY, 1)
    shop.announce(before, second)
    shop.memory.repository.lag(REPOSITORY, 0)
    shop.tick()
    assert shop.log("staging") == [first, second]


def test_a_push_whose_entry_could_not_be_written_is_not_forgotten_when_the_host_lags_then(shop: Any) -> None:
    """The tick takes the push's marker away; what it leaves open must name the commit too. Found by the simulator."""
    first = shop.push()
    before, second = shop.commit()

    def busy(method: str, name: str) -> None:
        if method == "create" and "/log/" in name:
            raise TransientError("503")

    shop.memory.ledger.fail = busy
    shop.announce(before, second)
    shop.tick()
    shop.memory.ledger.fail = None
    shop.memory.repository.lag(REPOSITORY, 1)
    shop.tick()
    shop.memory.repository.lag(REPOSITORY, 0)
    shop.tick()
    assert shop.log("staging") == [first, second]


def test_a_push_that_is_never_shown_is_waited_for_ten_minutes(shop: Any) -> None:
    first = shop.push()
    shop.build(first)
    before, second = shop.commit()
    shop.memory.repository.move(REPOSITORY, "refs/heads/main", first)
    shop.announce(before, second)
    shop.finish(shop.executions("staging")[-1])
    shop.finish(shop.executions("production")[-1])
    shop.judge(shop.executions("production")[-1])
    shop.tick(5)
    assert shop.open() != []
    shop.tick(8)
    assert (shop.open(), shop.log("staging")) == ([], [first])


def test_an_old_push_that_is_told_of_again_is_not_waited_for(shop: Any) -> None:
    first = shop.push()
    second = shop.push()
    shop.announce(None, first, id="again")
    assert shop.log("staging") == [first, second]
    shop.build(second)
    shop.finish(shop.executions("staging")[-1])
    shop.finish(shop.executions("production")[-1])
    shop.judge(shop.executions("production")[-1])
    shop.tick(2)
    assert shop.open() == []
