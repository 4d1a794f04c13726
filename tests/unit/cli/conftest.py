"""The command line on the shop of the shared conftest: the real handlers have filled the ledger that it reads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from downwind.adapters.memory_spinnaker import MemorySpinnaker
from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.settings import read_settings

SETTINGS = {
    "DOWNWIND_PROJECT": "acme",
    "DOWNWIND_LEDGER_BUCKET": "acme-ledger",
    "DOWNWIND_WORK_BUCKET": "acme-work",
    "DOWNWIND_CATALOG_BUCKET": "acme-catalog",
    "DOWNWIND_BUNDLES_BUCKET": "acme-bundles",
    "DOWNWIND_GATE_URL": "https://gate.acme.example",
}


class Cli:
    """`run` gives click's result; `json` the parsed output of a command that must succeed. `passing` is called whenever a
    command sleeps: the world goes on meanwhile."""

    def __init__(self, memory: Any, folder: Path) -> None:
        self.memory = memory
        self.folder = folder
        self.settings = dict(SETTINGS)
        self.spinnaker = MemorySpinnaker(memory.pipelines)
        self.passing: Callable[[], None] = lambda: None
        self.settings = dict(SETTINGS)

    def session(self) -> Session:
        return Session(
            environment=dict(self.settings),
            folder=self.folder,
            make_world=lambda settings: self.memory.world,
            make_spinnaker=lambda settings: self.spinnaker,
            now=self.memory.clock,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.memory.clock.advance(seconds)
        self.passing()

    def run(self, *arguments: str, answers: str | None = None) -> Result:
        result = CliRunner().invoke(main, list(arguments), obj=self.session(), input=answers)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str) -> Any:
        result = self.run(*arguments, "-o", "json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def steps(self, thing: str) -> list[dict[str, Any]]:
        """Of `why`, where it answers with one chain."""
        (chain,) = self.json("why", thing)["chains"]
        found: list[dict[str, Any]] = chain["steps"]
        return found

    def told(self, thing: str, step: str) -> list[str]:
        """What `why` says under that step."""
        return [line["text"] for line in self.steps(thing) if line["step"] == step]


@pytest.fixture
def cli(memory: Any, tmp_path: Path) -> Cli:
    return Cli(memory, tmp_path)


@pytest.fixture
def settings() -> Any:
    return read_settings(SETTINGS, receives=False)
