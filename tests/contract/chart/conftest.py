"""The pinned Helm, for what renders the chart; what scripts/chart-tools has, for what is marked `chart`."""

import os
from pathlib import Path

import pytest
from tests.contract.chart.helm import Helm, fetched


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without CHART_TOOLS (scripts/test --chart) what needs them is not collected; where it is empty, they say why."""
    here = Path(__file__).parent
    ours = [item for item in items if item.path.is_relative_to(here) and item.get_closest_marker("chart")]
    if "CHART_TOOLS" not in os.environ:
        items[:] = [item for item in items if item not in ours]
    elif not os.environ["CHART_TOOLS"]:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason="NOT TESTED: scripts/chart-tools gave no linter"))


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return fetched(tmp_path_factory.mktemp("helm"))
