"""Gate's routes about applications, accounts and itself, as far as `spin` and a first look need them."""

import time
from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from downwind.local.gate.answers import NOT_FOUND, GateError, answer, error, read_object
from downwind.local.gate.executions import new_stage, now
from downwind.local.gate.records import Records
from downwind.local.gate.ulid import new_ulid
from downwind.local.http import Handler, json_response

VERSION = "2026.2.3"
_JOBS = frozenset({"createApplication", "updateApplication", "deleteApplication"})


class ApplicationsApi:
    def __init__(self, records: Records, account: str) -> None:
        self._records = records
        self._account = account

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return (
            (("GET",), "/applications", self.list),
            (("GET",), "/applications/<name>", self.get),
            (("POST",), "/tasks", self.submit),
            (("GET",), "/tasks/<task_id>", self.task),
            (("GET",), "/credentials", self.credentials),
            (("GET",), "/health", self.health),
            (("GET",), "/version", self.version),
            (("GET",), "/auth/user", self.user),
        )

    def list(self, _request: Request) -> Response:
        return answer(self._records.applications())

    def get(self, _request: Request, name: str) -> Response:
        found = self._records.application(name)
        if found is None:
            raise error(404, f"Application not found (id: {name})", NOT_FOUND)
        return answer({"attributes": found, "clusters": {}, "name": found["name"]})

    def submit(self, request: Request) -> Response:
        """createApplication, updateApplication and deleteApplication; done before the answer goes out."""
        body = read_object(request)
        jobs = body.get("job") or []
        if not jobs or any(job.get("type") not in _JOBS for job in jobs):
            kinds = ", ".join(str(job.get("type")) for job in jobs) or "none"
            text = (
                f"gate: POST /tasks with jobs {kinds} is not part of the local world; it has {', '.join(sorted(_JOBS))}"
            )
            raise GateError(json_response({"error": {"code": 501, "message": text, "status": "UNIMPLEMENTED"}}, 501))
        stages = [self._do(job, number) for number, job in enumerate(jobs)]
        task = _task(body, stages)
        self._records.put_task(task)
        return answer({"ref": f"/tasks/{task['id']}"})

    def task(self, _request: Request, task_id: str) -> Response:
        found = self._records.task(task_id)
        if found is None:
            raise error(404, f"Task not found (id: {task_id})", NOT_FOUND)
        return answer(found)

    def credentials(self, _request: Request) -> Response:
        account = {
            "accountType": self._account,
            "authorized": True,
            "challengeDestructiveActions": False,
            "cloudProvider": "kubernetes",
            "environment": self._account,
            "name": self._account,
            "permissions": {},
            "primaryAccount": False,
            "requiredGroupMembership": [],
            "type": "kubernetes",
        }
        return answer([account])

    def health(self, _request: Request) -> Response:
        return json_response({"status": "UP"}, 200, {"Content-Type": "application/json"})

    def version(self, _request: Request) -> Response:
        return answer({"version": VERSION})

    def user(self, _request: Request) -> Response:
        switches = ("accountNonExpired", "accountNonLocked", "credentialsNonExpired", "enabled")
        body: dict[str, Any] = dict.fromkeys(switches, True)
        body |= {"username": "anonymous", "email": "anonymous", "firstName": None, "lastName": None, "roles": []}
        body |= {"authorities": [], "allowedAccounts": [], "canMintApiTokens": False, "isAdmin": False}
        return answer(body)

    def _do(self, job: dict[str, Any], number: int) -> dict[str, Any]:
        given = job.get("application") or {}
        name = str(given.get("name", ""))
        standing = self._records.application(name)
        if job["type"] == "deleteApplication":
            self._records.delete_application(name)
        else:
            stamp = str(int(time.time() * 1000))
            created = standing["createTs"] if standing else stamp
            kept = {"trafficGuards": [], **(standing or {}), **given, "lastModifiedBy": "anonymous"}
            self._records.put_application(kept | {"createTs": created, "updateTs": stamp})
        stage = new_stage({"type": job["type"], "refId": str(number), **job}, number)
        return stage | {"status": "SUCCEEDED", "startTime": now(), "endTime": now()}


def _task(body: dict[str, Any], stages: list[dict[str, Any]]) -> dict[str, Any]:
    task_id, moment = new_ulid(), now()
    times = {"buildTime": moment, "startTime": moment, "endTime": moment, "status": "SUCCEEDED"}
    common = {"id": task_id, "application": body.get("application"), **times}
    execution = {**common, "type": "ORCHESTRATION", "description": body.get("description"), "stages": stages}
    return {**common, "name": body.get("description"), "steps": [], "variables": [], "execution": execution}
