"""GKE, Cloud Functions and Cloud Build: what their answers hold beyond what was sent."""

import base64
import re
from typing import Any

from tests.bootstrap.fake.generic import NOW, generic, merge
from tests.bootstrap.fake.network import REGIONS
from tests.bootstrap.fake.state import Answer, Json, State, exists, missing

DOMAIN = "fake.test"


def container(state: State, method: str, path: str, _query: dict[str, str], body: Any) -> Json:
    name = path.split("/", 2)[2]
    place = re.fullmatch(r"projects/[^/]+/locations/([^/]+)/serverConfig", name)
    if place:
        if place[1] not in REGIONS:
            raise Answer(400, "INVALID_ARGUMENT", f'Location "{place[1]}" does not exist.')
        return {"defaultClusterVersion": "1.33.1-gke.1000"}
    if re.search(r"/operations/[^/]+$", path):
        operation = state.asked("container", name)
        return {**operation, "status": "DONE" if operation.get("done") else "RUNNING"}
    if method == "POST" and path.endswith("/clusters"):
        return _cluster(state, name.rsplit("/", 1)[0], body["cluster"])
    one = re.fullmatch(r"(.+/clusters/[^/:]+)(:setResourceLabels)?", name)
    if one and method == "GET" and "leaves" in state.resources.get(("container", one[1]), {}):
        return _leaving(state, one[1])
    if not one or method == "GET":
        return None
    if ("container", one[1]) not in state.resources:
        raise missing(one[1])
    cluster = state.resources["container", one[1]]
    if one[2]:
        cluster["resourceLabels"] = body["resourceLabels"]
    elif method == "DELETE" and state.polls:
        cluster.update(status="STOPPING", leaves=state.polls)
    elif method == "DELETE":
        del state.resources["container", one[1]]
    else:
        update = body["update"]
        changes = {f"{key[7].lower()}{key[8:]}": value for key, value in update.items() if key.startswith("desired")}
        merge(cluster, changes)
    return _cluster_operation(state, one[1].split("/clusters/")[0], one[1])


def _leaving(state: State, name: str) -> Json:
    """A cluster goes after some minutes, whatever was answered to its DELETE."""
    cluster = state.resources["container", name]
    cluster["leaves"] -= 1
    if cluster["leaves"] < 0:
        del state.resources["container", name]
        raise missing(name)
    return cluster


def _cluster(state: State, parent: str, sent: dict[str, Any]) -> Json:
    name = f"{parent}/clusters/{sent['name']}"
    if ("container", name) in state.resources:
        raise exists(name)
    location = parent.split("/")[-1]
    about = {
        "status": "RUNNING",
        "location": location,
        "zone": location,
        "endpoint": "203.0.113.7",
        "masterAuth": {"clusterCaCertificate": base64.b64encode(b"CA").decode()},
        "currentMasterVersion": "1.33.1-gke.1000",
        "currentNodeVersion": "1.33.1-gke.1000",
        "currentNodeCount": 3,
        "createTime": NOW,
    }
    resource = {**sent, **about}
    dns = {"dnsEndpointConfig": {"endpoint": f"gke-abc.{location}.gke.goog"}}
    merge(resource.setdefault("controlPlaneEndpointsConfig", {}), dns)
    state.resources["container", name] = resource
    return _cluster_operation(state, parent, name)


def _cluster_operation(state: State, parent: str, target: str) -> Json:
    ident = f"operation-{next(state.ids)}"
    about = {
        "operationType": "CREATE_CLUSTER",
        "zone": parent.split("/")[-1],
        "location": parent.split("/")[-1],
        "selfLink": f"https://container.googleapis.com/v1/{parent}/operations/{ident}",
        "targetLink": f"https://container.googleapis.com/v1/{target}",
    }
    operation = state.operation("container", f"{parent}/operations/{ident}", {}, about)
    state.operations["container", f"{parent}/operations/{ident}"][1]["name"] = ident
    return {**operation, "name": ident, "status": "DONE" if operation.get("done") else "RUNNING"}


def cloudfunctions(state: State, method: str, path: str, query: dict[str, str], body: Any) -> Json:
    if path.endswith("functions:generateUploadUrl"):
        source = {"bucket": f"gcf-v2-uploads-1-{path.split('/')[5]}", "object": "src.zip"}
        return {"uploadUrl": f"http://upload.{DOMAIN}/signed/src.zip?X-Goog-Signature=x", "storageSource": source}
    if path.endswith("/locations"):
        kind = "type.googleapis.com/google.cloud.functions.v2.LocationMetadata"
        about = {"metadata": {"@type": kind, "environments": ["GEN_1", "GEN_2"]}}
        return {"locations": [{"locationId": each, **about} for each in sorted(REGIONS)]}
    if path.endswith("/runtimes"):
        names = ("python312", "python313", "python314")
        return {
            "runtimes": [{"name": each, "environment": "GEN_2", "stage": "GA", "displayName": each} for each in names]
        }
    if method == "POST" and path.endswith("/functions"):
        source = body["buildConfig"]["source"]["storageSource"]
        if ("object", f"{source['bucket']}/{source['object']}") not in state.resources:
            raise Answer(
                400, "INVALID_ARGUMENT", f"The source gs://{source['bucket']}/{source['object']} is not there."
            )
        for card in body["serviceConfig"].get("directVpcNetworkInterface", ()):
            _known_subnet(state, path, card["subnetwork"])
        answer = generic(state, "cloudfunctions", method, path, query, body)
        _served(state, f"{path.split('/', 2)[2]}/{query['functionId']}")
        return answer
    one = re.fullmatch(r"/v2/(projects/[^/]+/locations/[^/]+)/functions/([^/:]+)", path)
    if one and method == "DELETE":
        state.policies.pop(("run", f"{one[1]}/services/{one[2]}"), None)
        state.resources.pop(("run", f"{one[1]}/services/{one[2]}"), None)
    if one and method == "PATCH" and ("cloudfunctions", f"{one[1]}/functions/{one[2]}") in state.resources:
        answer = generic(state, "cloudfunctions", method, path, query, body)
        _served(state, f"{one[1]}/functions/{one[2]}")
        return answer
    return None


