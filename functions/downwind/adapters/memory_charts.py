"""Archives of charts in memory: the twin of `adapters.chart_archives`."""

import hashlib
from collections.abc import Sequence

from downwind.adapters.memory_faults import Faults
from downwind.errors import Refused
from downwind.model.engines import PinnedChart


class MemoryCharts(Faults):
    """Implements `ports_of_artifacts.Charts`; `keep` plays the repository."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, bytes] = {}

    def keep(self, repository: str, name: str, version: str, data: bytes) -> PinnedChart:
        """The chart as a catalog would pin it."""
        chart = PinnedChart(repository=repository, name=name, version=version, sha256=hashlib.sha256(data).hexdigest())
        self._kept[chart.address] = data
        return chart

    def archive(self, chart: PinnedChart, redirects: Sequence[str]) -> bytes:  # noqa: ARG002 - nothing leads on here
        self.check("archive")
        if chart.address not in self._kept:
            raise Refused(f"{chart.address}: it can't be read without credentials (404)", field="manifests.helm.charts")
        data = self._kept[chart.address]
        if hashlib.sha256(data).hexdigest() != chart.sha256:
            raise Refused(f"{chart.address} has another SHA-256", field="manifests.helm.charts")
        return data
