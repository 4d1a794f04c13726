"""What the tests of events share: the corpus, messages from data, and how hypothesis runs."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from downwind.model.event import Message

# The same examples in every run, and a failing one can be repeated from what is printed.
settings.register_profile("events", derandomize=True, print_blob=True, deadline=None, max_examples=100)
settings.load_profile("events")

CORPUS = Path(__file__).parents[2] / "events"


@pytest.fixture(scope="session")
def corpus() -> Path:
    return CORPUS


@pytest.fixture(scope="session")
def payload() -> Callable[[str], dict[str, Any]]:
    """A file of the corpus, parsed afresh."""

    def read(name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((CORPUS / name).read_bytes())
        return document

    return read


@pytest.fixture(scope="session")
def message() -> Callable[..., Message]:
    """A message with this data (JSON if it is not bytes) and these attributes."""

    def make(data: Any, attributes: Mapping[str, str] | None = None, **more: Any) -> Message:
        raw = data if isinstance(data, bytes) else json.dumps(data).encode()
        return Message(id="1", data=raw, attributes=attributes or {}, **more)

    return make


@pytest.fixture(scope="session")
def pushed() -> Callable[..., dict[str, Any]]:
    """The body of a push subscription around this data."""

    def wrap(data: bytes, attributes: Mapping[str, str] | None = None, **message: Any) -> dict[str, Any]:
        content: dict[str, Any] = {"messageId": "42", "publishTime": "2026-11-20T09:20:06.109Z", **message}
        if data:
            content["data"] = base64.b64encode(data).decode()
        if attributes:
            content["attributes"] = dict(attributes)
        return {"message": content, "subscription": "projects/p/subscriptions/s"}

    return wrap
