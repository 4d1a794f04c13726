"""One story of policy-cases.yaml, played on one API server."""

import copy
import time
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.contract.cluster.kubectl import Kubectl

CASES = yaml.safe_load(Path(__file__).with_name("policy-cases.yaml").read_text())
MARKS = {each: f"downwind.dev/{each}" for each in ("owner", "sequence", "attempt", "execution", "adopt")}
MARKS["override"] = "downwind.dev/sequence-override"
FENCE = {"downwind.dev/fence": "true"}
FIRST = {"owner": "shop/staging", "sequence": "1", "attempt": "0", "execution": "E1"}
POD: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": f"example.test/web@sha256:{'a' * 64}"}]},
}
WORKLOAD = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": POD}
ONCE = {**POD, "spec": {**POD["spec"], "restartPolicy": "Never"}}
CRD = {
    "group": "try.it",
    "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
    "scope": "Namespaced",
    "versions": [
        {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }
    ],
}
# name of the object: (apiVersion, kind, plural, in a namespace, the rest of the manifest)
OBJECTS: dict[str, tuple[str, str, str, bool, dict[str, Any]]] = {
    "configmap": ("v1", "ConfigMap", "configmaps", True, {}),
    "fence": ("v1", "ConfigMap", "configmaps", True, {"name": "downwind.shop.staging", "labels": FENCE}),
    "guard": ("v1", "ConfigMap", "configmaps", True, {"name": "downwind.shop.staging.guard"}),
    "secret": ("v1", "Secret", "secrets", True, {}),
    "secret-fence": ("v1", "Secret", "secrets", True, {"name": "downwind.shop.staging", "labels": FENCE}),
    "service": ("v1", "Service", "services", True, {"spec": {"ports": [{"port": 80}]}}),
    "deployment": ("apps/v1", "Deployment", "deployments", True, {"spec": WORKLOAD}),
    "replicaset": ("apps/v1", "ReplicaSet", "replicasets", True, {"spec": WORKLOAD}),
    "job": ("batch/v1", "Job", "jobs", True, {"spec": {"template": ONCE}}),
    "namespace": ("v1", "Namespace", "namespaces", False, {}),
    "clusterrole": ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", False, {"rules": []}),
    "definition": (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        False,
        {"name": "things.try.it", "spec": CRD},
    ),
    "custom": ("try.it/v1", "Thing", "things", True, {}),
    "csr": ("certificates.k8s.io/v1", "CertificateSigningRequest", "certificatesigningrequests", False, {}),
}
CONTROLLER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "controller": True}


