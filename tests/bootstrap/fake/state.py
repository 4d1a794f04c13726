"""What the fake keeps: resources as plain JSON by API and path, policies, operations, and the log of requests."""

import base64
import copy
import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any
NUMBERS = {
    "acme-small": "210987654321",
    "acme-delivery": "123456789012",
    "acme-shared": "345678901234",
    "demo-proj": "123456789012",
}


class Answer(Exception):  # noqa: N818 - an error that is answered
    def __init__(self, code: int, status: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = {"error": {"code": code, "message": message, "status": status}}


def missing(path: str) -> Answer:
    return Answer(404, "NOT_FOUND", f"Resource not found: {path}")


def exists(path: str) -> Answer:
    return Answer(409, "ALREADY_EXISTS", f"Resource already exists: {path}")


@dataclass
class Fault:
    """`status` is answered `times` times to what matches. `after`: the request is done first."""

    api: str
    method: str
    path: str
    status: int
    times: int
    reason: str = "UNAVAILABLE"


@dataclass
class State:
    """`polls`: how often an operation says that it is not done. `strict`: APIs have to be enabled first, as at Google."""

    polls: int = 0
    strict: bool = True
    lock: threading.RLock = field(default_factory=threading.RLock)
    resources: dict[tuple[str, str], Json] = field(default_factory=dict)
    policies: dict[tuple[str, str], Json] = field(default_factory=dict)
    operations: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    lacking: set[str] = field(default_factory=set)
    """Rights that the caller has not, organisation policies that restrict, `billing` where that is off."""
    unready: set[str] = field(default_factory=set)
    """Functions whose next revisions do not come up."""
    numbers: dict[str, str] = field(default_factory=lambda: dict(NUMBERS))
    """Of the projects that are there."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Where a function answers, instead of an address of Google's."""
    faults: list[Fault] = field(default_factory=list)
    log: list[dict[str, Json]] = field(default_factory=list)
    ids: Any = field(default_factory=lambda: itertools.count(1))

    def operation(self, api: str, name: str, response: Json, extra: Mapping[str, Json] | None = None) -> Json:
        if api == "cloudfunctions":  # gcloud shows stages and dies on an operation without metadata
            stages = [{"name": each, "state": "COMPLETE", "message": ""} for each in ("BUILD", "SERVICE")]
            kind = "type.googleapis.com/google.cloud.functions.v2"
            about = {"@type": f"{kind}.OperationMetadata", "target": response.get("name", ""), "stages": stages}
            extra = {"metadata": about}
            response = {"@type": f"{kind}.Function", **response}
        done = {"name": name, "done": True, "response": response, **(extra or {})}
        self.operations[api, name] = [self.polls, done]
        return {"name": name, **(extra or {})} if self.polls else done

    def asked(self, api: str, name: str) -> Json:
        if (api, name) not in self.operations:
            raise missing(name)
        entry = self.operations[api, name]
        if entry[0] > 0:
            entry[0] -= 1
            return {key: value for key, value in entry[1].items() if key not in {"done", "response"}}
        return entry[1]

    def policy(self, api: str, name: str, verb: str, body: Json) -> Json:
        standing = self.policies.setdefault((api, name), {"version": 1, "etag": "BwX0", "bindings": []})
        if verb == "getIamPolicy":
            return standing
        new = body.get("policy", body)
        if new.get("etag") and new["etag"] != standing["etag"]:
            raise Answer(
                409, "ABORTED", "There were concurrent policy changes. Please retry the whole read-modify-write."
            )
        bindings = new.get("bindings", [])
        if any(each.get("condition") for each in bindings) and int(new.get("version", 1)) < 3:
            raise Answer(400, "INVALID_ARGUMENT", "Specified policy version must be 3 to use conditions.")
        for binding in bindings:
            for member in binding["members"]:
                self._known(member)
        etag = base64.b64encode(b"etag%d" % next(self.ids)).decode()
        self.policies[api, name] = {**new, "etag": etag}
        return self.policies[api, name]

    def _known(self, member: str) -> None:
        """An account of a project of ours has to be there, and an agent to have been made."""
        kind, _, email = member.partition(":")
        project = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
        if kind != "serviceAccount" or not self.strict:
            return
        if project.startswith("gcp-sa-") and project not in self.agents:
            raise Answer(400, "INVALID_ARGUMENT", f"Service account {email} does not exist.")
        if project in self.numbers and ("iam", f"projects/{project}/serviceAccounts/{email}") not in self.resources:
            raise Answer(400, "INVALID_ARGUMENT", f"Service account {email} does not exist.")

    def dump(self) -> dict[str, Json]:
        """What stands, without what each run makes anew: ids, times, etags, the bytes of secrets."""
        drop = {
            "etag",
            "updateTime",
            "createTime",
            "timeCreated",
            "updated",
            "uniqueId",
            "id",
            "metageneration",
            "resourceName",
            "generation",
        }
        found = {
            f"{api} {name}": {key: value for key, value in each.items() if key not in drop}
            if isinstance(each, dict)
            else each
            for (api, name), each in self.resources.items()
            if api not in {"secret-data", "object-data", "run"} and "/triggers/" not in name
        }
        triggers = [each for (_, name), each in self.resources.items() if "/triggers/" in name]
        found |= {f"trigger {each['name']}": {k: v for k, v in each.items() if k not in drop} for each in triggers}
        for (api, name), policy in self.policies.items():
            if policy["bindings"]:
                found[f"policy {api} {name}"] = sorted(
                    (each["role"], tuple(sorted(each["members"])), str(each.get("condition")))
                    for each in policy["bindings"]
                )
        return copy.deepcopy(found)

    def copied(self) -> "State":
        """Another project in the same state."""
        kept = ("resources", "policies", "operations", "services", "agents")
        return State(**{name: copy.deepcopy(getattr(self, name)) for name in kept})

    def writes(self) -> list[str]:
        """Requests that were meant to change something, without reads that are POSTs."""
        return [
            f"{each['method']} {each['api']} {each['path']}"
            for each in self.log
            if each["method"] != "GET" and ":getIamPolicy" not in each["path"]
        ]
