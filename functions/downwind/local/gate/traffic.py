"""Which ReplicaSet a Service sends its traffic to, as Clouddriver has it: the Service's selector becomes labels of the pods
(read: KubernetesServiceHandler, AbstractKubernetesEnableDisableManifestOperation), and leaves them again."""

from collections.abc import Mapping, Sequence
from typing import Any

from downwind.local.cluster import Cluster
from downwind.local.gate.changes import DeployError

LOAD_BALANCERS = "traffic.spinnaker.io/load-balancers"

Manifest = dict[str, Any]


def attach(manifest: Manifest, services: Sequence[str], others: Sequence[Manifest], cluster: Cluster) -> None:
    """Writes the annotation, and each service's selector into the pods' labels. A service may be one of `others`, which go
    with the same operation, or live already."""
    listed = ",".join(f'"{service}"' for service in services)
    manifest["metadata"].setdefault("annotations", {})[LOAD_BALANCERS] = f"[{listed}]"
    namespace = str(manifest["metadata"].get("namespace") or "default")
    labels = manifest["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})
    for service in services:
        selector = _selector(service, namespace, others, cluster)
        if not selector:
            raise DeployError("Service must have a non-empty selector in order to be attached to a workload")
        if selector.keys() & labels.keys():
            raise DeployError("Service selector must have no label keys in common with target workload")
        labels |= selector


def enable(item: Manifest, cluster: Cluster) -> None:
    """Gives the pods of a live ReplicaSet the labels of the services that its annotation names."""
    _labels(item).update(_balanced(item, cluster))


def disable(item: Manifest, cluster: Cluster) -> None:
    """Takes them away again; what has no annotation is left as it is."""
    for key in _balanced(item, cluster):
        _labels(item).pop(key, None)


def _balanced(item: Mapping[str, Any], cluster: Cluster) -> dict[str, str]:
    text = (item["metadata"].get("annotations") or {}).get(LOAD_BALANCERS, "[]")
    services = [each.strip().strip('"') for each in text.strip("[]").split(",") if each.strip()]
    found: dict[str, str] = {}
    for service in services:
        found |= _selector(service, str(item["metadata"].get("namespace", "")), (), cluster)
    return found


def _labels(item: Manifest) -> dict[str, str]:
    labels: dict[str, str] = item["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})
    return labels


def _selector(service: str, namespace: str, others: Sequence[Manifest], cluster: Cluster) -> dict[str, str]:
    kind, _, name = service.partition(" ")
    if kind.lower() != "service" or not name:
        form = "Load balancers must be specified in the form '{kind} {name}', e.g. 'service my-service'."
        raise DeployError(f"Failed to attach load balancer '{service}'. {form}")
    with_it = (each for each in others if each.get("kind") == "Service" and each["metadata"].get("name") == name)
    found: Mapping[str, Any] | None = next(with_it, None) or cluster.get(namespace, "Service", name)
    if found is None:
        raise DeployError(f"Load balancer service {name} does not exist")
    return dict((found.get("spec") or {}).get("selector") or {})
