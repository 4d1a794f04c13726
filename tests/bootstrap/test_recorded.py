"""What gcloud 528 sends, as it was recorded, beside what we send for the same thing: method, address and every field. So the
engine is held to gcloud where gcloud is not on the machine."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from tests.bootstrap.conftest import NAMES
from tests.bootstrap.recorded_cases import CASES, UNUSED
from tests.bootstrap.recorded_ways import Case
from tests.bootstrap.site import MakeSite

from downwind.bootstrap.write import Request

RECORDED = Path(__file__).parent / "recorded"
READS = (":getIamPolicy", "/wait", ":queryTestablePermissions")


@cache
def recorded(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


def request_of(name: str, case: Case) -> Mapping[str, Any]:
    """The one that does it: gcloud reads before and after."""
    found = recorded(name)["requests"]
    if case.reads:
        method = case.ask().method if isinstance(case.ask(), Request) else "GET"  # type: ignore[union-attr]
        return [each for each in found if each["method"] == method][0 if case.nth == -1 else case.nth]  # type: ignore[no-any-return]
    acts = [each for each in found if each["method"] != "GET" and not urlsplit(each["path"]).path.endswith(READS)]
    return acts[case.nth]  # type: ignore[no-any-return]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf by its path; an empty mapping or list is one."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    inner = [pair for key, each in items for pair in flat(each, f"{path}.{key}" if path else str(key))]
    yield from inner or ([(path, value)] if path else [])


def shape(api: str, method: str, path: str, query: Mapping[str, str], body: Any) -> dict[str, Any]:
    """One request as a table of its fields."""
    asked = {f"?{key}": value for key, value in query.items() if key != "alt"}
    return {"api": api, "method": method, "path": path.lstrip("/"), **asked, **dict(flat(body))}


def of_recording(entry: Mapping[str, Any]) -> dict[str, Any]:
    url = urlsplit(entry["path"])
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    return shape(entry["api"], entry["method"], unquote(url.path), query, entry["body"])


def of_ours(request: Request) -> dict[str, Any]:
    return shape(request.api, request.method, request.path, request.query, request.body)


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {key for key in {*one, *other} if key not in one or key not in other or one[key] != other[key]}


@pytest.mark.parametrize("name", CASES)
def test_our_request_is_gclouds_but_for_what_is_named(name: str) -> None:
    case = CASES[name]
    found = differing(of_ours(case.request), of_recording(request_of(name, case)))
    named = {field: [each for each in found if each == field or each.startswith(f"{field}.")] for field in case.differs}
    assert not [field for field, hits in named.items() if not hits], "named, and the same"
    assert found - {each for hits in named.values() for each in hits} == set()


def test_every_recording_is_a_case_or_named_with_its_reason() -> None:
    files = {each.stem for each in RECORDED.glob("*.json")}
    assert files == {*CASES, *UNUSED}
    assert not set(CASES) & set(UNUSED)
    assert all(UNUSED.values())
    assert all(reason for case in CASES.values() for reason in case.differs.values())


_WORDS = frozenset(
    {
        *("projects", "locations", "regions", "global", "networks", "subnetworks", "addresses", "routers", "topics"),
        *("subscriptions", "jobs", "secrets", "roles", "serviceAccounts", "repositories", "connections", "triggers"),
        *("clusters", "functions", "services", "storage", "upload", "compute", "b", "o", "iam"),
    }
)


def template(path: str) -> str:
    """Without names: `v1/projects/*/topics/*:setIamPolicy`."""
    found = []
    for part in path.lstrip("/").split("/"):
        word, colon, verb = part.partition(":")
        known = word in _WORDS or re.fullmatch(r"v\d(beta\d)?", word) or part == "setPrivateIpGoogleAccess"
        found.append(f"{word if known else '*'}{colon}{verb}")
    return re.sub(r"/o/.+", "/o/*", "/".join(found))


FREE = ("labels", "annotations", "environmentVariables", "resourceLabels", "substitutions")
"""Whose keys are the user's."""


def fields(table: Mapping[str, Any]) -> set[str]:
    """Names of fields, whatever the keys of free ones and the places in lists."""
    found = set()
    for key in set(table) - {"api", "method", "path"}:
        parts = [each for each in key.split(".") if not each.isdigit()]
        cut = next((index for index, each in enumerate(parts) if each in FREE), len(parts))
        found.add(".".join(parts[: cut + 1]))
    return found


@cache
def known() -> dict[tuple[str, str, str], set[str]]:
    """Fields by request, of what was recorded and of what we are known to send beside it."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for name, case in CASES.items():
        for table in (of_recording(request_of(name, case)), of_ours(case.request)):
            key = (str(table["api"]), str(table["method"]), template(str(table["path"])))
            found.setdefault(key, set()).update(fields(table))
    return found


UNRECORDED = {
    ("storage", "POST", "upload/storage/v1/b/*/o"): "the functions' source: gcloud uploads it each time anew",
    ("storage", "DELETE", "storage/v1/b/*/o/*"): "objects of a bucket that goes: gcloud storage rm --recursive does it",
}
NEVER_RECORDED = {
    "serviceConfig.directVpcNetworkInterface.network": "gcloud 528 has no flag for Direct VPC egress (decision 81)",
    "serviceConfig.directVpcNetworkInterface.subnetwork": "the same",
    "serviceConfig.directVpcEgress": "the same",
    "serviceConfig.vpcConnector": "the recording has none; test_gcloud compares it",
    "serviceConfig.vpcConnectorEgressSettings": "the same",
    "serviceConfig.allTrafficOnLatestRevision": "so that a deploy that went back by traffic shows; gcloud has no flag for it",
    "cluster.network": "the recording has none; test_gcloud compares the whole body",
    "cluster.subnetwork": "the same",
    "substitutions": "of the trigger that deploys; the recorded one has none",
    "policy.bindings": "empty, where nobody else holds a right",
    "retentionPolicy": "taken away before a bucket goes: null",
    "policy.bindings.condition.description": "a condition may have none",
    "versioning.enabled": "gcloud can't say it as a bucket is made: it needs an update after",
    "lifecycle.rule.condition.age": "the recording has another condition",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_an_installation_sends_from_first_to_last_was_recorded(make_site: MakeSite, name: str) -> None:
    """Each request of `apply` and `destroy`: no other address than gcloud's, and no field that gcloud never sent, but for those
    that are named."""
    site = make_site(name)
    assert site.apply().failed == {}
    assert site.destroy(with_data=True) == {}
    strange = set()
    for each in site.google.state.log:
        if each["method"] == "GET" or each["path"].endswith(":getIamPolicy"):
            continue
        path = unquote(each["path"])
        key = (each["api"], each["method"], template(path))
        if key in UNRECORDED:
            continue
        sent = fields(shape(each["api"], each["method"], path, each["query"], each["body"]))
        fresh = sent - known()[key] if key in known() else {"was never recorded"}
        strange |= {(key, field) for field in fresh - set(NEVER_RECORDED)}
    assert strange == set()
