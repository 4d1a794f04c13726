"""docs/how-to/kustomize-and-helm.md, done as it says, in a running world: staging by Kustomize, production by Helm."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.local.testing import DownwindWorld

pytestmark = [pytest.mark.e2e, pytest.mark.engines]
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "kustomize-and-helm.md").read_text()
FILES = dict(re.findall(r"^```yaml\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
(UNDER_PRODUCTION,) = re.findall(
    r"^```yaml\n# downwind.yaml, under production\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]


@pytest.fixture
def stall(tmp_path: Path) -> Path:
    """examples/shop under another name, after what the page says."""
    folder = tmp_path / "stall"
    shutil.copytree(ROOT / "examples" / "shop", folder)
    base = folder / "deploy" / "base"
    (folder / "deploy" / "staging").rename(base)
    for gone in ("deploy/production", "deploy/production-canary", "pipelines"):
        shutil.rmtree(folder / gone)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    catalog = yaml.safe_load((folder / "downwind.yaml").read_text())
    catalog["environments"][1] |= yaml.safe_load(UNDER_PRODUCTION)
    (folder / "downwind.yaml").write_text(yaml.safe_dump(catalog))
    return folder


def run(command: str, folder: Path, environment: Mapping[str, str]) -> bytes:
    session = Session(environment={**os.environ, **environment}, folder=folder)
    done = CliRunner().invoke(main, shlex.split(command)[1:], obj=session)
    assert done.exit_code == 0, done.output
    return done.stdout_bytes


def test_the_page_is_true(downwind_world: DownwindWorld, stall: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (stall / ".git").mkdir()
    monkeypatch.chdir(stall)
    *local, of_a_release = COMMANDS
    printed = {command: run(command, stall, {}) for command in local}
    assert b"apps/v1" in printed["downwind render deploy/staging"]
    assert printed["downwind render deploy/staging -o table"].count(b"\n") == 4
    (stall / ".git").rmdir()
    for file in stall.rglob("*.yaml"):
        file.write_text(file.read_text().replace("shop", "stall"))
    downwind_world.add(stall)
    copy = downwind_world.clone("stall", stall)
    commit = copy.commit("kustomized")
    copy.push()
    downwind_world.wait_for("stall", "staging", commit)
    downwind_world.judge(downwind_world.wait_for_judgment("stall", "production", commit))
    downwind_world.wait_for("stall", "production", commit)
    live = json.dumps(downwind_world.cluster())
    assert '"track": "staging"' in live
    assert "Welcome back" in live
    bundle = run(of_a_release.replace("shop", "stall"), stall, downwind_world.environment)
    (written,) = [
        each
        for each in downwind_world.ports.bundles.list("stall/staging/")
        if each.name.endswith("/manifests.yaml") and "/rollout/" not in each.name
    ]
    stored = downwind_world.ports.bundles.read(written.name)
    assert stored is not None
    assert stored.data == bundle
