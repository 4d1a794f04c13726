"""Failures on demand, shared by the in-memory twins."""

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class _Planned:
    error: Exception
    left: int
    verb: str | None


class Faults:
    """A queue of errors to raise instead of answering. Thread safe."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

    def fail(self, error: Exception, *, times: int = 1, verb: str | None = None) -> None:
        """The next `times` calls (of that method only, if `verb` names one) raise `error`."""
        with self._lock:
            self._planned.append(_Planned(error, times, verb))

    def check(self, verb: str) -> None:
        """Raises the first planned error that fits `verb`, and counts it down."""
        with self._lock:
            for planned in self._planned:
                if planned.verb in {None, verb}:
                    planned.left -= 1
                    if planned.left <= 0:
                        self._planned.remove(planned)
                    raise planned.error
