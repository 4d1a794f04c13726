"""A Kubernetes API server through the official client, as any kubeconfig says how to reach it. Raw JSON both ways: a policy is
compared as it stands, with no model between.

Wire: kubernetes.io/docs/reference/using-api/api-concepts (aggregated discovery v2, PartialObjectMetadataList, chunked
lists, server-side apply, dryRun=All); a policy's refusal is a 403 whose message begins "… ValidatingAdmissionPolicy '".
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.errors import Misconfigured, Refused, TransientError
from downwind.ports import Marked

OWNER = "downwind.dev/owner"
CHUNK = 500
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_BY_POLICY = "ValidatingAdmissionPolicy '"
_DRY_RUN = {"dryRun": "All", "force": "true"}
_NOT_LISTED = frozenset({404, 405, 406})
"""A kind that went away, or one of another server's that has no list of metadata: nothing of ours lives there."""


class KubernetesCluster:
    """`kubeconfig`: a file, None for kubectl's own rule (KUBECONFIG, then ~/.kube/config); `context`: None for the current
    one. Refused, with the fix, when there is no such file or context, or the client is not installed."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None, *, timeout: float = 20.0) -> None:
        try:
            from kubernetes import config
            from kubernetes.client import Configuration
        except ImportError as error:
            fix = "install it, in a checkout: pip install '.[cli,cluster]'"
            raise Refused("the Kubernetes client is not installed", fix=fix) from error
        try:
            if context is None:
                context = str(config.list_kube_config_contexts(kubeconfig)[1]["name"])
            settings = Configuration()
            settings.retries = False
            self._client: Any = config.new_client_from_config(kubeconfig, context, client_configuration=settings)
        except (config.ConfigException, OSError, TypeError) as error:
            place = kubeconfig or "the kubeconfig"
            raise Refused(f"{place}: {error}", fix="name a context of it: kubectl config get-contexts") from error
        self._known: dict[tuple[str, str], str] | None = None
        self._name = context
        self._timeout = timeout

    @property
    def name(self) -> str:
        return self._name

    def admission(self) -> Sequence[Mapping[str, Any]]:
        found = []
        for plural, kind in (
            ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
            ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
        ):
            # Items of a list do not say their kind.
            found += [{**item, "kind": kind} for item in self._list(f"{_ADMISSION}/{plural}", "application/json")]
        return found

    def namespace(self, name: str) -> Mapping[str, str] | None:
        return self._metadata(f"/api/v1/namespaces/{name}", "labels")

    def annotations(self, namespace: str, config_map: str) -> Mapping[str, str] | None:
        return self._metadata(f"/api/v1/namespaces/{namespace}/configmaps/{config_map}", "annotations")

    def _metadata(self, path: str, key: str) -> Mapping[str, str] | None:
        status, body = self._call("GET", path)
        if status == 404:
            return None
        self._check(status, body)
        return dict(body["metadata"].get(key) or {})

    def marked(self) -> Sequence[Marked]:
        found = []
        for path, kind in self._kinds():
            for item in self._list(path, _METADATA):
                metadata = item["metadata"]
                if OWNER in (metadata.get("annotations") or {}):
                    found.append(_marked(path, kind, metadata))
        return found

    def dry_run(self, manifest: Mapping[str, Any]) -> str | None:
        status, body = self._call(
            "PATCH", self._path(manifest), {**_DRY_RUN, "fieldManager": "downwind-verify"}, manifest
        )
        if status == 403 and _BY_POLICY in str(body.get("message")):
            return str(body["message"])
        self._check(status, body)
        return None

    def live(self, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        status, body = self._call("GET", self._path(manifest))
        if status == 404:
            return None
        self._check(status, body)
        return dict(body)

    def preview(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        query = {**_DRY_RUN, "fieldManager": "downwind-diff"}
        status, body = self._call("PATCH", self._path(manifest), query, manifest)
        if status == 403 and _BY_POLICY in str(body.get("message")):
            raise Refused(f"cluster {self._name}: {body['message']}")
        self._check(status, body)
        return dict(body)

    def _path(self, manifest: Mapping[str, Any]) -> str:
        """Refused: the cluster has no such kind."""
        version, metadata = str(manifest["apiVersion"]), manifest["metadata"]
        if self._known is None:
            self._known = {
                (path.rpartition("/")[0], kind): path.rpartition("/")[2] for path, kind in self._kinds(every=True)
            }
        plural = self._known.get((_base(version), str(manifest["kind"])))
        if plural is None:
            raise Refused(f"cluster {self._name} knows no {version} {manifest['kind']}")
        namespace = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
        return f"{_base(version)}{namespace}/{plural}/{metadata['name']}"

    def _kinds(self, *, every: bool = False) -> Iterator[tuple[str, str]]:
        """(path, kind) of everything that can be listed, each kind in the version that the server prefers, or in every one."""
        for top in ("/api", "/apis"):
            status, body = self._call("GET", top, accept=_DISCOVERY)
            self._check(status, body)
            for group in body["items"]:
                seen: set[str] = set()
                for version in group["versions"]:
                    name = "/".join(filter(None, (group["metadata"].get("name"), version["version"])))
                    for resource in version.get("resources", ()):
                        if "list" in resource["verbs"] and (every or resource["resource"] not in seen):
                            seen.add(resource["resource"])
                            yield f"{_base(name)}/{resource['resource']}", resource["responseKind"]["kind"]

    def _list(self, path: str, accept: str) -> Iterator[Mapping[str, Any]]:
        query = {"limit": str(CHUNK)}
        while True:
            status, body = self._call("GET", path, query, accept=accept)
            if status in _NOT_LISTED and accept == _METADATA:
                return
            self._check(status, body)
            yield from body.get("items") or ()  # null where there is none
            following = (body.get("metadata") or {}).get("continue")
            if not following:
                return
            query["continue"] = following

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        accept: str = "application/json",
    ) -> tuple[int, Any]:
        from urllib3.exceptions import HTTPError

        headers = {"Accept": accept}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/apply-patch+yaml"  # JSON is YAML
        request = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=data,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=self._timeout)
            text = answer.read()
        except (HTTPError, OSError) as error:
            raise TransientError(f"cluster {self._name} did not answer: {type(error).__name__}") from error
        try:
            return int(answer.status), json.loads(text)
        except ValueError:
            return int(answer.status), {"message": text[:200].decode(errors="replace")}

    def _check(self, status: int, body: Mapping[str, Any]) -> None:
        if status < 300:
            return
        text = f"cluster {self._name}: {body.get('message') or f'HTTP {status}'}"
        if status in {401, 403}:
            raise Misconfigured(text, fix="give this user the rights of docs/how-to/verify.md")
        if 400 <= status < 500 and status not in {408, 410, 429}:
            raise Refused(text)
        raise TransientError(text)


def _marked(path: str, kind: str, metadata: Mapping[str, Any]) -> Marked:
    return Marked(
        api_version=path.rpartition("/")[0].removeprefix("/apis/").removeprefix("/api/"),
        kind=kind,
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        annotations=metadata["annotations"],
        labels=metadata.get("labels") or {},
        controlled=any(each.get("controller") for each in metadata.get("ownerReferences") or ()),
    )


def _base(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"
