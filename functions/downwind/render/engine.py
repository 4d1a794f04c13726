"""Which engine a directory of manifests asks for, as Argo CD reads it."""

from collections.abc import Iterable
from typing import Literal

Engine = Literal["kustomize", "helm", "plain"]
_KUSTOMIZE = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


def engine_of(files: Iterable[str]) -> Engine:
    """`files`: paths below the directory. Only what lies directly in it counts. Kustomize goes before Helm, since a
    Kustomize directory may bring charts along."""
    names = set(files)
    if names & _KUSTOMIZE:
        return "kustomize"
    return "helm" if "Chart.yaml" in names else "plain"
