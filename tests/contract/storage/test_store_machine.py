"""Any sequence of calls against a dictionary: the store in memory, the adapter on our server, and on a better one where the
machine has it (STORAGE_CONTRACT_URL, e.g. that of googleapis/storage-testbench or fake-gcs-server).

The same sequences in every run. STORE_EXAMPLES=2000 plays so many others instead; their seed is printed, STORE_SEED repeats them.
"""

import os
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from downwind.adapters.gcs import GcsStore, gcs_client
from downwind.adapters.memory_store import MemoryStore
from downwind.errors import TransientError
from downwind.ports import NewObject, Store, StoredObject

NAMES = st.sampled_from(["a", "a/1", "a/2", "a/é", "a0", "b", "b/😀", "b/~"])
PREFIXES = st.sampled_from(["", "a", "a/", "b", "b/", "c"])
DATA = st.binary(max_size=12)
METADATA = st.dictionaries(st.sampled_from(["fact", "hints"]), st.text(max_size=5).filter(str.isprintable), max_size=2)
Order = Callable[[], None]
Lose = Callable[[bool], None]


class StoreMachine(RuleBasedStateMachine):
    """`lose` has the next write done and its answer lost, `refuse` has it not done at all; both None where the server can't. A
    store may try again by itself and find its own success, or say that it does not know: the two are all that it may do."""

    def __init__(self, store: Store, lose: Lose | None, refuse: Order | None, calm: Order) -> None:
        super().__init__()
        self.store, self.lose, self.refuse, self.calm = store, lose, refuse, calm
        self.model: dict[str, StoredObject] = {}
        self.used: dict[str, set[int]] = {}

    def teardown(self) -> None:
        self.calm()

    # Writes. `generation` 0 creates.

    @rule(name=NAMES, data=DATA, metadata=METADATA)
    def create(self, name: str, data: bytes, metadata: dict[str, str]) -> None:
        new = NewObject(name=name, data=data, metadata=metadata)
        self.written(new, 0, self.store.create(new))

    @rule(names=st.lists(NAMES, max_size=4, unique=True), data=DATA)
    def create_all(self, names: list[str], data: bytes) -> None:
        news = [NewObject(name=name, data=data) for name in names]
        for new, answer in zip(news, self.store.create_all(news), strict=True):
            self.written(new, 0, answer)

    @rule(name=NAMES, data=DATA, generation=st.sampled_from(["none", "standing", "old", "never"]))
    def replace(self, name: str, data: bytes, generation: str) -> None:
        new = NewObject(name=name, data=data)
        number = self.generation(name, generation)
        self.written(new, number, self.store.replace(new, generation=number))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self.store.delete(name)
        self.model.pop(name, None)

    @precondition(lambda self: self.lose is not None)
    @rule(
        name=NAMES,
        data=DATA,
        generation=st.sampled_from(["none", "standing", "old"]),
        fault=st.sampled_from(["lost", "lost, and forbidden the second time", "refused"]),
    )
    def write_with_a_fault(self, name: str, data: bytes, generation: str, fault: str) -> None:
        """Its answer is lost, or the call never arrived: whatever the store says, it says what is so. Who may create and not
        overwrite is told 403, not 412, when it tries again."""
        assert self.lose is not None
        assert self.refuse is not None
        new, number = NewObject(name=name, data=data), self.generation(name, generation)
        done = fault != "refused"
        if done:
            self.lose(fault != "lost")
        else:
            self.refuse()
        try:
            answer = self.store.replace(new, generation=number)
        except TransientError:
            self.calm()
            answer = self.store.read(name) if done and self.holds(name, number) else None
            if answer is None:
                self.unchanged(name)
                return
        self.calm()
        self.written(new, number, answer)

    @precondition(lambda self: self.lose is not None)
    @rule(name=NAMES)
    def delete_with_a_fault(self, name: str) -> None:
        """A delete is repeated until it is answered."""
        assert self.lose is not None
        self.lose(False)
        try:
            self.store.delete(name)
        except TransientError:
            self.calm()
            self.store.delete(name)
        self.calm()
        self.model.pop(name, None)

    # Reads.

    @rule(name=NAMES, generation=st.sampled_from([None, "standing", "old", "never"]))
    def read(self, name: str, generation: str | None) -> None:
        number = None if generation is None else self.generation(name, generation)
        standing = self.model.get(name)
        wanted = standing if standing is not None and number in {None, standing.generation} else None
        assert self.store.read(name, number) == wanted

    @rule(names=st.lists(NAMES, max_size=5))
    def read_all(self, names: list[str]) -> None:
        assert self.store.read_all(names) == [self.model.get(name) for name in names]

    @rule(prefix=PREFIXES, limit=st.none() | st.integers(0, 5), start=st.none() | NAMES)
    def list_one(self, prefix: str, limit: int | None, start: str | None) -> None:
        found = self.store.list(prefix, limit=limit, start=start)
        assert found == self.expected(prefix, limit, start)

    @rule(prefixes=st.lists(PREFIXES, max_size=3), limit=st.none() | st.integers(0, 5))
    def list_several(self, prefixes: Sequence[str], limit: int | None) -> None:
        found = self.store.list_all(prefixes, limit=limit)
        assert found == [self.expected(prefix, limit, None) for prefix in prefixes]

    @invariant()
    def everything_is_there(self) -> None:
        assert self.store.list("") == self.expected("", None, None)

    # The model.

    def written(self, new: NewObject, generation: int, answer: StoredObject | None) -> None:
        if not self.holds(new.name, generation):
            assert answer is None
            return
        assert answer is not None
        assert (answer.name, answer.data, dict(answer.metadata)) == (new.name, new.data, dict(new.metadata))
        used = self.used.setdefault(new.name, set())
        assert answer.generation > max(used, default=0), "a generation is never used twice, and rises"
        before = self.model.get(new.name)
        assert before is None or answer.created >= before.created
        used.add(answer.generation)
        self.model[new.name] = answer

    def holds(self, name: str, generation: int) -> bool:
        standing = self.model.get(name)
        return (standing.generation if standing is not None else 0) == generation

    def unchanged(self, name: str) -> None:
        assert self.store.read(name) == self.model.get(name)

    def generation(self, name: str, which: str) -> int:
        standing, used = self.model.get(name), sorted(self.used.get(name, ()))
        if which == "standing" and standing is not None:
            return standing.generation
        if which == "old" and used:
            return used[0]
        return 12345 if which == "never" else 0

    def expected(self, prefix: str, limit: int | None, start: str | None) -> list[StoredObject]:
        names = sorted((name for name in self.model if name.startswith(prefix)), key=str.encode)
        chosen = [name for name in names if start is None or name.encode() >= start.encode()][:limit]
        return [_listed(self.model[name]) for name in chosen]


