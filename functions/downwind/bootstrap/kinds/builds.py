"""Cloud Build: the connection to GitHub, its repositories, and triggers. Shapes: the reference of Cloud Build v1 and v2."""

from collections.abc import Sequence

from downwind.bootstrap.kinds.base import Kind, pairs, tops
from downwind.bootstrap.kinds.pins import Pinned
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write
from downwind.errors import Refused


class Connections(Pinned):
    """By REST: gcloud has no flag for annotations, by which `destroy` knows what is ours."""

    labels = "annotations"

    def where(self, resource: Resource) -> Request:
        return Request(api="cloudbuild", path=f"v2/{self.place}/connections/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        query = {"connectionId": resource.name}
        path = f"v2/{self.place}/connections"
        return Write(
            request=Request(api="cloudbuild", method="POST", path=path, query=query, body=self.wanted(resource))
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        return _patched(f"v2/{self.place}/connections/{resource.name}", self.wanted(resource), fields)

    def ready(self, live: Body) -> bool:
        """Read by `doctor` too: a connection whose app nobody installed stays in PENDING_*."""
        state = (live.get("installationState") or {}).get("stage", "COMPLETE")
        if str(state).startswith("PENDING"):
            uri = (live.get("installationState") or {}).get("actionUri", "the console")
            raise Refused(f"the connection waits for a person: {state}", fix=f"open {uri}, then run apply again")
        return True

    def delete(self, resource: Resource) -> Write:
        region = f"--region={self.values.region}"
        return Write(
            request=Request(api="cloudbuild", method="DELETE", path=f"v2/{self.place}/connections/{resource.name}"),
            command=("gcloud", "builds", "connections", "delete", resource.name, region, *self.flags),
        )


class Repositories(Kind):
    labels = "annotations"
    fixed = frozenset({"remoteUri"})

    def _path(self, resource: Resource) -> str:
        return f"v2/{self.place}/connections/{resource.body['connection']}/repositories"

    def wanted(self, resource: Resource) -> Body:
        body = {key: value for key, value in resource.body.items() if key != "connection"}
        return {**body, "annotations": {"downwind": self.values.name}}

    def where(self, resource: Resource) -> Request:
        return Request(api="cloudbuild", path=f"{self._path(resource)}/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        query = {"repositoryId": resource.name}
        path = self._path(resource)
        return Write(
            request=Request(api="cloudbuild", method="POST", path=path, query=query, body=self.wanted(resource))
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        raise Refused(
            f"{resource.key} belongs to somebody else, and Cloud Build can't change it",
            fix="take the repository out of the connection, or name it otherwise",
        )

    def delete(self, resource: Resource) -> Write:
        said = (f"--connection={resource.body['connection']}", f"--region={self.values.region}")
        return Write(
            request=Request(api="cloudbuild", method="DELETE", path=f"{self._path(resource)}/{resource.name}"),
            command=("gcloud", "builds", "repositories", "delete", resource.name, *said, *self.flags),
        )


class Triggers(Kind):
    labels = None

    def where(self, resource: Resource) -> Request:
        return Request(api="cloudbuild", path=f"v1/{self.place}/triggers/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = self.wanted(resource)
        event = body["repositoryEventConfig"]
        return Write(
            request=Request(
                api="cloudbuild", method="POST", path=f"v1/{self.place}/triggers", body={"name": resource.name, **body}
            ),
            command=(
                *("gcloud", "builds", "triggers", "create", "github", f"--name={resource.name}"),
                f"--region={self.values.region}",
                f"--repository={event['repository']}",
                f"--branch-pattern={event['push']['branch']}",
                f"--build-config={body['filename']}",
                f"--service-account={body['serviceAccount']}",
                f"--description={body['description']}",
                *((f"--substitutions={pairs(body['substitutions'])}",) if body.get("substitutions") else ()),
                *self.flags,
            ),
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        """The whole trigger is sent: a PATCH without a mask takes away nothing that we do not name."""
        body = {**live, **self.wanted(resource)}
        path = f"v1/{self.place}/triggers/{resource.name}"
        return Write(request=Request(api="cloudbuild", method="PATCH", path=path, body=body))

    def delete(self, resource: Resource) -> Write:
        region = f"--region={self.values.region}"
        return Write(
            request=Request(api="cloudbuild", method="DELETE", path=f"v1/{self.place}/triggers/{resource.name}"),
            command=("gcloud", "builds", "triggers", "delete", resource.name, region, *self.flags),
        )


def _patched(path: str, body: Body, fields: Sequence[str]) -> Write:
    query = {"updateMask": ",".join(tops(fields))}
    return Write(request=Request(api="cloudbuild", method="PATCH", path=path, query=query, body=body))
