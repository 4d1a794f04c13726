"""GcsStore where the network or the rights fail: what is still our own success, and what each failure is called."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError
from google.cloud.storage import Client

from downwind.adapters.gcs import GcsStore, gcs_client
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.storage import StorageServer
from downwind.ports import NewObject

Fault = Callable[..., None]
Raw = Callable[..., Any]


def new(name: str, data: bytes = b"{}") -> NewObject:
    return NewObject(name=name, data=data, metadata={"commit": "0a1b"})


def test_a_create_whose_answer_was_lost_is_our_own(gcs: GcsStore, fault: Fault) -> None:
    """The write is done, the answer is 503, the client's retry gets 412: the nonce says that it was us."""
    fault("insert", 503, after=True)
    made = gcs.create(new("claim", b"ours"))
    assert made is not None
    assert made == gcs.read("claim")
    assert dict(made.metadata) == {"commit": "0a1b"}


def test_a_replace_whose_answer_was_lost_is_our_own(gcs: GcsStore, fault: Fault) -> None:
    first = gcs.create(new("a"))
    assert first is not None
    fault("insert", 503, after=True)
    second = gcs.replace(new("a", b"2"), generation=first.generation)
    assert second is not None
    assert second == gcs.read("a")


def test_a_lost_answer_does_not_turn_anothers_object_into_ours(gcs: GcsStore, fault: Fault) -> None:
    gcs.create(new("claim", b"theirs"))
    fault("insert", 503)
    assert gcs.create(new("claim", b"ours")) is None


def test_403_after_a_lost_answer_is_our_own_success(gcs: GcsStore, fault: Fault) -> None:
    """An identity that may create but not overwrite is told 403, not 412, by its retry."""
    fault("insert", 503, after=True)
    fault("insert", 403)
    assert gcs.create(new("claim")) == gcs.read("claim")


def test_403_over_anothers_object_means_that_it_stands(gcs: GcsStore, fault: Fault) -> None:
    gcs.create(new("claim", b"theirs"))
    fault("insert", 403)
    assert gcs.create(new("claim", b"ours")) is None


def test_403_where_nothing_stands_names_the_bucket_and_a_fix_and_is_no_verdict(
    gcs: GcsStore, fault: Fault, bucket: Any
) -> None:
    fault("insert", 403)
    with pytest.raises(Misconfigured, match=f"403 for gs://{bucket.name}") as caught:
        gcs.create(new("claim"))
    assert f"rights on gs://{bucket.name}" in str(caught.value.fix)
    assert gcs.read("claim") is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_retried(gcs: GcsStore, fault: Fault, status: int) -> None:
    for method in ("insert", "get", "list", "delete"):
        fault(method, status)
    assert gcs.create(new("a")) is not None
    assert gcs.read("a") is not None
    assert [one.name for one in gcs.list("")] == ["a"]
    gcs.delete("a")
    assert gcs.read("a") is None


def test_a_lasting_failure_is_transient_within_the_time_out(client: Any, bucket: Any, fault: Fault) -> None:
    store = GcsStore(bucket.name, client=client, timeout=0.3)
    calls: dict[str, Callable[[], object]] = {
        "insert": lambda: store.create(new("a")),
        "get": lambda: store.read_all(["a", "b"]),
        "list": lambda: store.list_all(["a", "b"]),
        "delete": lambda: store.delete("a"),
    }
    for method, call in calls.items():
        fault(method, 503, 1000)
        with pytest.raises(TransientError, match="Cloud Storage"):
            call()
    store.close()


def test_an_error_in_one_is_raised_after_all_have_ended(gcs: GcsStore, fault: Fault) -> None:
    fault("insert", 400, 1)
    with pytest.raises(Refused, match="400"):
        gcs.create_all([new(f"n/{number}") for number in range(30)])
    assert len(gcs.list("n/")) == 29


def test_a_server_that_is_not_there_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    store = GcsStore("nowhere", timeout=1)
    with pytest.raises(TransientError, match="did not answer for gs://nowhere"):
        store.create(new("a"))
    with pytest.raises(TransientError):
        store.read("a")
    store.close()