def _listed(stored: StoredObject) -> StoredObject:
    return StoredObject(
        name=stored.name, generation=stored.generation, created=stored.created, metadata=stored.metadata
    )


def in_memory() -> StoreMachine:
    store = MemoryStore()
    writes = {"replace", "delete"}

    def fail(method: str, name: str) -> None:
        if method in writes:
            store.fail = store.fail_after = None
            raise TransientError("ordered")

    def lose(forbidden: bool) -> None:
        store.fail_after = fail

    def refuse() -> None:
        store.fail = fail

    def calm() -> None:
        store.fail = store.fail_after = None

    return StoreMachine(store, lose, refuse, calm)


@pytest.fixture
def on_our_server(client: Any, fault: Any, raw: Any) -> Iterator[Callable[[], StoreMachine]]:
    stores = []

    def make() -> StoreMachine:
        stores.append(GcsStore(client.create_bucket(f"bucket-{uuid.uuid4().hex[:12]}").name, client=client))

        def lose(forbidden: bool) -> None:
            for method in ("insert", "delete"):
                fault(method, 503, after=True)
            if forbidden:
                fault("insert", 403)

        def refuse() -> None:
            for method in ("insert", "delete"):
                fault(method, 503)

        return StoreMachine(stores[-1], lose, refuse, lambda: raw("DELETE", "/-/faults"))

    yield make
    for store in stores:
        store.close()


def play(make: Callable[[], StoreMachine], examples: int, steps: int) -> None:
    found = os.environ.get("STORE_EXAMPLES")
    chosen = settings(max_examples=int(found or examples), stateful_step_count=steps, derandomize=found is None)
    if found is not None:
        number = int(os.environ.get("STORE_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"STORE_SEED={number}")
        make = seed(number)(make)
    run_state_machine_as_test(make, settings=chosen)  # type: ignore[arg-type]  # any maker of one will do


def test_the_store_in_memory_is_a_dictionary() -> None:
    play(in_memory, 100, 50)


def test_our_server_is_a_dictionary(on_our_server: Callable[[], StoreMachine]) -> None:
    play(on_our_server, 5, 25)


@pytest.mark.skipif("STORAGE_CONTRACT_URL" not in os.environ, reason="STORAGE_CONTRACT_URL names no other server")
def test_another_server_is_a_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", os.environ["STORAGE_CONTRACT_URL"])
    client = gcs_client("demo")
    stores = []

    def make() -> StoreMachine:
        bucket = client.create_bucket(f"bucket-{uuid.uuid4().hex[:12]}")
        stores.append(GcsStore(bucket.name, client=client))
        return StoreMachine(stores[-1], None, None, lambda: None)

    play(make, 8, 25)
    for store in stores:
        store.close()
    client.close()
