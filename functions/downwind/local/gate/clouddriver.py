"""Clouddriver's `deployManifest` on the local cluster: annotations, versioned names, bindings, order, stop at the first no.

Order of kinds and the rule of binding are read from Clouddriver's source (facts: deploy-manifest.md 10, spinnaker.md 4.3);
the result has the recorded shape.
"""

import copy
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from downwind.local.cluster import ApiError, Cluster
from downwind.local.gate.changes import DeployError, full_name, image_name, lower_kind
from downwind.local.gate.traffic import attach

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
_CLUSTER = "moniker.spinnaker.io/cluster"

Manifest = dict[str, Any]


class Clouddriver:
    def __init__(self, cluster: Cluster, account: str) -> None:
        self._cluster = cluster
        self._account = account
        # The newest operations as Orca posts them, (name, body): for tests and for a look into a running world.
        self.operations: deque[tuple[str, dict[str, Any]]] = deque(maxlen=200)

    def take(self, name: str, body: Mapping[str, Any]) -> None:
        """What Orca posts is the stage's context, without its own notes."""
        notes = ("kato.", "deploy.", "exception")
        self.operations.append((name, copy.deepcopy({k: v for k, v in body.items() if not k.startswith(notes)})))

    def of_account(self, account: Any, operation: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if account != self._account:
            raise DeployError(f"No credentials named {account}: the local account is {self._account}")
        return operation()

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

    def _name(self, manifest: Manifest, application: str) -> dict[str, Any]:
        """Writes Spinnaker's annotations and the versioned name into the manifest; its artifact."""
        metadata = manifest.setdefault("metadata", {})
        name = str(metadata.get("name", ""))
        annotations = metadata["annotations"] = dict(metadata.get("annotations") or {})
        versioned = manifest.get("kind") in _VERSIONED and annotations.get("strategy.spinnaker.io/versioned") != "false"
        annotations |= {
            "artifact.spinnaker.io/name": name,
            "artifact.spinnaker.io/type": f"kubernetes/{lower_kind(manifest)}",
            "moniker.spinnaker.io/application": application,
            "moniker.spinnaker.io/cluster": f"{lower_kind(manifest)} {name}",
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
            "type": f"kubernetes/{lower_kind(manifest)}",
            "version": version,
        }

    def _version(self, manifest: Manifest) -> str:
        """The version that already holds this content, else one above the highest. A ReplicaSet is always a new one: what
        Clouddriver compares with has the annotations and the traffic's labels in its pods by then (read: ResourceVersioner)."""
        name, highest = manifest["metadata"]["name"], -1
        for item in self._cluster.list(_namespace(manifest), manifest["kind"]):
            stem, _, version = item["metadata"]["name"].rpartition("-v")
            if stem == name and version.isdigit():
                highest = max(highest, int(version))
                if manifest["kind"] != "ReplicaSet" and _content(item) == _content(manifest):
                    return f"v{version}"
        return f"v{highest + 1:03d}"

    def run_job(self, application: str, stage: Mapping[str, Any]) -> dict[str, Any]:
        """Clouddriver gives every Job of this stage the strategy recreate."""
        found = self.deploy(application, {**stage, "manifests": [stage["manifest"]]}, recreate=True)
        return {**found, "deployedNamesByLocation": found["manifestNamesByNamespace"]}

    def find(self, location: str, name: str) -> Manifest | None:
        """By Spinnaker's full name, `<kind> <name>`."""
        kind, _, short = name.partition(" ")
        found = (item for item in self._cluster.list(location) if item["kind"].lower() == kind.lower())
        return next((item for item in found if item["metadata"]["name"] == short), None)

    def change(self, location: str, name: str, change: Callable[[Manifest], None]) -> None:
        """Changes the live object in place, as a patch of Clouddriver's does. DeployError: there is none, or
        the policy said no."""
        live = self.find(location, name)
        if live is None:
            raise DeployError(f"{name} is not in {location}")
        change(live)
        self._apply({key: value for key, value in live.items() if key != "status"})

    def remove(self, item: Manifest) -> None:
        try:
            self._cluster.delete(_namespace(item), item["kind"], item["metadata"]["name"])
        except ApiError as error:
            raise DeployError(f"Delete failed for manifest: {full_name(item)}. Error: {error}") from error

    def others_in_cluster(self, namespace: str, manifest: Mapping[str, Any]) -> list[Manifest]:
        """The other ReplicaSets of its cluster, oldest first."""
        cluster = manifest["metadata"]["annotations"][_CLUSTER]
        return [item for item in self._in_cluster(namespace, cluster) if full_name(item) != full_name(manifest)]

    def by_criteria(self, namespace: str, cluster: str, criteria: str) -> str | None:
        found = [full_name(item) for item in self._in_cluster(namespace, cluster)]
        place = {"newest": -1, "second_newest": -2, "oldest": 0}.get(criteria)
        if place is None:
            raise DeployError(f"the local world knows newest, second_newest and oldest, not {criteria}")
        return found[place] if found and -len(found) <= place < len(found) else None

    def _in_cluster(self, namespace: str, cluster: str) -> list[Manifest]:
        items = (
            i
            for i in self._cluster.list(namespace)
            if (i["metadata"].get("annotations") or {}).get(_CLUSTER) == cluster
        )
        return sorted(items, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]))

    def _attach(self, stage: Mapping[str, Any], manifests: Sequence[Manifest]) -> None:
        """As `trafficManagement` says: a stage that is to enable no traffic brings its pods up without any."""
        if not stage.get("services") or not stage.get("enableTraffic"):
            return
        for manifest in manifests:
            if manifest.get("kind") in _RECEIVES_TRAFFIC:
                attach(manifest, stage["services"], manifests, self._cluster)

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
    """What makes a new version of a ConfigMap or Secret."""
    return manifest.get("data"), manifest.get("stringData")


def _patching(manifest: Manifest) -> str:
    """kubectl shows the whole patch before the server's word; here it is the part of it that we can know."""
    metadata = manifest["metadata"]
    version = str(manifest["apiVersion"])
    group = version if "/" in version else f"/{version}"
    return (
        f"error when applying patch:\n{json.dumps({'metadata': {'annotations': metadata['annotations']}})}\nto:\n"
        f'Resource: "{group}, Resource={lower_kind(manifest).lower()}s", GroupVersionKind: "{group}, '
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
        name = image_name(image)
        if name in references:
            container["image"] = references[name]["reference"]
            bound.append(references[name])


def _namespace(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("metadata", {}).get("namespace") or "default")
