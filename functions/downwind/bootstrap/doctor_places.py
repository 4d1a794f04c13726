"""Does the region offer what is needed, and enough of it? Regions are asked of Cloud Functions and GKE, quotas of Compute Engine
(regions.get and projects.get), IAM (the number of accounts) and Service Usage (what Cloud Run may use)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from downwind.bootstrap.check import Check
from downwind.bootstrap.cloud import Cloud, NotYet
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.write import Request
from downwind.errors import Refused

ACCOUNTS = 100
"""Service accounts of a project, unless Google gave it more."""
AUTOPILOT = 8
"""Processors that Spinnaker and an application ask of an Autopilot cluster to begin with: an estimate."""
RUN_PROCESSORS = "run.googleapis.com/cpu_allocation"
"""Thousandths of a processor for one service's instances, by region."""


def check_region(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    values = plan.values
    known = cloud.read(Request(api="cloudfunctions", path=f"v2/projects/{values.project}/locations"))
    if known is None:
        yield _later("cloudfunctions", f"whether {values.region} offers functions")
    else:
        offered = {each.get("locationId"): each for each in known.get("locations", ())}
        second = "GEN_2" in ((offered.get(values.region) or {}).get("metadata") or {}).get("environments", ("GEN_2",))
        there = values.region in offered and second
        near = sorted(each for each in offered if each and each.split("-")[0] == values.region.split("-")[0])
        yield Check(
            what=f"region {values.region} {'offers' if there else 'does not offer'} functions of the 2nd generation",
            fix=None if there else f"take another region: {', '.join(near) or 'gcloud functions regions list'}",
        )
    if any(each.kind == "cluster" for each in plan.resources):
        yield from _clusters(plan, cloud)


def _clusters(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    place = plan.values.location
    path = f"v1/projects/{plan.values.project}/locations/{place}/serverConfig"
    try:
        found = cloud.read(Request(api="container", path=path))
        services = {"container.googleapis.com"} <= _switched_on(plan, cloud)
    except (Refused, NotYet):  # GKE answers 400 for what is no place
        found, services = None, True
    if found is None and not services:
        yield _later("container", f"whether {place} offers GKE")
        return
    yield Check(
        what=f"{place} {'offers' if found else 'does not offer'} GKE",
        fix=None if found else "take another cluster.location, such as the region",
    )


def check_apis(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    wanted = {name for each in plan.resources if each.kind == "apis" for name in each.body["services"]}
    off = wanted - _switched_on(plan, cloud)
    text = f"; apply switches {len(off)} of them on" if off else ""
    yield Check(what=f"{len(wanted)} APIs are needed{text}")


def _switched_on(plan: Plan, cloud: Cloud) -> set[str]:
    first = next(each for each in plan.resources if each.kind == "apis")
    kind = plan.kinds["apis"]
    found = kind.found(first, cloud.read(kind.where(first)) or {}) or {}
    return set(found["services"])


def _later(api: str, what: str) -> Check:
    return Check(what=f"not known yet: {what} ({api}.googleapis.com is off; apply switches it on)")


def check_quotas(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    """Of what is not there yet: what is there is in the usage already. Gate, which may be silent, has no quota."""
    counted = [each for each in plan.resources if not plan.kinds[each.kind].elsewhere]
    answers = cloud.read_all([plan.kinds[each.kind].where(each) for each in counted])
    missing = [each for each, answer in zip(counted, answers, strict=True) if answer is None]
    yield from _accounts(plan, cloud, sum(1 for each in missing if each.kind == "account"))
    yield from _run(plan, cloud)
    needs = _machines(plan, [each.kind for each in missing])
    if needs:
        yield from _compute(plan, cloud, needs)


def _accounts(plan: Plan, cloud: Cloud, more: int) -> Iterator[Check]:
    path = f"v1/projects/{plan.values.project}/serviceAccounts"
    there = len((cloud.read(Request(api="iam", path=path, query={"pageSize": "100"})) or {}).get("accounts", ()))
    enough = there + more <= ACCOUNTS
    yield Check(
        what=f"{there} service accounts are there, {more} more are needed, {ACCOUNTS} is Google's quota",
        fix=None
        if enough
        else "take away what nobody uses, or ask for more of iam.googleapis.com/quota/service-account-count",
    )


def _run(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    """Cloud Run refuses a service whose instances together may ask for more than the quota."""
    config = plan.values.config["functions"]
    path = f"v1beta1/projects/{plan.values.project}/services/run.googleapis.com/consumerQuotaMetrics"
    answer = cloud.read(Request(api="serviceusage", path=path)) or {}
    limit = _limit(answer, plan.values.region)
    if limit is None:
        yield Check(what="not known yet: how many processors Cloud Run may use (Service Usage names no quota)")
        return
    enough = limit < 0 or config["instances"] * 1000 <= limit
    text = "as many as you like" if limit < 0 else f"{limit // 1000}"
    yield Check(
        what=f"a function may use {text} processors in {plan.values.region}, {config['instances']} are asked for",
        fix=None if enough else f"write functions: {{instances: {limit // 1000}}}, or ask for more of {RUN_PROCESSORS}",
    )


def _limit(answer: Mapping[str, Any], region: str) -> int | None:
    """The region's own bucket, else the one for every region."""
    found: dict[str, int] = {}
    for metric in answer.get("metrics", ()):
        if metric.get("metric") == RUN_PROCESSORS:
            for limit in metric.get("consumerQuotaLimits", ()):
                for bucket in limit.get("quotaBuckets", ()):
                    found[(bucket.get("dimensions") or {}).get("region", "")] = int(bucket.get("effectiveLimit", -1))
    return found.get(region, found.get(""))


def _machines(plan: Plan, missing: list[str]) -> Mapping[str, Mapping[str, int]]:
    """Amounts by metric, of the region and of the project."""
    config = plan.values.config["cluster"]
    region: dict[str, int] = {}
    project = {
        metric: missing.count(kind)
        for metric, kind in {"NETWORKS": "network", "SUBNETWORKS": "subnet", "ROUTERS": "router"}.items()
        if missing.count(kind)
    }
    if "cluster" in missing:
        size = re.search(r"-(\d+)$", config["machine"])
        zones = 1 if re.search(r"-[a-z]$", plan.values.location) else 3
        nodes = config["minNodes"] * zones
        if config["create"] == "autopilot":
            region["CPUS"] = AUTOPILOT
        else:
            region |= {"CPUS": nodes * int(size[1] if size else 2), "SSD_TOTAL_GB": 100 * nodes}
    if "nat" in missing:
        region["IN_USE_ADDRESSES"] = 1
    return {name: needs for name, needs in {"region": region, "project": project}.items() if needs}


def _compute(plan: Plan, cloud: Cloud, needs: Mapping[str, Mapping[str, int]]) -> Iterator[Check]:
    path = f"compute/v1/projects/{plan.values.project}"
    places = {"region": f"{path}/regions/{plan.values.region}", "project": path}
    for place, wanted in needs.items():
        answer = cloud.read(Request(api="compute", path=places[place]))
        if answer is None:
            yield _later("compute", f"the quotas of the {place}")
            continue
        quotas = {each["metric"]: each for each in answer.get("quotas", ())}
        for metric, amount in wanted.items():
            quota = quotas.get(metric)
            if quota is None:
                continue
            left = int(quota["limit"] - quota["usage"])
            yield Check(
                what=f"quota {metric} of the {place}: {left} left, {amount} needed",
                fix=None
                if left >= amount
                else f"ask for more of {metric} in the console under IAM, Quotas, or free some",
            )
