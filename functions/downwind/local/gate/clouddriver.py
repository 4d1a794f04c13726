"""Clouddriver's `deployManifest` on the local cluster: annotations, versioned names, bindings, order, stop at the first no.

Order of kinds and the rule of binding are read from Clouddriver's source (facts: deploy-manifest.md 10, spinnaker.md 4.3);
the result has the recorded shape.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.local.cluster import ApiError, Cluster
from downwind.local.gate.traffic import TrafficError, attach

_KINDS_IN_ORDER = {
    0: "Namespace",
    20: "Role ClusterRole",
    30: "RoleBinding ClusterRoleBinding CustomResourceDefinition",
    40: "ServiceAccount StorageClass PersistentVolume PersistentVolumeClaim LimitRange "
    "ValidatingWebhookConfiguration MutatingWebhookConfiguration ValidatingAdmissionPolicy",
    50: "ConfigMap Secret",
    70: "Service Ingress NetworkPolicy",
    80: "APIService",
    90: "PodDisruptionBudget HorizontalPodAutoscaler",
    100: "Deployment StatefulSet DaemonSet ReplicaSet Job CronJob Pod",
}
_PRIORITY = {kind: number for number, kinds in _KINDS_IN_ORDER.items() for kind in kinds.split()}
_VERSIONED = frozenset({"ConfigMap", "Secret", "ReplicaSet"})
_RECEIVES_TRAFFIC = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet"})
CLUSTER = "moniker.spinnaker.io/cluster"
"""The annotation by which Spinnaker knows versions of one thing."""

Manifest = dict[str, Any]


class DeployError(Exception):
    """Clouddriver's own sentence about the manifest that stopped the operation."""


class Clouddriver:
    def __init__(self, cluster: Cluster, account: str) -> None:
        self._cluster = cluster
        self._account = account

    def deploy(self, application: str, stage: Mapping[str, Any], *, recreate: bool = False) -> dict[str, Any]:
        """The operation's result object. `stage`: the context that Orca posts (`manifests`, artifacts, account).
        `recreate`: what is there under a manifest's name is deleted first."""
        if stage.get("account") != self._account:
            raise DeployError(f"No credentials named {stage.get('account')}: the local account is {self._account}")
        manifests = sorted(copy.deepcopy(stage["manifests"]), key=lambda m: _PRIORITY.get(m.get("kind"), 1000))
        created = [self._name(manifest, application) for manifest in manifests]
        images = [*(stage.get("requiredArtifacts") or []), *(stage.get("optionalArtifacts") or [])]
        bound: list[dict[str, Any]] = []
        for manifest in manifests:
            _bind_names(manifest, created, bound)
            if stage.get("enableArtifactBinding", True):
                _bind_images(manifest, images, bound)
        self._attach(stage, manifests)
        names: dict[str, list[str]] = {}
        for manifest in manifests:
            if recreate and self._cluster.get(_namespace(manifest), manifest["kind"], manifest["metadata"]["name"]):
                self._cluster.delete(_namespace(manifest), manifest["kind"], manifest["metadata"]["name"])
            self._apply(manifest)
            names.setdefault(_namespace(manifest), []).append(full_name(manifest))
        return {
            "boundArtifacts": bound,
            "createdArtifacts": created,
            "manifestNamesByNamespace": names,
            "manifests": manifests,
        }

    def _attach(self, stage: Mapping[str, Any], manifests: Sequence[Manifest]) -> None:
        """As `trafficManagement` says: a stage that is to enable no traffic brings its pods up without any."""
        management = stage.get("trafficManagement") or {}
        options = management.get("options") or {}
        if not management.get("enabled") or not options.get("enableTraffic"):
            return
        for manifest in manifests:
            if manifest.get("kind") in _RECEIVES_TRAFFIC:
                try:
                    attach(manifest, options.get("services") or [], manifests, self._cluster)
                except TrafficError as error:
                    raise DeployError(str(error)) from error

    def _name(self, manifest: Manifest, application: str) -> dict[str, Any]:
        """Writes Spinnaker's annotations and the versioned name into the manifest; its artifact."""
        metadata = manifest.setdefault("metadata", {})
        name = str(metadata.get("name", ""))
        annotations = metadata["annotations"] = dict(metadata.get("annotations") or {})
        versioned = manifest.get("kind") in _VERSIONED and annotations.get("strategy.spinnaker.io/versioned") != "false"
        annotations |= {
            "artifact.spinnaker.io/name": name,
            "artifact.spinnaker.io/type": f"kubernetes/{_lower(manifest)}",
            "moniker.spinnaker.io/application": application,
            CLUSTER: f"{_lower(manifest)} {name}",
        }
        version = self._version(manifest) if versioned else ""
        if version:
            metadata["name"] = f"{name}-{version}"
        return {
            "customKind": False,
            "location": _namespace(manifest),
            "metadata": {"account": self._account},
            "name": name,
            "reference": metadata.get("name", ""),
            "type": f"kubernetes/{_lower(manifest)}",
            "version": version,
        }

    def _version(self, manifest: Manifest) -> str:
        """The version that already holds this content, else one above the highest."""
        name, highest = manifest["metadata"]["name"], -1
        for item in self._cluster.list(_namespace(manifest), manifest["kind"]):
            stem, _, version = item["metadata"]["name"].rpartition("-v")
            if stem == name and version.isdigit():
                highest = max(highest, int(version))
                if _content(item) == _content(manifest):
                    return f"v{version}"
        return f"v{highest + 1:03d}"

    def _apply(self, manifest: Manifest) -> None:
        metadata = manifest.get("metadata", {})
        try:
            old = self._cluster.get(_namespace(manifest), str(manifest.get("kind")), str(metadata.get("name")))
            self._cluster.apply(manifest)
        except ApiError as error:
            doing = _patching(manifest) if old else 'error when creating "STDIN": '
            raise DeployError(
                f"Deploy failed for manifest: {full_name(manifest)}. "
                f"Error: Error from server ({error.reason}): {doing}{error}"
            ) from error


