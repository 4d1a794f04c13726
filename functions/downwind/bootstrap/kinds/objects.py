"""What is in the cluster: namespaces, the admission policy, copies of secrets. Whose an object is says a label."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.kinds.pins import read_versions
from downwind.bootstrap.wanted import Resource, merged
from downwind.bootstrap.write import COPIED_AT_APPLY, PASSWORD_COPIED_AT_APPLY, Body, Request, Write, differences
from downwind.soundness.admission import plain

if TYPE_CHECKING:
    from downwind.bootstrap.cloud import Cloud

INSTALLATION = "downwind.dev/installation"
FIELD_MANAGER = "downwind-bootstrap"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
COPY_OF = "downwind.dev/copy-of"
_PLURALS: Mapping[str, str] = {
    "Namespace": "namespaces",
    "Secret": "secrets",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}


class Objects(Kind):
    """Nothing but metadata may stand beside what is wanted: a policy with one more exception in it is another policy."""

    fixed = frozenset({"roleRef"})
    marks = (f"metadata.labels.{INSTALLATION}",)

    def _path(self, resource: Resource) -> str:
        body = resource.body
        version, namespace = str(body["apiVersion"]), body["metadata"].get("namespace")
        base = f"apis/{version}" if "/" in version else f"api/{version}"
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{base}{within}/{_PLURALS[body['kind']]}/{body['metadata']['name']}"

    def request(self, resource: Resource, method: str = "GET", **more: Any) -> Request:
        return Request(api="kubernetes", base=self.values.cluster_url, method=method, path=self._path(resource), **more)

    def where(self, resource: Resource) -> Request:
        return self.request(resource)

    def wanted(self, resource: Resource) -> Body:
        return merged(resource.body, {"metadata": {"labels": {INSTALLATION: self.values.name}}})

    def ours(self, resource: Resource, live: Body) -> bool:
        return bool((live["metadata"].get("labels") or {}).get(INSTALLATION) == self.values.name)

    def differs(self, resource: Resource, live: Body) -> list[str]:
        wanted = self.wanted(resource)
        found = list(differences({"metadata": wanted["metadata"]}, live))
        return found + [
            key
            for key, value in wanted.items()
            if key not in {"apiVersion", "kind", "metadata"} and plain(value) != plain(live.get(key))
        ]

    def create(self, resource: Resource, live: Body | None) -> Write:
        return self._applied(resource, force=False)

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        """The whole object, over what was read and nothing else: what somebody has put into a list of ours belongs to them, and
        server-side apply would leave it there for ever. Labels and annotations of others stay."""
        standing = live["metadata"]
        kept = {key: standing[key] for key in ("labels", "annotations", "resourceVersion") if key in standing}
        body = merged({"metadata": kept}, self.wanted(resource))
        return Write(request=self.request(resource, "PUT", query={"fieldManager": FIELD_MANAGER}, body=body))

    def _applied(self, resource: Resource, *, force: bool) -> Write:
        query = {"fieldManager": FIELD_MANAGER, **({"force": "true"} if force else {})}
        return Write(request=self.request(resource, "PATCH", query=query, body=self.wanted(resource)))

    def delete(self, resource: Resource) -> Write:
        return Write(request=self.request(resource, "DELETE"))


class Namespaces(Objects):
    """One that is being deleted is waited for, and made anew."""

    waits = True
    patience = 300.0

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        return self._applied(resource, force=True)

    def ready(self, live: Body) -> bool:
        return bool((live.get("status") or {}).get("phase") != "Terminating")

    def lacking(self, live: Body) -> str:
        return "until its deletion is over"


class Copies(Objects):
    """A secret of the cluster with the newest text of one in Secret Manager. Only metadata is read; an annotation says which
    version it has, and a newer one is a change. `body.copyOf`: the secret there; `password`: only what stands after its colon."""

    patience = 300.0

    def read(self, cloud: "Cloud", resource: Resource) -> Any:
        live = cloud.read(self.request(resource, accept=METADATA))
        if live is None:
            return None
        return {**live, "newest": read_versions(cloud, f"{self.project}/secrets/{resource.body['copyOf']}").newest}

    def wanted(self, resource: Resource) -> Body:
        body = {key: value for key, value in resource.body.items() if key not in {"copyOf", "key", "password"}}
        text = PASSWORD_COPIED_AT_APPLY if resource.body.get("password") else COPIED_AT_APPLY
        marks = {
            "labels": {INSTALLATION: self.values.name},
            "annotations": {COPY_OF: f"{resource.body['copyOf']}/versions/{COPIED_AT_APPLY}"},
        }
        return merged(body, {"metadata": marks, "data": {resource.body["key"]: text}})

    def differs(self, resource: Resource, live: Body) -> list[str]:
        metadata = live["metadata"]
        found = [] if self.ours(resource, live) else list(self.marks)
        standing = (metadata.get("annotations") or {}).get(COPY_OF)
        wanted = f"{resource.body['copyOf']}/versions/{live['newest']}"
        # Where none is enabled, one is going to be made first: it waits for that.
        return found if standing == wanted else [*found, f"metadata.annotations.{COPY_OF}"]

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        return self._applied(resource, force=True)

    def _applied(self, resource: Resource, *, force: bool) -> Write:
        query = {"fieldManager": FIELD_MANAGER, **({"force": "true"} if force else {})}
        copies = f"{self.project}/secrets/{resource.body['copyOf']}/versions/latest"
        body = self.wanted(resource)
        return Write(request=self.request(resource, "PATCH", query=query, body=body, copies=copies))
