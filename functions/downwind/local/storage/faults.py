"""Failures on demand, for tests and the demo: `POST /-/faults {"method", "status", "times", "after"}`."""

import threading
from dataclasses import dataclass
from typing import Any

from downwind.local.storage.errors import StorageError, invalid

METHODS = frozenset({"insert", "get", "list", "delete", "patch", "update", "compose", "copy", "rewrite"})
_REASONS = {403: "forbidden", 408: "requestTimeout", 429: "rateLimitExceeded"}


@dataclass(slots=True)
class Fault:
    method: str
    status: int
    times: int
    after: bool


class Faults:
    """The next `times` calls of an objects method fail; `after`: they are done first, and only the answer is lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, document: dict[str, Any]) -> None:
        method, status = document.get("method"), document.get("status", 503)
        times, after = document.get("times", 1), document.get("after", False)
        if method not in METHODS or not isinstance(status, int) or not 400 <= status <= 599:
            raise invalid(f"method: one of {', '.join(sorted(METHODS))}; status: 400 to 599")
        if not isinstance(times, int) or times < 1 or not isinstance(after, bool):
            raise invalid("times: a number from 1 on; after: true or false")
        with self._lock:
            self._faults.append(Fault(method, status, times, after))

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"method": one.method, "status": one.status, "times": one.times, "after": one.after}
                for one in self._faults
            ]

    def meet(self, method: str, *, after: bool) -> None:
        """Raises the fault whose turn it is, if one waits for this method. Those of one method come in the order ordered."""
        with self._lock:
            fault = next((one for one in self._faults if one.method == method), None)
            if fault is None or fault.after != after:
                return
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
        raise StorageError(
            fault.status, _REASONS.get(fault.status, "backendError"), f"storage: a fault ordered for {method}"
        )
