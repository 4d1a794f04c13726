"""Gate's routes about executions: start, look up, search, control, judge, restart (recorded shapes and messages)."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from downwind.local.gate.answers import (
    NOT_FOUND,
    ORCA,
    GateError,
    answer,
    empty,
    error,
    problem,
    read_object,
    upstream,
)
from downwind.local.gate.executions import without_details
from downwind.local.gate.orca import Orca, StartRefusedError
from downwind.local.gate.pipelines_api import find_pipeline
from downwind.local.gate.records import Records
from downwind.local.gate.search import SearchError, fits, read_query, read_trigger
from downwind.local.gate.spel import Summary, evaluate_all
from downwind.local.http import Handler

_STATUSES = frozenset(
    {"NOT_STARTED", "RUNNING", "PAUSED", "SUSPENDED", "SUCCEEDED", "FAILED_CONTINUE", "TERMINAL", "CANCELED"}
    | {"REDIRECT", "STOPPED", "BUFFERED", "SKIPPED"}
)
_LATEST = 2**63 - 1
_TOO_LONG = (
    "jOOQ; SQL [insert into correlation_ids (id, pipeline_id) values (?, ?) on conflict do nothing -- user: {user} origin: "
    "api]; ERROR: value too long for type character varying(255)"
)

Document = dict[str, Any]


class ExecutionsApi:
    def __init__(self, records: Records, orca: Orca) -> None:
        self._records = records
        self._orca = orca

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return (
            (("POST",), "/pipelines/<application>/<name>", self.start),
            (("GET",), "/pipelines/<execution_id>", self.get),
            (("DELETE",), "/pipelines/<execution_id>", self.delete),
            (("PUT",), "/pipelines/<execution_id>/cancel", self.cancel),
            (("PUT",), "/applications/<application>/pipelines/<execution_id>/cancel", self.cancel_of),
            (("PUT",), "/pipelines/<execution_id>/pause", self.pause),
            (("GET",), "/pipelines/<execution_id>/evaluateExpression", self.evaluate),
            (("PUT",), "/pipelines/<execution_id>/resume", self.resume),
            (("PATCH",), "/pipelines/<execution_id>/stages/<stage_id>", self.change_stage),
            (("PUT",), "/pipelines/<execution_id>/stages/<stage_id>/restart", self.restart),
            (("GET",), "/applications/<application>/pipelines", self.list_pipelines),
            (("GET",), "/applications/<application>/executions/search", self.search),
            (("GET",), "/executions", self.list_executions),
        )

    def start(self, request: Request, application: str, name: str) -> Response:
        trigger = read_object(request)
        where = f"Unable to trigger pipeline (application: {application}, pipelineNameOrId: {name}). Error: "
        config = find_pipeline(self._records, application, name, prefix=where)
        _check_parameters(config, trigger)
        user = trigger.get("user") or user_of(request)
        url = f"{ORCA}/orchestrate?user={quote(str(user))}"
        correlation = trigger.get("correlationId")
        try:
            if isinstance(correlation, str) and len(correlation) > 255:
                raise StartRefusedError(500, _TOO_LONG.format(user=user))
            execution_id = self._orca.start(config, trigger, user_of(request))
        except StartRefusedError as refusal:
            text = f"{where}Status: {refusal.status}, Method: POST, URL: {url}, Message: {refusal}"
            raise error(refusal.status, text) from refusal
        return answer({"ref": f"/pipelines/{execution_id}"}, 202)

    def get(self, _request: Request, execution_id: str) -> Response:
        return answer(self._existing(execution_id))

    def delete(self, _request: Request, execution_id: str) -> Response:
        self._records.delete_execution(execution_id)
        return empty()

    def cancel(self, request: Request, execution_id: str) -> Response:
        if not self._orca.cancel(execution_id, user_of(request), request.args.get("reason")):
            force = request.args.get("force", "false")
            raise _no_such_run(execution_id, "PUT", f"cancel?force={force}")
        return empty()

    def cancel_of(self, request: Request, application: str, execution_id: str) -> Response:  # noqa: ARG002 - nobody looks at it
        """As `cancel`: the application in the path is not looked at (recorded with the text `{application}`)."""
        return self.cancel(request, execution_id)

    def evaluate(self, request: Request, execution_id: str) -> Response:
        document = self._existing(execution_id)
        summary: Summary = {}
        roots = {"execution": document, "trigger": document["trigger"]}
        result = evaluate_all(request.args.get("expression", ""), roots, summary)
        return answer({"result": result, **({"detail": summary} if summary else {})})

    def pause(self, request: Request, execution_id: str) -> Response:
        if not self._orca.pause(execution_id, user_of(request)):
            raise _no_such_run(execution_id, "PUT", "pause")
        return empty()

    def resume(self, request: Request, execution_id: str) -> Response:
        if not self._orca.resume(execution_id, user_of(request)):
            raise _no_such_run(execution_id, "PUT", "resume")
        return empty()

    def change_stage(self, request: Request, execution_id: str, stage_id: str) -> Response:
        context = read_object(request, required=True)
        if self._records.execution(execution_id) is None:
            raise _no_such_run(execution_id, "PATCH", f"stages/{stage_id}")
        if not self._orca.change_stage(execution_id, stage_id, context, user_of(request)):
            raise error(
                500,
                "Failed to process response body: No content to map due to end-of-input\n at [Source: REDACTED "
                "(`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1]",
                "com.netflix.spinnaker.kork.retrofit.exceptions.SpinnakerConversionException",
            )
        return answer(self._existing(execution_id))

    def restart(self, request: Request, execution_id: str, stage_id: str) -> Response:
        """Answers with the execution as it was before (recorded)."""
        read_object(request, required=True)
        before = self._existing(execution_id)
        self._orca.restart(execution_id, stage_id, user_of(request))
        return answer(before)

    def list_pipelines(self, request: Request, application: str) -> Response:
        """At most `limit` (10, for 0 too) of each pipeline that is still saved, the newest ones."""
        query = read_query(request.query_string.decode())
        limit = _limit(request, query) or 10
        url = f"{ORCA}/v2/applications/{quote(application)}/pipelines"
        if limit < 0:
            text = (
                'jOOQ; SQL [select id, body, "partition" from pipelines where config_id = ? order by id desc fetch next ? '
                "rows only -- user: anonymous origin: api]; ERROR: LIMIT must not be negative"
            )
            raise upstream(500, "GET", f"{url}?{_query(limit=limit)}", text)
        statuses = _statuses(query, "GET", f"{url}?{_query(limit=limit, statuses=query.get('statuses'))}")
        wanted = query.get("pipelineNameFilter", "").lower()
        saved = [each for each in self._records.pipelines(application) if wanted in each["name"].lower()]
        if query.get("pipelineLimit", "").isdigit():
            saved = saved[: int(query["pipelineLimit"])]
        found = self._newest([each["id"] for each in saved], statuses, limit)
        return answer(_shown(found, expand=query.get("expand", "true") != "false"))

    def _newest(self, configs: Iterable[str], statuses: frozenset[str], limit: int) -> list[Document]:
        """At most `limit` of each pipeline, in Orca's order: what never started first, then by start, oldest first."""
        found: list[Document] = []
        for config in configs:
            fitting = [d for d in self._records.executions(config=config) if not statuses or d["status"] in statuses]
            found += sorted(fitting, key=_age, reverse=True)[:limit]
        return sorted(found, key=_age)

    def list_executions(self, request: Request) -> Response:
        query = read_query(request.query_string.decode())
        configs, ids = _words(query.get("pipelineConfigIds")), _words(query.get("executionIds"))
        expand = query.get("expand", "true") != "false"
        order = ("pipelineConfigIds", "executionIds", "limit", "statuses")
        url = f"{ORCA}/pipelines?{_query(**{key: query.get(key) for key in order}, expand=query.get('expand', 'true'))}"
        if configs and ids:
            raise upstream(400, "GET", url, "Only pipelineConfigIds OR executionIds can be specified")
        found = []
        for execution_id in ids:
            document = self._records.execution(execution_id)
            if document is None:
                raise upstream(500, "GET", url, "The iterator returned a null value")
            found.append(document)
        statuses = _statuses(query, "GET", url)
        limit = _limit(request, query, 1)
        found += self._newest(configs, statuses, limit)
        return answer(_shown(found, expand=expand))

    def search(self, request: Request, application: str) -> Response:
        query = read_query(request.query_string.decode())
        start, end = (int(query.get(f"triggerTime{side}Boundary", default)) for side, default in _BOUNDARIES)
        size, skip = int(query.get("size", 10)), int(query.get("startIndex", 0))
        reverse, expand = query.get("reverse", "false"), query.get("expand", "false")
        url = f"{ORCA}/applications/{quote(application)}/pipelines/search?" + _query(
            trigger=query.get("trigger"),
            triggerTimeStartBoundary=start,
            triggerTimeEndBoundary=end,
            startIndex=skip,
            size=size,
            reverse=reverse,
            expand=expand,
        )
        if size <= 0:
            raise upstream(400, "GET", url, f"size must be > 0: size={size}")
        try:
            found = [
                document
                for document in self._records.executions(None if application == "*" else application)
                if start <= document["buildTime"] <= end and _wanted(document, query)
            ]
        except SearchError as failure:
            raise upstream(failure.status, "GET", url, str(failure)) from failure
        found = found[::-1] if reverse == "true" else found
        return answer(_shown(found[skip : skip + size], expand=expand == "true"))

    def _existing(self, execution_id: str) -> Document:
        document = self._records.execution(execution_id)
        if document is None:
            raise error(404, f"Pipeline not found (id: {execution_id})", NOT_FOUND)
        return document


