"""`scripts/rehearse`, with the configuration and the lines of docs/how-to/rehearse.md, typed as they stand there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS
from tests.bootstrap.rehearse import main, run
from tests.bootstrap.whole.conftest import ROOT

from downwind.bootstrap.package import make_package

pytestmark = pytest.mark.e2e
PAGE = ROOT / "docs" / "how-to" / "rehearse.md"
REHEARSE = str(ROOT / "scripts" / "rehearse")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (config,) = blocks("yaml")
    (tmp_path / "downwind.config.yaml").write_text(config)
    return tmp_path


def rehearse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((REHEARSE, *words), cwd=folder, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.long
def test_the_page_as_it_stands(folder: Path) -> None:
    """The package is given by name: the page makes it by scripts/package, which needs the engines."""
    (folder / "package.zip").write_bytes(make_package(ROOT / "functions"))
    begin, typed = blocks("sh")
    assert begin.splitlines() == ["scripts/package", "scripts/rehearse"]
    lines = []
    for line in typed.splitlines():
        packaged = re.match(r"downwind bootstrap (plan|apply|verify)\b", line)
        lines.append(f"{line} --package package.zip" if packaged else line)
        lines.append('echo "ended $?"')
    (folder / "typed.sh").write_text("\n".join(lines))
    done = rehearse(folder, "sh", "typed.sh")
    assert done.returncode == 0, done.stderr
    codes = [int(each) for each in re.findall(r"^ended (\d)$", done.stdout, re.MULTILINE)]
    assert codes == [2, 1, 0, 0, 0, 0, 0, 0], done.stdout + done.stderr
    assert "gcloud secrets versions add gate-token --data-file=- --project=acme-delivery" in done.stderr
    assert "sound: 26 ok, 0 FAILED, 0 not checked" in done.stdout
    assert "94 keep" in done.stdout
    assert "nothing leaves it" in done.stderr


INSTALL = """
apply() { downwind bootstrap apply --no-gcloud --yes --package package.zip > /dev/null; echo "ended $?"; }
apply
for each in gate-token github-token git-shop; do
  printf secret | gcloud secrets versions add $each --data-file=- --project=acme-delivery
done
apply
downwind bootstrap plan --package package.zip; echo "ended $?"
printf secret | gcloud secrets versions add gate-token --data-file=- --project=acme-delivery
downwind bootstrap plan --package package.zip --out plan.json > /dev/null; echo "ended $?"
downwind bootstrap apply plan.json --package package.zip --yes; echo "ended $?"
gcloud secrets versions disable 1 --secret=gate-token --project=acme-delivery; echo "ended $?"
downwind bootstrap plan --package package.zip > /dev/null; echo "ended $?"
downwind bootstrap verify --package package.zip -o json > proof.json; echo "ended $?"
git clone --quiet https://github.com/acme/shop.git && test -f shop/downwind.yaml; echo "ended $?"
downwind bootstrap destroy --no-gcloud --yes --with-data > /dev/null; echo "ended $?"
"""


@pytest.mark.long
def test_the_standard_installation_with_its_spinnaker_and_the_sample(tmp_path: Path) -> None:
    shutil.copytree(CONFIGS / "spinnaker", tmp_path / "spinnaker")
    config = yaml.safe_load((CONFIGS / "standard.yaml").read_text())
    del config["verify"]["tokenSecret"]  # for a repository by https, which the canary's is not here
    (tmp_path / "downwind.config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "package.zip").write_bytes(make_package(ROOT / "functions"))
    (tmp_path / "install.sh").write_text(INSTALL)
    done = rehearse(tmp_path, "sh", "install.sh")
    codes = [int(each) for each in re.findall(r"^ended (\d)$", done.stdout, re.MULTILINE)]
    assert codes == [1, 0, 0, 2, 0, 0, 0, 0, 0, 0], done.stdout + done.stderr
    found = json.loads((tmp_path / "proof.json").read_text())["checks"]
    assert {each["state"] for each in found} == {"ok", "not applicable"}
    assert len([each for each in found if each["group"] == "rollout" and each["state"] == "ok"]) == 11


@pytest.mark.long
def test_a_write_by_gcloud_is_seen_and_not_done(folder: Path) -> None:
    (folder / "package.zip").write_bytes(b"the source")
    done = rehearse(folder, "downwind", "bootstrap", "apply", "--yes", "--package", "package.zip")
    assert done.returncode == 1
    assert "--no-gcloud" in done.stderr


def test_without_a_configuration_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "downwind.config.yaml"), "true"])
    assert done.exit_code == 1
    assert "downwind bootstrap init" in done.stderr


def test_what_is_typed_in_it_can_be_stopped_by_ctrl_c() -> None:
    """A command has Ctrl-C as in any other shell: here it gets it at once."""
    line = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    assert run(dict(os.environ), (sys.executable, "-c", line)) == -signal.SIGINT
