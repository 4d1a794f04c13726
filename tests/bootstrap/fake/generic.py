"""The rules that most of Google's APIs share: collections, ids, update masks, operations, policies."""

import copy
import re
from typing import Any

from tests.bootstrap.fake.state import Json, State, exists, missing

LONG = {
    "artifactregistry": r"/repositories$",
    "cloudfunctions": r"/functions$",
    "cloudbuild": r"/(connections|repositories)$",
}
"""Where a create answers with a long-running operation instead of the resource."""
NOW = "2026-11-30T00:00:00Z"


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            merge(old[key], value)
        else:
            old[key] = value
    return old


def apply_mask(resource: dict[str, Any], change: dict[str, Any], mask: str) -> None:
    """Each named field is replaced whole, or removed when the body lacks it."""
    for path in filter(None, mask.split(",")):
        steps = [re.sub(r"_([a-z])", lambda match: match[1].upper(), part) for part in path.split(".")]
        source: Any = change
        target: Any = resource
        for step in steps[:-1]:
            source = source.get(step, {}) if isinstance(source, dict) else {}
            target = target.setdefault(step, {})
        if steps[-1] in source:
            target[steps[-1]] = copy.deepcopy(source[steps[-1]])
        else:
            target.pop(steps[-1], None)


def generic(state: State, api: str, method: str, path: str, query: dict[str, str], body: Json) -> Json:
    body = body if isinstance(body, dict) else {}
    verb = re.search(r":(getIamPolicy|setIamPolicy)$", path)
    if verb:
        name = re.sub(r"^/[^/]+/", "", path[: verb.start()])
        _there(state, api, name)
        return state.policy(api, name, verb[1], body)
    name = path.lstrip("/").split("/", 1)[1]
    if re.search(r"(^|/)operations/[^/]+$", name):
        return state.asked(api, name)
    if method == "GET":
        return _got(state, api, name)
    if method == "DELETE":
        if state.resources.pop((api, name), None) is None:
            raise missing(name)
        state.policies.pop((api, name), None)
        if api in LONG and re.search(LONG[api], name.rsplit("/", 1)[0]):
            return _operation(state, api, name, {})
        return {}
    if method == "PUT":  # Pub/Sub's create
        if (api, name) in state.resources:
            raise exists(name)
        state.resources[api, name] = {**body, "name": name}
        return state.resources[api, name]
    if method == "PATCH":
        return _patched(state, api, name, query, body)
    return _created(state, api, name, query, body)


def _there(state: State, api: str, name: str) -> None:
    if api == "cloudresourcemanager":
        return
    if api == "run":
        api, name = "cloudfunctions", name.replace("/services/", "/functions/")
    if (api, name) not in state.resources:
        raise missing(name)


def _got(state: State, api: str, name: str) -> Json:
    if (api, name) in state.resources:
        return state.resources[api, name]
    last = name.rsplit("/", 1)[-1]
    if len(name.split("/")) % 2 == 1 and last.isalpha():  # a collection
        items = [
            value for (each, key), value in state.resources.items() if each == api and key.rsplit("/", 1)[0] == name
        ]
        return {last: items} if items else {}
    raise missing(name)


def _patched(state: State, api: str, name: str, query: dict[str, str], body: dict[str, Any]) -> Json:
    if (api, name) not in state.resources:
        raise missing(name)
    inner = ("topic", "subscription", "serviceAccount")
    change = next((body[each] for each in inner if isinstance(body.get(each), dict)), body)
    mask = query.get("updateMask") or body.get("updateMask")
    if mask:
        apply_mask(state.resources[api, name], change, mask)
    else:
        merge(state.resources[api, name], change)
    if api == "cloudfunctions":
        return _operation(state, api, name, state.resources[api, name])
    return state.resources[api, name]


def _created(state: State, api: str, name: str, query: dict[str, str], body: dict[str, Any]) -> Json:
    """The id comes from ?xxxId=, or from the body."""
    ident = next((value for key, value in query.items() if key.endswith("Id")), None) or body.get("name", "")
    ident = (ident or body.get("id") or f"gen{next(state.ids)}").rsplit("/", 1)[-1]
    full = f"{name}/{ident}"
    if (api, full) in state.resources:
        raise exists(full)
    resource = state.resources[api, full] = {"createTime": NOW, **body, "name": full}
    if api in LONG and re.search(LONG[api], name):
        return _operation(state, api, full, resource)
    return resource


def _operation(state: State, api: str, name: str, resource: Json) -> Json:
    parent = "/".join(name.split("/")[:4])
    return state.operation(api, f"{parent}/operations/op{next(state.ids)}", resource)
