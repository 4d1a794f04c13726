"""A test waits on, while a part of the world is being started again."""

from pathlib import Path
from typing import Any

from downwind.errors import TransientError
from downwind.local.testing import DownwindWorld


def test_a_store_that_is_away_when_the_wait_begins_is_waited_for(shop: Any, tmp_path: Path) -> None:
    commit = shop.push()
    world = DownwindWorld(tmp_path)
    world.ports = shop.world

    def once(method: str, name: str) -> None:
        shop.memory.catalog.fail = None
        raise TransientError(f"{method} {name}: being started again")

    shop.memory.catalog.fail = once
    entry = world.wait("shop", lambda fact: fact.body["kind"] == "entry", "the entry")
    assert (entry.body["commit"], shop.memory.catalog.fail) == (commit, None)
