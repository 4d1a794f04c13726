"""Is this machine and this project fit for an installation? Reads only; each finding says how to put it right."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.values import Values
from downwind.bootstrap.write import Request
from downwind.errors import DownwindError

GCLOUD = (528, 0, 0)
"""Older ones were not tried."""
RIGHTS = (
    "serviceusage.services.enable",
    "iam.serviceAccounts.create",
    "iam.roles.create",
    "resourcemanager.projects.setIamPolicy",
    "storage.buckets.create",
    "pubsub.topics.create",
    "cloudfunctions.functions.create",
    "secretmanager.secrets.create",
    "artifactregistry.repositories.create",
    "cloudscheduler.jobs.create",
)
"""What `apply` needs on the project, at the least; docs/how-to/install.md names roles that hold them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`fix` is None for what is right."""

    what: str
    fix: str | None = None


def examine(values: Values, cloud: Cloud, *, which: Callable[[str], str | None] = shutil.which) -> list[Check]:
    """A check that can't be made is a finding, with the reason."""
    found = [*_programs(values, which)]
    for name, check in _CHECKS.items():
        try:
            found += list(check(values, cloud))
        except DownwindError as error:
            found.append(
                Check(
                    what=f"{name} could not be looked at: {error}", fix=str(getattr(error, "fix", None) or "try again")
                )
            )
    return found


def _programs(values: Values, which: Callable[[str], str | None]) -> Iterator[Check]:
    program = which("gcloud")
    if program is None:
        yield Check(what="gcloud is not on this machine", fix="install the Google Cloud CLI, or use apply --no-gcloud")
    else:
        said = subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=120).stdout
        match = re.search(r"Google Cloud SDK (\d+)\.(\d+)\.(\d+)", said)
        version = tuple(map(int, match.groups())) if match else (0, 0, 0)
        text = ".".join(map(str, version))
        yield Check(what=f"gcloud {text}", fix=None if version >= GCLOUD else "gcloud components update")
    if values.config["spinnaker"]["install"]:
        for name in ("kubectl", "gke-gcloud-auth-plugin"):
            there = which(name) is not None
            yield Check(
                what=f"{name} {'is there' if there else 'is missing'}",
                fix=None if there else f"gcloud components install {name}",
            )


def _project(values: Values, cloud: Cloud) -> Iterator[Check]:
    found = cloud.read(Request(api="cloudresourcemanager", path=f"v1/projects/{values.project}"))
    if found is None:
        yield Check(
            what=f"project {values.project} is not there",
            fix="gcloud projects create, or another project in the configuration",
        )
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


def _rights(values: Values, cloud: Cloud) -> Iterator[Check]:
    path = f"v1/projects/{values.project}:testIamPermissions"
    body = {"permissions": list(RIGHTS)}
    answer: Mapping[str, Any] = (
        cloud.read(Request(api="cloudresourcemanager", method="POST", path=path, body=body)) or {}
    )
    missing = [each for each in RIGHTS if each not in answer.get("permissions", ())]
    if missing:
        yield Check(what=f"you lack {', '.join(missing)}", fix="ask for the roles of docs/how-to/install.md")
    else:
        yield Check(what=f"you have the {len(RIGHTS)} rights that apply begins with")


def _billing(values: Values, cloud: Cloud) -> Iterator[Check]:
    found = cloud.read(Request(api="cloudbilling", path=f"v1/projects/{values.project}/billingInfo")) or {}
    enabled = found.get("billingEnabled") is True
    yield Check(
        what=f"billing is {'on' if enabled else 'off'}",
        fix=None if enabled else "gcloud billing projects link, with a billing account",
    )


def _org_policies(values: Values, cloud: Cloud) -> Iterator[Check]:
    """Constraints that would refuse a step of this plan."""
    hears = values.config["hear"]
    wanted = {
        "iam.allowedPolicyMemberDomains": (
            hears["webhooks"] or hears["spinnaker"],
            "it refuses allUsers on receive: except this project, or write hear: {spinnaker: false, webhooks: false}",
        ),
        "run.allowedIngress": (
            hears["webhooks"] or values.config["operate"]["ingress"] == "all",
            "it may refuse ingress from the internet: allow it for this project, or ask for no webhooks",
        ),
    }
    for constraint, (matters, fix) in wanted.items():
        path = f"v1/projects/{values.project}:getEffectiveOrgPolicy"
        body = {"constraint": f"constraints/{constraint}"}
        answer = cloud.read(Request(api="cloudresourcemanager", method="POST", path=path, body=body)) or {}
        rule = answer.get("listPolicy") or {}
        restricts = bool(rule.get("allowedValues") or rule.get("deniedValues") or rule.get("allValues") == "DENY")
        if matters:
            text = f"organisation policy {constraint} {'restricts' if restricts else 'lets through'} what is asked for"
            yield Check(what=text, fix=fix if restricts else None)


_CHECKS: Mapping[str, Callable[[Values, Cloud], Iterator[Check]]] = {
    "the project": _project,
    "your rights": _rights,
    "billing": _billing,
    "organisation policies": _org_policies,
}
