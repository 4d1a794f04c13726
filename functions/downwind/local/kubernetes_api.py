"""The local cluster as a Kubernetes API server shows one, under `/-/kubernetes`: enough for the official clients to read and list
objects, to write them (POST, PUT, merge patch, server-side apply, status) with or without dryRun, and to delete them.

Wire: kubernetes.io/docs/reference/using-api/api-concepts; discovery is aggregated (apidiscovery.k8s.io/v2). Different from
a real one, on purpose: nobody is asked who they are, but a bearer token `break-glass` has the verb `override` on
sequences.downwind.dev; every namespace is there; a server-side apply replaces all that a manifest can say, whoever wrote it.
What is not listed here (watch, strategic and JSON patches, other subresources) is answered with 405 or 415.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from downwind.local.cluster import ApiError, Cluster, Object, is_namespaced, plural_of
from downwind.local.http import Handler, json_response

PREFIX = "/-/kubernetes"
BREAK_GLASS = "break-glass"
"""A token, in a world that knows no others."""
_METADATA_ONLY = "PartialObjectMetadataList"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_VERBS = ["create", "delete", "get", "list", "patch", "update"]
_PATH = re.compile(
    r"(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+)(?P<status>/status)?)?"
)
_MERGE, _APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
# Kinds that are there before anybody has made an object of them; others show up with their first object.
_KNOWN = (
    *(("v1", kind) for kind in ("ConfigMap", "Namespace", "Secret", "Service", "ServiceAccount", "Pod")),
    *(("apps/v1", kind) for kind in ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet")),
    *(("batch/v1", kind) for kind in ("CronJob", "Job")),
    *(("rbac.authorization.k8s.io/v1", kind) for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
)


class KubernetesApi:
    """`every_namespace`: each is there without being made; else it is an object like any other."""

    def __init__(self, cluster: Cluster, *, every_namespace: bool = True) -> None:
        self._cluster = cluster
        self._every_namespace = every_namespace

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        yield ("GET",), f"{PREFIX}/api", lambda request: self._discover(request, core=True)
        yield ("GET",), f"{PREFIX}/apis", lambda request: self._discover(request, core=False)
        yield ("GET", "POST", "PUT", "PATCH", "DELETE"), f"{PREFIX}/<path:path>", self._answer

    def _answer(self, request: Request, path: str) -> Response:
        try:
            return self._object_or_list(request, path)
        except ApiError as error:
            body = {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": str(error),
                "reason": error.reason,
                "code": error.status,
            }
            return json_response(body, error.status)

    def _object_or_list(self, request: Request, path: str) -> Response:
        match = _PATH.fullmatch(path)
        version = (match["core"] or match["group"]) if match else ""
        kind = self._kinds().get((version, match["plural"])) if match else None
        if match is None or kind is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        namespace, name = match["namespace"] or "", match["name"]
        if name is None and request.method == "GET":
            return json_response(self._list(request, version, kind, match["namespace"]))
        if name is None and request.method == "POST":
            return self._create(request, namespace)
        if name is None or request.method == "POST":
            raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        standing = self._standing(kind, namespace, name)
        if request.method == "GET":
            return json_response(_found(standing, kind, name))
        options = _options(request)
        if request.method == "DELETE":
            _found(standing, kind, name)
            self._cluster.delete(namespace, kind, name, **options)
            return json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})
        change = _change(request, kind, name, namespace, status=bool(match["status"]))
        written = self._cluster.write(namespace, kind, name, change, **options)
        return json_response(written, 200 if standing else 201)

    def _standing(self, kind: str, namespace: str, name: str) -> Object | None:
        found = self._cluster.get(namespace, kind, name)
        if found is None and kind == "Namespace" and self._every_namespace:
            labels = {"kubernetes.io/metadata.name": name}
            return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels}}
        return found

    def _create(self, request: Request, namespace: str) -> Response:
        new = _body(request)
        new = {**new, "metadata": {**(new.get("metadata") or {}), **({"namespace": namespace} if namespace else {})}}
        return json_response(self._cluster.create(new, **_options(request)), 201)

    def _list(self, request: Request, version: str, kind: str, namespace: str | None) -> dict[str, Any]:
        selector = dict(part.split("=", 1) for part in request.args.get("labelSelector", "").split(",") if "=" in part)
        items = [
            item
            for item in self._cluster.list(namespace, kind)
            if item["apiVersion"] == version and selector.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        if _METADATA_ONLY in request.headers.get("Accept", ""):
            items = [{"metadata": item["metadata"]} for item in items]
            return {"kind": _METADATA_ONLY, "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": items}
        return {"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": items}

    def _discover(self, request: Request, *, core: bool) -> Response:
        if "apidiscovery.k8s.io" not in request.headers.get("Accept", ""):
            return json_response({"kind": "Status", "status": "Failure", "reason": "NotAcceptable", "code": 406}, 406)
        groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for (version, plural), kind in sorted(self._kinds().items()):
            group, _, short = version.rpartition("/")
            if (group == "") == core:
                about = {
                    "resource": plural,
                    "responseKind": {"group": group, "version": short, "kind": kind},
                    "scope": "Namespaced" if is_namespaced(kind) else "Cluster",
                    "verbs": _VERBS,
                }
                groups.setdefault(group, {}).setdefault(short, []).append(about)
        items = [
            {
                "metadata": {"name": group} if group else {},
                "versions": [{"version": short, "resources": found} for short, found in versions.items()],
            }
            for group, versions in groups.items()
        ]
        body = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}
        return json_response(body, headers={"Content-Type": _DISCOVERY})

    def _kinds(self) -> dict[tuple[str, str], str]:
        """(apiVersion, plural) to kind."""
        stored = {(item["apiVersion"], item["kind"]) for item in self._cluster.list()}
        return {(version, plural_of(kind, "")): kind for version, kind in {*_KNOWN, *stored}}


def _options(request: Request) -> dict[str, bool]:
    dry_run = request.args.get("dryRun")
    if dry_run not in {None, "All"}:
        raise ApiError(422, "Invalid", f'dryRun: Unsupported value: "{dry_run}": supported values: "All"')
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return {"dry_run": dry_run is not None, "may_override": token == BREAK_GLASS}


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.get_data())
    except ValueError as error:
        raise ApiError(400, "BadRequest", "the local cluster reads bodies as JSON only") from error
    if not isinstance(body, dict):
        raise ApiError(400, "BadRequest", "the body is not an object")
    return body


def _found(standing: Object | None, kind: str, name: str) -> Object:
    if standing is None:
        raise ApiError(404, "NotFound", f'{plural_of(kind, "")} "{name}" not found')
    return standing


def _change(request: Request, kind: str, name: str, namespace: str, *, status: bool) -> Any:
    body, how = _body(request), "PUT" if request.method == "PUT" else request.mimetype
    if how not in {"PUT", _MERGE, _APPLY}:
        raise ApiError(415, "UnsupportedMediaType", f"the local cluster does not know the patch {how}")

    def change(old: Object | None) -> Mapping[str, Any]:
        placed = {**(body.get("metadata") or {}), "name": name, **({"namespace": namespace} if namespace else {})}
        if how == _APPLY and not status:
            return {**body, "metadata": placed}
        standing = _found(old, kind, name)
        new = {**body, "metadata": placed} if how == "PUT" else merged(standing, body)
        if status:
            # The status subresource takes metadata and status; the store makes the status itself.
            return {**standing, "metadata": new.get("metadata") or {}}
        return new

    return change


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
