"""An installation that is applied on the fake, with the local world behind it, and a canary. In `machine` the local world's
functions stand for those of the package; in `installed` the package's own run, set and pushed to as `infra/wanted` says."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.bootstrap.edge.machine import Machine, add_canary, apply_here, put_secret, run, started

from downwind.bootstrap.config import read_config
from downwind.bootstrap.package import digest, make_package
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.values import Values

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CONFIG, PACKAGE = "downwind.config.yaml", "package.zip"
Bootstrap = Callable[..., Any]


@contextmanager
def installation(folder: Path, package: bytes, *, whole: bool) -> Iterator[Machine]:
    config = folder / CONFIG
    shutil.copy(HERE / "installation.yaml", config)
    (folder / PACKAGE).write_bytes(package)
    with started(folder, config, package=whole) as made:
        put_secret(made, "gate-token", "let me in")
        plan = Plan(Values(read_config(config.name, config.read_bytes()), digest(package)))
        apply_here(made, plan, package)
        add_canary(made, ROOT / "examples" / "shop", "canary", "staging")
        yield made


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with installation(tmp_path_factory.mktemp("installation"), b"the source", whole=False) as made:
        yield made


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    package = make_package(ROOT / "functions")
    with installation(tmp_path_factory.mktemp("installed"), package, whole=True) as made:
        yield made


def bootstrap(machine: Machine, verb: str, *arguments: str) -> Any:
    """The command line in a process of its own, as it stands on a person's machine."""
    start = (sys.executable, "-c", "from downwind.cli.main import main; main()", "bootstrap", verb)
    return run(machine, *start, *arguments)
