"""Registries that the cases can push to: the in-memory twin, and the local registry by its own API."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
import requests

from downwind.adapters.memory_registry import MemoryRegistry
from downwind.adapters.registry import OciRegistry
from downwind.local.builds.image import File, assemble, layer
from downwind.local.builds.upload import upload
from downwind.local.outbox import Outbox
from downwind.local.registry import RegistryServer
from downwind.ports import Registry


class Shelf(Protocol):
    """`name` is an image's whole name under which the cases push."""

    name: str

    @property
    def registry(self) -> Registry: ...
    def push(self, tag: str, labels: Mapping[str, str]) -> str: ...
    def delete(self, reference: str) -> None: ...


class MemoryShelf:
    def __init__(self) -> None:
        self.name = "registry.test/acme/shop"
        self.registry = MemoryRegistry()

    def push(self, tag: str, labels: Mapping[str, str]) -> str:
        return self.registry.push(self.name, tag, labels)

    def delete(self, reference: str) -> None:
        self.registry.delete(self.name, reference)


class LocalShelf:
    def __init__(self, server: RegistryServer, registry: OciRegistry) -> None:
        self.name = f"127.0.0.1:{server.port}/acme/shop"
        self.base = f"{server.url}/v2/acme/shop"
        self.registry = registry

    def push(self, tag: str, labels: Mapping[str, str]) -> str:
        settings = {"Labels": dict(labels)} if labels else {}
        image = assemble([layer({"app": File(data=b"x")})], settings, [])
        upload(image, f"{self.name}:{tag}")
        return image.digest

    def delete(self, reference: str) -> None:
        assert requests.delete(f"{self.base}/manifests/{reference}", timeout=5).status_code == 202

    def put(self, reference: str, body: Any, media_type: str) -> requests.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": media_type}
        return requests.put(f"{self.base}/manifests/{reference}", data=content, headers=headers, timeout=5)


@pytest.fixture
def server(tmp_path: Path, outbox: Outbox, inbox: Any) -> Iterator[RegistryServer]:
    part = RegistryServer(tmp_path / "registry", outbox=outbox, pubsub_url=inbox.url, project="demo")
    part.start()
    yield part
    part.stop()


@pytest.fixture
def local(server: RegistryServer) -> Iterator[LocalShelf]:
    registry = OciRegistry()
    yield LocalShelf(server, registry)
    registry.close()


@pytest.fixture(params=["memory", "local"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    if request.param == "memory":
        return MemoryShelf()
    found: LocalShelf = request.getfixturevalue("local")
    return found
