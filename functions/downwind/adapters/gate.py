"""Spinnaker through Gate's v1 routes (ports.Pipelines); recorded contracts in tests/contract/gate/recorded.

Redirects are never followed: behind basic or form sign-in, missing credentials are a 302 to a login page. A start is posted
once, one at a time for an instance, since Orca has no lock for simultaneous posts of one correlation id.
"""

import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from downwind.adapters.gate_http import Call, timed_session
from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.model.execution import Execution, read_execution
from downwind.ports import PipelineConfig

_MESSAGE_LIMIT = 500
_BODY_LIMIT = 64 * 1024 * 1024
_SEARCH_SIZE = 20
_ID = re.compile(r"[0-9A-Za-z-]+")
_REF = re.compile(rf"/pipelines/({_ID.pattern})")
_CREDENTIALS = "give the functions credentials that Gate accepts (header X-Spinnaker-Token or Authorization)"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    html: bool
    data: bytes

    def json(self) -> Any:
        """None where the body is no JSON."""
        try:
            return json.loads(self.data)
        except ValueError:
            return None

    @property
    def message(self) -> str:
        """Gate's own word, from any of its three error bodies: its own, RFC 7807, the servlet container's."""
        body = self.json()
        found = next((body[key] for key in ("message", "detail", "error") if body.get(key)), "") if _is(body) else ""
        return str(found or f"HTTP status {self.status}")[:_MESSAGE_LIMIT]


