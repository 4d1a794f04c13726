"""An application on the running world: examples/shop, once for the session."""

import time
from pathlib import Path

import pytest

from downwind.errors import TransientError
from downwind.local.testing import PATIENCE, DownwindWorld
from downwind.local.working_copy import WorkingCopy

SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture(scope="session")
def shop(downwind_world: DownwindWorld) -> WorkingCopy:
    """A clone of the shop's repository; nothing is pushed yet."""
    downwind_world.add(SHOP)
    return downwind_world.clone("shop", SHOP)


@pytest.fixture
def change(shop: WorkingCopy) -> "Change":
    return Change(shop)


class Change:
    """Each call commits something new and pushes it."""

    count = 0

    def __init__(self, copy: WorkingCopy) -> None:
        self.copy = copy

    def __call__(self) -> str:
        type(self).count += 1
        (self.copy.folder / "app" / "version.txt").write_text(f"{type(self).count}\n")
        commit = self.copy.commit(f"change {type(self).count}")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.copy.push()
                return commit
            except TransientError:  # a test before this one may have killed the git server; a person pushes again
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
