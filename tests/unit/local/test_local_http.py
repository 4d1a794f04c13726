"""The local world answers programs of this machine, not what a browser asks for some page."""

import json
from pathlib import Path

import pytest
from werkzeug.test import Client

from downwind.local.http import HttpPart
from downwind.local.storage import StorageServer


class Bare(HttpPart):
    name = "bare"

    def routes(self) -> list[object]:  # type: ignore[override]  # none
        return []


def test_what_is_nested_too_deeply_to_be_read_is_the_callers_fault(tmp_path: Path) -> None:
    class Reads(HttpPart):
        name = "reads"

        def routes(self) -> list[object]:  # type: ignore[override]
            return [(("POST",), "/", lambda request: json.loads(request.get_data()))]

    deep = b"[" * 100_000
    assert Client(Reads()).post("/", data=deep).status_code == 400
    storage = StorageServer(tmp_path)
    answered = Client(storage).patch("/storage/v1/b/x/o/y", data=deep, content_type="application/json")
    storage.stop()
    assert answered.status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:4711", "localhost", "localhost:80", "[::1]:4711", "[::1]"])
def test_loopback_is_answered(host: str) -> None:
    assert Client(Bare()).get("/-/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4711", "127.0.0.1.evil.example", "", "[::1"])
def test_another_machine_s_name_is_refused(host: str) -> None:
    assert Client(Bare()).get("/-/health", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:4711"])
def test_a_web_page_is_refused(origin: str) -> None:
    assert Client(Bare()).get("/-/health", headers={"Host": "127.0.0.1", "Origin": origin}).status_code == 403


def test_cloud_storage_has_the_same_door(tmp_path: Path) -> None:
    server = StorageServer(tmp_path)
    asked = Client(server).get("/storage/v1/b/x/o", headers={"Host": "evil.example"})
    server.stop()
    assert asked.status_code == 403