_BOUNDARIES = (("Start", 0), ("End", _LATEST))


def _age(document: Mapping[str, Any]) -> tuple[int, tuple[int, ...]]:
    """By start, those without one first; among equals the higher id first."""
    return int(document.get("startTime") or 0), tuple(-ord(letter) for letter in document["id"])


def user_of(request: Request) -> str:
    """As a Gate with `header.enabled: true`; without the header everyone is anonymous."""
    return request.headers.get("X-SPINNAKER-USER") or "anonymous"


def _wanted(document: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    trigger = document["trigger"]
    types, statuses = _words(query.get("triggerTypes")), _words(query.get("statuses"))
    return (
        query.get("pipelineName", document["name"]) == document["name"]
        and query.get("eventId", trigger.get("eventId")) == trigger.get("eventId")
        and (not types or "*" in types or trigger["type"] in types)
        and (not statuses or "*" in statuses or document["status"] in statuses)
        and fits(read_trigger(query.get("trigger")), trigger)
    )


def _check_parameters(config: Mapping[str, Any], trigger: Mapping[str, Any]) -> None:
    parameters = trigger.get("parameters") or {}
    wanted = config.get("parameterConfig") or []
    if wanted and not isinstance(parameters, dict):
        text = f"Cannot cast object '{parameters}' with class 'java.lang.String' to class 'java.util.Map'"
        raise error(500, text, "org.codehaus.groovy.runtime.typehandling.GroovyCastException")
    for parameter in wanted:
        absent = parameters.get(parameter["name"]) is None and parameter.get("default") is None
        if parameter.get("required") and absent:
            text = f"Required parameter {parameter['name']} is missing"
            raise error(400, text, "java.lang.IllegalArgumentException")


def _no_such_run(execution_id: str, method: str, tail: str) -> GateError:
    text = f"No pipeline found for {execution_id} with requireLatestVersion: false"
    return upstream(404, method, f"{ORCA}/pipelines/{execution_id}/{tail}", text)


def _limit(request: Request, query: Mapping[str, str], default: int = 10) -> int:
    text = query.get("limit", str(default))
    try:
        return int(text)
    except ValueError as reason:
        detail = f"Failed to convert 'limit' with value: '{text}'"
        raise GateError(problem(request, 400, detail)) from reason


def _statuses(query: Mapping[str, str], method: str, url: str) -> frozenset[str]:
    found = frozenset(word.upper() for word in _words(query.get("statuses")))
    for word in found - _STATUSES:
        text = f"No enum constant com.netflix.spinnaker.orca.api.pipeline.models.ExecutionStatus.{word}"
        raise upstream(400, method, url, text)
    return found


def _shown(documents: Iterable[Document], *, expand: bool) -> list[Document]:
    return [document if expand else without_details(document) for document in documents]


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]


def _query(**values: Any) -> str:
    return "&".join(f"{key}={quote(str(value), safe='*')}" for key, value in values.items() if value is not None)
