"""One installation for all of these tests: applied on the fake, with the local world behind it, and a canary."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.edge.machine import Machine, add_canary, apply_here, put_secret, run, started

from downwind.bootstrap.config import read_config
from downwind.bootstrap.package import digest
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.values import Values

HERE = Path(__file__).parent
SHOP = HERE.parents[2] / "examples" / "shop"
Bootstrap = Callable[..., Any]


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("installation")
    config = folder / "downwind.config.yaml"
    shutil.copy(HERE / "installation.yaml", config)
    (folder / "package.zip").write_bytes(b"the source")
    with started(folder, config) as made:
        put_secret(made, "gate-token", "let me in")
        text = config.read_bytes()
        plan = Plan(Values(read_config(config.name, text), digest(b"the source")))
        apply_here(made, plan, b"the source")
        add_canary(made, SHOP, "canary")
        yield made


@pytest.fixture
def bootstrap(machine: Machine) -> Bootstrap:
    def on(verb: str, *arguments: str) -> Any:
        return bootstrap_on(machine, verb, *arguments)

    return on


def bootstrap_on(machine: Machine, verb: str, *arguments: str) -> Any:
    """The command line in a process of its own, as it stands on a person's machine."""
    start = (sys.executable, "-c", "from downwind.cli.main import main; main()", "bootstrap", verb)
    return run(machine, *start, "--package", "package.zip", *arguments)
