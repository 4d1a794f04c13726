"""One bucket of Cloud Storage through google-cloud-storage, whose retries and preconditions we lean on.

Every write carries a nonce in its metadata. It is conditional, so its retries are safe; where one of them meets the
success of an earlier one (412, or 403 for an identity that may create but not overwrite), the nonce tells it apart.

A read takes two requests, since the JSON API answers either with the data or with metadata and the exact `timeCreated`:
they go out side by side, and count only if both speak of the same generation.
"""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any, TypeVar

from downwind.adapters.gcs_calls import Budget, NotDone, RefusedByStore, ask, gcs_client
from downwind.adapters.own_success import NONCE_REFUSALS, meant_by
from downwind.adapters.store_limits import NONCE, check_name, check_new, limits
from downwind.ports import NewObject, StoredObject

__all__ = ["GcsStore", "gcs_client"]

T = TypeVar("T")
_WORKERS = 16
_LISTED = "items(name,generation,timeCreated,metadata),nextPageToken"


class GcsStore:
    """`ports.Store`. The stores of one process share a `client` (see `gcs_client`); one made here is closed by `close`.

    `timeout`: seconds for one call, or for one page of a list, or for a whole `*_all`, retries included.
    """

    def __init__(self, bucket: str, *, project: str | None = None, client: Any = None, timeout: float = 20) -> None:
        self._own = client is None
        self._client = gcs_client(project) if client is None else client
        self._name = bucket
        self._bucket = self._client.bucket(bucket)
        self._timeout = timeout
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"store-{bucket}")

    def close(self) -> None:
        self._pool.shutdown()
        if self._own:
            self._client.close()

    def create(self, new: NewObject) -> StoredObject | None:
        return self._write(new, 0, Budget(self._timeout))

    def create_all(self, new: Sequence[NewObject]) -> list[StoredObject | None]:
        budget = Budget(self._timeout)
        return self._side_by_side([partial(self._write, one, 0, budget) for one in new])

    def read(self, name: str, generation: int | None = None) -> StoredObject | None:
        return self._read([(name, generation)])[0]

    def read_all(self, names: Sequence[str]) -> list[StoredObject | None]:
        return self._read([(name, None) for name in names])

    def list_all(
        self, prefixes: Sequence[str], *, limit: int | Sequence[int] | None = None
    ) -> list[list[StoredObject]]:
        budget = Budget(self._timeout)
        lists = zip(prefixes, limits(limit, len(prefixes)), strict=True)
        return self._side_by_side([partial(self._list, prefix, at_most, None, budget) for prefix, at_most in lists])

    def replace(self, new: NewObject, *, generation: int) -> StoredObject | None:
        return self._write(new, generation, Budget(self._timeout))

    def delete(self, name: str) -> None:
        check_name(name)
        options = Budget(self._timeout).options()
        try:
            ask(self._name, lambda: self._bucket.blob(name).delete(**options))
        except RefusedByStore as refusal:
            if refusal.status != 404:
                raise

    def _side_by_side(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """The first on this thread, the others on the pool's; an error only once all have ended."""
        others = [self._pool.submit(call) for call in calls[1:]]
        try:
            first = [call() for call in calls[:1]]
        finally:
            wait(others)
        return [*first, *(other.result() for other in others)]

    def _read(self, wanted: Sequence[tuple[str, int | None]]) -> list[StoredObject | None]:
        for name, _ in wanted:
            check_name(name)
        budget = Budget(self._timeout)
        found: dict[int, StoredObject | None] = {}
        missing = list(range(len(wanted)))
        while missing:  # again where a write came between the two; the budget ends it
            calls: list[Callable[[], Any]] = []
            for index in missing:
                calls += [partial(self._describe, *wanted[index], budget), partial(self._load, *wanted[index], budget)]
            answers = self._side_by_side(calls)
            for index, described, loaded in zip(missing, answers[::2], answers[1::2], strict=True):
                if described is None:
                    found[index] = None
                elif loaded is not None and loaded[0] == described.generation:
                    found[index] = _stored(described, loaded[1])
            missing = [index for index in missing if index not in found]
        return [found[index] for index in range(len(wanted))]

    def _describe(self, name: str, generation: int | None, budget: Budget) -> Any:
        """The Blob with its metadata, None when there is no such object."""
        blob = self._bucket.blob(name, generation=generation)
        options = budget.options()
        try:
            ask(self._name, lambda: blob.reload(**options))
        except RefusedByStore as refusal:
            if refusal.status != 404:
                raise
            return None
        return blob

    def _load(self, name: str, generation: int | None, budget: Budget) -> tuple[int, bytes] | None:
        blob = self._bucket.blob(name, generation=generation)
        options = budget.options()
        try:
            data: bytes = ask(self._name, lambda: blob.download_as_bytes(**options))
        except NotDone as refusal:
            if refusal.status != 404:
                raise
            return None  # whether the bucket or the object is missing, `_describe` says
        return blob.generation, data

    def _write(self, new: NewObject, generation: int, budget: Budget) -> StoredObject | None:
        check_new(new)
        blob = self._bucket.blob(new.name)
        nonce = uuid.uuid4().hex
        blob.metadata = {**new.metadata, NONCE: nonce}
        options = {"content_type": new.content_type, "if_generation_match": generation, **budget.options()}
        try:
            ask(self._name, lambda: blob.upload_from_string(new.data, **options))
        except NotDone as refusal:
            if refusal.status not in NONCE_REFUSALS:
                raise
            standing = self._describe(new.name, None, budget)
            own = standing is not None and (standing.metadata or {}).get(NONCE) == nonce
            meant = meant_by(refusal.status, standing=standing is not None, own=own, creating=generation == 0)
            if meant == "refused":
                raise
            return _stored(standing, new.data) if meant == "done" else None
        return _stored(blob, new.data)

    def _list(self, prefix: str, limit: int | None, start: str | None, budget: Budget) -> "_Objects":
        if limit == 0:
            return []
        options = {"max_results": limit, "start_offset": start, "fields": _LISTED, **budget.options()}
        blobs = ask(self._name, lambda: list(self._client.list_blobs(self._bucket, prefix=prefix or None, **options)))
        return [_stored(blob, None) for blob in blobs]

    def list(self, prefix: str, *, limit: int | None = None, start: str | None = None) -> "_Objects":
        return self._list(prefix, limit, start, Budget(self._timeout))


# `list` is a method of the class above, so the type's name means something else there.
_Objects = list[StoredObject]


def _stored(blob: Any, data: bytes | None) -> StoredObject:
    metadata = {key: value for key, value in (blob.metadata or {}).items() if key != NONCE}
    return StoredObject(
        name=blob.name, generation=blob.generation, created=blob.time_created, metadata=metadata, data=data
    )
