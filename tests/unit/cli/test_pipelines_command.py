"""`downwind pipelines`: files checked offline, compared with what Spinnaker has, saved and pulled."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
BAD = ROOT / "tests" / "unit" / "soundness" / "bad"


def test_right_files_are_told_with_what_they_serve(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(BAD / "downwind.yaml", tmp_path)
    shutil.copy(ROOT / "pipelines" / "rolling.yaml", tmp_path / "deploy-staging.yaml")
    shutil.copy(ROOT / "pipelines" / "canary.yaml", tmp_path / "canary.yaml")
    (tmp_path / "nightly.yaml").write_text("application: tools\nname: nightly\nstages: [{type: wait, waitTime: 1}]\n")
    result = cli.run("pipelines", "check", "deploy-staging.yaml", "canary.yaml", "nightly.yaml")
    assert result.stdout.splitlines() == [
        "deploy-staging.yaml: pipeline shop/deploy-staging, serves shop/staging: right",
        "canary.yaml: pipeline {{pipeline_application}}/{{pipeline}}, for any environment: right",
        "nightly.yaml: pipeline tools/nightly, of no environment: only Spinnaker's rules were looked at: right",
    ]
    assert result.exit_code == 0


def test_a_mistake_is_told_with_its_line_and_ends_with_1(cli: Any) -> None:
    file = BAD / "undo-rollout.yaml"
    result = cli.run("pipelines", "check", str(file))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{file}:73:11: stages[3].type: rolls back past the ledger")
    (found,) = json.loads(cli.run("pipelines", "check", str(file), "-o", "json").stdout)["files"]
    assert (found["file"], found["environment"]) == (str(file), "shop/staging")
    assert {key: found["problems"][0][key] for key in ("line", "field")} == {"line": 73, "field": "stages[3].type"}


def test_the_environment_may_be_said(cli: Any) -> None:
    canary = str(ROOT / "pipelines" / "canary.yaml")
    choice = ("--catalog", str(BAD / "downwind.yaml"), "--environment")
    assert cli.run("pipelines", "check", canary, *choice, "shop/production").exit_code == 0
    wrong = cli.run("pipelines", "check", canary, *choice, "shop/staging")
    assert (wrong.exit_code, "lack the gcs/object" in wrong.stdout) == (1, True)
    nowhere = cli.run("pipelines", "check", canary, *choice, "shop/moon")
    assert (nowhere.exit_code, "environments are: shop/staging, shop/production" in nowhere.stderr) == (1, True)


def test_a_stage_of_a_plugin_can_be_allowed(cli: Any) -> None:
    file = str(BAD / "stage-unknown.yaml")
    assert cli.run("pipelines", "check", file).exit_code == 1
    assert cli.run("pipelines", "check", file, "--allow-stage", "deployManifests").exit_code == 0


def test_a_broken_catalog_file_is_told_first(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "downwind.yaml").write_text("kind: Application\n")
    shutil.copy(ROOT / "pipelines" / "rolling.yaml", tmp_path / "deploy-staging.yaml")
    result = cli.run("pipelines", "check", str(tmp_path / "deploy-staging.yaml"))
    assert result.exit_code == 1
    assert f"downwind app check {tmp_path / 'downwind.yaml'}" in result.stderr


def test_a_file_that_is_not_there_is_told(cli: Any) -> None:
    result = cli.run("pipelines", "check", "nowhere.yaml")
    assert (result.exit_code, "nowhere.yaml cannot be read" in result.stderr) == (1, True)


def test_the_schema_is_printed(cli: Any) -> None:
    printed = cli.run("pipelines", "schema").stdout
    assert yaml.safe_load(printed)["title"] == "One Spinnaker pipeline, as a file of Downwind"
