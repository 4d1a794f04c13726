"""What kubectl sends to an API server, over plain HTTPS: real clusters are tested without kubectl."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from downwind.shipped import admission_policy

BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
DEPLOYER_GROUPS = [
    "",
    "apps",
    "batch",
    "rbac.authorization.k8s.io",
    "apiextensions.k8s.io",
    "certificates.k8s.io",
    "try.it",
]


@dataclass(frozen=True)
class ApiServer:
    """`tokens`: admin, deployer (may do all but `override`), breaker (may do that as well), verifier (no rights yet).
    `ca`: a file; None for our store."""

    url: str
    tokens: Mapping[str, str]
    ca: str | None = None

    @property
    def real(self) -> bool:
        return self.ca is not None

    def kubeconfig(self, path: Path, who: str = "admin") -> Path:
        """Written to `path`; its one context is `lab`."""
        about = {"server": self.url, **({"certificate-authority": self.ca} if self.ca else {})}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": about}],
            "users": [{"name": "lab", "user": {"token": self.tokens[who]}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        }
        path.write_text(json.dumps(body))
        return path


def until(met: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.05)


class Kubectl:
    """What kubectl sends. Every call answers (status, body)."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self._session = requests.Session()
        self._session.trust_env = False

    def call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", by: str = "admin", **query: Any
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.server.tokens[by]}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        url = self.server.url + path
        answer = self._session.request(
            method, url, params=query, data=data, headers=headers, verify=self.server.ca or True, timeout=60
        )
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return answer.status_code, answer.json() if is_json else {"message": answer.text}

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        return body if status == 200 else None

    def apply(self, path: str, manifest: dict[str, Any], by: str, **options: Any) -> tuple[int, Any]:
        """Client-side apply: what the last manifest said and this one does not is taken out."""
        new = merged_annotation(manifest, json.dumps(manifest))
        live = self.get(path)
        if live is None:
            return self.call("POST", path.rpartition("/")[0], new, by=by, **options)
        last = json.loads((live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "{}"))
        return self.call("PATCH", path, with_removals(last, new), MERGE, by=by, **options)

    def force(self, path: str, manifest: dict[str, Any], by: str) -> tuple[int, Any]:
        """`apply --force`: what is called invalid or conflicting is deleted and created again."""
        status, body = self.apply(path, manifest, by)
        if status in {409, 422}:
            self.call("DELETE", path, by=by)
            return self.call("POST", path.rpartition("/")[0], manifest, by=by)
        return status, body

    def server_side_apply(
        self,
        path: str,
        manifest: Any,
        by: str = "admin",
        manager: str = "spin",
        *,
        conflicts: bool = True,
        **query: Any,
    ) -> tuple[int, Any]:
        query |= {"fieldManager": manager, "force": str(conflicts).lower()}
        return self.call("PATCH", path, manifest, APPLY, by=by, **query)

    def ready(self) -> bool:
        try:
            return self._session.get(self.server.url + "/readyz", verify=self.server.ca, timeout=5).ok
        except requests.RequestException:
            return False

    def rights(self) -> None:
        """deployer and breaker may do everything with everything, but not `override` for the deployer."""
        base = "/apis/rbac.authorization.k8s.io/v1"
        all_of_it = [{"apiGroups": DEPLOYER_GROUPS, "resources": ["*"], "verbs": ["*"]}]
        breaking = [{"apiGroups": ["downwind.dev"], "resources": ["sequences"], "verbs": ["override"]}]
        for name, rules, who in (
            ("deploy", all_of_it, ["deployer", "breaker"]),
            ("break-glass", breaking, ["breaker"]),
        ):
            about = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
            self.must("POST", f"{base}/clusterroles", {**about, "kind": "ClusterRole", "rules": rules})
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
            subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": each} for each in who]
            binding = {**about, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": subjects}
            self.must("POST", f"{base}/clusterrolebindings", binding)

    def must(self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: Any) -> Any:
        status, answer = self.call(method, path, body, kind, **query)
        assert status < 300, answer
        return answer

    def install(self) -> None:
        """`kubectl apply -f infra/admission`, and wait until it counts."""
        for document in admission_policy():
            place = POLICIES if document["kind"] == "ValidatingAdmissionPolicy" else BINDINGS
            self.must(
                "PATCH", f"{place}/{document['metadata']['name']}", document, APPLY, fieldManager="t", force="true"
            )
        until(lambda: self.guarded() == (True, True), "the policy to take effect")

    def uninstall(self) -> None:
        for name in ("sequence.downwind.dev", "fence.downwind.dev"):
            self.must("DELETE", f"{BINDINGS}/{name}")
        until(lambda: self.guarded() == (False, False), "the policy to stop")

    def uninstall_all(self) -> None:
        """The policies too, as if nobody had ever installed them."""
        self.uninstall()
        for name in ("sequence.downwind.dev", "fence.downwind.dev"):
            self.must("DELETE", f"{POLICIES}/{name}")

    def guarded(self) -> tuple[bool, bool]:
        """Do the two policies refuse? Asked of a fence in a namespace of its own."""
        namespace, name = "guarded", "downwind.shop.staging"
        if self.server.real and self.get(f"/api/v1/namespaces/{namespace}") is None:
            self.must("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        marks = {"owner": "shop/staging", "sequence": "1", "attempt": "0", "execution": "E1"}
        annotations = {f"downwind.dev/{key}": value for key, value in marks.items()}
        about = {"name": name, "labels": {"downwind.dev/fence": "true"}, "annotations": annotations}
        fence: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about}
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        if self.get(path) is None:
            self.must("POST", path.rpartition("/")[0], fence)
        worse = {"metadata": {"annotations": {"downwind.dev/sequence": "0"}}}
        write, _ = self.call("PATCH", path, worse, MERGE, dryRun="All")
        delete, _ = self.call("DELETE", path, dryRun="All")
        return write == 403, delete == 403


def merged_annotation(manifest: dict[str, Any], last: str) -> dict[str, Any]:
    metadata = manifest["metadata"]
    return {
        **manifest,
        "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), LAST_APPLIED: last}},
    }


def with_removals(last: Any, new: Any) -> Any:
    """A merge patch to `new` that also takes out what only `last` has."""
    if not isinstance(last, dict) or not isinstance(new, dict):
        return new
    gone = {key: None for key in last if key not in new}
    return {**gone, **{key: with_removals(last.get(key), value) for key, value in new.items()}}
