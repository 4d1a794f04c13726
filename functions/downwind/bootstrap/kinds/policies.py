"""IAM policies: one merged write per resource, with the etag of what was read. Never by gcloud, which reads and writes once for
each member, asks about conditions, and does not try again when another one wrote meanwhile."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write

AS_READ = "<the etag of what was read; these are merged into it>"
"""Stands in a plan of what was not read. Nothing is sent with it."""
Held = tuple[str, str, tuple[tuple[str, str], ...]]
"""Role, member, condition. A policy is a set of these: the order of members, etag and version mean nothing."""


class Policies(Kind):
    def where(self, resource: Resource) -> Request:
        api, path, style = self._place(resource)
        if style == "storage":
            return Request(api=api, path=path, query={"optionsRequestedPolicyVersion": "3"})
        if style == "post":
            body = {"options": {"requestedPolicyVersion": 3}}
            return Request(api=api, method="POST", path=f"{path}:getIamPolicy", body=body)
        return Request(api=api, path=f"{path}:getIamPolicy", query={"options.requestedPolicyVersion": "3"})

    def wanted(self, resource: Resource) -> Body:
        return {"bindings": list(_bindings(_held_by(resource)))}

    def ours(self, resource: Resource, live: Body) -> bool:
        return True

    def differs(self, resource: Resource, live: Body) -> list[str]:
        missing = _held_by(resource) - held(live)
        return [f"{member} {role}" for role, member, _ in sorted(missing)] + [
            f"not {member} {role}" for role, member, _ in sorted(self.surplus(resource, live))
        ]

    def surplus(self, resource: Resource, live: Body) -> set[Held]:
        """Rights of our accounts that nobody planned, and rights of everybody. Other members are not ours to judge."""
        wanted = _held_by(resource)
        return {each for each in held(live) - wanted if self._is_ours(each[1]) or each[1].startswith("all")}

    def _is_ours(self, member: str) -> bool:
        accounts = f"serviceAccount:{self.values.name}-"
        return member.startswith(accounts) and member.endswith(f"@{self.values.project}.iam.gserviceaccount.com")

    def create(self, resource: Resource, live: Body | None) -> Write:
        return self._set(resource, self.wanted(resource)["bindings"], AS_READ)

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        merged = (held(live) - self.surplus(resource, live)) | _held_by(resource)
        return self._set(resource, list(_bindings(merged)), live.get("etag"))

    def without(self, resource: Resource, live: Body, staying: Collection[str] = ()) -> Write | None:
        """The policy without what is ours; None where nothing of ours is in it. `staying`: members that keep their rights."""
        ours = {
            each
            for each in held(live)
            if each[1] not in staying and (each in _held_by(resource) or self._is_ours(each[1]))
        }
        return self._set(resource, list(_bindings(held(live) - ours)), live.get("etag")) if ours else None

    def _set(self, resource: Resource, bindings: list[Mapping[str, Any]], etag: str | None) -> Write:
        api, path, style = self._place(resource)
        policy = {"bindings": bindings, "version": 3, **({"etag": etag} if etag else {})}
        if style == "storage":
            return Write(request=Request(api=api, method="PUT", path=path, body=policy))
        return Write(request=Request(api=api, method="POST", path=f"{path}:setIamPolicy", body={"policy": policy}))

    def delete(self, resource: Resource) -> Write | None:
        return None

    def _place(self, resource: Resource) -> tuple[str, str, str]:
        kind, _, ident = resource.id.partition("/")
        name = self.values.resource_name(kind, ident)
        match kind:
            case "bucket":
                return "storage", f"storage/v1/b/{name}/iam", "storage"
            case "topic":
                return "pubsub", f"v1/{self.project}/topics/{name}", "get"
            case "subscription":
                return "pubsub", f"v1/{self.project}/subscriptions/{name}", "get"
            case "registry":
                return "artifactregistry", f"v1/{self.place}/repositories/{name}", "get"
            case "function":
                return "run", f"v1/{self.place}/services/{name}", "get"
            case "account":
                return "iam", f"v1/{self.project}/serviceAccounts/{name}", "post"
            case "secret":
                return "secretmanager", f"v1/{self.project}/secrets/{name}", "get"
            case "connection":
                return "cloudbuild", f"v2/{self.place}/connections/{name}", "get"
            case _:
                return "cloudresourcemanager", f"v1/{self.project}", "post"


def held(policy: Body) -> set[Held]:
    """Only title and expression of a condition are looked at; a description means nothing."""
    return {
        (binding["role"], member, _condition(binding.get("condition")))
        for binding in policy.get("bindings", ())
        for member in binding.get("members", ())
    }


def _held_by(resource: Resource) -> set[Held]:
    return {(grant.role, member, _condition(grant.condition)) for grant in resource.grants for member in grant.members}


def _condition(condition: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return (
        tuple((name, condition[name]) for name in ("title", "expression", "description") if name in condition)
        if condition
        else ()
    )


def _bindings(rights: set[Held]) -> Iterator[Mapping[str, Any]]:
    for role, condition in sorted({(role, condition) for role, _, condition in rights}):
        members = sorted(member for one, member, other in rights if (one, other) == (role, condition))
        yield {"role": role, "members": members, **({"condition": dict(condition)} if condition else {})}
