"""Attestations in memory: the twin of `adapters.artifact_analysis`."""

from collections.abc import Sequence
from dataclasses import replace

from downwind.adapters.memory_faults import Faults
from downwind.model.policy import SigningKey
from downwind.ports_of_artifacts import Provenance


class MemoryAttestations(Faults):
    """Implements `ports_of_artifacts.Attestations`; `attest` plays the builder."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[tuple[str, str], list[Provenance]] = {}

    def attest(
        self, name: str, digest: str, builder: str, *sources: tuple[str, str], signed_by: str | None = None
    ) -> None:
        statement = Provenance(builder=builder, sources=sources, signed_by=signed_by)
        self._held.setdefault((name, digest), []).append(statement)

    def provenance(self, name: str, digest: str, keys: Sequence[SigningKey] = ()) -> Sequence[Provenance]:
        self.check("provenance")
        known = {key.id for key in keys}
        found = self._held.get((name, digest), ())
        return tuple(replace(each, signed_by=each.signed_by if each.signed_by in known else None) for each in found)
