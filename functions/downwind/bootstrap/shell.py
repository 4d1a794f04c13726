"""The plan as a plain script, for people who review it or run it line by line. It needs gcloud and curl. Policies are changed
member by member here, since a script can't merge one."""

import json
import shlex
from collections.abc import Iterator, Sequence

from downwind.bootstrap.kinds.policies import Policies
from downwind.bootstrap.plan import Plan, Step
from downwind.bootstrap.shell_cluster import by_hand, credentials
from downwind.bootstrap.wanted import IN_CLUSTER, Resource
from downwind.bootstrap.write import Write

_HEAD = """#!/usr/bin/env bash
# What downwind bootstrap would do in an empty project; run it in a checkout of this repository, beside the configuration. Where
# you can, run `downwind bootstrap apply` instead: it waits, merges policies, and can be run again. Lines of downwind itself want
# the DOWNWIND_* variables that a function has, and a way to Gate.
set -euo pipefail

request() {
  curl --fail --silent --show-error --request "$1" --header "Authorization: Bearer $(gcloud auth print-access-token)" \\
    --header "Content-Type: application/json" --data "$3" "$2"
}
"""


def script(plan: Plan, steps: Sequence[Step]) -> Iterator[str]:
    yield _HEAD
    reached = False
    for step in steps:
        if step.due:
            if step.resource.kind in IN_CLUSTER and not reached:
                reached = True
                yield from credentials(plan)
            yield f"# {step.resource.key}: {step.why}"
            for write in step.writes:
                yield from _lines(plan, step.resource, write)
            if step.resource.kind == "secret" and not step.resource.generated:
                yield f"# Yours to put in, before a later line names its version: {shlex.join(_added(plan, step.resource))}"
            yield ""


def _lines(plan: Plan, resource: Resource, write: Write) -> Iterator[str]:
    request = write.request
    if write.command is not None:
        yield shlex.join(write.command)
    elif resource.kind == "policy":
        yield from (shlex.join(line) for line in grants(plan, resource))
    elif request.upload:
        bucket = resource.body["bucket"]
        yield shlex.join(("gcloud", "storage", "cp", "--no-clobber", "functions.zip", f"gs://{bucket}/{resource.name}"))
    elif request.api in {"kubernetes", "gate", "catalog"}:
        yield from by_hand(plan, resource, request)
    elif resource.kind == "version":
        add = shlex.join(_added(plan, resource))
        made = "head -c 32 /dev/urandom | base64"
        pair = f"printf 'downwind:%s' \"$({made})\""
        yield f"{pair if resource.generated == 'pair' else made} | {add}"
    else:
        url = request.url(f"https://{request.api}.googleapis.com")
        yield f"request {request.method} {shlex.quote(url)} {shlex.quote(json.dumps(request.body))}"


def grants(plan: Plan, resource: Resource) -> Iterator[tuple[str, ...]]:
    """gcloud's line for each member of each right. Each names its condition: else gcloud asks, and fails where nobody answers."""
    kind = plan.kinds["policy"]
    assert isinstance(kind, Policies)
    for grant in resource.grants:
        for member in grant.members:
            said = [f"--member={member}", f"--role={grant.role}"]
            if resource.id.startswith(("bucket/", "project/", "account/", "secret/")):
                condition = grant.condition
                text = f"^:^title={condition['title']}:expression={condition['expression']}" if condition else "None"
                said.append(f"--condition={text}")
            yield (*_target(plan, resource), *said, *([] if resource.id.startswith("project/") else _project(plan)))


def _target(plan: Plan, resource: Resource) -> tuple[str, ...]:
    kind, _, ident = resource.id.partition("/")
    values = plan.values
    name = values.resource_name(kind, ident) or ident
    add = "add-iam-policy-binding"
    match kind:
        case "bucket":
            return ("gcloud", "storage", "buckets", add, f"gs://{name}")
        case "topic":
            return ("gcloud", "pubsub", "topics", add, name)
        case "subscription":
            return ("gcloud", "pubsub", "subscriptions", add, name)
        case "registry":
            return ("gcloud", "artifacts", "repositories", add, name, f"--location={values.region}")
        case "function":
            return ("gcloud", "run", "services", add, name, f"--region={values.region}")
        case "account":
            return ("gcloud", "iam", "service-accounts", add, name)
        case "secret":
            return ("gcloud", "secrets", add, name)
        case "connection":
            return ("gcloud", "builds", "connections", add, name, f"--region={values.region}")
        case _:
            return ("gcloud", "projects", add, values.project)


def _added(plan: Plan, resource: Resource) -> tuple[str, ...]:
    return ("gcloud", "secrets", "versions", "add", resource.name, "--data-file=-", *_project(plan))


def _project(plan: Plan) -> tuple[str, ...]:
    return (f"--project={plan.values.project}",)
