"""A cluster in memory: objects as whole manifests, and whoever stands in for the admission policy."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from downwind.errors import Refused
from downwind.ports import Marked

Review = Callable[[Mapping[str, Any], Mapping[str, Any] | None], str | None]
"""(new, old) to the refusal, in the API server's words, or None."""
_ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


@dataclass(slots=True, kw_only=True)
class MemoryCluster:
    """`objects` and `namespaces` (name to labels) are for tests to fill and to disturb."""

    name: str = "memory"
    review: Review = lambda _new, _old: None
    objects: list[dict[str, Any]] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)

    def admission(self) -> Sequence[Mapping[str, Any]]:
        return [each for each in self.objects if each["kind"] in _ADMISSION]

    def namespace(self, name: str) -> Mapping[str, str] | None:
        return self.namespaces.get(name)

    def annotations(self, namespace: str, config_map: str) -> Mapping[str, str] | None:
        wanted = ("ConfigMap", namespace, config_map)
        found = (each["metadata"].get("annotations") or {} for each in self.objects if _place(each) == wanted)
        return next(found, None)

    def marked(self) -> Sequence[Marked]:
        return [
            Marked(
                api_version=each["apiVersion"],
                kind=each["kind"],
                namespace=each["metadata"].get("namespace", ""),
                name=each["metadata"]["name"],
                annotations=each["metadata"]["annotations"],
                labels=each["metadata"].get("labels") or {},
                controlled=any(owner.get("controller") for owner in each["metadata"].get("ownerReferences") or ()),
            )
            for each in self.objects
            if "downwind.dev/owner" in (each["metadata"].get("annotations") or {})
        ]

    def live(self, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        found = next((each for each in self.objects if _place(each) == _place(manifest)), None)
        return copy.deepcopy(found)

    def preview(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """An apply replaces what the manifest says and leaves the rest, lists as they are given."""
        refusal = self.dry_run(manifest)
        if refusal is not None:
            raise Refused(f"cluster {self.name}: {refusal}")
        made: dict[str, Any] = _merged(self.live(manifest) or {}, manifest)
        return made

    def dry_run(self, manifest: Mapping[str, Any]) -> str | None:
        namespace = manifest["metadata"].get("namespace")
        if namespace is not None and namespace not in self.namespaces:
            raise Refused(f'cluster {self.name}: namespaces "{namespace}" not found')
        standing = (each for each in self.objects if _place(each) == _place(manifest))
        return self.review(manifest, next(standing, None))


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return copy.deepcopy(dict(old)) | {key: _merged(old.get(key), inner) for key, inner in new.items()}
    return copy.deepcopy(new)


def _place(item: Mapping[str, Any]) -> tuple[str, str | None, str]:
    return item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]
