"""Which engine a directory's files ask for."""

import pytest

from downwind.render.engine import engine_of


@pytest.mark.parametrize(
    ("files", "engine"),
    [
        (["kustomization.yaml", "app.yaml"], "kustomize"),
        (["kustomization.yml"], "kustomize"),
        (["Kustomization"], "kustomize"),
        (["Chart.yaml", "values.yaml", "templates/app.yaml"], "helm"),
        (["Chart.yaml", "kustomization.yaml"], "kustomize"),
        (["app.yaml"], "plain"),
        (["base/kustomization.yaml", "charts/a/Chart.yaml", "app.yaml"], "plain"),
        (["chart.yaml", "Kustomization.yaml"], "plain"),
        ([], "plain"),
    ],
)
def test_the_directory_itself_says_its_engine(files: list[str], engine: str) -> None:
    assert engine_of(files) == engine
