"""Spinnaker through Gate's v1 routes (ports.Pipelines); recorded contracts in tests/contract/gate/recorded.

Redirects are never followed: behind basic or form sign-in, missing credentials are a 302 to a login page. A start is posted
once, one at a time for an instance, since Orca has no lock for simultaneous posts of one correlation id.
"""

import json
import re
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from downwind.adapters.gate_client import GateClient
from downwind.errors import Refused, TransientError, UnknownOutcome
from downwind.model.execution import Execution, read_execution
from downwind.perform.pipelines import stale
from downwind.ports import PipelineConfig

_SEARCH_SIZE = 20
_ID = re.compile(r"[0-9A-Za-z-]+")
_REF = re.compile(rf"/pipelines/({_ID.pattern})")


class GatePipelines:
    """What the arguments mean: `gate_client.GateClient`."""

    def __init__(
        self,
        url: str,
        *,
        headers: Callable[[], Mapping[str, str]] | None = None,
        renew: Callable[[], None] | None = None,
        tls: Callable[[], ssl.SSLContext | None] | None = None,
        timeout: float = 20,
    ) -> None:
        self._gate = GateClient(url, headers=headers, renew=renew, tls=tls, timeout=timeout)
        self._posting = threading.Lock()

    def close(self) -> None:
        self._gate.close()

    def config(self, application: str, name: str) -> PipelineConfig | None:
        """Gate also finds by id where no name fits, and cannot take a name with a slash: both are seen to here."""
        path = ("applications", application, "pipelineConfigs", *(() if _unaddressable(name) else (name,)))
        found = self._gate.read(path, missing="Pipeline configuration not found")
        for document in found if isinstance(found, list) else [found]:
            if _is(document) and document.get("name") == name and isinstance(document.get("id"), str):
                return PipelineConfig(
                    id=document["id"],
                    name=name,
                    application=str(document.get("application", application)),
                    document=document,
                )
        return None

    def save(self, document: Mapping[str, Any]) -> None:
        application, name = document.get("application"), document.get("name")
        if not isinstance(application, str) or not isinstance(name, str):
            raise Refused("a pipeline needs application and name", field="name")
        standing = self.config(application, name)
        self._gate.change("POST", ["pipelines"], {**document, "id": standing.id} if standing else dict(document))

    def replace(self, document: Mapping[str, Any], standing: PipelineConfig | None) -> None:
        """Front50's own stale check compares `lastModified`, which a pipeline of old may not have: so it is read once more."""
        application, name = document.get("application"), document.get("name")
        if not isinstance(application, str) or not isinstance(name, str):
            raise Refused("a pipeline needs application and name", field="name")
        now = self.config(application, name)
        if now != standing:
            raise stale(application, name)
        body = dict(document)
        if standing is not None:
            body["id"] = standing.id
            body |= {key: standing.document[key] for key in ("lastModified",) if key in standing.document}
        self._gate.change("POST", ["pipelines"], body, {"staleCheck": "true"})

    def delete(self, config: PipelineConfig) -> None:
        if _unaddressable(config.name):
            raise Refused(f"Gate can't delete a pipeline of the name {config.name!r}", fix="rename it in Deck first")
        self._gate.change("DELETE", ["pipelines", config.application, config.name])

    def start(self, config: PipelineConfig, trigger: Mapping[str, Any]) -> str:
        # Who waits longer would post after the tick has taken over; what was not posted the tick makes good.
        began = time.monotonic()
        patience = self._gate.timeout / 5
        if not self._posting.acquire(timeout=patience):
            raise TransientError("this instance is still busy with other starts")
        try:
            if time.monotonic() - began > patience:  # a process without a processor wakes up late
                raise TransientError("this instance came too late to start anything")
            path = ("pipelines", config.application, config.id)
            answer = self._gate.change("POST", path, dict(trigger), deadline=began + self._gate.timeout)
        finally:
            self._posting.release()
        body = answer.json()
        ref = _REF.fullmatch(str(body.get("ref"))) if _is(body) else None
        if ref is None:
            raise UnknownOutcome("Gate accepted the start and named no execution")
        return ref[1]

    def search(self, application: str, correlation_id: str, since: datetime) -> Sequence[Execution]:
        """Gate's search takes the value for a case-insensitive regular expression, drops a filter that it cannot read, and
        answers without the stages' contexts: so compare, then read each hit whole."""
        wanted = json.dumps({"correlationId": re.escape(correlation_id)})
        query = {
            "trigger": b64encode(wanted.encode()).decode(),
            "triggerTimeStartBoundary": str(int(since.timestamp() * 1000)),
            "size": str(_SEARCH_SIZE),
            "expand": "false",
        }
        found = self._gate.read(("applications", application, "executions", "search"), query)
        if not isinstance(found, list):
            raise TransientError("Gate's search answered no list")
        hits = [hit for hit in found if _is(hit) and _correlation(hit) == correlation_id]
        executions = [self.execution(str(hit.get("id"))) for hit in hits]
        return [execution for execution in executions if execution is not None]

    def execution(self, execution_id: str) -> Execution | None:
        if _ID.fullmatch(execution_id) is None:
            return None
        document = self._gate.read(("pipelines", execution_id), missing="Pipeline not found")
        return read_execution(document) if document is not None else None

    def cancel(self, execution_id: str, reason: str) -> None:
        self._gate.change("PUT", ("pipelines", execution_id, "cancel"), None, {"reason": reason})

    def judge(self, execution: Execution, decision: str) -> None:
        """Reads the execution again first: Gate takes an answer for a judgment that is over, and says 200."""
        if decision not in {"continue", "stop"}:
            raise Refused(f"a judgment is answered by continue or stop, not by {decision}", field="decision")
        now = self.execution(execution.id)
        if now is None or now.judgment is None:
            raise Refused(f"no judgment of execution {execution.id} waits for an answer")
        path = ("pipelines", execution.id, "stages", now.judgment)
        self._gate.change("PATCH", path, {"judgmentStatus": decision})


def _unaddressable(name: str) -> bool:
    """Gate's servlet container refuses an encoded slash, backslash or percent sign before it looks for a route, and takes `.`
    and `..` for folders."""
    return any(letter in name for letter in "/\\%;") or name in {"", ".", ".."}


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def _correlation(document: Mapping[str, Any]) -> Any:
    trigger = document.get("trigger")
    return trigger.get("correlationId") if isinstance(trigger, dict) else None
