"""Three configurations: the smallest one, the standard one, and one beside an existing cluster and Spinnaker."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bootstrap.site import MakeSite, Site, applied_states, start_site

from downwind.bootstrap.config import read_config
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.values import Values
from downwind.cli.bootstrap_files import read_files

CONFIGS = Path(__file__).parent / "configs"
NAMES = ("smallest", "standard", "existing")
DIGEST = "0123456789abcdef" * 4


def make_plan(name: str, **change: object) -> Plan:
    """`change`: fields of the configuration, set after its defaults."""
    file = CONFIGS / f"{name}.yaml"
    config = {**read_config(file.name, file.read_bytes()), **change}
    return Plan(Values(config, DIGEST, read_files(config, CONFIGS)))


@pytest.fixture(params=NAMES)
def plan(request: pytest.FixtureRequest) -> Plan:
    return make_plan(request.param)


@pytest.fixture
def standard() -> Plan:
    return make_plan("standard")


@pytest.fixture
def make_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeSite]:
    started: list[Site] = []

    def make(name: str, *, applied: bool = False, cluster: bool = True, **change: object) -> Site:
        """`applied`: as after a first apply, which is done once for all tests; without `cluster` nothing is in the cluster."""
        if applied and name not in applied_states:
            first = make(name)
            assert first.apply().failed == {}
            first.stop()
            applied_states[name] = first
        plan = make_plan(name, **change)
        number = str(len(started))
        site = start_site(plan, tmp_path / number, applied_states[name] if applied else None, cluster=cluster)
        started.append(site)
        for key, value in site.environment.items():
            monkeypatch.setenv(key, value)
        site.put_secrets_in()
        return site

    yield make
    for each in started:
        each.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without WITH_GCLOUD=1 (scripts/test --gcloud) they are skipped, and say so."""
    if os.environ.get("WITH_GCLOUD") != "1":
        for item in items:
            if item.get_closest_marker("gcloud"):
                reason = "no line is run by gcloud without scripts/test --gcloud: requests were compared with recordings alone"
                item.add_marker(pytest.mark.skip(reason=reason))
