"""Writes the sequence into a bundle at trigger time, and the guard in front of it.

Pure and deterministic: the same bundle and the same number give the same bytes, whoever stamps them and whenever.
"""

from typing import Any

from downwind.render.serialise import document, join, split

_HIGHEST = 999_999_999_999_999_999  # 18 digits: what the admission policy takes


def guard_name(application: str, environment: str) -> str:
    """The ConfigMap in every stamped manifest that a stale one cannot get past."""
    return f"downwind.{application}.{environment}.guard"


def stamp(documents: bytes, *, application: str, environment: str, namespace: str, sequence: int) -> bytes:
    """`documents` as `make_bundle` wrote them: first the guard in `namespace` (the environment's), then every
    object with the annotation `downwind.dev/sequence`; never a pod template.

    A bundle that is one Job is for a runJob stage, which takes exactly one manifest: it gets no guard.
    ValueError: a sequence that is not a whole number from 1 to 18 digits.
    """
    if not 1 <= sequence <= _HIGHEST:
        raise ValueError(f"a sequence is a whole number from 1 to {_HIGHEST}, not {sequence}")
    objects = split(documents)
    for value in objects:
        value["metadata"]["annotations"]["downwind.dev/sequence"] = str(sequence)
    if not _is_job(objects):
        objects.insert(0, _guard(application, environment, namespace, sequence))
    return join(document(value, f"{value['kind']} {value['metadata']['name']}") for value in objects)


def _is_job(objects: list[dict[str, Any]]) -> bool:
    return len(objects) == 1 and objects[0]["kind"] == "Job" and objects[0]["apiVersion"].startswith("batch/")


def _guard(application: str, environment: str, namespace: str, sequence: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": guard_name(application, environment),
            "namespace": namespace,
            "annotations": {
                "downwind.dev/owner": f"{application}/{environment}",
                "downwind.dev/sequence": str(sequence),
                # Spinnaker would write …guard-v000 otherwise: a new object each time, which guards nothing.
                "strategy.spinnaker.io/versioned": "false",
            },
        },
    }
