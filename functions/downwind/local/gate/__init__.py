"""Spinnaker on a laptop: Gate's routes, Orca's runs, Echo's events and Clouddriver's deploys in one part.

It starts from exchanges recorded from real Gate, Orca, Echo and Front50 2026.2.3 (tests/contract/gate/recorded); what it
has, and where it differs, stands in docs/reference/local-gate.md.
"""

from downwind.local.gate.server import GateServer

__all__ = ["GateServer"]
