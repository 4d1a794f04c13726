"""Virtual time and cooperative workers. A worker runs until a port call lets time pass; whoever is due first goes on."""

from collections.abc import Callable
from heapq import heappop, heappush

from greenlet import getcurrent, greenlet


class Crash(BaseException):
    """The worker's process is gone. Nothing of ours catches it."""


class Worker:
    """One delivery or tick, in a process of its own. `revision`: which of two deployed revisions runs it."""

    __slots__ = ("crashed", "name", "revision", "thread")

    def __init__(self, name: str, revision: int) -> None:
        self.name = name
        self.revision = revision
        self.crashed = False
        self.thread: greenlet | None = None


class Scheduler:
    """`now` in seconds since the history began. The trace is the whole history, one line a point."""

    def __init__(self) -> None:
        self.now = 0.0
        self.worker: Worker | None = None
        self.workers = 0
        self.crashes = 0
        self.points = 0
        self.trace: list[str] = []
        self.errors: list[tuple[str, BaseException]] = []
        self.on_switch: Callable[[Worker], None] = lambda _worker: None
        self._due: list[tuple[float, int, Callable[..., object], tuple[object, ...]]] = []
        self._serial = 0
        self._hub = getcurrent()

    def after(self, seconds: float, act: Callable[..., object], *arguments: object) -> None:
        self._serial += 1
        heappush(self._due, (self.now + seconds, self._serial, act, arguments))

    def run(self, until: float) -> None:
        """Everything that is due up to that moment."""
        while self._due and self._due[0][0] <= until:
            self.now, _, act, arguments = heappop(self._due)
            act(*arguments)
        self.now = max(self.now, until)

    @property
    def next_at(self) -> float | None:
        return self._due[0][0] if self._due else None

    def spawn(self, name: str, work: Callable[[], object], ended: Callable[[bool], None], *, revision: int = 0) -> None:
        """Runs `work` as a worker, from now on. `ended` is told whether it lived."""
        worker = Worker(name, revision)

        def body() -> None:
            try:
                work()
            except Crash:
                worker.crashed = True
                self.crashes += 1
            except Exception as error:  # the history is wrong, whatever it was
                self.errors.append((name, error))
            self.workers -= 1
            ended(not worker.crashed)

        worker.thread = greenlet(body, parent=self._hub)
        self.workers += 1
        self._resume(worker)

    def sleep(self, seconds: float) -> None:
        """Lets time pass for the worker that runs now; others may go on meanwhile. Outside of a worker nothing passes."""
        worker = self.worker
        if worker is None:
            return
        wake = self.now + seconds
        if not self._due or self._due[0][0] > wake:
            self.now = wake
            return
        self._serial += 1
        heappush(self._due, (wake, self._serial, self._resume, (worker,)))
        self._hub.switch()

    def point(self, label: str) -> None:
        self.points += 1
        worker = self.worker
        self.trace.append(f"{self.now:.3f} {worker.name if worker else 'outside'} {label}")

    def _resume(self, worker: Worker) -> None:
        before, self.worker = self.worker, worker
        self.on_switch(worker)
        assert worker.thread is not None
        worker.thread.switch()
        self.worker = before
