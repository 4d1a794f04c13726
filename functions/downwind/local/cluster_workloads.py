"""When a workload of the local cluster is ready: at once, or never."""

from collections.abc import Iterator, Mapping
from typing import Any

FAIL = "local.downwind.dev/fail"
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod"})

Object = dict[str, Any]


def failure(item: Mapping[str, Any]) -> str | None:
    """Why this object will never be ready, or None: it is."""
    if item.get("kind") not in _WORKLOADS:
        return None
    if (item["metadata"].get("annotations") or {}).get(FAIL) == "true":
        return f'the annotation {FAIL}: "true" says so'
    for image in images(item):
        if "@sha256:" not in image:
            return f"ImagePullBackOff: {image} has no digest, and the local cluster runs nothing else"
    return None


def status_of(item: Object) -> Object:
    """The status that the controllers of a real cluster would have written once all is over."""
    kind, broken = item["kind"], failure(item)
    spec = item.get("spec") or {}
    if kind == "Job":
        outcome = {"type": "Failed", "status": "True", "message": broken} if broken else {"type": "Complete"}
        return {"status": {"succeeded": 0 if broken else 1, "conditions": [{"status": "True", **outcome}]}}
    if kind not in _WORKLOADS:
        return {}
    wanted = int(spec.get("replicas", 1))
    ready = 0 if broken else wanted
    progressing = {
        "type": "Progressing",
        "status": "False" if broken else "True",
        "reason": "ProgressDeadlineExceeded" if broken else "NewReplicaSetAvailable",
        "message": broken or "",
    }
    return {
        "status": {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": wanted,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": wanted,
            "conditions": [progressing],
        }
    }


def images(item: Mapping[str, Any]) -> Iterator[str]:
    """Of a workload's pods, as its manifest writes them."""
    spec = item.get("spec") or {}
    pod = spec if item["kind"] == "Pod" else (spec.get("template") or {}).get("spec") or {}
    for group in ("initContainers", "containers"):
        for container in pod.get(group) or []:
            yield str(container.get("image", ""))
