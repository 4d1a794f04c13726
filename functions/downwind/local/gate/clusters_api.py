"""What Gate tells of Clouddriver's world: clusters, server groups, load balancers, firewalls, artifacts, as far as people ask.

Shapes are those of Clouddriver's Kubernetes views (read from its source, 2026.2). The local cluster has neither ReplicaSets of a
Deployment nor pods: one server group stands for each workload, with as many instances as it wants.
"""

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Request, Response

from downwind.local.cluster import Cluster
from downwind.local.cluster_workloads import failure, images
from downwind.local.gate.answers import answer, read_object, upstream
from downwind.local.gate.changes import full_name
from downwind.local.gate.manifests import artifact_address
from downwind.local.http import Handler

CLOUDDRIVER = "http://clouddriver.local:7002"
_GROUPS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"})
_TIMEOUT = 20

Object = dict[str, Any]


class ClustersApi:
    """`fault`: what Clouddriver answers to everything instead (status, text), for tests of a Gate whose Clouddriver fails."""

    def __init__(self, cluster: Cluster, account: str, artifact_account: str, storage_url: str) -> None:
        self._cluster = cluster
        self._account = account
        self._artifact_account = artifact_account
        self._storage_url = storage_url
        self.fault: tuple[int, str] | None = None

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return (
            (("GET",), "/applications/<application>/clusters", self.names),
            (("GET",), "/applications/<application>/clusters/<account>", self.of_account),
            (("GET",), "/applications/<application>/clusters/<account>/<name>", self.one),
            (("GET",), "/applications/<application>/serverGroups", self.server_groups),
            (("GET",), "/applications/<application>/serverGroupManagers", self.managers),
            (("GET",), "/applications/<application>/loadBalancers", self.load_balancers),
            (("GET",), "/firewalls", self.firewalls),
            (("GET",), "/securityGroups", self.firewalls),
            (("GET",), "/artifacts/credentials", self.artifact_accounts),
            (("PUT",), "/artifacts/fetch", self.fetch),
        )

    def names(self, _request: Request, application: str) -> Response:
        self._check("GET", f"/applications/{application}/clusters")
        found = sorted({_cluster_of(each) for each in self._workloads(application)})
        return answer({self._account: found} if found else {})

    def of_account(self, _request: Request, application: str, account: str) -> Response:
        self._check("GET", f"/applications/{application}/clusters/{account}")
        found = sorted({_cluster_of(each) for each in self._workloads(application)})
        return answer([self._view(application, name) for name in found] if account == self._account else [])

    def one(self, _request: Request, application: str, account: str, name: str) -> Response:
        self._check("GET", f"/applications/{application}/clusters/{account}/{quote(name)}")
        known = account == self._account and name in {_cluster_of(each) for each in self._workloads(application)}
        return answer(self._view(application, name) if known else {})

    def server_groups(self, _request: Request, application: str) -> Response:
        self._check("GET", f"/applications/{application}/serverGroups?expand=false")
        return answer([self._server_group(each, application) for each in self._workloads(application)])

    def managers(self, _request: Request, application: str) -> Response:
        self._check("GET", f"/applications/{application}/serverGroupManagers")
        return answer(
            [
                {
                    **self._common(each, application),
                    "serverGroups": [self._summary(each, application)],
                    "region": _namespace(each),
                }
                for each in self._workloads(application)
                if each["kind"] == "Deployment"
            ]
        )

    def load_balancers(self, _request: Request, application: str) -> Response:
        self._check("GET", f"/applications/{application}/loadBalancers")
        found = [each for each in self._of(application) if each["kind"] in {"Service", "Ingress"}]
        return answer([self._load_balancer(each, application) for each in found])

    def firewalls(self, _request: Request) -> Response:
        self._check("GET", "/securityGroups")
        found: dict[str, list[dict[str, str]]] = {}
        for each in self._cluster.list(kind="NetworkPolicy"):
            found.setdefault(_namespace(each), []).append({"id": full_name(each), "name": full_name(each)})
        return answer({self._account: {"kubernetes": found}} if found else {})

    def artifact_accounts(self, _request: Request) -> Response:
        self._check("GET", "/artifacts/credentials")
        return answer(
            [
                {"name": self._artifact_account, "types": ["gcs/object"]},
                {"name": "embedded-artifact", "types": ["embedded/base64"]},
            ]
        )

    def fetch(self, request: Request) -> Response:
        """The bytes of one artifact, as a stage would get them."""
        artifact = read_object(request, required=True)
        self._check("PUT", "/artifacts/fetch")
        url = f"{CLOUDDRIVER}/artifacts/fetch"
        account = artifact.get("artifactAccount")
        kinds = {self._artifact_account: "gcs/object", "embedded-artifact": "embedded/base64"}
        if kinds.get(str(account)) != artifact.get("type"):
            raise upstream(404, "PUT", url, f"No credentials registered to handle artifact: {account}")
        try:
            address = artifact_address(artifact, self._storage_url)
            if isinstance(address, bytes):
                return Response(address, 200, {"Content-Type": "application/octet-stream"})
            with urllib.request.urlopen(address, timeout=_TIMEOUT) as found:
                return Response(found.read(), 200, {"Content-Type": "application/octet-stream"})
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise upstream(refusal.code, "PUT", url, refusal.reason) from refusal
        except ValueError as wrong:
            raise upstream(400, "PUT", url, str(wrong)) from wrong

    def of_application(self, application: str) -> dict[str, list[Object]]:
        """`clusters` in the answer of GET /applications/{application}."""
        if self.fault is not None:
            return {}
        names = sorted({_cluster_of(each) for each in self._workloads(application)})
        views = [
            {
                "loadBalancers": [],
                "name": name,
                "provider": "kubernetes",
                "serverGroups": [_group_name(e) for e in self._workloads(application) if _cluster_of(e) == name],
            }
            for name in names
        ]
        return {self._account: views} if views else {}

    def _check(self, method: str, path: str) -> None:
        if self.fault is not None:
            raise upstream(self.fault[0], method, f"{CLOUDDRIVER}{path}", self.fault[1])

    def _of(self, application: str) -> list[Object]:
        return [
            each
            for each in self._cluster.list()
            if _annotation(each, "moniker.spinnaker.io/application") == application.lower()
        ]

    def _workloads(self, application: str) -> list[Object]:
        return [each for each in self._of(application) if each["kind"] in _GROUPS]

    def _view(self, application: str, name: str) -> Object:
        groups = [
            self._server_group(each, application) for each in self._workloads(application) if _cluster_of(each) == name
        ]
        return {
            "accountName": self._account,
            "application": application,
            "loadBalancers": [],
            "moniker": {"app": application, "cluster": name},
            "name": name,
            "serverGroups": groups,
            "type": "kubernetes",
        }

    def _common(self, item: Object, application: str) -> Object:
        return {
            "account": self._account,
            "apiVersion": item.get("apiVersion"),
            "cloudProvider": "kubernetes",
            "createdTime": _milliseconds(item),
            "displayName": item["metadata"]["name"],
            "kind": full_name(item).partition(" ")[0],
            "labels": item["metadata"].get("labels") or {},
            "moniker": {"app": application, "cluster": _cluster_of(item)},
            "name": full_name(item),
            "namespace": _namespace(item),
        }

    def _server_group(self, item: Object, application: str) -> Object:
        wanted = int((item.get("spec") or {}).get("replicas", 1))
        broken = failure(item) is not None
        counts = {"down": wanted if broken else 0, "outOfService": 0, "starting": 0, "unknown": 0}
        manager = {"account": self._account, "location": _namespace(item), "name": full_name(item)}
        return {
            "account": self._account,
            "buildInfo": {"images": list(dict.fromkeys(images(item)))},
            "capacity": {"desired": wanted, "pinned": False},
            "cloudProvider": "kubernetes",
            "cluster": _cluster_of(item),
            "createdTime": _milliseconds(item),
            "instanceCounts": {**counts, "total": wanted, "up": 0 if broken else wanted},
            "instances": [self._instance(item, number, broken=broken) for number in range(wanted)],
            "isDisabled": False,
            "labels": item["metadata"].get("labels") or {},
            "loadBalancers": [full_name(each) for each in self._services(item)],
            "moniker": {"app": application, "cluster": _cluster_of(item)},
            "name": _group_name(item),
            "region": _namespace(item),
            "securityGroups": [],
            "serverGroupManagers": [manager] if item["kind"] == "Deployment" else [],
            "type": "kubernetes",
        }

    def _instance(self, item: Object, number: int, *, broken: bool) -> Object:
        state = "Down" if broken else "Up"
        name = f"{_group_name(item).partition(' ')[2]}-{number}"
        return {
            "availabilityZone": _namespace(item),
            "health": [{"platform": "platform", "state": state, "type": "kubernetes/pod"}],
            "healthState": state,
            "id": hashlib.sha256(f"{item['metadata']['uid']}/{number}".encode()).hexdigest()[:32],
            "name": f"pod {name}",
        }

    def _summary(self, item: Object, application: str) -> Object:
        return {
            "account": self._account,
            "moniker": {"app": application, "cluster": _cluster_of(item)},
            "name": _group_name(item),
            "namespace": _namespace(item),
            "region": _namespace(item),
        }

    def _services(self, item: Object) -> list[Object]:
        labels = _pod_labels(item)
        return [each for each in self._cluster.list(_namespace(item), "Service") if _selects(each, labels)]

    def _load_balancer(self, item: Object, application: str) -> Object:
        behind = [
            each
            for each in self._cluster.list(_namespace(item))
            if item["kind"] == "Service" and each["kind"] in _GROUPS and _selects(item, _pod_labels(each))
        ]
        groups = [
            {
                "account": self._account,
                "cloudProvider": "kubernetes",
                "detachedInstances": [],
                "instances": [],
                "isDisabled": False,
                "name": _group_name(each),
                "region": _namespace(each),
            }
            for each in behind
        ]
        common = self._common(item, application)
        return {**common, "region": _namespace(item), "serverGroups": groups, "type": "kubernetes"}


def _annotation(item: Mapping[str, Any], name: str) -> str:
    return str((item["metadata"].get("annotations") or {}).get(name, ""))


def _cluster_of(item: Mapping[str, Any]) -> str:
    return _annotation(item, "moniker.spinnaker.io/cluster") or full_name(item)


def _group_name(item: Mapping[str, Any]) -> str:
    """A Deployment's ReplicaSet is named by its pod template."""
    if item["kind"] != "Deployment":
        return full_name(item)
    template = repr((item.get("spec") or {}).get("template"))
    return f"replicaSet {item['metadata']['name']}-{hashlib.sha256(template.encode()).hexdigest()[:10]}"


def _namespace(item: Mapping[str, Any]) -> str:
    return str(item["metadata"].get("namespace") or "default")


def _milliseconds(item: Mapping[str, Any]) -> int:
    return int(datetime.fromisoformat(str(item["metadata"]["creationTimestamp"])).timestamp() * 1000)


def _pod_labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    template = (item.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def _selects(service: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    selector = (service.get("spec") or {}).get("selector") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
