"""A Cloud Storage bucket in memory: the twin of `adapters.gcs`."""

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from downwind.adapters.store_limits import check_name, check_new, limits
from downwind.errors import DownwindError
from downwind.ports import NewObject, StoredObject

T = TypeVar("T")
Hook = Callable[[str, str], None]


class MemoryStore:
    """`ports.Store`, safe between threads; forgets everything with the object.

    `created` comes from `clock` (default: UTC now) and rises strictly with each write, by a microsecond at least; so do
    generations. For tests: `rounds` counts calls one after another (an `*_all` counts one, of nothing none), `calls`
    all calls. `fail(method, name)` runs before and `fail_after(method, name)` after each single create, read, list
    (name: the prefix), replace or delete, and may raise: before, nothing was done; after, the answer was lost.
    """

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.rounds = 0
        self.calls = 0
        self.fail: Hook | None = None
        self.fail_after: Hook | None = None
        self._clock = clock or _utc_now
        self._lock = threading.Lock()
        self._objects: dict[str, StoredObject] = {}
        self._listed: dict[str, StoredObject] = {}
        """The same without data, as lists give them."""
        self._names: list[str] = []
        """In order, so that a list costs what it gives."""
        self._created = datetime.min.replace(tzinfo=UTC)
        self._generation = 0

    def create(self, new: NewObject) -> StoredObject | None:
        return self.create_all([new])[0]

    def create_all(self, new: Sequence[NewObject]) -> list[StoredObject | None]:
        return self._round("create", [(one.name, partial(self._write, one, 0)) for one in new])

    def read(self, name: str, generation: int | None = None) -> StoredObject | None:
        return self._round("read", [(name, partial(self._read, name, generation))])[0]

    def read_all(self, names: Sequence[str]) -> list[StoredObject | None]:
        return self._round("read", [(name, partial(self._read, name, None)) for name in names])

    # `list_all` and `_round` stand before `list`, which hides the type of that name from what follows it in the class.
    def list_all(
        self, prefixes: Sequence[str], *, limit: int | Sequence[int] | None = None
    ) -> list[list[StoredObject]]:
        lists = zip(prefixes, limits(limit, len(prefixes)), strict=True)
        return self._round("list", [(prefix, partial(self._list, prefix, at_most, None)) for prefix, at_most in lists])

    def _list(self, prefix: str, limit: int | None, start: str | None) -> list[StoredObject]:
        found: list[StoredObject] = []
        for index in range(bisect_left(self._names, max(prefix, start or "")), len(self._names)):
            name = self._names[index]
            if not name.startswith(prefix) or len(found) == limit:
                break
            found.append(self._listed[name])
        return found

    def _round(self, method: str, work: Sequence[tuple[str, Callable[[], T]]]) -> list[T]:
        with self._lock:
            self.rounds += bool(work)
            self.calls += len(work)
        answers, errors = [], []
        for name, act in work:
            try:
                if self.fail:
                    self.fail(method, name)
                with self._lock:
                    answers.append(act())
                if self.fail_after:
                    self.fail_after(method, name)
            except DownwindError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return answers

    def list(self, prefix: str, *, limit: int | None = None, start: str | None = None) -> list[StoredObject]:
        return self._round("list", [(prefix, partial(self._list, prefix, limit, start))])[0]

    def replace(self, new: NewObject, *, generation: int) -> StoredObject | None:
        return self._round("replace", [(new.name, partial(self._write, new, generation))])[0]

    def delete(self, name: str) -> None:
        self._round("delete", [(name, partial(self._delete, name))])

    def _write(self, new: NewObject, generation: int) -> StoredObject | None:
        check_new(new)
        standing = self._objects.get(new.name)
        if (standing.generation if standing else 0) != generation:
            return None
        self._created = max(self._clock(), self._created + timedelta(microseconds=1))
        self._generation = max(int(self._created.timestamp() * 1_000_000), self._generation + 1)
        stored = StoredObject(
            name=new.name,
            generation=self._generation,
            created=self._created,
            metadata=dict(new.metadata),
            data=new.data,
        )
        if standing is None:
            insort(self._names, new.name)
        self._objects[new.name] = stored
        self._listed[new.name] = replace(stored, data=None)
        return stored

    def _read(self, name: str, generation: int | None) -> StoredObject | None:
        check_name(name)
        standing = self._objects.get(name)
        return None if standing is None or generation not in {None, standing.generation} else standing

    def _delete(self, name: str) -> None:
        check_name(name)
        if self._objects.pop(name, None) is not None:
            del self._listed[name]
            del self._names[bisect_left(self._names, name)]


def _utc_now() -> datetime:
    return datetime.now(UTC)
