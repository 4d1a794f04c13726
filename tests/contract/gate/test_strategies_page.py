"""The manifests and commands of docs/how-to/strategies.md: what stands there checks, and rolls out."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.contract.gate.test_strategies import Strategy

from downwind.adapters.memory import MemoryWorld
from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.cli.pipeline_file import Catalog, application_of, read
from downwind.cli.strategies import STRATEGIES
from downwind.model.execution import read_execution
from downwind.render.yaml_reader import read_documents

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "how-to" / "strategies.md").read_text()
IMAGE = "us-central1-docker.pkg.dev/acme/apps/shop"
SETTINGS = {
    "DOWNWIND_PROJECT": "acme",
    "DOWNWIND_LEDGER_BUCKET": "acme-ledger",
    "DOWNWIND_WORK_BUCKET": "acme-work",
    "DOWNWIND_CATALOG_BUCKET": "acme-catalog",
    "DOWNWIND_BUNDLES_BUCKET": "acme-bundles",
    "DOWNWIND_GATE_URL": "https://gate.acme.example",
}


def block(heading: str, first: str) -> str:
    """The yaml block below that heading whose first line begins so."""
    text = PAGE[PAGE.index(f"## {heading}") :]
    found: str = next(
        each for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if each.startswith(f"# {first}")
    )
    return found


def objects(heading: str, first: str) -> list[dict[str, Any]]:
    return read_documents("page.yaml", block(heading, first).encode())


def rolled_out(lab: Any, file: str, **parts: list[dict[str, Any]]) -> Strategy:
    shop = Strategy(lab, file)
    started = shop.start(1, "a", image=IMAGE, **parts)
    if file == "canary.yaml":
        lab.judge(started, "continue")
    assert read_execution(lab.ended(started)).deployed
    return shop


def test_blue_green(lab: Any) -> None:
    shop = rolled_out(lab, "blue-green.yaml", bundle=objects("Blue/green", "deploy/production/shop.yaml"))
    assert shop.labels() == {"shop-v000": {"app": "shop", "traffic": "shop"}}


def test_canary(lab: Any) -> None:
    canary = objects("Canary, judgment", "deploy/production-canary/shop.yaml")
    full = objects("Canary, judgment", "deploy/production/shop.yaml")
    shop = rolled_out(lab, "canary.yaml", canary=canary, full=full)
    live = shop.live("Deployment")
    assert sorted(live) == ["shop", "shop-canary"]
    (service,) = shop.live("Service").values()
    for each in live.values():
        assert service["spec"]["selector"].items() <= each["spec"]["template"]["metadata"]["labels"].items()


def test_job_first(lab: Any) -> None:
    job = objects("A job first", "deploy/production-job/migrate.yaml")
    full = objects("Canary, judgment", "deploy/production/shop.yaml")
    assert list(rolled_out(lab, "job-first.yaml", job=job, full=full).live("Job")) == ["migrate"]


def test_kayenta_in_the_place_of_the_judgment_is_right(tmp_path: Path) -> None:
    document = yaml.safe_load((ROOT / "pipelines" / "canary.yaml").read_text())
    (stage,) = yaml.safe_load(block("Let Kayenta decide", "in pipelines/deploy-production.yaml"))
    document["stages"] = [stage if each["type"] == "manualJudgment" else each for each in document["stages"]]
    (tmp_path / "p.yaml").write_text(yaml.safe_dump(document))
    assert read(tmp_path / "p.yaml", Catalog()).problems == ()


def test_the_commands_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    memory = MemoryWorld()
    memory.repository.create("https://github.com/acme/shop.git")
    lines = [
        line
        for each in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in each.replace("\\\n", "").splitlines()
    ]
    assert len(lines) == 6
    for line in lines:
        words = [
            name
            for word in shlex.split(line)[1:]
            for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
        ]
        session = Session(environment=dict(SETTINGS), folder=tmp_path, make_world=lambda settings: memory.world)
        done = CliRunner().invoke(main, words, obj=session, input="y\ny\n")
        differs = words[1] == "diff"
        assert done.exit_code == int(differs), done.output
        if words[1] == "init":
            catalog = Path("downwind.yaml")
            for name in ("staging", "production"):
                catalog.write_text(
                    catalog.read_text().replace(f"name: deploy-{name}}}", f"name: deploy-{name}, account: gke}}")
                )
    assert application_of(Path("downwind.yaml")).name == "shop"
    assert memory.pipelines.config("shop", "deploy-production") is not None


def test_the_parts_are_those_that_init_writes() -> None:
    named = [yaml.safe_load(each)["parts"] for each in re.findall(r"manifests: (\{parts: .*\})", PAGE)]
    assert named == [STRATEGIES["canary"].parts, STRATEGIES["job-first"].parts]
