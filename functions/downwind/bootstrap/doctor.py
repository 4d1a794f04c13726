"""Is this machine and this project fit for an installation? Reads only; each finding says how to put it right."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from downwind.bootstrap.check import Check
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.doctor_places import check_apis, check_quotas, check_region
from downwind.bootstrap.doctor_policies import check_policies
from downwind.bootstrap.gcloud import SIGN_IN
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.tools import Tools
from downwind.bootstrap.write import Request
from downwind.errors import DownwindError, Misconfigured

GCLOUD = (528, 0, 0)
"""Older ones were not tried."""
PATIENCE = 120.0
"""Seconds for one line of gcloud."""
RIGHTS: tuple[str, ...] = (
    "serviceusage.services.enable",
    "iam.serviceAccounts.create",
    "iam.roles.create",
    "resourcemanager.projects.setIamPolicy",
    "storage.buckets.create",
    "pubsub.topics.create",
    "cloudfunctions.functions.create",
    "secretmanager.secrets.create",
    "secretmanager.versions.list",
    "artifactregistry.repositories.create",
    "cloudscheduler.jobs.create",
)
"""What `apply` needs on the project, at the least; docs/how-to/install.md names roles that hold them."""
RIGHTS_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "network": ("compute.networks.create", "compute.subnetworks.create", "compute.routers.create"),
    "cluster": ("container.clusters.create",),
    "connection": ("cloudbuild.connections.create",),
    "trigger": ("cloudbuild.builds.create",),
}
"""And these, where the plan holds something of the kind."""


def examine(
    plan: Plan, cloud: Cloud, *, which: Callable[[str], str | None] = shutil.which, tools: Tools | None = None
) -> list[Check]:
    """A check that can't be made is a finding, with the reason."""
    found = [*_programs(plan, which, tools or Tools())]
    for name, check in _CHECKS.items():
        try:
            for each in check(plan, cloud):  # what was found before an error stays
                found.append(each)  # noqa: PERF402
        except Misconfigured as error:
            reason = str(error).removesuffix(f"; {error.fix}")
            if error.fix.startswith(SIGN_IN):  # nothing else can be asked
                return [*found, Check(what=f"Google does not know who you are: {reason}", fix=error.fix)]
            found.append(Check(what=f"{name} could not be looked at: {reason}", fix=error.fix))
        except DownwindError as error:
            found.append(
                Check(
                    what=f"{name} could not be looked at: {error}", fix=str(getattr(error, "fix", None) or "try again")
                )
            )
    return found


def _programs(plan: Plan, which: Callable[[str], str | None], tools: Tools) -> Iterator[Check]:
    program = which("gcloud")
    if program is None:
        yield Check(what="gcloud is not on this machine", fix="install the Google Cloud CLI, or use apply --no-gcloud")
    else:
        try:
            yield from _gcloud(program)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = error.strerror if isinstance(error, OSError) else f"it said nothing for {PATIENCE:g} s"
            yield Check(what=f"gcloud could not be asked: {reason}", fix=f"see what it does: {program} version")
    if plan.values.config["spinnaker"]["install"]:
        yield from tools.checks(which)
        there = which("gke-gcloud-auth-plugin") is not None
        yield Check(
            what=f"gke-gcloud-auth-plugin {'is there' if there else 'is missing'}",
            fix=None if there else "gcloud components install gke-gcloud-auth-plugin",
        )


def _gcloud(program: str) -> Iterator[Check]:
    match = re.search(r"Google Cloud SDK (\d+)\.(\d+)\.(\d+)", _run(program, "version"))
    version = tuple(map(int, match.groups())) if match else (0, 0, 0)
    text = ".".join(map(str, version))
    yield Check(what=f"gcloud {text}", fix=None if version >= GCLOUD else "gcloud components update")
    account = _run(program, "config", "get-value", "account").strip()
    if account:  # else the first call finds out whether anybody is signed in
        yield Check(what=f"account {account}")


def _run(*line: str) -> str:
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE).stdout


def _project(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    values = plan.values
    try:
        found = cloud.read(Request(api="cloudresourcemanager", path=f"v1/projects/{values.project}"))
        what = "is not there, or cloudresourcemanager.googleapis.com is off in it"
    except Misconfigured as error:
        if ": 403 " not in str(error):
            raise
        found, what = None, "is not there, or not yours to see: Google answers 403 to both"
    if found is None:
        on = f"gcloud services enable cloudresourcemanager.googleapis.com --project={values.project}"
        other = (
            f"gcloud projects create {values.project}, another project in the configuration, or ask for Viewer on it"
        )
        yield Check(what=f"project {values.project} {what}", fix=f"{other}; or {on}" if " is off" in what else other)
        return
    number = str(found.get("projectNumber"))
    right = number == values.number
    yield Check(
        what=f"project {values.project} has number {number}",
        fix=None if right else f'write number: "{number}" into the configuration',
    )
    active = found.get("lifecycleState") == "ACTIVE"
    yield Check(
        what=f"it is {found.get('lifecycleState')}",
        fix=None if active else "gcloud projects undelete, or another project",
    )


def _rights(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    values = plan.values
    kinds = {each.kind for each in plan.resources}
    rights = [*RIGHTS, *(right for kind, more in RIGHTS_BY_KIND.items() if kind in kinds for right in more)]
    path = f"v1/projects/{values.project}:testIamPermissions"
    body = {"permissions": rights}
    answer: Mapping[str, Any] | None = cloud.read(
        Request(api="cloudresourcemanager", method="POST", path=path, body=body)
    )
    if answer is None:
        yield Check(what="not known yet, which rights you have: cloudresourcemanager.googleapis.com is off")
        return
    missing = [each for each in rights if each not in answer.get("permissions", ())]
    if missing:
        yield Check(what=f"you lack {', '.join(missing)}", fix="ask for the roles of docs/how-to/install.md")
    else:
        yield Check(what=f"you have the {len(rights)} rights that apply begins with")


def _billing(plan: Plan, cloud: Cloud) -> Iterator[Check]:
    values = plan.values
    found = cloud.read(Request(api="cloudbilling", path=f"v1/projects/{values.project}/billingInfo")) or {}
    enabled = found.get("billingEnabled") is True
    yield Check(
        what=f"billing is {'on' if enabled else 'off'}",
        fix=None if enabled else "gcloud billing projects link, with a billing account",
    )


def _gate(plan: Plan, _cloud: Cloud) -> Iterator[Check]:
    """Where Spinnaker is made too, its address is known before it is there, and a name of the cluster is none for a function."""
    config = plan.values.config
    if not (plan.values.network_made and config["spinnaker"]["install"]):
        return
    host, wanted = urlsplit(config["spinnaker"]["gate"]).hostname, config["network"]["gateAddress"]
    yield Check(
        what=f"functions call Gate at {host}, its reserved address is {wanted}",
        fix=None if host == wanted else f"write spinnaker: {{gate: http://{wanted}:8084}}, or a name that leads there",
    )


_CHECKS: Mapping[str, Callable[[Plan, Cloud], Iterator[Check]]] = {
    "the project": _project,
    "your rights": _rights,
    "billing": _billing,
    "organisation policies": check_policies,
    "APIs": check_apis,
    "the region": check_region,
    "quotas": check_quotas,
    "Gate's address": _gate,
}
