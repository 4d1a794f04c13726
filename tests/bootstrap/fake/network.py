"""Compute Engine's networks: whole addresses in answers, operations of its own, and what is in use stays."""

import re
from typing import Any

from tests.bootstrap.fake.generic import NOW
from tests.bootstrap.fake.state import Answer, Json, State, exists, missing

HOST = "http://compute.fake.test/compute/v1"


def compute(state: State, method: str, path: str, _query: dict[str, str], body: Any) -> Json:
    name = path.removeprefix("/compute/v1/")
    operation = re.fullmatch(r"(.+/operations/[^/]+?)(/wait)?", name)
    if operation:
        return _told(state.asked("compute", operation[1]))
    if method == "GET":
        region = re.fullmatch(r"projects/[^/]+(?:/regions/([^/]+))?", name)
        if region:
            return _place(state, region[1])
        if ("compute", name) not in state.resources:
            raise missing(name)
        return state.resources["compute", name]
    verb = re.fullmatch(r"(.+)/setPrivateIpGoogleAccess", name)
    if method == "POST" and not verb:
        target = f"{name}/{body['name']}"
        if ("compute", target) in state.resources:
            raise exists(target)
        _there(state, body)
        state.resources["compute", target] = {
            **body,
            **{field: _address(body[field]) for field in ("network", "subnetwork") if field in body},
            "id": str(next(state.ids)),
            "kind": f"compute#{name.rpartition('/')[2].rstrip('s')}",
            "selfLink": f"{HOST}/{target}",
            "creationTimestamp": NOW,
        }
        return _operation(state, "insert", target)
    target = verb[1] if verb else name
    if ("compute", target) not in state.resources:
        raise missing(target)
    if method == "DELETE":
        _unused(state, target)
        del state.resources["compute", target]
        return _operation(state, "delete", target)
    state.resources["compute", target].update(body)
    return _operation(state, "update", target)


def _place(state: State, region: str | None) -> Json:
    """Quotas of a region, or of the project."""
    if region is not None and region not in REGIONS:
        raise missing(region)
    ours = {"NETWORKS": 15, "SUBNETWORKS": 175, "ROUTERS": 20}
    limits = ours if region is None else {"CPUS": 24, "IN_USE_ADDRESSES": 8, "SSD_TOTAL_GB": 500}
    left = {metric: 0.0 if f"quota/{metric}" in state.lacking else float(limit) for metric, limit in limits.items()}
    return {"name": region, "quotas": [{"metric": each, "limit": most, "usage": 0.0} for each, most in left.items()]}


REGIONS = frozenset({"europe-west1", "us-central1", "us-east1"})


def _address(name: str) -> str:
    """gcloud names others by the address that it obeys, which is another one here."""
    return f"{HOST}/projects/{name.partition('projects/')[2]}"


def _there(state: State, body: Any) -> None:
    for name in (
        _address(body[field]).removeprefix(f"{HOST}/") for field in ("network", "subnetwork") if field in body
    ):
        if state.strict and ("compute", name) not in state.resources:
            raise Answer(404, "notFound", f"The resource '{name}' was not found")


def _unused(state: State, target: str) -> None:
    last = target.rpartition("/")[2]
    for (api, name), each in state.resources.items():
        used = [str(each.get("network", "")), str(each.get("subnetwork", ""))] if isinstance(each, dict) else []
        if api == "cloudfunctions":
            cards = each.get("serviceConfig", {}).get("directVpcNetworkInterface", ())
            used += [str(card.get(field, "")) for card in cards for field in ("network", "subnetwork")]
        kind = "networks" if "/networks/" in target else "subnetworks"
        if any(one == f"{HOST}/{target}" or (one == last and api != "compute") for one in used) and kind in target:
            text = f"The {kind[:-1]} resource '{target}' is already being used by '{name}'"
            raise Answer(400, "resourceInUseByAnotherResource", text)


def _operation(state: State, kind: str, target: str) -> Json:
    scope = "/".join(target.split("/")[:-2])
    ident = f"operation-{next(state.ids)}"
    about = {
        "kind": "compute#operation",
        "id": str(next(state.ids)),
        "operationType": kind,
        "targetLink": f"{HOST}/{target}",
        "selfLink": f"{HOST}/{scope}/operations/{ident}",
        "insertTime": NOW,
        "progress": 100,
        **({"region": f"{HOST}/{scope}"} if "/regions/" in scope else {}),
    }
    answer = state.operation("compute", f"{scope}/operations/{ident}", {}, about)
    state.operations["compute", f"{scope}/operations/{ident}"][1]["name"] = ident
    return _told({**answer, "name": ident})


def _told(operation: Json) -> Json:
    done = operation.pop("done", None) if isinstance(operation, dict) else None
    return {**operation, "status": "DONE" if done else "RUNNING"}
