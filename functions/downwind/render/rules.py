"""The catalog's policy against one object. Every breach is told, with its path in the object and the rule."""

from collections.abc import Iterator, Mapping
from typing import Any

from downwind.model.policy import Policy, matches
from downwind.render.images import image_name
from downwind.render.kinds import group_of, is_namespaced
from downwind.render.pods import containers, mappings, pods

_RUN_TO_AN_END = frozenset({"Job", "CronJob"})
_HARMLESS = frozenset({"NET_BIND_SERVICE"})
"""Of the capabilities: the one that the Pod Security Standards let a restricted pod add."""
_SWITCHES = ("hostNetwork", "hostPID", "hostIPC")


def breaches(value: dict[str, Any], policy: Policy, namespace: str) -> Iterator[str]:
    """`path: what (policy.rule)` of each. `namespace` is the environment's, which is always allowed."""
    yield from _of_object(value, policy, namespace)
    if not policy.about_pods:
        return
    if "hostPath" in policy.deny and value["kind"] == "PersistentVolume" and "hostPath" in _mapping(value.get("spec")):
        yield "spec.hostPath: a path of the node (policy.deny hostPath)"
    for path, pod in pods(value):
        yield from _of_pod(path, pod, policy)
        for place, name, container in containers(path, pod):
            yield from _of_container(place, pod, container, policy)
            if name == "containers" and value["kind"] not in _RUN_TO_AN_END:
                for probe in ("livenessProbe", "readinessProbe"):
                    if probe in policy.require and not container.get(probe):
                        yield f"{place}.{probe}: is missing (policy.require {probe})"


def _of_object(value: dict[str, Any], policy: Policy, namespace: str) -> Iterator[str]:
    group, metadata = group_of(value["apiVersion"]), value["metadata"]
    kind = f"{group}/{value['kind']}" if group else value["kind"]
    if policy.kinds and not matches(policy.kinds, kind):
        yield f"kind: {kind} is not among the kinds that are allowed (policy.kinds.allow)"
    if matches(policy.deny_kinds, kind):
        yield f"kind: {kind} is not allowed (policy.kinds.deny)"
    own = metadata.get("namespace")
    if policy.namespaces and own and own != namespace and not matches(policy.namespaces, own):
        yield f"metadata.namespace: {own} is not allowed (policy.namespaces)"
    if "clusterWide" in policy.deny and not own and not is_namespaced(value["apiVersion"], value["kind"]):
        yield "metadata.namespace: an object for the whole cluster (policy.deny clusterWide)"
    for label in policy.labels:
        if label not in (metadata.get("labels") or {}):
            yield f"metadata.labels: {label} is missing (policy.labels)"


def _of_pod(path: str, pod: dict[str, Any], policy: Policy) -> Iterator[str]:
    for switch in _SWITCHES:
        if switch in policy.deny and pod.get(switch):
            yield f"{path}.{switch}: is set (policy.deny {switch})"
    for index, volume in mappings(pod.get("volumes")):
        place = f"{path}.volumes[{index}]"
        if "hostPath" in policy.deny and "hostPath" in volume:
            yield f"{place}.hostPath: a path of the node (policy.deny hostPath)"
        reference = _mapping(volume.get("image")).get("reference")
        if isinstance(reference, str):
            yield from _of_image(f"{place}.image.reference", reference, policy)


def _of_container(place: str, pod: dict[str, Any], container: dict[str, Any], policy: Policy) -> Iterator[str]:
    own, of_pod = _mapping(container.get("securityContext")), _mapping(pod.get("securityContext"))
    context = f"{place}.securityContext"
    if "privileged" in policy.deny and own.get("privileged"):
        yield f"{context}.privileged: is set (policy.deny privileged)"
    if "privilegeEscalation" in policy.deny and own.get("allowPrivilegeEscalation") is not False:
        yield f"{context}.allowPrivilegeEscalation: is not false (policy.deny privilegeEscalation)"
    if "capabilities" in policy.deny:
        added = _mapping(own.get("capabilities")).get("add")
        if isinstance(added, list) and not {str(each) for each in added} <= _HARMLESS:
            yield f"{context}.capabilities.add: {', '.join(map(str, added))} (policy.deny capabilities)"
    if "root" in policy.deny:
        user = own.get("runAsUser", of_pod.get("runAsUser"))
        if own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True or user == 0:
            yield f"{context}.runAsNonRoot: may run as root (policy.deny root)"
    if "readOnlyRootFilesystem" in policy.require and own.get("readOnlyRootFilesystem") is not True:
        yield f"{context}.readOnlyRootFilesystem: is not true (policy.require readOnlyRootFilesystem)"
    if "hostPort" in policy.deny:
        for index, port in mappings(container.get("ports")):
            if port.get("hostPort"):
                yield f"{place}.ports[{index}].hostPort: is set (policy.deny hostPort)"
    for rule in policy.require:
        what, _, resource = rule.partition(".")
        if resource and not _given(container, pod, what, resource):
            yield f"{place}.resources.{rule}: is missing (policy.require {rule})"
    if isinstance(container.get("image"), str):
        yield from _of_image(f"{place}.image", container["image"], policy)


def _given(container: Mapping[str, Any], pod: Mapping[str, Any], what: str, resource: str) -> bool:
    """Kubernetes takes a limit as the request where there is none; a pod may have resources of its own (1.34)."""
    kinds = ("requests", "limits") if what == "requests" else ("limits",)
    holders = (_mapping(each.get("resources")) for each in (container, pod))
    return any(resource in _mapping(holder.get(kind)) for holder in holders for kind in kinds)


def _of_image(place: str, reference: str, policy: Policy) -> Iterator[str]:
    if policy.registries and not matches(policy.registries, image_name(reference)):
        yield f"{place}: {reference} is not from a registry that is allowed (policy.registries)"
    if "digest" in policy.require and "@sha256:" not in reference:
        yield f"{place}: {reference} has no digest (policy.require digest)"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