def test_a_bucket_that_is_not_there_is_named_and_no_verdict(client: Any) -> None:
    store = GcsStore("no-such-bucket", client=client)
    calls: list[Callable[[], object]] = [
        lambda: store.create(new("a")),
        lambda: store.replace(new("a"), generation=1),
        lambda: store.read("a"),
        lambda: store.list(""),
        lambda: store.delete("a"),
    ]
    for call in calls:
        with pytest.raises(Misconfigured, match="gs://no-such-bucket") as caught:
            call()
        assert "exists" in str(caught.value.fix)
    store.close()


def test_retention_refuses_the_delete(client: Any, gcs: GcsStore, bucket: Any) -> None:
    bucket.retention_period = 3600
    bucket.patch()
    gcs.create(new("fact"))
    with pytest.raises(Misconfigured, match="403") as caught:
        gcs.delete("fact")
    assert "retention" in str(caught.value.fix)
    assert gcs.create(new("fact")) is None
    bucket.retention_period = None
    bucket.patch()


class _NoToken(Credentials):
    """Credentials whose token service says no, for good or for now."""

    def __init__(self, *, retryable: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth's base class has no types
        self._retryable = retryable

    def refresh(self, _request: object) -> None:
        raise RefreshError("no", retryable=self._retryable)


@pytest.fixture
def tokenless(storage: StorageServer) -> Iterator[Callable[[bool], GcsStore]]:
    made = []

    def make(retryable: bool) -> GcsStore:
        options = {"api_endpoint": storage.url}
        client = Client(project="demo", credentials=_NoToken(retryable=retryable), client_options=options)
        made.append((GcsStore("any", client=client, timeout=1), client))
        return made[-1][0]

    yield make
    for store, client in made:
        store.close()
        client.close()


def test_no_token_for_good_is_refused_and_for_now_transient(tokenless: Callable[[bool], GcsStore]) -> None:
    with pytest.raises(Misconfigured, match="token service refused"):
        tokenless(False).read("a")
    with pytest.raises(TransientError, match="token service did not answer"):
        tokenless(True).read("a")


def test_a_read_never_joins_the_data_of_one_generation_with_the_metadata_of_another(gcs: GcsStore) -> None:
    first = gcs.create(NewObject(name="a", data=b"0", metadata={"number": "0"}))
    assert first is not None
    stop = threading.Event()

    def write() -> None:
        generation, number = first.generation, 0
        while not stop.is_set():
            number += 1
            text = str(number)
            made = gcs.replace(
                NewObject(name="a", data=text.encode(), metadata={"number": text}), generation=generation
            )
            assert made is not None
            generation = made.generation

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(50):
            read = gcs.read("a")
            assert read is not None
            assert read.data == read.metadata["number"].encode()
    finally:
        stop.set()
        thread.join()


def test_a_large_object_goes_up_and_down_whole(gcs: GcsStore) -> None:
    """Above 8 MiB the client uploads resumably."""
    data = bytes(range(256)) * 4096 * 9
    made = gcs.create(new("large", data))
    assert made is not None
    assert gcs.create(new("large", data)) is None
    read = gcs.read("large")
    assert read is not None
    assert read.data == data


def test_stores_share_one_client_and_close_only_their_own(client: Any, bucket: Any, storage: StorageServer) -> None:
    shared = GcsStore(bucket.name, client=client)
    own = GcsStore(bucket.name, project="demo")
    shared.create(new("a"))
    assert own.read("a") is not None
    own.close()
    shared.close()
    assert gcs_client("demo").project in {"demo", "<none>"}
    assert client.get_bucket(bucket.name).name == bucket.name


def test_the_nonce_is_a_key_of_the_metadata_in_the_bucket(gcs: GcsStore, bucket: Any) -> None:
    gcs.create(new("a"))
    assert set(bucket.get_blob("a").metadata) == {"commit", "nonce"}


def test_a_client_survives_a_restart_of_the_server_on_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = StorageServer(tmp_path)
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    client = gcs_client("demo")
    client.create_bucket("kept")
    store = GcsStore("kept", client=client)
    made = store.create(new("a"))
    server.stop()
    again = StorageServer(tmp_path, port=server.port)
    again.start()
    assert store.read("a") == made
    store.close()
    client.close()
    again.stop()
