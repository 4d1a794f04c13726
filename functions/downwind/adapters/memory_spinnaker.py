"""The in-memory twin of `adapters.gate_spinnaker`: ports_of_people.Spinnaker over the executions of a MemoryPipelines."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from downwind.adapters.memory_pipelines import MemoryPipelines
from downwind.errors import Refused
from downwind.model.execution import FINISHED
from downwind.model.live import Live


class MemorySpinnaker:
    """A test sets what it wants told; `readable` holds references of artifacts that can be fetched."""

    def __init__(self, pipelines: MemoryPipelines | None = None) -> None:
        self.pipelines = pipelines or MemoryPipelines()
        self.said_version: str | None = "2026.2.4"
        self.said_user: dict[str, Any] = {"username": "downwind@acme.example"}
        self.known_accounts: list[dict[str, Any]] = [{"name": "local", "type": "kubernetes", "authorized": True}]
        self.known_artifact_accounts: list[dict[str, Any]] = [{"name": "gcs", "types": ["gcs/object"]}]
        self.readable: dict[str, bytes] = {}
        self.known: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, Live] = {}

    def version(self) -> str | None:
        return self.said_version

    def user(self) -> Mapping[str, Any]:
        return self.said_user

    def accounts(self) -> Sequence[Mapping[str, Any]]:
        return copy.deepcopy(self.known_accounts)

    def artifact_accounts(self) -> Sequence[Mapping[str, Any]]:
        return copy.deepcopy(self.known_artifact_accounts)

    def fetch(self, artifact: Mapping[str, Any]) -> int:
        found = self.readable.get(str(artifact.get("reference")))
        if found is None:
            raise Refused(f"Status: 404, Method: PUT, URL: /artifacts/fetch, Message: {artifact.get('reference')}")
        return len(found)

    def applications(self) -> Sequence[Mapping[str, Any]]:
        return [copy.deepcopy(self.known[name]) for name in sorted(self.known)]

    def application(self, name: str) -> Mapping[str, Any] | None:
        return copy.deepcopy(self.known.get(name.lower()))

    def save_application(self, attributes: Mapping[str, Any]) -> None:
        name = attributes.get("name")
        if not name or not attributes.get("email"):
            raise Refused("an application needs name and email", field="email")
        self.known[str(name).lower()] = {**self.known.get(str(name).lower(), {}), **copy.deepcopy(dict(attributes))}

    def delete_application(self, name: str) -> None:
        if self.known.pop(name.lower(), None) is None:
            raise Refused(f"Spinnaker has no application {name}", fix="downwind spinnaker application list")

    def executions(
        self, application: str, statuses: Sequence[str] = (), limit: int = 10
    ) -> Sequence[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        counts: dict[str, int] = {}
        for document in sorted(self.pipelines.executions.values(), key=lambda each: str(each["id"]), reverse=True):
            config = document["pipelineConfigId"]
            fits = document["application"] == application and (not statuses or document["status"] in statuses)
            if fits and counts.get(config, 0) < limit:
                counts[config] = counts.get(config, 0) + 1
                bare = [{**stage, "context": {}} for stage in document["stages"]]
                found.append({**copy.deepcopy(document), "stages": bare})
        return found

    def execution(self, execution_id: str) -> Mapping[str, Any] | None:
        return copy.deepcopy(self.pipelines.executions.get(execution_id))

    def control(self, execution_id: str, verb: str, reason: str | None = None) -> None:
        document = self._standing(execution_id)
        if verb == "delete":
            del self.pipelines.executions[execution_id]
        elif document["status"] not in FINISHED:
            if verb == "cancel":
                self.pipelines.cancel(execution_id, reason or "")
            else:
                document["status"] = {"pause": "PAUSED", "resume": "RUNNING"}[verb]

    def restart(self, execution_id: str, stage_id: str) -> None:
        document = self.pipelines.executions.get(execution_id) or {"stages": []}
        if stage_id not in [stage["id"] for stage in document["stages"]]:
            raise Refused(f"execution {execution_id} has no stage {stage_id}", fix="downwind spinnaker execution get")
        if document["status"] in FINISHED:
            document["status"] = "RUNNING"
            again = False
            for stage in document["stages"]:
                again = again or stage["id"] == stage_id
                stage["status"] = "NOT_STARTED" if again else stage["status"]

    def live(self, application: str) -> Live:
        return self.seen.get(application, Live(application=application))

    def _standing(self, execution_id: str) -> dict[str, Any]:
        document = self.pipelines.executions.get(execution_id)
        if document is None:
            raise Refused(f"Spinnaker has no execution {execution_id}")
        return document
