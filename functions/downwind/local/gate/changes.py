"""What Clouddriver's operations change in one live object, and how Spinnaker names one. Pure but for the time of a restart."""

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]


class DeployError(Exception):
    """Clouddriver's own sentence about the manifest that stopped the operation."""


def full_name(manifest: Mapping[str, Any]) -> str:
    """`<kind> <name>`, the kind with a small letter first."""
    return f"{lower_kind(manifest)} {manifest.get('metadata', {}).get('name', '')}"


def lower_kind(manifest: Mapping[str, Any]) -> str:
    kind = str(manifest.get("kind", ""))
    return kind[:1].lower() + kind[1:]


def scale(item: Manifest, context: Mapping[str, Any]) -> None:
    item.setdefault("spec", {})["replicas"] = int(context.get("replicas", 1))


def restart(item: Manifest, _context: Mapping[str, Any]) -> None:
    metadata = item["spec"]["template"].setdefault("metadata", {})
    metadata.setdefault("annotations", {})["kubectl.kubernetes.io/restartedAt"] = datetime.now(UTC).isoformat()


def undo(item: Manifest, _context: Mapping[str, Any]) -> None:
    raise DeployError(f"the local cluster keeps no revisions of {full_name(item)} to go back to")


def patch(item: Manifest, context: Mapping[str, Any]) -> None:
    """A merge patch; lists are replaced, as in JSON's, where a strategic one would merge some by name."""
    _merge(item, context.get("patchBody") or {})


def selected(item: Manifest, selectors: Mapping[str, Any]) -> bool:
    """DeployError for a kind of selector that is not known here."""
    labels = item["metadata"].get("labels") or {}
    for selector in selectors.get("selectors") or []:
        if selector.get("kind") != "EQUALS":
            raise DeployError(f"the local world knows label selectors of kind EQUALS only, not {selector.get('kind')}")
        if labels.get(selector.get("key")) not in (selector.get("values") or []):
            return False
    return True


def image_name(image: str) -> str:
    return image.partition("@")[0] if "@" in image else image.rpartition(":")[0] or image


def _merge(target: Manifest, change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)
