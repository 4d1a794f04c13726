"""Processor time of one message, and what the local storage server carries."""

import http.client
import json
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.figures import Figure
from benchmarks.stage import Stage, busy, wrapped
from benchmarks.startup import NOTICE, ignored
from downwind.local.function_process import FunctionProcess
from downwind.ports import NewObject

EVENTS = 300
"""A batch: the kernel counts processor time in hundredths of a second."""
BATCHES = 3
UPDATE = {
    **{key: value for key, value in NOTICE.items() if key != "createRepoEvent"},
    "refUpdateEvent": {
        "refUpdates": {
            "refs/heads/main": {
                "refName": "refs/heads/main",
                "updateType": "UPDATE_FAST_FORWARD",
                "oldId": "0123456789abcdef0123456789abcdef01234567",
                "newId": "76543210fedcba9876543210fedcba9876543210",
            }
        }
    },
}


def processor(stage: Stage) -> list[Figure]:
    """Milliseconds of the worker's processor time for one message; what the servers behind it use is not in it."""
    headers = stage.authorization()
    same = _push("one and the same")
    kinds: dict[str, Callable[[], bytes]] = {
        "ignored by its text": ignored,
        "a duplicate (1 store call)": lambda: same,
        "recorded as ignored (nobody's repository)": lambda: _push(uuid.uuid4().hex),
    }
    with stage.function("hello") as hello:
        bare = _milliseconds(hello, ignored, headers)
    with stage.function("on_push") as process:
        return [
            Figure(name=f"processor time: {name}", unit="ms", samples=_milliseconds(process, make, headers), bare=bare)
            for name, make in kinds.items()
        ]


def _push(message: str) -> bytes:
    text = b64encode(json.dumps(UPDATE).encode()).decode()
    return wrapped({"messageId": message, "publishTime": "2026-11-20T09:20:07Z", "data": text})


def _milliseconds(process: FunctionProcess, make: Callable[[], bytes], headers: dict[str, str]) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=60)
    try:
        _post(connection, make(), headers)  # loads what is loaded once
        taken = []
        for _ in range(BATCHES):
            bodies = [make() for _ in range(EVENTS)]
            before = busy(process.worker)
            for body in bodies:
                _post(connection, body, headers)
            taken.append((busy(process.worker) - before) * 1000 / EVENTS)
        return taken
    finally:
        connection.close()


def _post(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> None:
    connection.request("POST", "/", body, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 204:
        raise RuntimeError(f"the function answered {answer.status}")


def store(stage: Stage, calls: int) -> list[Figure]:
    """Calls a second, one after another, through the adapter that the functions use; a sample is the mean of a tenth."""
    ledger: Any = stage.world.ports.ledger
    prefix = f"bench/{uuid.uuid4().hex}/"
    data = b"x" * 500
    work: dict[str, Callable[[int], object]] = {
        "create": lambda n: ledger.create(NewObject(name=f"{prefix}{n}", data=data)),
        "create what is there": lambda n: ledger.create(NewObject(name=f"{prefix}{n}", data=data)),
        "read": lambda n: ledger.read(f"{prefix}{n}"),
        "list one": lambda n: ledger.list(f"{prefix}{n}"),
    }
    return [
        Figure(name=f"local storage: {name}", unit="1/s", samples=list(_rates(one, calls)))
        for name, one in work.items()
    ]


def _rates(one: Callable[[int], object], calls: int) -> Iterator[float]:
    size = max(1, calls // 10)
    for batch in range(10):
        began = time.perf_counter()
        for number in range(size):
            one(batch * size + number)
        yield size / (time.perf_counter() - began)
