"""A build's log: a text file, written line by line, readable while the build runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self


def now() -> str:
    """As Cloud Build writes times: RFC 3339 with fractions."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Logbook:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def say(self, line: str) -> None:
        self._file.write(line + "\n")

    def prefixed(self, prefix: str) -> Callable[[str], None]:
        return lambda line: self.say(f"{prefix}: {line}")

    @contextmanager
    def timed(self, timing: dict[str, Any], key: str) -> Iterator[None]:
        """Puts {startTime, endTime} into `timing[key]`."""
        start = now()
        try:
            yield
        finally:
            timing[key] = {"startTime": start, "endTime": now()}
