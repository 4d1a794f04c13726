"""The local world answers programs of this machine, not what a browser asks for some page; and keeps their connections."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from downwind.local.calls import call
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


class Echoes(HttpPart):
    name = "echoes"

    def routes(self) -> list[object]:  # type: ignore[override]
        return [
            (("POST",), "/read", lambda request: Response(request.get_data())),
            (("POST",), "/unread", lambda _request: Response(b"unread")),
        ]


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    part = Echoes()
    part.start()
    found = http.client.HTTPConnection("127.0.0.1", part.port, timeout=20)
    yield found
    found.close()
    part.stop()


def asked(connection: http.client.HTTPConnection, path: str, body: Any = b"", **more: Any) -> tuple[bytes, Any]:
    """The answer, and the socket that the next request goes through."""
    connection.request("POST", path, body, {"Content-Type": "text/plain"}, **more)
    answer = connection.getresponse()
    return answer.read(), connection.sock


def test_one_connection_brings_many_calls_whether_or_not_their_bodies_are_read(
    connection: http.client.HTTPConnection,
) -> None:
    long = b"POST /read HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50_000
    said = [asked(connection, path, body) for path, body in [("/read", b"a"), ("/unread", long), ("/read", b"b")]]
    assert [text for text, _ in said] == [b"a", b"unread", b"b"]
    assert len({id(sock) for _, sock in said}) == 1
    assert None not in {sock for _, sock in said}


def test_a_body_of_unknown_length_is_the_last_of_its_connection(connection: http.client.HTTPConnection) -> None:
    assert asked(connection, "/read", iter([b"a", b"b"]), encode_chunked=True) == (b"ab", None)
    assert asked(connection, "/unread", iter([b"a", b"b"]), encode_chunked=True) == (b"unread", None)


def test_who_kept_a_connection_to_a_part_that_stopped_is_told() -> None:
    part = Echoes()
    part.start()
    kept = http.client.HTTPConnection("127.0.0.1", part.port, timeout=20)
    assert asked(kept, "/read", b"a")[0] == b"a"
    part.stop()
    with pytest.raises(ConnectionError):
        asked(kept, "/read", b"b")
    kept.close()


def test_a_part_is_asked_itself_on_a_machine_with_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    part = Echoes()
    part.start()
    assert call("POST", f"{part.url}/read", "a") == "a"
    part.stop()
