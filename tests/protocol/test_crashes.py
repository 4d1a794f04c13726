"""A worker dies before or after every single call of a history, one point at a time: nothing is lost and nothing done twice."""

from collections.abc import Callable
from typing import Any

import pytest

STARTED_BY_US = ("triggers/shop}", "triggers/shop, start: true}")


def release(play: Any, number: int) -> None:
    """Push, build, staging; the ends are told by Echo."""
    shop = play.shop
    before, after = shop.commit()
    play.send(lambda: shop.announce(before, after))
    if "start: true" in shop.catalog:
        play.until(lambda: shop.memory.builds.find(shop.trigger, after))
        (build,) = shop.memory.builds.find(shop.trigger, after)
        play.send(lambda: shop.tell(build["id"], after))
    else:
        play.send(lambda: shop.build(after))
    play.until(lambda: len(shop.executions("staging")) == number)
    play.run(shop.executions("staging")[-1])
    play.until(lambda: len(shop.executions("production")) == number)


def one_release(play: Any) -> None:
    release(play, 1)
    play.run(play.shop.executions("production")[-1], judge="continue")
    play.until(lambda: not play.shop.open())


def superseding(play: Any) -> None:
    """The first release waits in production's judgment when the second comes."""
    release(play, 1)
    play.run(play.shop.executions("production")[-1])
    play.second = len(play.points)
    release(play, 2)
    older, newer = play.shop.executions("production")
    play.run(newer, judge="continue")
    play.send(lambda: play.shop.echo(older))
    play.until(lambda: not play.shop.open())


def check(play: Any, point: str, production: list[tuple[int, str]]) -> None:
    shop, play.over = play.shop, True
    sequences = [number for number, _ in production]
    for environment in ("staging", "production"):
        assert play.passed(environment) == sequences, point
        assert len(shop.executions(environment)) == len(sequences), point
    assert shop.outcomes("staging") == [(number, "succeeded") for number in sequences], point
    assert shop.outcomes("production") == production, point
    assert shop.open() == [], point
    assert_announced(shop, point, len(sequences))


def assert_announced(shop: Any, point: str, releases: int) -> None:
    """Everything that is to be announced was, at least once, each always under the same id."""
    told = [each.attributes["ce-id"] for each in shop.memory.publisher.published if each.topic == "deliveries"]
    for kind, count in {"completed": 1, "started": 2, "outcome": 2}.items():
        found = {name for name in told if name.rpartition("/")[2].startswith(kind)}
        assert len(found) == count * releases, (point, kind, found)


def die_everywhere(make: Callable[[], Any], history: Callable[[Any], None], outcomes: list[tuple[int, str]]) -> None:
    alive = make()
    history(alive)
    check(alive, "no death", outcomes)
    for index in range(getattr(alive, "second", 0), len(alive.points)):
        play = make()
        play.die_at = index
        history(play)
        check(play, f"death {index}: {alive.points[index]}", outcomes)
        assert play.points[index] == alive.points[index]


@pytest.mark.long
@pytest.mark.parametrize(("start", "backwards"), [(False, False), (True, True)])
def test_a_death_at_any_call_of_a_release_loses_nothing_and_repeats_nothing(
    new_shop: Any, player: Any, start: bool, backwards: bool
) -> None:
    catalog = [STARTED_BY_US] if start else []
    die_everywhere(lambda: player(new_shop(*catalog), backwards=backwards), one_release, [(1, "succeeded")])


@pytest.mark.long
def test_a_death_at_any_call_of_a_second_release_neither_loses_it_nor_leaves_the_first_waiting(
    new_shop: Any, player: Any
) -> None:
    die_everywhere(lambda: player(new_shop()), superseding, [(1, "superseded"), (2, "succeeded")])
