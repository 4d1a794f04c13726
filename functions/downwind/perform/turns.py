"""Who has a turn in one run of the tick, where there are more than it takes."""

from collections.abc import Sequence
from typing import TypeVar

from downwind.reconcile import names

T = TypeVar("T")


def turn(ordered: Sequence[T], tick_id: int, limit: int) -> list[T]:
    """Where there are more than `limit`, each tick goes on where the one before it ended; and it begins anywhere among them, so
    that a few slow ones never starve the rest."""
    start = tick_id * limit % len(ordered) if len(ordered) > limit else 0
    chosen = [*ordered[start:], *ordered[:start]][:limit]
    first = int(names.h8(str(tick_id)), 16) % len(chosen) if chosen else 0
    return chosen[first:] + chosen[:first]
