"""What single APIs do differently. Each answers None where the general rules hold."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.bootstrap.fake.compute import cloudbuild, cloudfunctions, container, run
from tests.bootstrap.fake.generic import generic
from tests.bootstrap.fake.network import compute
from tests.bootstrap.fake.state import Answer, Json, State, exists, missing
from tests.bootstrap.fake.storage import storage

Special = Callable[[State, str, str, dict[str, str], Any], Json]


def route(state: State, api: str, method: str, path: str, query: dict[str, str], body: Json) -> Json:
    for fault in state.faults:
        if fault.times > 0 and fault.api == api and fault.method == method and re.search(fault.path, path):
            fault.times -= 1
            raise Answer(fault.status, fault.reason, "injected")
    if state.strict and api not in {"serviceusage", "cloudresourcemanager", "cloudbilling", "upload"}:
        service = f"{api}.googleapis.com"
        if service not in state.services:
            raise Answer(
                403, "PERMISSION_DENIED", f"{service} has not been used in project 1 before or it is disabled."
            )
    special = SPECIAL.get(api)
    answer = special(state, method, path, query, body) if special else None
    return answer if answer is not None else generic(state, api, method, path, query, body)


def serviceusage(state: State, method: str, path: str, _query: dict[str, str], body: Any) -> Json:
    if path.endswith(("services:batchEnable", ":enable")):
        names = (body or {}).get("serviceIds") or [path.rsplit("/", 1)[-1].split(":")[0]]
        state.services.update(names)
        return state.operation("serviceusage", f"operations/acat.{next(state.ids)}", {})
    if path.endswith(":generateServiceIdentity"):
        state.agents.add(f"gcp-sa-{path.rsplit('/', 1)[-1].split('.')[0]}")
        return state.operation(
            "serviceusage", f"operations/finished.{next(state.ids)}", {"email": "agent", "uniqueId": "1"}
        )
    if path.endswith("/consumerQuotaMetrics"):
        limit = {"quotaBuckets": [{"effectiveLimit": "2000" if "quota/run" in state.lacking else "200000"}]}
        return {"metrics": [{"metric": "run.googleapis.com/cpu_allocation", "consumerQuotaLimits": [limit]}]}
    one = re.search(r"/services/([^/:]+)$", path)
    if method == "GET" and one:
        enabled = "ENABLED" if one[1] in state.services else "DISABLED"
        return {"name": path[4:], "state": enabled, "config": {"name": one[1]}}
    if method == "GET" and path.endswith("/services"):
        found = [{"name": each, "state": "ENABLED", "config": {"name": each}} for each in sorted(state.services)]
        return {"services": found} if found else {}
    return None


def cloudbilling(state: State, _method: str, _path: str, _query: dict[str, str], _body: Any) -> Json:
    return {"billingEnabled": "billing" not in state.lacking}


def cloudresourcemanager(state: State, method: str, path: str, _query: dict[str, str], body: Any) -> Json:
    if path.endswith(":testIamPermissions"):
        return {"permissions": [each for each in body["permissions"] if each not in state.lacking]}
    if path.endswith(":getEffectiveOrgPolicy"):
        return {"constraint": body["constraint"], **_rule(body["constraint"], body["constraint"] in state.lacking)}
    one = re.fullmatch(r"/v\d/projects/([^/:]+)", path)
    if method == "GET" and one:
        number = state.numbers.get(one[1])
        if number is None:
            raise Answer(403, "PERMISSION_DENIED", "The caller does not have permission")
        return {"projectId": one[1], "projectNumber": number, "name": one[1], "lifecycleState": "ACTIVE"}
    return None


BOOLEAN = frozenset({"constraints/cloudfunctions.requireVPCConnector", "constraints/iam.disableServiceAccountCreation"})


def _rule(constraint: str, restricted: bool) -> Json:
    if constraint in BOOLEAN:
        return {"booleanPolicy": {"enforced": True} if restricted else {}}
    return {"listPolicy": {"allowedValues": ["C01"]} if restricted else {"allValues": "ALLOW"}}


def iam(state: State, method: str, path: str, query: dict[str, str], body: Any) -> Json:
    if path.endswith(":queryTestablePermissions"):
        return {"permissions": []}
    if method == "GET" and path.endswith("/serviceAccounts"):
        project = path.split("/")[3]
        others = [{"email": f"a{each}@{project}"} for each in range(95 if "quota/accounts" in state.lacking else 1)]
        ours = [each for (api, _), each in state.resources.items() if api == "iam" and each.get("projectId") == project]
        return {"accounts": others + [each for each in ours if "/serviceAccounts/" in each["name"]]}
    if method == "POST" and path.endswith("/serviceAccounts"):
        project = path.split("/")[3]
        email = f"{body['accountId']}@{project}.iam.gserviceaccount.com"
        name = f"projects/{project}/serviceAccounts/{email}"
        if ("iam", name) in state.resources:
            raise exists(name)
        about = {"name": name, "email": email, "projectId": project, "uniqueId": str(10**20 + next(state.ids))}
        state.resources["iam", name] = about | (body.get("serviceAccount") or {})
        return state.resources["iam", name]
    if method == "POST" and path.endswith("/roles"):
        name = f"{path[4:]}/{body['roleId']}"
        if ("iam", name) in state.resources:
            raise exists(name)
        state.resources["iam", name] = {"etag": "BwX0", **body["role"], "name": name}
        return state.resources["iam", name]
    role = re.fullmatch(r"/v1/(projects/[^/]+/roles/[^/:]+)(:undelete)?", path)
    if role and (method == "DELETE" or role[2]):  # a deleted role stays for a week
        if ("iam", role[1]) not in state.resources:
            raise missing(role[1])
        state.resources["iam", role[1]]["deleted"] = method == "DELETE"
        return state.resources["iam", role[1]]
    wildcard = re.match(r"/v1/projects/-/(serviceAccounts/.*@([^.]+)\..*)", path)
    if wildcard:
        return generic(state, "iam", method, f"/v1/projects/{wildcard[2]}/{wildcard[1]}", query, body)
    return None


def pubsub(state: State, method: str, path: str, _query: dict[str, str], body: Any) -> Json:
    if path.endswith(":publish"):
        return {"messageIds": [str(next(state.ids)) for _ in body["messages"]]}
    if method == "PUT" and "/subscriptions/" in path:
        for topic in (body["topic"], (body.get("deadLetterPolicy") or {}).get("deadLetterTopic", body["topic"])):
            if ("pubsub", topic) not in state.resources:
                raise missing(topic)
    return None


def secretmanager(state: State, method: str, path: str, query: dict[str, str], body: Any) -> Json:
    if method == "GET" and path.endswith("/versions"):
        named = [(name, each) for (api, name), each in state.resources.items() if api == "secretmanager"]
        states = {"ENABLED"} if query.get("filter") == "state:ENABLED" else {"ENABLED", "DISABLED", "DESTROYED"}
        found = [each for name, each in named if name.startswith(f"{path[4:]}/") and each["state"] in states]
        return {"versions": found} if found else {}
    add = re.fullmatch(r"/v1/(projects/[^/]+/secrets/[^/:]+):addVersion", path)
    if add:
        if ("secretmanager", add[1]) not in state.resources:
            raise missing(add[1])
        count = sum(
            1 for api, name in state.resources if api == "secretmanager" and name.startswith(f"{add[1]}/versions/")
        )
        name = f"{add[1]}/versions/{count + 1}"
        given = "dataCrc32c" in body["payload"]
        state.resources["secretmanager", name] = {
            "name": name,
            "state": "ENABLED",
            "clientSpecifiedPayloadChecksum": given,
        }
        state.resources["secret-data", name] = body["payload"]
        return state.resources["secretmanager", name]
    turned = re.fullmatch(r"/v1/(projects/.*/versions/[0-9]+):(en|dis)able", path)
    if turned and method == "POST":
        if ("secretmanager", turned[1]) not in state.resources:
            raise missing(turned[1])
        state.resources["secretmanager", turned[1]]["state"] = f"{turned[2].upper()}ABLED"
        return state.resources["secretmanager", turned[1]]
    access = re.fullmatch(r"/v1/(projects/.*/versions/[^/:]+):access", path)
    if access:
        name = access[1]
        if name.endswith("/latest"):  # it is answered by its number
            known = [each for api, each in state.resources if api == "secret-data" and each.startswith(name[:-6])]
            name = max(known, key=lambda each: int(each.rpartition("/")[2]), default=name)
        if ("secret-data", name) not in state.resources:
            raise missing(name)
        if state.resources["secretmanager", name]["state"] != "ENABLED":
            raise Answer(400, "FAILED_PRECONDITION", f"Secret Version [{name}] is in DISABLED state.")
        return {"name": name, "payload": state.resources["secret-data", name]}
    if method == "DELETE":
        for key in [each for each in state.resources if each[1].startswith(f"{path[4:]}/versions/")]:
            del state.resources[key]
    return None


def secret_text(state: State, name: str) -> str:
    return base64.b64decode(state.resources["secret-data", name]["data"]).decode()


SPECIAL: Mapping[str, Special] = {
    "serviceusage": serviceusage,
    "cloudresourcemanager": cloudresourcemanager,
    "cloudbilling": cloudbilling,
    "iam": iam,
    "pubsub": pubsub,
    "secretmanager": secretmanager,
    "storage": storage,
    "compute": compute,
    "container": container,
    "cloudbuild": cloudbuild,
    "cloudfunctions": cloudfunctions,
    "run": run,
}
