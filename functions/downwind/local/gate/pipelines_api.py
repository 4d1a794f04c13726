"""Gate's routes about saved pipelines (Front50): list, get, save, delete (recorded shapes and messages)."""

import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from downwind.local.gate.answers import FRONT50, answer, empty, error, read_object
from downwind.local.gate.records import Records
from downwind.local.http import Handler

Document = dict[str, Any]


class PipelinesApi:
    def __init__(self, records: Records) -> None:
        self._records = records

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return (
            (("POST",), "/pipelines", self.save),
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
        application, name = str(document["application"]), str(document.get("name", ""))
        pipeline_id = document.get("id") or str(uuid.uuid4())
        for other in self._records.pipelines(application):
            if other["name"].lower() == name.lower() and other["id"] != pipeline_id:
                url = f"{FRONT50}/pipelines?staleCheck={request.args.get('staleCheck', 'false')}"
                text = f"A pipeline with name {name} already exists in application {application}"
                kind = "com.netflix.spinnaker.gate.controllers.PipelineController$PipelineException"
                raise error(400, f"Status: 400, Method: POST, URL: {url}, Message: {text}", kind)
        kept = {"triggers": [], "schema": "1", **document}
        kept |= {"id": pipeline_id, "lastModifiedBy": "anonymous", "updateTs": str(int(time.time() * 1000))}
        self._records.put_pipeline(kept)
        return empty()

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