class Story:
    """One story on one server."""

    def __init__(self, kubectl: Kubectl, namespace: str, story: Mapping[str, Any]) -> None:
        self.kubectl = kubectl
        self.own = namespace
        self.story = story
        self.namespace = story.get("namespace", namespace)
        self.refusals: list[str] = []

    def play(self) -> None:
        if "before" in self.story:
            self.kubectl.uninstall()
            for step in self.story["before"]:
                status, answer = self._write({"do": "create", **step})
                assert status == 201, answer
            self.kubectl.install()
        for number, step in enumerate(self.story["steps"], 1):
            if "real" not in step or self.kubectl.server.real:
                self._step(step, f"step {number}: {step}")

    def _step(self, step: Mapping[str, Any], told: str) -> None:
        path = self._path(step)
        before = self.kubectl.get(path)
        status, answer = self._write(step)
        after = self.kubectl.get(path)
        if "refused" in step:
            assert (status, answer.get("reason")) == (403, "Forbidden"), (told, status, answer)
            assert step["refused"] in answer["message"], (told, answer["message"])
            self.refusals.append(answer["message"])
        else:
            assert status == step.get("answers", status if status < 300 else "a success"), (told, status, answer)
        if "refused" in step or "answers" in step:
            assert after == before, told
        for mark, value in step.get("live", {}).items():
            assert (after["metadata"].get("annotations") or {}).get(MARKS[mark]) == value, (told, after)
        if step.get("gone"):
            assert after is None or after["metadata"].get("deletionTimestamp"), told

    def _write(self, step: Mapping[str, Any]) -> tuple[int, Any]:
        do, path, by = step["do"], self._path(step), step.get("by", self.story.get("by", "deployer"))
        above = path.rpartition("/")[0]
        call = self.kubectl.call
        options: dict[str, Any] = {"dryRun": "All"} if step.get("dry_run") else {}
        match do:
            case "read":
                return 200, {}
            case "create":
                answer = call("POST", above, self._whole(step), by=by, **options)
                if step.get("object") == "definition":
                    self._until_served()
                return answer
            case "replace":
                return call("PUT", path, self._whole(step), by=by, **options)
            case "replace_force":
                deleted = call("DELETE", path, by=by)
                return deleted if deleted[0] >= 300 else call("POST", above, self._whole(step), by=by)
            case "apply":
                return self.kubectl.apply(path, self._whole(step), by, **options)
            case "force":
                return self.kubectl.force(path, self._whole(step), by)
            case "ssa":
                more: dict[str, Any] = {
                    "manager": step.get("manager", "spin"),
                    "conflicts": step.get("force_conflicts", True),
                }
                return self.kubectl.server_side_apply(path, self._whole(step), by, **more, **options)
            case "patch" | "status":
                where = f"{path}/status" if do == "status" else path
                return call("PATCH", where, self._part(step), "application/merge-patch+json", by=by)
            case "strategic":
                return call("PATCH", path, self._part(step), "application/strategic-merge-patch+json", by=by)
            case "json":
                return call("PATCH", path, step["patch"], "application/json-patch+json", by=by)
            case "delete":
                return call("DELETE", path, by=by, **options)
            case "delete_collection":
                return call("DELETE", above, by=by, labelSelector="downwind.dev/fence=true")
            case "delete_namespace":
                return call("DELETE", f"/api/v1/namespaces/{self.namespace}", by=by)
            case "scale":
                place = {"name": path.rpartition("/")[2], "namespace": self.namespace, "annotations": _marks(step)}
                spec = {"replicas": step["replicas"]}
                body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": place, "spec": spec}
                return call("PUT", f"{path}/scale", body, by=by)
            case "finalize" | "approve":
                standing = self.kubectl.get(path)
                standing["metadata"]["annotations"] |= _marks(step)
                where = {"finalize": "finalize", "approve": "approval"}[do]
                return call("PUT", f"{path}/{where}", standing, by=by)
        raise AssertionError(f"{do} is nothing that kubectl does")

    def _until_served(self) -> None:
        """A new kind of object is served a moment after its definition."""
        things = f"/apis/try.it/v1/namespaces/{self.namespace}/things"
        deadline = time.monotonic() + 30
        while self.kubectl.get(things) is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _object(self, step: Mapping[str, Any]) -> tuple[str, str, str, bool, dict[str, Any]]:
        return OBJECTS[step.get("object") or self.story.get("object") or "configmap"]

    def _name(self, step: Mapping[str, Any]) -> str:
        _, kind, _, namespaced, rest = self._object(step)
        own = self.story.get("name") if "object" not in step else None
        name = str(step.get("name") or own or rest.get("name") or "web")
        return name if namespaced or kind == "CustomResourceDefinition" else f"{name}-{self.own}"

    def _path(self, step: Mapping[str, Any]) -> str:
        version, _, plural, namespaced, _ = self._object(step)
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{base}/{f'namespaces/{self.namespace}/' if namespaced else ''}{plural}/{self._name(step)}"

    def _whole(self, step: Mapping[str, Any]) -> dict[str, Any]:
        version, kind, _, namespaced, rest = self._object(step)
        which = step.get("object") or self.story.get("object")
        first = {"fence": FIRST, "secret-fence": FIRST, "guard": {"owner": "shop/staging"}}.get(str(which), {})
        marks = {} if step.get("bare") else {**first, **self.story.get("marks", {})}
        annotations = {key: value for key, value in {**_marks(marks), **_marks(step)}.items() if value is not None}
        labels = {**rest.get("labels", {}), **(step.get("labels") or {})}
        metadata: dict[str, Any] = {
            "annotations": annotations,
            "labels": {k: v for k, v in labels.items() if v is not None},
        }
        metadata |= {"generateName": step["generate_name"]} if "generate_name" in step else {"name": self._name(step)}
        metadata |= {"namespace": self.namespace} if namespaced else {}
        metadata |= {"ownerReferences": [CONTROLLER]} if step.get("controlled") else {}
        more = {} if step.get("bare") else copy.deepcopy({k: v for k, v in rest.items() if k not in {"name", "labels"}})
        more |= {"spec": _signing_request()} if kind == "CertificateSigningRequest" else {}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}

    def _part(self, step: Mapping[str, Any]) -> dict[str, Any]:
        metadata: dict[str, Any] = {}
        if "annotations" in step or _marks(step):
            metadata["annotations"] = _marks(step) or step["annotations"]
        if "labels" in step:
            metadata["labels"] = step["labels"]
        if "controlled" in step:
            metadata["ownerReferences"] = [CONTROLLER] if step["controlled"] else []
        return {"metadata": metadata, **{key: step[key] for key in ("spec", "data") if key in step}}


def _marks(step: Mapping[str, Any]) -> dict[str, Any]:
    return {MARKS[key]: step[key] for key in MARKS if key in step}


def _signing_request() -> dict[str, Any]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "try")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = made.public_bytes(serialization.Encoding.PEM)
    return {"request": b64encode(pem).decode(), "signerName": "try.it/any", "usages": ["digital signature"]}
