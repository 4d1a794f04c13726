"""One Cloud Storage server for the session, a bucket for each test, and the official client on it."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from downwind.adapters.gcs import GcsStore, gcs_client
from downwind.adapters.memory_store import MemoryStore
from downwind.local.storage import StorageServer
from downwind.ports import Store

Raw = Callable[..., requests.Response]


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageServer]:
    server = StorageServer(tmp_path_factory.mktemp("storage"))
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server
    server.stop()


@pytest.fixture(scope="session")
def client(storage: StorageServer) -> Iterator[Any]:
    """google-cloud-storage, as the functions use it."""
    client = gcs_client("demo")
    yield client
    client.close()


@pytest.fixture
def bucket(client: Any) -> Any:
    return client.create_bucket(f"bucket-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def versioned(client: Any) -> Any:
    """A bucket that keeps old generations."""
    bucket = client.bucket(f"bucket-{uuid.uuid4().hex[:12]}")
    bucket.versioning_enabled = True
    return client.create_bucket(bucket)


@pytest.fixture(scope="session")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def raw(storage: StorageServer, session: requests.Session) -> Raw:
    """HTTP without the official client: raw(method, path after the host, **what requests takes)."""

    def send(method: str, path: str, **options: Any) -> requests.Response:
        return session.request(method, storage.url + path, timeout=30, **options)

    return send


@pytest.fixture
def fault(raw: Raw) -> Iterator[Callable[..., None]]:
    """Orders failures: fault(method, status, times, after)."""

    def order(method: str, status: int = 503, times: int = 1, *, after: bool = False) -> None:
        order = {"method": method, "status": status, "times": times, "after": after}
        assert raw("POST", "/-/faults", json=order).status_code == 200

    yield order
    raw("DELETE", "/-/faults")


@pytest.fixture
def gcs(bucket: Any, client: Any) -> Iterator[GcsStore]:
    store = GcsStore(bucket.name, client=client)
    yield store
    store.close()


@pytest.fixture(params=["memory", "gcs"])
def store(request: pytest.FixtureRequest) -> Store:
    """Both stores behind the port."""
    if request.param == "memory":
        return MemoryStore()
    found: Store = request.getfixturevalue("gcs")
    return found
