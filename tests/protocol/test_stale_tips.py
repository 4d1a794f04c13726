"""A host whose answers lag must never move an environment backwards; a push that nobody announced must still be found."""

from typing import Any

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
