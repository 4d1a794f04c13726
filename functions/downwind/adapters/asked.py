"""A question to the machine whose answer is kept, as long as it can be relied on."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Asked(Generic[T]):
    """What this machine can give, as `probe` finds it. A yes holds for the life of this process; a no is asked again after
    `again` seconds, since it may have been for want of memory, processes or time at that moment. Safe in many threads."""

    def __init__(
        self, probe: Callable[[], T], again: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe = probe
        self._again = again
        self._clock = clock
        self._lock = threading.Lock()
        self._found: tuple[float, T] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._found is None or (not self._found[1] and self._clock() - self._found[0] >= self._again):
                self._found = (self._clock(), self._probe())
            return self._found[1]
