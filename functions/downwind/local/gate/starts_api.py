"""The other ways in: Echo's asynchronous start (v2), webhooks, and a pipeline sent whole
(recorded shapes).

Both ways through Echo answer before anything is looked at: an unknown, disabled or just saved pipeline starts nothing, and
nothing says so.
"""

import re
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from downwind.local.gate.answers import ORCA, GateError, answer, error, read_object, upstream
from downwind.local.gate.echo import Echo
from downwind.local.gate.executions_api import user_of
from downwind.local.gate.orca import Orca, StartRefusedError
from downwind.local.gate.records import Records
from downwind.local.gate.ulid import new_ulid
from downwind.local.http import Handler, json_response

# Echo's Trigger has fixed fields; what else a caller sends is dropped.
_OF_ECHO = frozenset(
    {"type", "user", "parameters", "payload", "artifacts", "correlationId", "expectedArtifactIds", "link", "linkText"}
    | {"notifications", "rebake", "dryRun"}
)
_NO_PIPELINE = (
    "Path parameter \"pipelineId\" value must not be null. (parameter 'pipelineId')\n"
    "    for method Front50Service.getPipeline"
)

Document = dict[str, Any]


class StartsApi:
    """`echo_poll`: seconds between Echo's looks at the saved pipelines (the real one: 30); 0: it sees each save at once."""

    def __init__(self, records: Records, orca: Orca, echo: Echo, echo_poll: float) -> None:
        self._records = records
        self._orca = orca
        self._echo = echo
        self._poll = echo_poll

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return (
            (("POST",), "/pipelines/v2/<application>/<name>", self.start_v2),
            (("POST",), "/pipelines/start", self.start_whole),
            (("POST",), "/webhooks/<kind>/<source>", self.webhook),
        )

    def start_v2(self, request: Request, application: str, name: str) -> Response:
        given = read_object(request)
        event, execution = str(uuid.uuid4()), new_ulid()
        trigger = {"type": "manual", "user": user_of(request), **given, "eventId": event, "executionId": execution}
        content = {"application": application, "pipelineNameOrId": name, "trigger": trigger, "user": user_of(request)}
        self._echo.outside("manual", event, {"content": content})
        for config in self._known(application):
            if name in {config["name"], config["id"]}:
                kept = {key: value for key, value in trigger.items() if key in _OF_ECHO}
                kept |= {"enabled": False, "preferred": False, "eventId": event, "executionId": execution}
                self._start(config, kept, user_of(request), execution)
        return answer({"eventId": event, "ref": f"/pipelines/{execution}"}, 202)

    def start_whole(self, request: Request) -> Response:
        """The pipeline comes in the body. An `executionId` in it is honoured, and overwrites the run that has it."""
        config = read_object(request)
        url = f"{ORCA}/orchestrate?user={quote(user_of(request))}"
        if not config.get("id") or not config.get("application"):
            raise upstream(400, "POST", url, _NO_PIPELINE)
        if "stages" not in config:
            saved = self._records.pipeline(str(config["id"]))
            if saved is None:
                raise upstream(404, "POST", url, f"No item found in cache with id of {config['id']}")
            config = {**saved, **config}
        execution = config.get("executionId")
        try:
            started = self._orca.start(
                {"name": "", **config},
                config.get("trigger") or {},
                user_of(request),
                execution_id=execution if isinstance(execution, str) else None,
            )
        except StartRefusedError as refusal:
            raise upstream(refusal.status, "POST", url, str(refusal)) from refusal
        return answer({"ref": f"/pipelines/{started}"})

    def webhook(self, request: Request, kind: str, source: str) -> Response:
        """Starts the pipelines with a webhook trigger of that source whose constraints the body meets."""
        if kind != "webhook":
            text = f"gate: POST {request.path} is not part of the local world; it has webhooks of type webhook"
            raise GateError(json_response({"error": {"code": 501, "message": text, "status": "UNIMPLEMENTED"}}, 501))
        payload = read_object(request)
        event = str(uuid.uuid4())
        content = {**payload, "artifacts": payload.get("artifacts") or []}
        self._echo.outside("webhook", event, {"content": content, "payload": payload}, source=source)
        for config in self._known(None):
            for saved in config.get("triggers") or []:
                if saved.get("type") == kind and saved.get("enabled") and saved.get("source") == source:
                    if not _meets(saved.get("payloadConstraints") or {}, payload):
                        continue
                    trigger = {"id": str(uuid.uuid4()), "preferred": False, **saved, "payload": payload}
                    trigger |= {"eventId": event, "parameters": payload.get("parameters") or {}}
                    trigger |= {"artifacts": content["artifacts"], "user": saved.get("runAsUser") or user_of(request)}
                    self._start(config, trigger, user_of(request), new_ulid())
        return answer({"eventId": event, "eventProcessed": True})

    def _known(self, application: str | None) -> list[Document]:
        """What Echo saw at its last look, and may start."""
        now = time.time()
        seen = (now - now % self._poll if self._poll else now) * 1000
        found = self._records.pipelines(application) if application else self._records.all_pipelines()
        return [each for each in found if not each.get("disabled") and int(each["updateTs"]) <= seen]

    def _start(self, config: Mapping[str, Any], trigger: Mapping[str, Any], user: str, execution: str) -> None:
        try:
            self._orca.start(config, trigger, user, execution_id=execution)
        except StartRefusedError:
            return  # Orca keeps a red execution of it; nobody is told


def _meets(constraints: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    """Top-level keys; each value a regular expression that is found somewhere. JSONPath is not known here."""
    for key, pattern in constraints.items():
        if str(key).startswith("$"):
            raise error(501, f"the local world knows no JSONPath in payloadConstraints: {key}", "UnsupportedOperation")
        if key not in payload or re.search(str(pattern), str(payload[key])) is None:
            return False
    return True
