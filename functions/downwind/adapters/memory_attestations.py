"""Attestations in memory: the twin of `adapters.artifact_analysis`."""

from collections.abc import Sequence

from downwind.adapters.memory_faults import Faults
from downwind.ports import Provenance


class MemoryAttestations(Faults):
    """Implements `ports.Attestations`; `attest` plays the builder."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[tuple[str, str], list[Provenance]] = {}

    def attest(self, name: str, digest: str, builder: str, *sources: tuple[str, str]) -> None:
        self._held.setdefault((name, digest), []).append(Provenance(builder=builder, sources=sources))

    def provenance(self, name: str, digest: str) -> Sequence[Provenance]:
        self.check("provenance")
        return tuple(self._held.get((name, digest), ()))
