"""Which ReplicaSet a Service sends its traffic to, as Clouddriver has it: the Service's selector becomes labels of the pods
(read: KubernetesServiceHandler, AbstractKubernetesEnableDisableManifestOperation), and leaves them again."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from downwind.local.cluster import Cluster

LOAD_BALANCERS = "traffic.spinnaker.io/load-balancers"

Manifest = dict[str, Any]


class TrafficError(Exception):
    """Clouddriver's own sentence."""


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
            raise TrafficError("Service must have a non-empty selector in order to be attached to a workload")
        if selector.keys() & labels.keys():
            raise TrafficError("Service selector must have no label keys in common with target workload")
        labels |= selector


def detach(live: Mapping[str, Any], cluster: Cluster) -> None:
    """Takes the labels of the annotated services away from the ReplicaSet that is live; what has none is left as it is."""
    namespace, name = live["metadata"].get("namespace", ""), live["metadata"]["name"]
    text = (live["metadata"].get("annotations") or {}).get(LOAD_BALANCERS, "[]")
    services = [each.strip().strip('"') for each in text.strip("[]").split(",") if each.strip()]
    gone = {key for service in services for key in _selector(service, namespace, (), cluster)}

    def without(old: Manifest | None) -> Manifest:
        changed = copy.deepcopy(old or dict(live))
        labels = changed["spec"]["template"]["metadata"]["labels"]
        changed["spec"]["template"]["metadata"]["labels"] = {k: v for k, v in labels.items() if k not in gone}
        return changed

    cluster.write(namespace, live["kind"], name, without)


def _selector(service: str, namespace: str, others: Sequence[Manifest], cluster: Cluster) -> dict[str, str]:
    kind, _, name = service.partition(" ")
    if kind.lower() != "service" or not name:
        form = "Load balancers must be specified in the form '{kind} {name}', e.g. 'service my-service'."
        raise TrafficError(f"Failed to attach load balancer '{service}'. {form}")
    with_it = (each for each in others if each.get("kind") == "Service" and each["metadata"].get("name") == name)
    found: Mapping[str, Any] | None = next(with_it, None) or cluster.get(namespace, "Service", name)
    if found is None:
        raise TrafficError(f"Load balancer service {name} does not exist")
    return dict((found.get("spec") or {}).get("selector") or {})
