"""What `ports.Store` promises, on the store in memory and on Cloud Storage's API."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from downwind.errors import Refused
from downwind.ports import NewObject, Store

T = TypeVar("T")
HARD_NAMES = [
    "release/ab/shop/0a1b/push/refs%2Fheads%2Fmain/none",
    "with space, plus+and=ampersand&question?hash#percent%41",
    "straße/日本/🚀",
    "trailing/slash/",
    "//two//slashes",
    "line\ttab;semi:colon'quote\"back\\slash",
    "..a/../b/./c",
    "x" * 1024,
]


def new(name: str, data: bytes = b"{}", **metadata: str) -> NewObject:
    return NewObject(name=name, data=data, metadata=metadata)


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Runs `act` in that many threads, all released together."""
    gate = threading.Barrier(count)

    def run(number: int) -> T:
        gate.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_create_gives_back_what_was_written(store: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    made = store.create(new("a/b", b"data", commit="0a1b", Status="SUCCESS"))
    assert made is not None
    assert (made.name, dict(made.metadata), made.data) == ("a/b", {"commit": "0a1b", "Status": "SUCCESS"}, b"data")
    assert before < made.created < datetime.now(UTC) + timedelta(seconds=1)
    assert made.generation > 0
    assert store.read("a/b") == made


def test_a_second_create_changes_nothing(store: Store) -> None:
    first = store.create(new("a", b"first", by="first"))
    assert store.create(new("a", b"second", by="second")) is None
    assert store.read("a") == first


def test_create_all_answers_in_order_and_tells_each_apart(store: Store) -> None:
    store.create(new("n/3"))
    made = store.create_all([new(f"n/{number}", str(number).encode()) for number in range(40)])
    assert [one.name if one else None for one in made] == [f"n/{n}" if n != 3 else None for n in range(40)]
    read = store.read_all([f"n/{number}" for number in range(41)])
    assert [one.data if one else None for one in read] == [
        *(str(n).encode() if n != 3 else b"{}" for n in range(40)),
        None,
    ]


def test_nothing_asked_is_nothing_answered(store: Store) -> None:
    assert (store.create_all([]), store.read_all([]), store.list_all([])) == ([], [], [])


def test_read_of_what_is_not_there_is_none(store: Store) -> None:
    assert store.read("nothing") is None


def test_read_of_one_generation(store: Store) -> None:
    made = store.create(new("a", b"1"))
    assert made is not None
    assert store.read("a", made.generation) == made
    assert store.read("a", made.generation + 1) is None


def test_empty_data_and_binary_data_stay_as_they_are(store: Store) -> None:
    binary = bytes(range(256)) + b"\r\n--boundary--\r\n\r\n"
    store.create_all([new("empty", b""), new("binary", binary), new("ends", b"\r")])
    assert [one and one.data for one in store.read_all(["empty", "binary", "ends"])] == [b"", binary, b"\r"]


@pytest.mark.parametrize("name", HARD_NAMES, ids=range(len(HARD_NAMES)))
def test_names_are_any_text(store: Store, name: str) -> None:
    made = store.create(new(name, b"x"))
    assert made is not None
    assert made.name == name
    assert store.read(name) == made
    assert [one.name for one in store.list(name)] == [name]
    store.delete(name)
    assert store.read(name) is None


@pytest.mark.parametrize("name", ["", "x" * 1025, "é" * 513, "a\nb", "a\rb", ".", "..", "\ud800"])
def test_what_cannot_be_a_name_is_refused_at_once(store: Store, name: str) -> None:
    acts: list[Callable[[], object]] = [
        lambda: store.create(new(name)),
        lambda: store.read(name),
        lambda: store.delete(name),
    ]
    for act in acts:
        with pytest.raises(Refused, match="not an object name"):
            act()


def test_metadata_over_8_kib_and_the_key_of_the_nonce_are_refused(store: Store) -> None:
    with pytest.raises(Refused, match="8 KiB"):
        store.create(new("a", text="é" * 4096))
    with pytest.raises(Refused, match="nonce"):
        store.create(NewObject(name="a", data=b"", metadata={"nonce": "mine"}))
    assert store.create(new("a", text="x" * 8000)) is not None


def test_metadata_holds_any_text(store: Store) -> None:
    made = store.create(new("a", why='ä 日本 \n "quoted" 🚀', empty=""))
    assert made is not None
    assert dict(made.metadata) == {"why": 'ä 日本 \n "quoted" 🚀', "empty": ""}
    assert store.list("a")[0].metadata == made.metadata


def test_list_is_ascending_by_the_bytes_of_the_name(store: Store) -> None:
    names = ["p/B", "p/a", "p/a/b", "p/é", "p/\uffee", "p/😀", "p/~", "p/0", "q/1", "o/1"]
    made = store.create_all([new(name, b"data", own=name) for name in names])
    listed = store.list("p/")
    assert [one.name for one in listed] == sorted((n for n in names if n.startswith("p/")), key=str.encode)
    assert all(one.data is None for one in listed)
    by_name = {one.name: one for one in made if one}
    for one in listed:
        wanted = by_name[one.name]
        assert (one.generation, one.created, one.metadata) == (wanted.generation, wanted.created, wanted.metadata)
    assert [one.name for one in store.list("")] == sorted(names, key=str.encode)


def test_list_from_a_start_and_up_to_a_limit(store: Store) -> None:
    store.create_all([new(f"p/{number:02d}") for number in range(20)])
    assert [one.name for one in store.list("p/", start="p/07", limit=2)] == ["p/07", "p/08"]
    assert [one.name for one in store.list("p/", start="p/18")] == ["p/18", "p/19"]
    assert [one.name for one in store.list("p/", start="a", limit=1)] == ["p/00"]
    assert store.list("p/", limit=0) == []
    assert store.list("none/") == []


def test_list_all_answers_for_each_prefix_in_order(store: Store) -> None:
    store.create_all([new("a/1"), new("a/2"), new("b/1")])
    assert [len(each) for each in store.list_all(["b/", "none/", "a/"], limit=[2, 1, 1])] == [1, 0, 1]
    lists = store.list_all(["b/", "none/", "a/"], limit=1)
    assert [[one.name for one in found] for found in lists] == [["b/1"], [], ["a/1"]]


def test_replace_writes_only_over_the_generation_that_it_was_told(store: Store) -> None:
    first = store.replace(new("a", b"1"), generation=0)
    assert first is not None
    assert store.replace(new("a", b"x"), generation=0) is None
    second = store.replace(new("a", b"2", by="me"), generation=first.generation)
    assert second is not None
    assert second.generation > first.generation
    assert store.replace(new("a", b"3"), generation=first.generation) is None
    assert store.read("a") == second
    assert store.replace(new("absent"), generation=first.generation) is None
    assert store.read("absent") is None


def test_delete_takes_away_and_is_content_with_nothing(store: Store) -> None:
    first = store.create(new("a"))
    store.delete("a")
    store.delete("a")
    assert store.read("a") is None
    assert store.list("") == []
    second = store.create(new("a"))
    assert first is not None
    assert second is not None
    assert second.generation > first.generation


def test_fifty_creates_of_one_name_have_one_winner(store: Store) -> None:
    made = at_once(50, lambda number: store.create(new("claim", str(number).encode())))
    winners = [number for number, one in enumerate(made) if one]
    assert len(winners) == 1
    standing = store.read("claim")
    assert standing is not None
    assert standing.data == str(winners[0]).encode()


def test_a_counter_by_compare_and_swap_is_exact(store: Store) -> None:
    store.create(new("counter", b"0"))

    def add(_: int) -> None:
        done = 0
        while done < 10:
            now = store.read("counter")
            assert now is not None
            assert now.data is not None
            done += store.replace(new("counter", b"%d" % (int(now.data) + 1)), generation=now.generation) is not None

    at_once(8, add)
    end = store.read("counter")
    assert end is not None
    assert end.data == b"80"
