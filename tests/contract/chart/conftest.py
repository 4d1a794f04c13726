"""The pinned Helm, for what renders the chart."""

import pytest
from tests.contract.chart.helm import Helm, fetched


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return fetched(tmp_path_factory.mktemp("helm"))
