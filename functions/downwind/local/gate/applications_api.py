"""Gate's routes about applications, accounts and itself, as far as `spin` and a first look need them."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from downwind.local.gate.answers import NOT_FOUND, GateError, answer, empty, error, read_object
from downwind.local.gate.executions import new_stage, now
from downwind.local.gate.records import Records
from downwind.local.gate.ulid import new_ulid
from downwind.local.http import Handler, json_response

VERSION = "2026.2.3"
_JOBS = frozenset({"createApplication", "updateApplication", "deleteApplication"})


class ApplicationsApi:
    def __init__(self, records: Records, account: str, clusters: Callable[[str], Mapping[str, Any]]) -> None:
        self._records = records
        self._account = account
        self._clusters = clusters

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return (
            (("GET",), "/applications", self.list),
            (("GET",), "/applications/<name>", self.get),
            (("POST",), "/tasks", self.submit),
            (("GET",), "/tasks/<task_id>", self.task),
            (("GET",), "/credentials", self.credentials),
            (("GET",), "/credentials/<name>", self.credential),
            (("GET",), "/projects", self.nothing),
            (("GET",), "/pubsub/subscriptions", self.nothing),
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
        return answer({"attributes": found, "clusters": self._clusters(found["name"]), "name": found["name"]})

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
        task = new_task(body.get("application"), body.get("description"), stages)
        self._records.put_task(task)
        return answer({"ref": f"/tasks/{task['id']}"})

    def task(self, _request: Request, task_id: str) -> Response:
        found = self._records.task(task_id)
        if found is None:
            raise error(404, f"Task not found (id: {task_id})", NOT_FOUND)
        return answer(found)

    def credentials(self, request: Request) -> Response:
        """All of an account only with `expand=true` (recorded)."""
        whole = self._account_document()
        short = ("authorized", "name", "permissions", "requiredGroupMembership", "type")
        return answer([whole if request.args.get("expand") == "true" else {key: whole[key] for key in short}])

    def credential(self, _request: Request, name: str) -> Response:
        """An account that Gate has not is 200 and nothing (recorded)."""
        return answer(self._account_document()) if name == self._account else empty()

    def nothing(self, _request: Request) -> Response:
        return answer([])

    def _account_document(self) -> dict[str, Any]:
        return {
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
            steps = [("verifyNoDependencies", "VerifyApplicationHasNoDependenciesTask")]
            steps += [("deleteApplication", "DeleteApplicationTask")]
            context = {"notification.type": "deleteapplication", "application": given}
        else:
            stamp = str(int(time.time() * 1000))
            created = standing["createTs"] if standing else stamp
            new = {key: value for key, value in given.items() if key != "permissions"}
            kept = {"trafficGuards": [], **(standing or {}), **new, "lastModifiedBy": "anonymous"}
            self._records.put_application(kept | {"createTs": created, "updateTs": stamp})
            steps = [(job["type"], "UpsertApplicationTask")]
            context = {"notification.type": "upsertapplication", "application": given, "newState": new}
        # Front50 keeps the name in capitals, and shows it so here only (recorded).
        context["application.name"] = name
        context["previousState"] = {**standing, "name": name.upper()} if standing else {}
        stage = new_stage({"type": job["type"]}, number, context=context, refId=str(number))
        return stage | {"status": "SUCCEEDED", "startTime": now(), "endTime": now(), "tasks": _steps(steps)}


def _steps(names: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "endTime": now(),
            "id": str(number),
            "implementingClass": f"com.netflix.spinnaker.orca.applications.tasks.{kind}",
            "loopEnd": False,
            "loopStart": False,
            "name": name,
            "stageEnd": number == len(names),
            "stageStart": number == 1,
            "startTime": now(),
            "status": "SUCCEEDED",
            "taskExceptionDetails": {},
        }
        for number, (name, kind) in enumerate(names, 1)
    ]


def new_task(
    application: Any, description: Any, stages: list[dict[str, Any]], user: str = "anonymous"
) -> dict[str, Any]:
    """An orchestration that has ended, as GET /tasks/{id} shows it; its status is that of its last stage."""
    task_id, moment = new_ulid(), now()
    times = {"buildTime": moment, "startTime": moment, "endTime": moment, "status": stages[-1]["status"]}
    common = {"id": task_id, "application": application, **times}
    execution = {
        **common,
        "additionalHeaders": {},
        "authentication": {"allowedAccounts": [], "user": user},
        "canceled": False,
        "description": description,
        "initialConfig": {},
        "keepWaitingPipelines": False,
        "limitConcurrent": False,
        "maxConcurrentExecutions": 0,
        "notifications": [],
        "origin": "api",
        "stages": stages,
        "systemNotifications": [],
        "trigger": {
            **dict.fromkeys(("dryRun", "rebake", "strategy"), False),
            **{key: [] for key in ("artifacts", "expectedArtifacts", "notifications", "resolvedExpectedArtifacts")},
            "parameters": {},
            "type": "manual",
            "user": user,
        },
        "type": "ORCHESTRATION",
    }
    variables = [{"key": key, "value": value} for stage in stages for key, value in stage["context"].items()]
    steps = [step for stage in stages for step in stage["tasks"]]
    return {**common, "name": description, "steps": steps, "variables": variables, "execution": execution}
