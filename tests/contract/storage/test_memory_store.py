"""What the store in memory offers to tests beyond the port."""

from datetime import UTC, datetime, timedelta

import pytest

from downwind.adapters.memory_store import MemoryStore
from downwind.errors import TransientError
from downwind.ports import NewObject


def new(name: str) -> NewObject:
    return NewObject(name=name, data=b"{}")


def test_rounds_count_side_by_side_calls_once_and_calls_count_each() -> None:
    store = MemoryStore()
    store.create_all([new("a"), new("b"), new("c")])
    store.read("a")
    store.read_all(["a", "b"])
    store.read_all([])
    store.list_all(["a", "b"])
    store.list("")
    store.delete("a")
    store.replace(new("b"), generation=1)
    assert (store.rounds, store.calls) == (7, 11)


def test_created_follows_the_given_clock_and_rises_strictly() -> None:
    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    store = MemoryStore(lambda: moment)
    made = [store.create(new(str(number))) for number in range(3)]
    micro = timedelta(microseconds=1)
    assert [one.created for one in made if one] == [moment, moment + micro, moment + 2 * micro]
    moment -= timedelta(days=1)
    later = store.create(new("later"))
    assert later is not None
    assert later.created == moment + timedelta(days=1) + 3 * micro
    assert [one.generation for one in made if one] == sorted({one.generation for one in made if one})


def test_a_failure_before_does_nothing_and_one_after_loses_the_answer() -> None:
    store = MemoryStore()
    seen: list[tuple[str, str]] = []

    def fail(method: str, name: str) -> None:
        seen.append((method, name))
        raise TransientError("down")

    store.fail = fail
    with pytest.raises(TransientError):
        store.create(new("a"))
    with pytest.raises(TransientError):
        store.list("p/")
    store.fail, store.fail_after = None, fail
    with pytest.raises(TransientError):
        store.create(new("b"))
    store.fail_after = None
    assert seen == [("create", "a"), ("list", "p/"), ("create", "b")]
    assert [one.name for one in store.list("")] == ["b"]


def test_an_error_in_one_is_raised_after_all_have_ended() -> None:
    store = MemoryStore()

    def fail(_method: str, name: str) -> None:
        if name == "a":
            raise TransientError("down")

    store.fail = fail
    with pytest.raises(TransientError):
        store.create_all([new("a"), new("b")])
    assert [one.name for one in store.list("")] == ["b"]
