"""From the start of a process to its first answer, and what it weighs after its first real event."""

import json
import time
import uuid
from base64 import b64encode
from typing import Any

from benchmarks.figures import Figure
from benchmarks.stage import Stage, data, wrapped
from downwind.local.calls import call
from downwind.local.function_process import FunctionProcess
from downwind.local.provision import PUSHED

# Ignored by what it says alone: no store is asked.
NOTICE = {
    "name": "projects/local/repos/bench",
    "url": "https://source.developers.google.com/p/local/r/bench",
    "eventTime": "2026-11-20T09:20:06.109Z",
    "createRepoEvent": {},
}
LIMITS = {"on_image": 45.0, "on_request": 45.0, "on_push": 80.0, "on_build": 80.0}
MIB = 1024 * 1024


def ignored() -> bytes:
    text = b64encode(json.dumps(NOTICE).encode()).decode()
    return wrapped({"messageId": uuid.uuid4().hex, "publishTime": "2026-11-20T09:20:07Z", "data": text})


def start(stage: Stage, runs: int) -> list[Figure]:
    """Fresh processes in turn, ours and the bare one's; the first request is sent as soon as the port is open."""
    token = stage.authorization()
    kinds = {"hello": ("hello", {}), "without a token": ("on_push", {}), "with a token": ("on_push", token)}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for name in list(kinds) * (runs + 1):  # the first of each only warms the disk's cache
        target, headers = kinds[name]
        seconds[name].append(_first_answer(stage.function(target), headers))
    bare = seconds.pop("hello")[1:]
    return [
        Figure(
            name=f"start to the answer to an ignored message, {name}", unit="s", samples=taken[1:], bare=bare, limit=1.5
        )
        for name, taken in seconds.items()
    ]


def _first_answer(process: FunctionProcess, headers: dict[str, str]) -> float:
    body = ignored()
    began = time.perf_counter()
    process.spawn()
    try:
        process.wait()
        answered = process.post(body, headers)
        taken = time.perf_counter() - began
    finally:
        process.stop()
    if answered != (204, b""):
        raise RuntimeError(f"the function answered {answered}")
    return taken


def memory(stage: Stage) -> list[Figure]:
    """The world's own deliveries are held back; each function gets the one message that is its first, and does all it causes."""
    found = []
    stage.settle()
    held = {topic: call("GET", stage.subscription(topic))["pushConfig"] for topic in PUSHED}
    for topic in held:
        call("POST", f"{stage.subscription(topic)}:modifyPushConfig", {"pushConfig": {}})
    try:
        with stage.function("hello") as hello:
            hello.post(b"{}")
            bare = hello.memory() / MIB
        for target, message in _first_messages(stage):
            with stage.function(target) as process:
                answered = process.post(wrapped(message), stage.authorization())
                if answered != (204, b""):
                    raise RuntimeError(f"{target} answered {answered}")
                found.append(
                    Figure(
                        name=f"memory after the first event, {target}",
                        unit="MiB",
                        samples=[process.memory() / MIB],
                        bare=[bare],
                        limit=LIMITS[target],
                        limit_on="above",
                    )
                )
    finally:
        for topic, config in held.items():
            call("POST", f"{stage.subscription(topic)}:modifyPushConfig", {"pushConfig": config})
    return found


def _first_messages(stage: Stage) -> Any:
    """In the order in which a release causes them; each is made or pulled once those before it were served."""
    directory = stage.add("kiosk", built=True)
    copy = stage.world.clone("kiosk", directory)
    commit = copy.commit("weighed")
    copy.push()
    yield "on_push", _pulled(stage, "repo-pushes", lambda body: "refUpdateEvent" in body)
    yield "on_image", _pulled(stage, "gcr", lambda body: body.get("action") == "INSERT")
    yield "on_build", _pulled(stage, "cloud-builds", lambda body: body.get("status") == "SUCCESS")
    request = {"id": str(uuid.uuid4()), "verb": "deploy", "application": "kiosk", "environment": "staging"}
    stage.world.publish("rollout-requests", {**request, "commit": commit, "who": "bench", "why": "weighed"})
    yield "on_request", _pulled(stage, "rollout-requests", lambda body: body.get("id") == request["id"])


def _pulled(stage: Stage, topic: str, wanted: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for message in stage.pull(topic):
            if wanted(data(message) or {}):
                return message
        time.sleep(0.05)
    raise RuntimeError(f"the message on {topic} did not come")
