"""Organisation policies that would refuse a step of this plan. Names and values of constraints: Google's list of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.bootstrap.check import Check
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.write import Request

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Constraint:
    """`refuses`: does this rule stand in the plan's way?"""

    refuses: Callable[[Plan, Rule], bool]
    matters: Callable[[Plan], bool]
    fix: str


def check_policies(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    for name, constraint in CONSTRAINTS.items():
        if not constraint.matters(plan):
            continue
        path = f"v1/projects/{plan.values.project}:getEffectiveOrgPolicy"
        body = {"constraint": f"constraints/{name}"}
        rule = cloud.read(Request(api="cloudresourcemanager", method="POST", path=path, body=body)) or {}
        refuses = constraint.refuses(plan, rule)
        text = f"organisation policy {name} {'restricts' if refuses else 'lets through'} what is asked for"
        yield Check(what=text, fix=constraint.fix if refuses else None)


def _listed(rule: Rule) -> Rule:
    found: Rule = rule.get("listPolicy") or {}
    return found


def _restricts(_plan: Plan, rule: Rule) -> bool:
    """Any restriction may be in the way."""
    given = _listed(rule)
    return bool(given.get("allowedValues") or given.get("deniedValues") or given.get("allValues") == "DENY")


def _enforced(_plan: Plan, rule: Rule) -> bool:
    return bool((rule.get("booleanPolicy") or {}).get("enforced"))


def _without(value: str) -> Callable[[Plan, Rule], bool]:
    def refuses(_plan: Plan, rule: Rule) -> bool:
        return not _allows(rule, {value, f"is:{value}"})

    return refuses


def _allows(rule: Rule, values: set[str]) -> bool:
    given = _listed(rule)
    if given.get("allValues") == "DENY" or values & set(given.get("deniedValues", ())):
        return False
    allowed = set(given.get("allowedValues", ()))
    return not allowed or bool(values & allowed)


def _elsewhere(plan: Plan, rule: Rule) -> bool:
    """Groups of locations are named `in:…-locations`: of the region, its part of the world, or both together."""
    region = plan.values.region
    part = region.split("-")[0]
    names = {region, f"in:{region}-locations", f"in:{part}-locations"}
    names |= {"in:eu-locations"} if part == "europe" else set()
    return not _allows(rule, names)


def _api_refused(plan: Plan, rule: Rule) -> bool:
    services = [name for each in plan.resources if each.kind == "apis" for name in each.body["services"]]
    return any(not _allows(rule, {name, f"is:{name}"}) for name in services)


def _kinds(*kinds: str) -> Callable[[Plan], bool]:
    return lambda plan: any(each.kind in kinds for each in plan.resources)


def _opens(plan: Plan) -> bool:
    return any("allUsers" in grant.members for each in plan.resources for grant in each.grants)


def _services(plan: Plan) -> list[Mapping[str, Any]]:
    return [each.body["serviceConfig"] for each in plan.resources if each.kind == "function"]


CONSTRAINTS: Mapping[str, Constraint] = {
    "iam.allowedPolicyMemberDomains": Constraint(
        _restricts,
        _opens,
        "it refuses allUsers on receive: except this project, or write hear: {spinnaker: false, webhooks: false}",
    ),
    "run.allowedIngress": Constraint(
        _without("all"),
        lambda plan: any(each["ingressSettings"] == "ALLOW_ALL" for each in _services(plan)),
        "it refuses ingress from the internet: allow `all` for this project, or ask for no webhooks",
    ),
    "run.allowedVPCEgress": Constraint(
        _without("private-ranges-only"),
        lambda plan: any("directVpcEgress" in each or "vpcConnector" in each for each in _services(plan)),
        "allow private-ranges-only for this project: functions call Google and GitHub without the network",
    ),
    "cloudfunctions.requireVPCConnector": Constraint(
        _enforced,
        lambda plan: any("vpcConnector" not in each for each in _services(plan)),
        "except this project, or name functions.connector; receive has none in any case",
    ),
    "gcp.resourceLocations": Constraint(
        _elsewhere, lambda _plan: True, "allow the region's locations for this project, or take another region"
    ),
    "gcp.restrictServiceUsage": Constraint(
        _api_refused, lambda _plan: True, "allow the services of infra/wanted/apis.yaml for this project"
    ),
    "iam.disableServiceAccountCreation": Constraint(
        _enforced, _kinds("account"), "except this project: each part of the installation acts as an account of its own"
    ),
    "compute.restrictCloudNATUsage": Constraint(
        _restricts, _kinds("nat"), "allow the subnet for this project, or bring a network with network: {create: false}"
    ),
    "cloudbuild.allowedIntegrations": Constraint(
        _without("github.com"), _kinds("connection"), "allow github.com for this project, or write no builds.connection"
    ),
}
