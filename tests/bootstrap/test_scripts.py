"""The scripts as people call them: from a folder of theirs, with files of theirs."""

import shutil
import subprocess
from pathlib import Path

from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS

from downwind.cli import package_sbom

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(folder: Path, name: str, *line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / name, *line], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def test_files_are_those_of_the_folder_that_a_script_is_called_from(tmp_path: Path) -> None:
    shutil.copy(CONFIGS / "smallest.yaml", tmp_path / "mine.yaml")
    (tmp_path / "mine.zip").write_bytes(b"the source")
    planned = run(tmp_path, "bootstrap", "plan", "--offline", "--config", "mine.yaml", "--package", "mine.zip")
    assert planned.returncode == 2, planned.stderr
    assert "+ create  bucket/ledger" in planned.stdout
    deployed = run(tmp_path, "deploy", "--config", "mine.yaml", "--package", "missing.zip")
    assert "missing.zip cannot be read" in deployed.stderr, "so the configuration was"
    billed = run(tmp_path, "sbom", "mine.zip")
    assert "mine.zip is no package of the functions" in billed.stderr


def test_the_help_of_sbom_has_examples() -> None:
    helped = CliRunner().invoke(package_sbom.main, ["--help"], prog_name="scripts/sbom")
    assert helped.exit_code == 0
    assert "Usage: scripts/sbom [OPTIONS] PACKAGE" in helped.output
    assert "scripts/package && scripts/sbom dist/*.zip" in helped.output
