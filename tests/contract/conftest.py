"""Where the local parts' announcements arrive in these suites: a Pub/Sub that keeps what is published."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from downwind.local.http import Handler, HttpPart, json_response
from downwind.local.outbox import Outbox


class Inbox(HttpPart):
    """projects.topics.publish; `wait(topic, count)` answers the first `count` messages as (JSON data, attributes)."""

    name = "inbox"

    def __init__(self) -> None:
        super().__init__()
        self._messages: list[tuple[str, Any, dict[str, str]]] = []
        self._arrived = threading.Condition(threading.RLock())

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [(("POST",), "/v1/projects/demo/topics/<topic>:publish", self._publish)]

    def _publish(self, request: Request, topic: str) -> Response:
        with self._arrived:
            for message in json.loads(request.get_data())["messages"]:
                data = json.loads(b64decode(message["data"]))
                self._messages.append((topic, data, message["attributes"]))
            self._arrived.notify_all()
        return json_response({"messageIds": ["1"]})

    def seen(self, topic: str) -> list[tuple[Any, dict[str, str]]]:
        with self._arrived:
            return [(data, attributes) for name, data, attributes in self._messages if name == topic]

    def wait(self, topic: str, count: int) -> list[tuple[Any, dict[str, str]]]:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.seen(topic)) >= count, timeout=30), self.seen(topic)
            return self.seen(topic)[:count]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    part = Inbox()
    part.start()
    yield part
    part.stop()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite", pause=0.02)
    yield box
    box.stop()
