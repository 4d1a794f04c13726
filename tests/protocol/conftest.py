"""What the protocol's tests share: a meter of store calls."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from downwind.perform import applications
from downwind.perform.look import view
from downwind.reconcile import names


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


class Crash(BaseException):
    """The worker dies here: nothing of ours catches it."""


class Doomed:
    """A port whose calls are points: before and after each one, a worker may die. `mark()` counts and raises."""

    def __init__(self, mark: Callable[[str], None], name: str, inner: Any) -> None:
        self._mark, self._name, self._inner = mark, name, inner

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self._mark(f"before {self._name}.{method}")
            answer = getattr(self._inner, method)(*arguments, **named)
            self._mark(f"after {self._name}.{method}")
            return answer

        return call


PORTS = ("repository", "builds", "registry", "pipelines", "publisher", "notifier")
BUCKETS = ("ledger", "work", "catalog", "bundles")


class Player:
    """The world around the handlers: Pub/Sub sends again what was not acknowledged, Spinnaker runs what it was given and lets
    the fence decide, people answer judgments. `die_at`: the point at which one worker dies."""

    Crash = Crash

    def __init__(self, shop: Any, die_at: int | None = None, *, backwards: bool = False) -> None:
        self.shop = shop
        self.die_at = die_at
        self.over = False
        self.points: list[str] = []
        self.faults: list[tuple[str, Exception]] = []
        """Errors to raise at points: at `before pipelines.start` it was not done, at `after …` its answer was lost."""
        self.fences: dict[str, tuple[int, int, str]] = {}
        self.order: dict[str, list[int]] = {"staging": [], "production": []}
        """Sequences by environment, in the order in which the fence let them by."""
        memory = shop.memory
        for name in BUCKETS:
            store = getattr(memory, name)
            store.fail = lambda method, about, name=name: self.mark(f"before {name}.{method} {about}")
            store.fail_after = lambda method, about, name=name: self.mark(f"after {name}.{method} {about}")
        doomed = {name: Doomed(self.mark, name, getattr(memory, name)) for name in PORTS}
        order = (lambda calls: [call() for call in reversed(calls)][::-1]) if backwards else memory.side_by_side
        shop.world = replace(memory.world, **doomed, side_by_side=order)

    def mark(self, point: str) -> None:
        if self.over:
            return
        self.points.append(point)
        if len(self.points) - 1 == self.die_at:
            raise Crash(point)
        for planned in self.faults:
            if planned[0] == point:
                self.faults.remove(planned)
                raise planned[1]

    def act(self, work: Callable[[], Any], *, again: bool = True) -> None:
        """One delivery; one that died comes again."""
        try:
            work()
        except Crash:
            if again:
                work()

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.act(self.shop.tick, again=False)

    def until(self, wanted: Callable[[], Any]) -> None:
        """Ticks until it is so; what was recorded settles within two, a lost end within its look-up."""
        for _ in range(8):
            if self.see(wanted):
                return
            self.tick()

    def see(self, look: Callable[[], Any]) -> Any:
        """Looking is no point of the history."""
        self.over = True
        found = look()
        self.over = False
        return found

    def deliver_last(self) -> None:
        kind, message = self.shop.sent[-1]
        self.shop.deliver(kind, message)

    def send(self, make: Callable[[], Any]) -> None:
        """`make` sends one message through the shop; redelivered as it is, not made anew."""
        try:
            make()
        except Crash:
            self.deliver_last()

    def run(self, execution: dict[str, Any], *, judge: str | None = None, echo: bool = True) -> None:
        """Spinnaker goes on with one execution, to its judgment (and past it) or its end."""
        pipelines, identifier = self.shop.memory.pipelines, execution["id"]
        if execution["status"] != "RUNNING":
            return
        ours = execution["trigger"]["downwind"]
        mine = (int(ours["sequence"]), int(ours["attempt"]), identifier)
        environment = ours["environment"]
        held = self.fences.get(environment, (0, 0, ""))
        if held[2] != identifier and mine[:2] <= held[:2]:
            pipelines.refuse_fence(identifier, f"{held[0]} is there already")
        else:
            if held[2] != identifier:
                self.fences[environment] = mine
                self.order[environment].append(mine[0])
            pipelines.advance(identifier)
        seen = pipelines.execution(identifier)
        if judge and seen.judgment is not None:
            pipelines.judge(seen, judge)
        if echo:
            self.send(lambda: self.shop.echo(execution))

    def passed(self, environment: str) -> list[int]:
        """Sequences of the executions whose fence let them by, in the order of their start."""
        return [
            int(execution["trigger"]["downwind"]["sequence"])
            for execution in self.shop.executions(environment)
            if self.shop.memory.pipelines.execution(execution["id"]).fence == "passed"
        ]


@pytest.fixture
def digest() -> Callable[..., str]:
    """The digest of a commit's image as the shop builds it; `salt` makes another."""
    return lambda commit, salt="": "sha256:" + names.digest_of(commit, salt)


@pytest.fixture
def waits() -> Callable[[Any], list[str]]:
    """What the shop waits for now, in words; `view` decides without doing."""

    def of(shop: Any) -> list[str]:
        (registered,) = applications.read(shop.world.catalog, ["shop"])
        return [wait.what for wait in view(shop.world, registered, shop.memory.clock()).due.waits]

    return of


@pytest.fixture
def player() -> type[Player]:
    return Player


@pytest.fixture
def new_shop(shop: Any) -> Callable[..., Any]:
    """Fresh shops, for tests that play many histories; pairs replace pieces of the catalog's text."""

    def make(*pairs: tuple[str, str]) -> Any:
        text = shop.catalog
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        return type(shop)(type(shop.memory)(), text)

    return make
