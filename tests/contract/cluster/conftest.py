"""Two API servers: our cluster store in every run, and a real kube-apiserver with WITH_CLUSTER set (scripts/test --cluster)."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.cluster.kubectl import ApiServer, Kubectl
from tests.contract.cluster.real import kube_apiserver

from downwind.local.gate import GateServer
from downwind.local.kubernetes_api import BREAK_GLASS, PREFIX
from downwind.local.outbox import Outbox

WITH_CLUSTER = "WITH_CLUSTER"
"""The directory that scripts/kube-apiserver prints; or empty, and WITHOUT_CLUSTER says why there is none."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without WITH_CLUSTER the real server's cases are not collected; with it they run, or say why they cannot."""
    here = Path(__file__).parent
    ours = [item for item in items if item.path.is_relative_to(here) and item.get_closest_marker("cluster")]
    if WITH_CLUSTER not in os.environ:
        items[:] = [item for item in items if item not in ours]
    elif not os.environ[WITH_CLUSTER]:
        reason = os.environ.get("WITHOUT_CLUSTER") or "scripts/kube-apiserver gave no API server"
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(params=["local", pytest.param("real", marks=pytest.mark.cluster)])
def server(request: pytest.FixtureRequest) -> ApiServer:
    found: ApiServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def local_server(tmp_path: Path) -> Iterator[ApiServer]:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    gate = GateServer(tmp_path / "gate", outbox=outbox, storage_url="http://127.0.0.1:9")
    gate.start()
    yield ApiServer(gate.url + PREFIX, {"admin": BREAK_GLASS, "deployer": "any", "breaker": BREAK_GLASS})
    gate.stop()
    outbox.stop()


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with kube_apiserver(Path(os.environ[WITH_CLUSTER]), tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def kubectl(server: ApiServer) -> Kubectl:
    return Kubectl(server)


@pytest.fixture
def namespace(kubectl: Kubectl) -> str:
    """Of this test alone."""
    name = f"case-{uuid.uuid4().hex[:12]}"
    if kubectl.server.real:
        kubectl.must("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name