def _known_subnet(state: State, path: str, name: str) -> None:
    """One of the project, by its name; what lies in another project is not known here."""
    _, _, _, project, _, region, *_ = path.split("/")
    there = ("compute", f"projects/{project}/regions/{region}/subnetworks/{name}") in state.resources
    if not there and "/" not in name and not name.startswith("yours"):
        raise Answer(400, "INVALID_ARGUMENT", f"Subnetwork {name} is not there.")


def _served(state: State, name: str) -> None:
    """What the service adds to a function: a revision for each deployment, and where traffic goes."""
    parts = name.split("/")
    address = state.addresses.get(parts[-1]) or f"https://{parts[-1]}-abc-uc.a.run.app"
    service = f"projects/{parts[1]}/locations/{parts[3]}/services/{parts[-1]}"
    resource = state.resources["cloudfunctions", name]
    resource.update(state="ACTIVE", environment="GEN_2", url=address)
    resource.setdefault("serviceConfig", {}).update(service=service, uri=address)
    _revised(state, resource, service, parts[-1])
    made = sum(each["count"] for (api, _), each in state.resources.items() if api == "run")
    resource["updateTime"] = f"2026-11-30T{made // 60:02d}:{made % 60:02d}:00Z"


def _revised(state: State, resource: dict[str, Any], service: str, name: str) -> None:
    latest = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    old = state.resources.get(("run", service), {"name": service, "count": 0})
    revision = f"{service}/revisions/{name}-{old['count'] + 1:05d}-abc"
    ready = name not in state.unready
    wanted = resource["serviceConfig"].get("allTrafficOnLatestRevision")
    traffic = [{"type": latest, "percent": 100}]
    state.resources["run", service] = {
        **old,
        "count": old["count"] + 1,
        "uri": resource["url"],
        "latestCreatedRevision": revision,
        "latestReadyRevision": revision if ready else old.get("latestReadyRevision", revision),
        "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"}
        if ready
        else {"type": "Ready", "state": "CONDITION_FAILED", "message": "the container failed to listen on PORT=8080"},
        "trafficStatuses": traffic if wanted or "trafficStatuses" not in old else old["trafficStatuses"],
    }


def run(state: State, method: str, path: str, _query: dict[str, str], body: Any) -> Json:
    one = re.fullmatch(r"/v2/(projects/[^/]+/locations/[^/]+/services/([^/:]+))", path)
    if not one or method != "PATCH":
        return None
    if ("run", one[1]) not in state.resources:
        raise missing(one[1])
    state.resources["run", one[1]]["trafficStatuses"] = body["traffic"]
    function = state.resources["cloudfunctions", one[1].replace("/services/", "/functions/")]
    function["serviceConfig"]["allTrafficOnLatestRevision"] = False
    parent = "/".join(one[1].split("/")[:4])
    return state.operation("run", f"{parent}/operations/op{next(state.ids)}", state.resources["run", one[1]])


def cloudbuild(state: State, method: str, path: str, query: dict[str, str], body: Any) -> Json:
    if path.endswith("/defaultServiceAccount"):
        return {
            "name": path[4:],
            "serviceAccountEmail": "projects/p/serviceAccounts/1-compute@developer.gserviceaccount.com",
        }
    if method == "POST" and path.endswith("/connections"):
        version = body["githubConfig"]["authorizerCredential"]["oauthTokenSecretVersion"]
        if state.resources.get(("secretmanager", version), {}).get("state") != "ENABLED":
            raise Answer(400, "INVALID_ARGUMENT", "could not access the secret version")
        return None
    if method == "POST" and path.endswith("/triggers"):
        parent = path.split("/", 2)[2]
        if any(
            name.startswith(f"{parent}/") and each.get("name") == body["name"] for (_, name), each in _triggers(state)
        ):
            raise exists(body["name"])
        ident = f"00000000-0000-4000-8000-{next(state.ids):012d}"
        state.resources["cloudbuild", f"{parent}/{ident}"] = {**body, "id": ident, "createTime": NOW}
        return state.resources["cloudbuild", f"{parent}/{ident}"]
    one = re.fullmatch(r"/v1/(projects/[^/]+/locations/[^/]+/triggers)/([^/:]+)", path)
    if one:  # by id or name
        for key, each in _triggers(state):
            if key[1].startswith(f"{one[1]}/") and one[2] in {each.get("name"), each.get("id")}:
                if method == "DELETE":
                    del state.resources[key]
                    return {}
                return merge(each, body) if method == "PATCH" else each
        raise missing(path)
    if method == "POST" and path.endswith("/builds"):
        ident = f"b0000000-0000-4000-8000-{next(state.ids):012d}"
        build = {
            **body,
            "id": ident,
            "projectId": path.split("/")[3],
            "status": "SUCCESS",
            "createTime": NOW,
            "logUrl": "https://x",
        }
        kind = "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata"
        name = f"operations/build/{build['projectId']}/{base64.b64encode(ident.encode()).decode()}"
        return state.operation("cloudbuild", name, build, {"metadata": {"@type": kind, "build": build}})
    return None


def _triggers(state: State) -> list[tuple[tuple[str, str], Any]]:
    return [(key, value) for key, value in state.resources.items() if key[0] == "cloudbuild" and "/triggers/" in key[1]]
