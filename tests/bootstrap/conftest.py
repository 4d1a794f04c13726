"""Three configurations: the smallest one, the standard one, and one beside an existing cluster and Spinnaker."""

from pathlib import Path

import pytest

from downwind.bootstrap.config import read_config
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.values import Values

CONFIGS = Path(__file__).parent / "configs"
NAMES = ("smallest", "standard", "existing")
DIGEST = "0123456789abcdef" * 4


def make_plan(name: str, **change: object) -> Plan:
    """`change`: fields of the configuration, set after its defaults."""
    file = CONFIGS / f"{name}.yaml"
    return Plan(Values({**read_config(file.name, file.read_bytes()), **change}, DIGEST))


@pytest.fixture(params=NAMES)
def plan(request: pytest.FixtureRequest) -> Plan:
    return make_plan(request.param)


@pytest.fixture
def standard() -> Plan:
    return make_plan("standard")
