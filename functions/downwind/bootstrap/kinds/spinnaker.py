"""What Spinnaker keeps, through Gate; and the sample's catalog file, which is applied as `downwind app apply` would."""

from collections.abc import Sequence

from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.kinds.storage import PutOnce
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write
from downwind.soundness.write_pipeline import comparable


class _AtGate(Kind):
    patience = 600.0
    overwrites = True
    elsewhere = True

    def _request(self, path: str, method: str = "GET", body: Body | None = None, seen: object = None) -> Request:
        gate = str(self.values.config["spinnaker"]["gate"]).rstrip("/")
        return Request(api="gate", base=gate, method=method, path=path, body=body, seen=seen)


class Applications(_AtGate):
    """Made where it is missing, and never changed: people set e-mail and rights there."""

    def where(self, resource: Resource) -> Request:
        return self._request(f"applications/{resource.name}")

    def ours(self, resource: Resource, live: Body) -> bool:
        return True

    def differs(self, resource: Resource, live: Body) -> list[str]:
        return []

    def create(self, resource: Resource, live: Body | None) -> Write:
        job = {"type": "createApplication", "application": dict(resource.body)}
        about = {"application": resource.name, "description": f"Create Application: {resource.name}", "job": [job]}
        return Write(request=self._request("tasks", "POST", about))

    def delete(self, resource: Resource) -> Write:
        return Write(request=self._request(f"applications/{resource.name}", "DELETE"))


class Pipelines(_AtGate):
    """Ours is what stands as the file says: on the way back one that somebody changed stays."""

    def where(self, resource: Resource) -> Request:
        application, _, name = resource.name.partition("/")
        return self._request(f"applications/{application}/pipelineConfigs/{name}")

    def ours(self, resource: Resource, live: Body) -> bool:
        return not self.differs(resource, live)

    def differs(self, resource: Resource, live: Body) -> list[str]:
        """As `downwind pipelines diff` compares: by what Spinnaker would make of them."""
        ours, theirs = comparable(resource.body["document"]), comparable(live["document"])
        return sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))

    def create(self, resource: Resource, live: Body | None) -> Write:
        return self._saved(resource, None)

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        return self._saved(resource, live["standing"])

    def _saved(self, resource: Resource, standing: object) -> Write:
        return Write(request=self._request("pipelines", "POST", resource.body["document"], standing))

    def delete(self, resource: Resource) -> Write:
        application, _, name = resource.name.partition("/")
        return Write(request=self._request(f"pipelines/{application}/{name}", "DELETE"))


class Catalogs(PutOnce):
    """What people make of it stays, and it goes with its bucket."""

    patience = 300.0

    def create(self, resource: Resource, live: Body | None) -> Write:
        request = Request(
            api="catalog",
            base="https://storage.googleapis.com",
            method="POST",
            path=f"upload/storage/v1/b/{resource.body['bucket']}/o",
            query={"uploadType": "media", "name": resource.name, "ifGenerationMatch": "0"},
            body=resource.body["text"],
        )
        return Write(request=request)

    def delete(self, resource: Resource) -> Write | None:
        return None
