"""Each entry point, started by functions-framework from the upload alone, in front of the local world."""

import hashlib
import hmac
import json
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from downwind.local.calls import call
from downwind.local.function_process import FunctionProcess
from downwind.local.testing import DownwindWorld
from downwind.local.world_file import GITHUB_SECRET
from downwind.reconcile import names

pytestmark = pytest.mark.e2e
EVENTS = Path(__file__).parents[1] / "events"
# One that asks nothing of us, for each source. Only a push is ignored by what it says alone; the others by what the catalog,
# the registry and Spinnaker do not know.
IGNORED = {
    "on_push": ("repo-pushes", "push/csr-repository-created.json"),
    "on_build": ("cloud-builds", "build/success-submitted-by-hand.json"),
    "on_image": ("gcr", "image/insert-digest.json"),
    "on_request": ("rollout-requests", "request/deploy.json"),
    "on_execution": ("executions", "execution/push.json"),
    "on_tick": ("ticks", None),
}
PUBSUB_LIMIT = 14 * 1024 * 1024
LOCAL_ONLY = {
    "DOWNWIND_LOCAL",
    "DOWNWIND_CERTS_URL",
    "DOWNWIND_CLOUD_BUILD_ENDPOINT",
    "DOWNWIND_PUBSUB_ENDPOINT",
    "DOWNWIND_REGISTRY_MIRROR",
    "DOWNWIND_PERSON",
}
Authorization = Mapping[str, str]


def wrapped(data: bytes) -> bytes:
    message = {"messageId": uuid.uuid4().hex, "publishTime": "2026-11-20T09:20:06.109Z"}
    return json.dumps({"message": {**message, "data": b64encode(data).decode()}, "subscription": "s"}).encode()


def ignorable(target: str) -> bytes:
    name = IGNORED[target][1]
    text = (EVENTS / name).read_bytes() if name else b"{}"
    return text if b'"message"' in text else wrapped(text)


@pytest.mark.parametrize("target", IGNORED)
def test_a_function_of_the_upload_serves_alone(
    serve: Callable[[str], Any], target: str, authorization: Authorization, downwind_world: DownwindWorld
) -> None:
    process = serve(target)
    assert process.post(ignorable(target), {"Authorization": "Basic eDp5"}) == (401, b"")
    assert process.post(ignorable(target), {"Authorization": "Bearer x.y.z"}) == (401, b"")
    assert process.post(ignorable(target), authorization) == (204, b"")
    assert process.post(b" " * (PUBSUB_LIMIT + 1), authorization) == (413, b"")
    garbage = f"{{ {uuid.uuid4()}".encode()
    assert process.post(garbage, authorization) == (204, b"")
    event = names.event(IGNORED[target][0], names.digest_of(garbage.hex()))
    assert {each.name.removeprefix(event) for each in downwind_world.ports.ledger.list(event)} >= {"raw", "parked.0"}


def test_a_tick_whose_time_cannot_be_read_does_not_come_again(
    serve: Callable[[str], Any], authorization: Authorization
) -> None:
    message = {"messageId": uuid.uuid4().hex, "publishTime": "yesterday", "data": "e30="}
    assert serve("on_tick").post(json.dumps({"message": message}).encode(), authorization) == (204, b"")


def test_in_the_cloud_no_message_is_taken_without_a_token(
    interpreter: Any, uploaded: Path, downwind_world: DownwindWorld, tmp_path: Path
) -> None:
    settings = {name: value for name, value in downwind_world.environment.items() if name not in LOCAL_ONLY}
    log = tmp_path / "on_push.log"
    environment = {**interpreter.environment, **settings}
    with FunctionProcess(uploaded, "on_push", environment, log, command=interpreter.framework) as process:
        assert process.post(ignorable("on_push")) == (401, b"")
        assert process.post(b" " * (PUBSUB_LIMIT + 1)) == (401, b"")


def test_operate_of_the_upload_answers_people_alone(serve: Callable[[str], Any], downwind_world: DownwindWorld) -> None:
    process = serve("operate")
    order = b'{"verb": "hold", "application": "nobody"}'
    status, answer = process.post(order)
    assert (status, json.loads(answer)["error"]["reason"]) == (401, "there is no Authorization header")
    asked = {"audience": downwind_world.environment["DOWNWIND_OPERATE_URL"], "email": "developer@localhost"}
    token = call("POST", f"{downwind_world.local.url('pubsub_rest')}/-/token", asked)["token"]
    status, answer = process.post(order, {"Authorization": f"Bearer {token}"})
    assert (status, json.loads(answer)["error"]["code"]) == (403, 403)
    assert "developer@localhost is no operator of nobody" in json.loads(answer)["error"]["reason"]


def test_receive_of_the_upload_serves_alone(serve: Callable[[str], Any], downwind_world: DownwindWorld) -> None:
    process = serve("receive")
    body = (EVENTS / "webhook" / "github-ping.json").read_bytes()
    secret = (downwind_world.local.secrets / GITHUB_SECRET).read_text().strip().encode()

    def headers(body: bytes) -> dict[str, str]:
        signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
        return {
            "X-GitHub-Event": "ping",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={signature}",
        }

    assert process.post(body) == (401, b"")
    assert process.post(body, {**headers(body), "X-Hub-Signature-256": "sha256=" + "0" * 64}) == (401, b"")
    assert process.post(body, headers(body)) == (204, b"")
    assert process.post(b"{", headers(b"{")) == (400, b"")
    assert process.post(b" " * (4 * 1024 * 1024 + 1), headers(b"")) == (413, b"")
