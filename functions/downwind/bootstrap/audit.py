"""What no plan may hold: a primitive role, a right on the project without a reason, a key, an open door that nobody asked for."""

import json
from collections.abc import Iterator, Sequence

from downwind.bootstrap.plan import Step
from downwind.bootstrap.values import Values
from downwind.bootstrap.wanted import Grant, Resource

PRIMITIVE = frozenset({"roles/owner", "roles/editor", "roles/viewer"})
INSIDE = "ALLOW_INTERNAL_ONLY"
EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})


def findings(values: Values, resources: Sequence[Resource], steps: Sequence[Step]) -> list[str]:
    """Empty for a sound plan; else what is wrong, by resource. `steps`: what would be written, looked through for keys."""
    found = [
        f"{resource.key}: {what}"
        for resource in resources
        for grant in resource.grants
        for what in _wrong(values, resource, grant)
    ]
    found += [f"{each.key}: takes calls from the internet, which nobody asked for" for each in _open(values, resources)]
    for step in steps:
        for write in step.writes:
            text = json.dumps([write.command, write.request.path])
            if "/keys" in text or '"keys", "create"' in text:
                found.append(f"{step.resource.key}: makes a key")
    return found


def _wrong(values: Values, resource: Resource, grant: Grant) -> Iterator[str]:
    if grant.role in PRIMITIVE:
        yield f"{grant.role} is a primitive role"
    if resource.id.startswith("project/") and not grant.reason:
        yield f"{grant.role} on the whole project, without a reason"
    for member in EVERYBODY & set(grant.members):
        if not _asked_for(values, resource, grant):
            yield f"{member} may {grant.role}, which nobody asked for"


def _open(values: Values, resources: Sequence[Resource]) -> Iterator[Resource]:
    """An invoker alone is no door to the internet: with ingress from anywhere it is one."""
    config = values.config
    asked = {"function/receive": config["hear"]["webhooks"], "function/operate": config["operate"]["ingress"] == "all"}
    for each in resources:
        own = each.kind == "function" and each.body["serviceConfig"]["ingressSettings"]
        if own not in (False, INSIDE) and not asked.get(each.key, False):
            yield each


def _asked_for(values: Values, resource: Resource, grant: Grant) -> bool:
    """`receive` alone: from the internet where webhooks are asked for, else with internal ingress, for Echo."""
    hears = values.config["hear"]
    open_to_all = resource.key == "policy/function/receive" and grant.role == "roles/run.invoker"
    return open_to_all and grant.members == ("allUsers",) and (hears["webhooks"] or hears["spinnaker"])
