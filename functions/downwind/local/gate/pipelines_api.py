"""Gate's routes about saved pipelines (Front50): list, get, save, delete (recorded shapes and messages)."""

import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from downwind.local.gate.answers import FRONT50, GateError, answer, empty, error, problem, read_object
from downwind.local.gate.records import Records
from downwind.local.http import Handler

_REFUSED = "com.netflix.spinnaker.gate.controllers.PipelineController$PipelineException"

Document = dict[str, Any]


class PipelinesApi:
    def __init__(self, records: Records) -> None:
        self._records = records

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return (
            (("POST",), "/pipelines", self.save),
            (("POST",), "/pipelines/bulksave", self.save_many),
            (("DELETE",), "/pipelines/<application>/<name>", self.delete),
            (("GET",), "/applications/<application>/pipelineConfigs", self.list),
            (("GET",), "/applications/<application>/pipelineConfigs/<name>", self.get),
        )

    def save(self, request: Request) -> Response:
        """A new one gets an id; a standing one is changed only by who sends its id along."""
        document = read_object(request)
        if "application" not in document:
            text = 'Cannot invoke "Object.toString()" because the return value of "java.util.Map.get(Object)" is null'
            raise error(500, text, "java.lang.NullPointerException")
        stale = request.args.get("staleCheck", "false")
        refusal = self._refusal(document, "application", stale=stale == "true")
        if refusal is not None:
            status, text = refusal
            url = f"{FRONT50}/pipelines?staleCheck={stale}"
            raise error(400, f"Status: {status}, Method: POST, URL: {url}, Message: {text}", _REFUSED)
        self._keep(document)
        return empty()

    def save_many(self, request: Request) -> Response:
        """Each by itself; the refused ones come back with their reason."""
        given = request.get_json(silent=True)
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise GateError(problem(request, 400, "Failed to read request"))
        saved, failed = [], []
        for document in given:
            refusal = self._refusal(document, "the application", stale=request.args.get("staleCheck") == "true")
            if refusal is not None:
                failed.append({"schema": "1", **document, "errorMsg": refusal[1]})
            else:
                self._keep(document)
                saved.append(document["name"])
        return answer(
            {
                "failed_pipelines": failed,
                "failed_pipelines_count": len(failed),
                "successful_pipelines": saved,
                "successful_pipelines_count": len(saved),
            }
        )

    def _refusal(self, document: Document, application_word: str, *, stale: bool) -> tuple[int, str] | None:
        """Front50's status and sentence. A stale check compares `lastModified` only, and nothing where that is not sent
        (recorded with an older updateTs: taken)."""
        application, name = str(document.get("application") or ""), str(document.get("name") or "")
        if not application or not name:
            return 422, "A pipeline requires name and application fields"
        for other in self._records.pipelines(application):
            if other["name"].lower() == name.lower() and other["id"] != document.get("id"):
                return 400, f"A pipeline with name {name} already exists in {application_word} {application}"
        standing = self._records.pipeline(str(document.get("id")))
        sent = document.get("lastModified")
        if stale and standing is not None and sent is not None and str(sent) != str(standing["updateTs"]):
            text = f"The submitted pipeline is stale.  submitted updateTs {sent} does not match stored updateTs "
            return 400, text + str(standing["updateTs"])
        return None

    def _keep(self, document: Document) -> None:
        kept = {"triggers": [], "schema": "1", **document, "id": document.get("id") or str(uuid.uuid4())}
        kept |= {"lastModifiedBy": "anonymous", "updateTs": str(int(time.time() * 1000))}
        self._records.put_pipeline(kept)

    def delete(self, _request: Request, application: str, name: str) -> Response:
        for document in self._records.pipelines(application):
            if document["name"] == name:
                self._records.delete_pipeline(document["id"])
        return empty()

    def list(self, _request: Request, application: str) -> Response:
        found = self._records.pipelines(application)
        return answer([{**document, "index": number} for number, document in enumerate(found)])

    def get(self, _request: Request, application: str, name: str) -> Response:
        return answer(find_pipeline(self._records, application, name))


def find_pipeline(records: Records, application: str, name_or_id: str, *, prefix: str = "") -> Document:
    """By name in the application (whose own case does not matter), else by id in any application, as Gate does it."""
    for document in records.pipelines(application):
        if document["name"] == name_or_id:
            return document
    found = records.pipeline(name_or_id)
    if found is not None:
        return found
    url = f"{FRONT50}/pipelines/{quote(name_or_id)}/get"
    text = (
        f"{prefix}Pipeline configuration not found (nameOrId: {name_or_id} in application {application}): Status: 404, "
        f"Method: GET, URL: {url}, Message: No item found in cache with id of {name_or_id.lower()}"
    )
    raise error(404, text)