class GatePipelines:
    """`url`: Gate's address, a base path is kept. `headers`: called before each request; `renew`: called when Gate
    does not take them, so that they may be newer the next time.
    `timeout`: seconds for one call, connecting and the whole answer included."""

    def __init__(
        self,
        url: str,
        *,
        headers: Callable[[], Mapping[str, str]] | None = None,
        renew: Callable[[], None] | None = None,
        timeout: float = 20,
    ) -> None:
        import requests

        self._url = url.rstrip("/")
        self._headers = headers or dict
        self._renew = renew
        self._timeout = timeout
        self._requests = requests
        self._session = timed_session()
        self._session.auth = _keep  # else a .netrc file would replace the Authorization header
        self._posting = threading.Lock()

    def close(self) -> None:
        self._session.close()

    def config(self, application: str, name: str) -> PipelineConfig | None:
        """Gate also finds by id where no name fits, and cannot take a name with a slash: both are seen to here."""
        path = f"/applications/{_part(application)}/pipelineConfigs"
        found = self._read(path if "/" in name else f"{path}/{_part(name)}", missing="Pipeline configuration not found")
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
        self._change("POST", "/pipelines", {**document, "id": standing.id} if standing else dict(document))

    def start(self, config: PipelineConfig, trigger: Mapping[str, Any]) -> str:
        # Who waits longer would post after the tick has taken over; what was not posted the tick makes good.
        began = time.monotonic()
        patience = self._timeout / 5
        if not self._posting.acquire(timeout=patience):
            raise TransientError("this instance is still busy with other starts")
        try:
            if time.monotonic() - began > patience:  # a process without a processor wakes up late
                raise TransientError("this instance came too late to start anything")
            path = f"/pipelines/{_part(config.application)}/{_part(config.id)}"
            answer = self._change("POST", path, dict(trigger), deadline=began + self._timeout)
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
        found = self._read(f"/applications/{_part(application)}/executions/search", query)
        if not isinstance(found, list):
            raise TransientError("Gate's search answered no list")
        hits = [hit for hit in found if _is(hit) and _correlation(hit) == correlation_id]
        executions = [self.execution(str(hit.get("id"))) for hit in hits]
        return [execution for execution in executions if execution is not None]

    def execution(self, execution_id: str) -> Execution | None:
        if _ID.fullmatch(execution_id) is None:
            return None
        document = self._read(f"/pipelines/{execution_id}", missing="Pipeline not found")
        return read_execution(document) if document is not None else None

    def cancel(self, execution_id: str, reason: str) -> None:
        self._change("PUT", f"/pipelines/{_part(execution_id)}/cancel", None, {"reason": reason})

    def judge(self, execution: Execution, decision: str) -> None:
        """Reads the execution again first: Gate takes an answer for a judgment that is over, and says 200."""
        if decision not in {"continue", "stop"}:
            raise Refused(f"a judgment is answered by continue or stop, not by {decision}", field="decision")
        now = self.execution(execution.id)
        if now is None or now.judgment is None:
            raise Refused(f"no judgment of execution {execution.id} waits for an answer")
        path = f"/pipelines/{_part(execution.id)}/stages/{_part(now.judgment)}"
        self._change("PATCH", path, {"judgmentStatus": decision})

    def _read(self, path: str, query: Mapping[str, str] | None = None, *, missing: str | None = None) -> Any:
        """JSON; None for the 404 whose text has `missing` in it (any other 404 is a wrong address)."""
        answer = self._get(path, query)
        if _closed(answer) and self._renewed():
            answer = self._get(path, query)
        if answer.status == 404 and missing is not None and missing in answer.message:
            return None
        if answer.status >= 500 or answer.status in {408, 429}:
            raise TransientError(f"Gate: {answer.message}")
        self._refuse_unless_good(answer)
        if not answer.data.strip():
            raise TransientError("Gate answered nothing: Orca failed behind it")
        body = answer.json()
        if body is None:
            raise TransientError("Gate answered something that is no JSON")
        return body

    def _get(self, path: str, query: Mapping[str, str] | None) -> _Answer:
        try:
            return self._send("GET", path, None, query)
        except UnknownOutcome as error:
            raise TransientError(str(error)) from error

    def _renewed(self) -> bool:
        """Whether there are other credentials now than a moment ago."""
        before = self._headers()
        if self._renew is not None:
            self._renew()
        return self._headers() != before

    def _change(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
    ) -> _Answer:
        """Sends once. With credentials that Gate did not take nothing has happened, and the next call has newer ones."""
        answer = self._send(method, path, body, query, deadline)
        if _closed(answer) and self._renew is not None:
            self._renew()
        if answer.status in {429, 503}:
            raise TransientError(f"Gate: {answer.message}")
        if answer.status >= 500 or answer.status == 408:
            raise UnknownOutcome(f"Gate: {answer.message}")
        self._refuse_unless_good(answer)
        return answer

    def _refuse_unless_good(self, answer: _Answer) -> None:
        if 300 <= answer.status < 400:
            raise Misconfigured("Gate redirected to a login page; it did not accept our credentials", fix=_CREDENTIALS)
        if answer.status in {401, 403}:
            raise Misconfigured(f"Gate did not accept our credentials: {answer.message}", fix=_CREDENTIALS)
        if answer.status >= 400:
            raise Refused(f"Gate: {answer.message}")
        if answer.html:
            raise Misconfigured("Gate's address answered with a web page, not with JSON", fix=_CREDENTIALS)

    def _send(
        self, method: str, path: str, body: Any, query: Mapping[str, str] | None, deadline: float | None = None
    ) -> _Answer:
        """TransientError: nothing was sent. UnknownOutcome: it was, and the answer did not come whole."""
        from urllib3.util import Timeout

        deadline = time.monotonic() + self._timeout if deadline is None else deadline
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if data else {})}
        headers |= self._headers()  # may ask for a secret, so before the time that is left is taken
        left = deadline - time.monotonic()
        if left <= 0:
            raise TransientError("the time for this call was up before it was sent")
        try:
            with (
                Call(left) as call,
                self._session.request(
                    method,
                    self._url + path,
                    params=query,
                    data=data,
                    headers=headers,
                    timeout=Timeout(total=left),  # type: ignore[arg-type]  # requests takes urllib3's own too
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                html = response.headers.get("Content-Type", "").startswith("text/html")
                found = _Answer(response.status_code, html, _bounded(response.iter_content(65536)))
            if call.over:  # a body without a length looks whole when it is cut
                raise UnknownOutcome("Gate's answer took too long")
            return found
        except self._requests.exceptions.RequestException as error:
            if self._never_sent(error):
                raise TransientError(f"Gate could not be reached: {type(error).__name__}") from error
            raise UnknownOutcome(f"Gate did not answer: {type(error).__name__}") from error

    def _never_sent(self, error: Exception) -> bool:
        from urllib3.exceptions import NewConnectionError

        if isinstance(error, self._requests.exceptions.ConnectTimeout | self._requests.exceptions.SSLError):
            return True
        reason = getattr(error.args[0], "reason", None) if error.args else None
        return isinstance(reason, NewConnectionError)


def _closed(answer: _Answer) -> bool:
    return 300 <= answer.status < 400 or answer.status in {401, 403}


def _bounded(chunks: Any) -> bytes:
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) > _BODY_LIMIT:
            raise UnknownOutcome(f"Gate's answer is larger than {_BODY_LIMIT // 1024 // 1024} MiB")
    return bytes(found)


def _keep(request: Any) -> Any:
    return request


def _part(text: str) -> str:
    return quote(text, safe="")


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def _correlation(document: Mapping[str, Any]) -> Any:
    trigger = document.get("trigger")
    return trigger.get("correlationId") if isinstance(trigger, dict) else None
