"""What tests may order of the in-memory repository, beyond the port."""

import pytest

from downwind.adapters.memory_repository import MemoryRepository
from downwind.errors import Misconfigured, TransientError
from downwind.render.tree import files_below

ADDRESS, MAIN = "https://git.test/shop.git", "refs/heads/main"


def test_a_host_that_lags_answers_an_older_state_until_it_catches_up() -> None:
    host = MemoryRepository()
    first, second = host.commit(ADDRESS, MAIN, {"a": b"1"}), host.commit(ADDRESS, MAIN, {"a": b"2"})
    host.lag(ADDRESS, 1)
    assert host.tips(ADDRESS)[MAIN].commit == first
    host.lag(ADDRESS, 9)
    assert host.tips(ADDRESS) == {}
    host.lag(ADDRESS, 0)
    assert host.tips(ADDRESS)[MAIN].commit == second


def test_failures_come_as_often_and_where_they_were_ordered() -> None:
    host = MemoryRepository()
    commit = host.commit(ADDRESS, MAIN, {"a": b"1"})
    host.fail(TransientError("down"), times=2, verb="tree")
    assert host.tips(ADDRESS)[MAIN].commit == commit
    for _ in range(2):
        with pytest.raises(TransientError, match="down"):
            files_below(host.tree(ADDRESS, commit), "")
    assert files_below(host.tree(ADDRESS, commit), "") == {"a": b"1"}
    host.fail(TransientError("down"))
    with pytest.raises(TransientError, match="down"):
        host.tips(ADDRESS)


def test_a_private_repository_opens_with_its_own_secret_only() -> None:
    host = MemoryRepository()
    host.create(ADDRESS, credentials="git-shop")
    assert host.tips(ADDRESS, "git-shop") == {}
    with pytest.raises(Misconfigured):
        host.tips(ADDRESS)
    assert host.calls == [("tips", ADDRESS), ("tips", ADDRESS)]
