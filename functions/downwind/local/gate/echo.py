"""Echo's REST events (`rest.endpoints[0].wrap: false`): one POST for every start and end of pipeline, stage and task.

Shape and headers as recorded (echo-event-*.json). `complete` means SUCCEEDED; TERMINAL and CANCELED both come as `failed`.
Every event carries the whole execution. The receiver must expect duplicates and any order.
"""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from downwind.local.outbox import Outbox


class Echo:
    """Without `url` nothing is sent, as with `rest.enabled: false`. `secret` becomes a bearer token, as the endpoint's
    `headers` setting would send it."""

    def __init__(self, outbox: Outbox, url: str | None, secret: str | None) -> None:
        self._outbox = outbox
        self._url = url
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def pipeline(self, moment: str, execution: Mapping[str, Any]) -> None:
        """`moment`: starting, complete or failed."""
        self._post(f"orca:pipeline:{moment}", execution, {})

    def stage(self, moment: str, execution: Mapping[str, Any], stage: Mapping[str, Any]) -> None:
        self._post(f"orca:stage:{moment}", execution, _stage(execution, stage))

    def task(
        self, moment: str, execution: Mapping[str, Any], stage: Mapping[str, Any], task: Mapping[str, Any]
    ) -> None:
        name = {"taskName": f"{stage['type']}.{task['name']}"}
        self._post(f"orca:task:{moment}", execution, _stage(execution, stage) | name)

    def outside(self, kind: str, event: str, body: Mapping[str, Any], **details: str) -> None:
        """An event of something that came to Echo from outside: manual (a v2 start) and webhook."""
        if self._url is None:
            return
        head = {**details, "type": kind, "created": str(time.time_ns() // 1_000_000), "requestHeaders": {}}
        headers = {"Content-Type": "application/json; charset=UTF-8", **self._headers}
        self._outbox.post(self._url, {"details": head, **body, "eventId": event}, headers)

    def _post(self, kind: str, execution: Mapping[str, Any], content: Mapping[str, Any]) -> None:
        if self._url is None:
            return
        details = {
            "source": "orca",
            "type": kind,
            "created": str(time.time_ns() // 1_000_000),
            "application": execution["application"],
            "requestHeaders": {},
        }
        body = {
            "details": details,
            "content": {**content, "execution": execution, "executionId": execution["id"]},
            "eventId": str(uuid.uuid4()),
        }
        headers = {
            "X-SPINNAKER-REQUEST-ID": f"{execution['id']}:{uuid.uuid4()}",
            "X-SPINNAKER-USER-ORIGIN": "api",
            "X-SPINNAKER-USER": execution["authentication"]["user"],
            "X-SPINNAKER-EXECUTION-ID": execution["id"],
            "Content-Type": "application/json; charset=UTF-8",
        }
        self._outbox.post(self._url, body, headers | self._headers)


def _stage(execution: Mapping[str, Any], stage: Mapping[str, Any]) -> dict[str, Any]:
    times = {key: stage[key] for key in ("startTime", "endTime") if key in stage}
    return {
        "standalone": False,
        "canceled": execution["canceled"],
        "context": stage["context"],
        "stageId": stage["id"],
        "isSynthetic": "parentStageId" in stage,
        "name": stage["name"],
        **times,
    }
