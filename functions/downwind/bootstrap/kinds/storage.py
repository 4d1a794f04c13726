"""Buckets, the functions' source, image repositories, secrets."""

from collections.abc import Sequence

from downwind.bootstrap.kinds.base import Kind, pairs, tops
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import MADE_AT_APPLY, PAIR_MADE_AT_APPLY, Body, Request, Write


class Buckets(Kind):
    """Made and changed by REST: `gcloud storage buckets create` knows neither labels nor versions, so a run that ends between its
    two commands would leave a bucket that is nobody's."""

    fixed = frozenset({"location"})

    def where(self, resource: Resource) -> Request:
        return Request(api="storage", path=f"storage/v1/b/{resource.name}", query={"projection": "noAcl"})

    def found(self, resource: Resource, answer: Body) -> Body:
        return {**answer, "location": str(answer.get("location", "")).lower()}

    def create(self, resource: Resource, live: Body | None) -> Write:
        query = {"project": self.values.project}
        body = {"name": resource.name, **self.wanted(resource)}
        return Write(request=Request(api="storage", method="POST", path="storage/v1/b", query=query, body=body))

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        body = {name: self.wanted(resource)[name] for name in tops(fields)}
        query = {"ifMetagenerationMatch": str(live["metageneration"])}
        return Write(
            request=Request(api="storage", method="PATCH", path=f"storage/v1/b/{resource.name}", query=query, body=body)
        )

    def delete(self, resource: Resource) -> Write:
        return Write(
            request=Request(api="storage", method="DELETE", path=f"storage/v1/b/{resource.name}"),
            command=("gcloud", "storage", "rm", "--recursive", f"gs://{resource.name}", *self.flags),
            empties=True,
        )


class PutOnce(Kind):
    """An object that is right once it is there, whoever put it there."""

    def where(self, resource: Resource) -> Request:
        name = resource.name.replace("/", "%2F")
        return Request(api="storage", path=f"storage/v1/b/{resource.body['bucket']}/o/{name}")

    def wanted(self, resource: Resource) -> Body:
        return {}

    def ours(self, resource: Resource, live: Body) -> bool:
        return True


class Packages(PutOnce):
    """The object is named by its digest."""

    def create(self, resource: Resource, live: Body | None) -> Write:
        return Write(
            request=Request(
                api="storage",
                method="POST",
                path=f"upload/storage/v1/b/{resource.body['bucket']}/o",
                query={"uploadType": "media", "name": resource.name, "ifGenerationMatch": "0"},
                upload=True,
            )
        )

    def delete(self, resource: Resource) -> Write | None:
        return None  # it goes with its bucket


class Registries(Kind):
    fixed = frozenset({"format"})

    def where(self, resource: Resource) -> Request:
        return Request(api="artifactregistry", path=f"v1/{self.place}/repositories/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = self.wanted(resource)
        tags = ("--immutable-tags",) if body.get("dockerConfig", {}).get("immutableTags") else ()
        path = f"v1/{self.place}/repositories"
        query = {"repositoryId": resource.name}
        location = f"--location={self.values.region}"
        labels = f"--labels={pairs(body['labels'])}"
        start = ("gcloud", "artifacts", "repositories", "create", resource.name)
        return Write(
            request=Request(api="artifactregistry", method="POST", path=path, query=query, body=body),
            command=(*start, "--repository-format=docker", location, *tags, labels, *self.flags),
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        body = self.wanted(resource)
        path = f"v1/{self.place}/repositories/{resource.name}"
        said: list[str] = []
        if "labels" in tops(fields):
            said.append(f"--update-labels={pairs(body['labels'])}")
        if "dockerConfig" in tops(fields):
            said.append("--immutable-tags" if body["dockerConfig"]["immutableTags"] else "--no-immutable-tags")
        mask = {"updateMask": ",".join(tops(fields))}
        start = ("gcloud", "artifacts", "repositories", "update", resource.name, f"--location={self.values.region}")
        return Write(
            request=Request(api="artifactregistry", method="PATCH", path=path, query=mask, body={**live, **body}),
            command=(*start, *said, *self.flags),
        )

    def delete(self, resource: Resource) -> Write:
        place = f"--location={self.values.region}"
        return Write(
            request=Request(
                api="artifactregistry", method="DELETE", path=f"v1/{self.place}/repositories/{resource.name}"
            ),
            command=("gcloud", "artifacts", "repositories", "delete", resource.name, place, *self.flags),
        )


class Secrets(Kind):
    fixed = frozenset({"replication"})

    def where(self, resource: Resource) -> Request:
        return Request(api="secretmanager", path=f"v1/{self.project}/secrets/{resource.name}")

    def create(self, resource: Resource, live: Body | None) -> Write:
        body = self.wanted(resource)
        start = ("gcloud", "secrets", "create", resource.name, "--replication-policy=automatic")
        return Write(
            request=Request(
                api="secretmanager",
                method="POST",
                path=f"v1/{self.project}/secrets",
                query={"secretId": resource.name},
                body=body,
            ),
            command=(*start, f"--labels={pairs(body['labels'])}", *self.flags),
        )

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        labels = {**(live.get("labels") or {}), **self.wanted(resource)["labels"]}
        path = f"v1/{self.project}/secrets/{resource.name}"
        start = ("gcloud", "secrets", "update", resource.name)
        return Write(
            request=Request(
                api="secretmanager", method="PATCH", path=path, query={"updateMask": "labels"}, body={"labels": labels}
            ),
            command=(*start, f"--update-labels={pairs(self.wanted(resource)['labels'])}", *self.flags),
        )

    def delete(self, resource: Resource) -> Write:
        return Write(
            request=Request(api="secretmanager", method="DELETE", path=f"v1/{self.project}/secrets/{resource.name}"),
            command=("gcloud", "secrets", "delete", resource.name, *self.flags),
        )


class Versions(Kind):
    """The first text of a secret. By REST: gcloud would add another one each time, and want the text in a file."""

    def where(self, resource: Resource) -> Request:
        path = f"v1/{self.project}/secrets/{resource.name}/versions"
        return Request(api="secretmanager", path=path, query={"filter": "state:ENABLED"})

    def found(self, resource: Resource, answer: Body) -> Body | None:
        return {} if answer.get("versions") else None

    def wanted(self, resource: Resource) -> Body:
        return {}

    def ours(self, resource: Resource, live: Body) -> bool:
        return True

    def create(self, resource: Resource, live: Body | None) -> Write:
        path = f"v1/{self.project}/secrets/{resource.name}:addVersion"
        text = PAIR_MADE_AT_APPLY if resource.generated == "pair" else MADE_AT_APPLY
        body = {"payload": {"data": text}}
        return Write(request=Request(api="secretmanager", method="POST", path=path, body=body))

    def delete(self, resource: Resource) -> Write | None:
        return None  # it goes with its secret
