"""Gate as people ask it (ports_of_people.Spinnaker): applications, executions, accounts, clusters.

What `spin` does wrong is left out here: redirects are refused, and an answer counts only as what it says."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from downwind.adapters.gate_client import GateClient
from downwind.errors import Refused, TransientError
from downwind.model.live import Live, read_live

_ID = re.compile(r"[0-9A-Za-z-]+")
_TASK = re.compile(r"/tasks/([0-9A-Za-z-]+)")
_ENDED = frozenset({"SUCCEEDED", "TERMINAL", "CANCELED", "STOPPED", "SKIPPED", "FAILED_CONTINUE"})
_PAUSE = 0.5


class GateSpinnaker:
    """`patience`: seconds for a task of Spinnaker's to end."""

    def __init__(self, gate: GateClient, *, sleep: Callable[[float], None] = time.sleep, patience: float = 60) -> None:
        self._gate = gate
        self._sleep = sleep
        self._patience = patience

    def close(self) -> None:
        self._gate.close()

    def version(self) -> str | None:
        found = _object(self._gate.read(("version",))).get("version")
        return found if isinstance(found, str) and re.match(r"\d+\.\d+", found) else None

    def user(self) -> Mapping[str, Any]:
        return _object(self._gate.read(("auth", "user")))

    def accounts(self) -> Sequence[Mapping[str, Any]]:
        return _objects(self._gate.read(("credentials",)))

    def artifact_accounts(self) -> Sequence[Mapping[str, Any]]:
        return _objects(self._gate.read(("artifacts", "credentials")))

    def fetch(self, artifact: Mapping[str, Any]) -> int:
        return len(self._gate.change("PUT", ("artifacts", "fetch"), dict(artifact)).data)

    def applications(self) -> Sequence[Mapping[str, Any]]:
        return _objects(self._gate.read(("applications",)))

    def application(self, name: str) -> Mapping[str, Any] | None:
        found = self._gate.read(("applications", name), missing="Application not found")
        return None if found is None else _object(_object(found).get("attributes"))

    def save_application(self, attributes: Mapping[str, Any]) -> None:
        name = attributes.get("name")
        if not name or not attributes.get("email"):
            raise Refused("an application needs name and email", field="email")
        verb = "Update" if self.application(str(name)) is not None else "Create"
        self._task(str(name), f"{verb} Application: {name}", f"{verb.lower()}Application", attributes)

    def delete_application(self, name: str) -> None:
        if self.application(name) is None:
            raise Refused(f"Spinnaker has no application {name}", fix="downwind spinnaker application list")
        self._task(name, f"Delete Application: {name}", "deleteApplication", {"name": name})

    def executions(
        self, application: str, statuses: Sequence[str] = (), limit: int = 10
    ) -> Sequence[Mapping[str, Any]]:
        query = {"limit": str(limit), "expand": "false"}
        if statuses:
            query["statuses"] = ",".join(statuses)
        found = _objects(self._gate.read(("applications", application, "pipelines"), query))
        return sorted(found, key=lambda each: str(each.get("id")), reverse=True)

    def execution(self, execution_id: str) -> Mapping[str, Any] | None:
        if _ID.fullmatch(execution_id) is None:
            return None
        found = self._gate.read(("pipelines", execution_id), missing="Pipeline not found")
        return None if found is None else _object(found)

    def control(self, execution_id: str, verb: str, reason: str | None = None) -> None:
        """A delete of what is not there is 200 in Gate: it is looked at first."""
        if self.execution(execution_id) is None:
            raise Refused(f"Spinnaker has no execution {execution_id}")
        if verb == "delete":
            self._gate.change("DELETE", ("pipelines", execution_id))
        else:
            query = {"reason": reason} if reason else None
            self._gate.change("PUT", ("pipelines", execution_id, verb), None, query)

    def restart(self, execution_id: str, stage_id: str) -> None:
        """Gate says 200 for a stage that is not there."""
        found = self.execution(execution_id)
        stages = [each.get("id") for each in _objects((found or {}).get("stages") or [])]
        if stage_id not in stages:
            raise Refused(f"execution {execution_id} has no stage {stage_id}", fix="downwind spinnaker execution get")
        self._gate.change("PUT", ("pipelines", execution_id, "stages", stage_id, "restart"), {})

    def live(self, application: str) -> Live:
        groups = self._gate.read(("applications", application, "serverGroups"), {"expand": "true"})
        balancers = self._gate.read(("applications", application, "loadBalancers"))
        return read_live(application, groups, balancers, self._gate.read(("firewalls",)))

    def _task(self, application: str, description: str, kind: str, attributes: Mapping[str, Any]) -> None:
        """Refused, in the task's own words, when it ends otherwise than well."""
        job = {"type": kind, "application": dict(attributes)}
        body = {"application": application, "description": description, "job": [job]}
        answer = _object(self._gate.change("POST", ("tasks",), body).json())
        task = _TASK.fullmatch(str(answer.get("ref")))
        if task is None:
            raise TransientError("Gate took the task and named none")
        began = time.monotonic()
        while True:
            found = _object(self._gate.read(("tasks", task[1])))
            status = found.get("status")
            if status == "SUCCEEDED":
                return
            if status in _ENDED:
                raise Refused(f"task {task[1]} ended {status}: {_reason(found) or 'it does not say why'}")
            if time.monotonic() - began > self._patience:
                raise TransientError(f"task {task[1]} is still {status}")
            self._sleep(_PAUSE)


def _reason(task: Mapping[str, Any]) -> str:
    for variable in _objects(task.get("variables")):
        if variable.get("key") == "exception":
            errors = _object(_object(variable.get("value")).get("details")).get("errors")
            return "; ".join(map(str, errors)) if isinstance(errors, list) else ""
    return ""


def _objects(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise TransientError("Gate answered no list")
    return [each for each in value if isinstance(each, dict)]


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
