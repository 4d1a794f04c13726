"""The twins with a point before and after each call: there a worker may be switched, stall, die, or be told a lie."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from tests.simulation.fate import Fate
from tests.simulation.scheduler import Crash, Scheduler

from downwind.adapters.memory_store import MemoryStore
from downwind.adapters.own_success import meant_by
from downwind.errors import DownwindError, TransientError, UnknownOutcome
from downwind.ports import NewObject, StoredObject

T = TypeVar("T")
MEANWHILE_SECONDS = 5.0
"""A whole worker fits in; an effect that waits that long is not given up yet."""


class Points:
    """Where one port call meets its fate."""

    def __init__(self, scheduler: Scheduler, fate: Fate) -> None:
        self.scheduler = scheduler
        self.fate = fate
        self.meanwhile: dict[str, Callable[[], object]] = {}
        """Brings another worker to the point."""

    def call(self, label: str, act: Callable[[], T], *, effect: bool = False, create: bool = False) -> tuple[T, bool]:
        """The answer, and whether the client's own retry has made the call twice. `effect`: its outcome can be unknown."""
        scheduler = self.scheduler
        if scheduler.worker is None:
            return act(), False  # people and checks look without being seen
        scheduler.point(label)
        self._strike(self.fate.before(effect=effect), label, act, effect=effect)
        scheduler.sleep(self.fate.latency())
        answer = act()
        scheduler.point(label)
        fault = self.fate.after(create=create)
        if fault == "retried":
            scheduler.trace.append("  its answer was lost; the client tries again")
            return answer, True
        self._strike(fault, label, act, effect=effect)
        return answer, False

    def _strike(self, fault: str | None, label: str, act: Callable[[], object], *, effect: bool) -> None:
        if fault is None:
            return
        scheduler = self.scheduler
        scheduler.trace.append(f"  {fault}")
        match fault:
            case "crash":
                raise Crash(label)
            case "stall":
                scheduler.sleep(self.fate.stall())
            case "tick" | "again":
                self.meanwhile[fault]()
                scheduler.sleep(MEANWHILE_SECONDS)
            case "busy":
                raise TransientError(f"{label}: 503")
            case "lost" if not effect:
                raise TransientError(f"{label}: the answer was lost")
            case "late":
                scheduler.after(self.fate.stall() / 2, lambda: self._arrive(label, act))
                raise UnknownOutcome(f"{label}: no answer")
            case _:
                raise UnknownOutcome(f"{label}: no answer")

    def _arrive(self, label: str, act: Callable[[], object]) -> None:
        self.scheduler.point(f"{label} arrives late")
        try:
            act()
        except DownwindError as error:
            self.scheduler.trace.append(f"  refused: {error}")

    def side_by_side(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """`World.side_by_side`: one after another in any order, so that a death between them leaves any part undone."""
        answers: list[Any] = [None] * len(calls)
        errors: list[DownwindError] = []
        for index in self.fate.order(len(calls)):
            try:
                answers[index] = calls[index]()
            except DownwindError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return answers


class Port:
    """Any other port: each call is a point before and after. `effects`: the methods whose outcome can be unknown."""

    def __init__(self, points: Points, name: str, inner: Any, effects: tuple[str, ...] = ()) -> None:
        self._points = points
        self._name = name
        self._inner = inner
        self._effects = effects

    def __getattr__(self, method: str) -> Callable[..., Any]:
        inner = getattr(self._inner, method)
        label, effect, points = f"{self._name}.{method}", method in self._effects, self._points

        def call(*arguments: Any, **named: Any) -> Any:
            return points.call(label, partial(inner, *arguments, **named), effect=effect)[0]

        setattr(self, method, call)
        return call


class SimulatedStore(MemoryStore):
    """A bucket. A create whose answer was lost inside the client is tried again by it, and meets its own success."""

    def __init__(self, points: Points, bucket: str, clock: Callable[[], Any]) -> None:
        super().__init__(clock)
        self._points = points
        self._bucket = bucket

    def _round(self, method: str, work: Sequence[tuple[str, Callable[[], T]]]) -> list[T]:
        self.rounds += bool(work)
        answers: list[Any] = [None] * len(work)
        errors: list[DownwindError] = []
        for index in self._points.fate.order(len(work)) if len(work) > 1 else range(len(work)):
            name, act = work[index]
            try:
                answers[index] = self._one(method, name, act)
            except DownwindError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return answers

    def _one(self, method: str, name: str, act: Callable[[], T]) -> T | StoredObject | None:
        self.calls += 1
        label = f"{self._bucket}.{method} {name}"
        if method != "create":
            return self._points.call(label, act)[0]
        answer, again = self._points.call(label, act, create=True)
        if answer is not None and not again:
            return answer
        # `answer` is what this very call wrote, or None where another's object stood: the nonce tells.
        standing = self._objects.get(name)
        meant = meant_by(
            self._points.fate.random.choice((412, 403)) if again and not self._points.fate.over else 412,
            standing=standing is not None,
            own=answer is not None and standing is answer,
            creating=True,
        )
        if meant == "refused":
            raise TransientError(f"{label}: 403")
        return standing if meant == "done" else None

    def peek(self, prefix: str) -> list[StoredObject]:
        """With data; nobody's call."""
        return [self._objects[each.name] for each in self._list(prefix, None, None)]

    def put(self, new: NewObject) -> None:
        self._write(new, 0)

    def restore(self, objects: Sequence[StoredObject]) -> None:
        """Begins with these."""
        for each in objects:
            self.put(NewObject(name=each.name, data=each.data or b"", metadata=each.metadata))