def _content(manifest: Mapping[str, Any]) -> Any:
    """What makes a new version: the data, or the pods without their labels, which traffic changes."""
    if manifest.get("kind") != "ReplicaSet":
        return manifest.get("data"), manifest.get("stringData")
    spec = manifest.get("spec") or {}
    return {**spec, "template": (spec.get("template") or {}).get("spec")}


def full_name(manifest: Mapping[str, Any]) -> str:
    return f"{_lower(manifest)} {manifest.get('metadata', {}).get('name', '')}"


def _patching(manifest: Manifest) -> str:
    """kubectl shows the whole patch before the server's word; here it is the part of it that we can know."""
    metadata = manifest["metadata"]
    version = str(manifest["apiVersion"])
    group = version if "/" in version else f"/{version}"
    return (
        f"error when applying patch:\n{json.dumps({'metadata': {'annotations': metadata['annotations']}})}\nto:\n"
        f'Resource: "{group}, Resource={_lower(manifest).lower()}s", GroupVersionKind: "{group}, '
        f'Kind={manifest["kind"]}"\nName: "{metadata["name"]}", Namespace: "{_namespace(manifest)}"\n'
        'for: "STDIN": error when patching "STDIN": '
    )


def _bind_names(manifest: Manifest, created: Sequence[dict[str, Any]], bound: list[dict[str, Any]]) -> None:
    """References to a ConfigMap or Secret of this operation follow it to its versioned name; always, binding off or on."""
    renamed = {(a["type"], a["name"]): a for a in created if a["version"] and a["location"] == _namespace(manifest)}
    for kind, holder, key in _references(manifest):
        artifact = renamed.get((kind, holder.get(key)))
        if artifact:
            holder[key] = artifact["reference"]
            if artifact not in bound:
                bound.append(artifact)


def _references(value: Any) -> Iterator[tuple[str, Manifest, str]]:
    """Where pods name ConfigMaps and Secrets: volumes, projected volumes, env and envFrom, image pull secrets."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key in {"configMap", "configMapRef", "configMapKeyRef"} and isinstance(item, dict):
            yield "kubernetes/configMap", item, "name"
        elif key in {"secretRef", "secretKeyRef"} and isinstance(item, dict):
            yield "kubernetes/secret", item, "name"
        elif key == "secret" and isinstance(item, dict):
            yield "kubernetes/secret", item, "secretName" if "secretName" in item else "name"
        else:
            yield from _references(item)


def _bind_images(manifest: Manifest, artifacts: Sequence[Mapping[str, Any]], bound: list[dict[str, Any]]) -> None:
    """A received docker image replaces every image of its name, pinned or not: the trap that our pipelines switch off."""
    pod = ((manifest.get("spec") or {}).get("template") or {}).get("spec") or {}
    references = {a.get("name"): dict(a) for a in reversed(artifacts) if a.get("type") == "docker/image"}
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        image = str(container.get("image", ""))
        name = image.partition("@")[0] if "@" in image else image.rpartition(":")[0] or image
        if name in references:
            container["image"] = references[name]["reference"]
            bound.append(references[name])


def _lower(manifest: Mapping[str, Any]) -> str:
    kind = str(manifest.get("kind", ""))
    return kind[:1].lower() + kind[1:]


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("metadata", {}).get("namespace") or "default")
