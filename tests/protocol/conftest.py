"""What the protocol's tests share: a meter of store calls."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest


class Meter:
    """Counts store calls one after another: within `side_by_side` the longest way, any `*_all` as one."""

    def __init__(self) -> None:
        self.now = 0
        self.calls: list[str] = []

    def side_by_side(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        start = longest = self.now
        answers = []
        for call in calls:
            self.now = start
            answers.append(call())
            longest = max(longest, self.now)
        self.now = longest
        return answers

    def of(self, shop: Any, act: Callable[[], Any]) -> int:
        """The calls one after another of what `act` does to the shop."""
        stores = {
            name: Metered(self, name, getattr(shop.memory, name)) for name in ("ledger", "work", "catalog", "bundles")
        }
        shop.world = replace(shop.memory.world, **stores, side_by_side=self.side_by_side)
        self.now, self.calls = 0, []
        act()
        shop.world = shop.memory.world
        return self.now


class Metered:
    """One bucket, every call of which counts; calls of nothing do not."""

    def __init__(self, meter: Meter, name: str, inner: Any) -> None:
        self._meter, self._name, self._inner = meter, name, inner

    def __getattr__(self, method: str) -> Any:
        def call(first: Any, *more: Any, **named: Any) -> Any:
            if first:
                self._meter.now += 1
                about = [
                    getattr(each, "name", each) for each in (first if isinstance(first, list | tuple) else [first])
                ]
                self._meter.calls.append(f"{self._meter.now} {self._name}.{method} {' '.join(map(str, about))}")
            return getattr(self._inner, method)(first, *more, **named)

        return call


@pytest.fixture
def meter() -> Meter:
    return Meter()
