"""The ledger's locks on a bucket of the local storage: with retention as it is wanted, without it, and without preconditions."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.proof.sites import site

from downwind.adapters.gcs import GcsStore, gcs_client
from downwind.bootstrap.proof import facts
from downwind.bootstrap.proof.result import Result
from downwind.local.storage import StorageServer
from downwind.ports import NewObject, StoredObject

NAME = "event/1/raw"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = StorageServer(tmp_path)
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    made = gcs_client("acme")
    yield made
    made.close()
    server.stop()


def ledger(client: Any, *, retention: int | None) -> GcsStore:
    bucket = client.bucket("acme-ledger")
    bucket.retention_period = retention
    client.create_bucket(bucket)
    store = GcsStore("acme-ledger", client=client)
    store.create(NewObject(name=NAME, data=b"{}", metadata={"kind": "raw"}))
    return store


def run(memory: Any, store: Any, **more: Any) -> list[Result]:
    made = site(replace(memory.world, ledger=store), "http://127.0.0.1:1", **more)
    return [check() for check in facts.checks(made, NAME)]


def test_a_bucket_with_retention_takes_a_fact_once(memory: Any, client: Any) -> None:
    store = ledger(client, retention=86400)
    before = store.read(NAME)
    assert [each.state for each in run(memory, store)] == ["ok", "ok"]
    assert store.read(NAME) == before
    store.close()


def test_a_bucket_that_lets_overwrite_fails_and_the_fact_reads_the_same(memory: Any, client: Any) -> None:
    store = ledger(client, retention=None)
    before = store.read(NAME)
    twice, anew = run(memory, store)
    assert (twice.state, anew.state) == ("ok", "failed")
    assert "written anew" in anew.why
    after = store.read(NAME)
    assert before is not None and after is not None
    assert (after.data, after.metadata) == (before.data, before.metadata)
    store.close()


class Careless:
    """A server that knows no preconditions."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def create(self, new: NewObject) -> StoredObject | None:
        standing = self._store.read(new.name)
        found: StoredObject | None = self._store.replace(new, generation=standing.generation)
        return found


def test_a_bucket_that_ignores_preconditions_fails(memory: Any) -> None:
    memory.ledger.create(NewObject(name=NAME, data=b"{}"))
    twice, anew = run(memory, Careless(memory.ledger))
    assert (twice.state, anew.state) == ("failed", "failed")


def test_without_a_fact_of_its_own_nothing_is_tried(memory: Any) -> None:
    found = [check() for check in facts.checks(site(memory.world, "http://127.0.0.1:1"), None)]
    assert [each.state for each in found] == ["not applicable"] * 2


def test_a_ledger_that_does_not_answer_is_no_verdict(memory: Any, client: Any) -> None:
    store = GcsStore("acme-nowhere", client=client, timeout=2)
    assert {each.state for each in run(memory, store)} == {"unreachable"}
    store.close()
