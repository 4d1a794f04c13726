"""APIs, service accounts, custom roles and Google's own agents."""

from collections.abc import Sequence

from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write


class Apis(Kind):
    """One request for all that is missing. Others use them too: never switched off."""

    def where(self, resource: Resource) -> Request:
        return Request(
            api="serviceusage", path=f"v1/{self.project}/services", query={"filter": "state:ENABLED", "pageSize": "200"}
        )

    def found(self, resource: Resource, answer: Body) -> Body:
        return {"services": [each["config"]["name"] for each in answer.get("services", [])]}

    def wanted(self, resource: Resource) -> Body:
        return resource.body

    def ours(self, resource: Resource, live: Body) -> bool:
        return True

    def differs(self, resource: Resource, live: Body) -> list[str]:
        return [each for each in resource.body["services"] if each not in live["services"]]

    def create(self, resource: Resource, live: Body | None) -> Write:
        return self._enable(resource.body["services"])

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        return self._enable(fields)

    def _enable(self, services: Sequence[str]) -> Write:
        command = ("gcloud", "services", "enable", *services, *self.flags)
        if len(services) == 1:
            path = f"v1/{self.project}/services/{services[0]}:enable"
            return Write(request=Request(api="serviceusage", method="POST", path=path, body={}), command=command)
        path = f"v1/{self.project}/services:batchEnable"
        request = Request(api="serviceusage", method="POST", path=path, body={"serviceIds": list(services)})
        return Write(request=request, command=command)

    def delete(self, resource: Resource) -> Write | None:
        return None


class Agents(Kind):
    """Google's account of one service. It can't be read; it is there when one of our rights names it (`proof`)."""

    shows = False

    def where(self, resource: Resource) -> Request:
        kind, _, name = resource.body["proof"].partition("/")
        if kind == "topic":
            path = f"v1/{self.project}/topics/{self.values.resource_name('topic', name)}:getIamPolicy"
            return Request(api="pubsub", path=path, query={"options.requestedPolicyVersion": "3"})
        path = f"v1/{self.project}/secrets/{self.values.resource_name('secret', name)}:getIamPolicy"
        return Request(api="secretmanager", path=path, query={"options.requestedPolicyVersion": "3"})

    def found(self, resource: Resource, answer: Body) -> Body | None:
        member = self.values.member(f"agent.{resource.id}")
        there = any(member in binding.get("members", ()) for binding in answer.get("bindings", ()))
        return {} if there else None

    def wanted(self, resource: Resource) -> Body:
        return {}

    def ours(self, resource: Resource, live: Body) -> bool:
        return True

    def create(self, resource: Resource, live: Body | None) -> Write:
        path = f"v1beta1/{self.project}/services/{resource.name}:generateServiceIdentity"
        command = ("gcloud", "beta", "services", "identity", "create", f"--service={resource.name}", *self.flags)
        return Write(request=Request(api="serviceusage", method="POST", path=path), command=command)

    def delete(self, resource: Resource) -> Write | None:
        return None


class Accounts(Kind):
    labels = None

    def where(self, resource: Resource) -> Request:
        return Request(api="iam", path=f"v1/{self.project}/serviceAccounts/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = self.wanted(resource)
        ident = resource.name.partition("@")[0]
        text = (f"--display-name={body['displayName']}", f"--description={body['description']}")
        return Write(
            request=Request(
                api="iam",
                method="POST",
                path=f"v1/{self.project}/serviceAccounts",
                body={"accountId": ident, "serviceAccount": body},
            ),
            command=("gcloud", "iam", "service-accounts", "create", ident, *text, *self.flags),
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        body = self.wanted(resource)
        text = (f"--display-name={body['displayName']}", f"--description={body['description']}")
        mask = "displayName,description"
        return Write(
            request=Request(
                api="iam",
                method="PATCH",
                path=f"v1/{self.project}/serviceAccounts/{resource.name}",
                body={"serviceAccount": body, "updateMask": mask},
            ),
            command=("gcloud", "iam", "service-accounts", "update", resource.name, *text, *self.flags),
        )

    def delete(self, resource: Resource) -> Write:
        return Write(
            request=Request(api="iam", method="DELETE", path=f"v1/{self.project}/serviceAccounts/{resource.name}"),
            command=("gcloud", "iam", "service-accounts", "delete", resource.name, *self.flags),
        )


class Roles(Kind):
    """A deleted role stays for a week, with its id: it is brought back instead of made."""

    labels = None

    def where(self, resource: Resource) -> Request:
        return Request(api="iam", path=f"v1/{self.project}/roles/{resource.name}")

    def found(self, resource: Resource, answer: Body) -> Body | None:
        return (
            None
            if answer.get("deleted")
            else {**answer, "includedPermissions": sorted(answer.get("includedPermissions", ()))}
        )

    def create(self, resource: Resource, live: Body | None) -> Write:
        if live is not None:
            path = f"v1/{self.project}/roles/{resource.name}:undelete"
            command = ("gcloud", "iam", "roles", "undelete", resource.name, *self.flags)
            return Write(request=Request(api="iam", method="POST", path=path, body={}), command=command)
        body = {"roleId": resource.name, "role": self.wanted(resource)}
        request = Request(api="iam", method="POST", path=f"v1/{self.project}/roles", body=body)
        return Write(
            request=request, command=("gcloud", "iam", "roles", "create", resource.name, *self._said(resource))
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        query = {"updateMask": "title,description,includedPermissions,stage"}
        path = f"v1/{self.project}/roles/{resource.name}"
        request = Request(api="iam", method="PATCH", path=path, query=query, body=self.wanted(resource))
        return Write(
            request=request, command=("gcloud", "iam", "roles", "update", resource.name, *self._said(resource))
        )

    def _said(self, resource: Resource) -> tuple[str, ...]:
        body = self.wanted(resource)
        permissions = ",".join(body["includedPermissions"])
        return (
            f"--title={body['title']}",
            f"--description={body['description']}",
            f"--permissions={permissions}",
            f"--stage={body['stage']}",
            *self.flags,
        )

    def delete(self, resource: Resource) -> Write:
        return Write(
            request=Request(api="iam", method="DELETE", path=f"v1/{self.project}/roles/{resource.name}"),
            command=("gcloud", "iam", "roles", "delete", resource.name, *self.flags),
        )
