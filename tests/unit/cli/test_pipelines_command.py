"""`downwind pipelines`: files checked offline, compared with what Spinnaker has, saved and pulled."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from downwind.model.read_catalog import read_application
from downwind.perform.catalog import apply
from downwind.soundness.pipeline import check_pipeline

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


@pytest.fixture
def files(cli: Any, shop: Any, tmp_path: Path) -> Path:
    """The shop's two pipelines as files; its catalog names the account."""
    text = shop.catalog.replace("name: deploy-staging}", "name: deploy-staging, account: gke}").replace(
        "name: deploy-production}", "name: deploy-production, account: gke}"
    )
    apply(cli.memory.world, read_application(yaml.safe_load(text)), text.encode())
    for environment, strategy in (("staging", "rolling"), ("production", "judgment")):
        shutil.copy(ROOT / "pipelines" / f"{strategy}.yaml", tmp_path / f"deploy-{environment}.yaml")
    return tmp_path


def test_a_diff_says_what_saving_would_change(cli: Any, files: Path) -> None:
    file = str(files / "deploy-staging.yaml")
    result = cli.run("pipelines", "diff", file)
    assert result.exit_code == 1
    assert "--- Spinnaker shop/deploy-staging" in result.stdout
    assert "+spelEvaluator: v4" in result.stdout
    cli.run("pipelines", "save", file, "--yes")
    result = cli.run("pipelines", "diff", file)
    assert (result.exit_code, result.stdout) == (0, f"{file}: shop/deploy-staging is as in the file\n")


def test_saving_asks_keeps_the_id_and_is_done_once(cli: Any, files: Path) -> None:
    file = str(files / "deploy-staging.yaml")
    before = cli.memory.pipelines.config("shop", "deploy-staging")
    refused = cli.run("pipelines", "save", file, answers="n\n")
    assert (refused.exit_code, "nothing was changed" in refused.stderr) == (1, True)
    assert cli.memory.pipelines.config("shop", "deploy-staging") == before
    assert cli.run("pipelines", "save", file).exit_code == 1  # nobody answers
    saved = cli.run("pipelines", "save", file, answers="y\n")
    assert (saved.exit_code, saved.stdout.splitlines()[-1]) == (0, f"shop/deploy-staging saved from {file}")
    after = cli.memory.pipelines.config("shop", "deploy-staging")
    assert after.id == before.id
    assert after.document["stages"][2]["account"] == "gke"
    assert after.document["expectedArtifacts"][0]["matchArtifact"]["name"] == "gs://acme-bundles/shop/staging"
    again = cli.run("pipelines", "save", file)
    assert (again.exit_code, again.stdout) == (0, f"shop/deploy-staging is as in {file}: not saved again\n")
    assert cli.memory.pipelines.config("shop", "deploy-staging") == after


def test_what_is_saved_is_sound(cli: Any, files: Path) -> None:
    assert cli.run("pipelines", "save", *map(str, sorted(files.glob("deploy-*.yaml"))), "--yes").exit_code == 0
    application = read_application(yaml.safe_load(cli.memory.world.catalog.read("application/shop.yaml").data))
    for environment in application.environments:
        saved = cli.memory.pipelines.config("shop", environment.pipeline).document
        assert check_pipeline(application, environment, saved, "acme-bundles") == []


def test_one_file_with_a_problem_saves_none(cli: Any, files: Path) -> None:
    wrong = files / "deploy-production.yaml"
    wrong.write_text(wrong.read_text().replace("spelEvaluator: v4", "spelEvaluator: v3"))
    before = cli.memory.pipelines.config("shop", "deploy-staging")
    result = cli.run("pipelines", "save", str(files / "deploy-staging.yaml"), str(wrong), "--yes")
    assert (result.exit_code, "nothing was done: 1 problem" in result.stderr) == (1, True)
    assert f"{wrong}:9:16: spelEvaluator: is not v4" in result.stderr
    assert cli.memory.pipelines.config("shop", "deploy-staging") == before


def test_somebody_who_is_faster_is_not_overwritten(cli: Any, files: Path) -> None:
    file = str(files / "deploy-staging.yaml")
    pipelines = cli.memory.pipelines
    document = pipelines.config("shop", "deploy-staging").document
    replace = pipelines.replace

    def late(wanted: Any, standing: Any) -> None:
        pipelines.save({**document, "description": "theirs"})
        replace(wanted, standing)

    pipelines.replace = late
    result = cli.run("pipelines", "save", file, "--yes")
    assert (result.exit_code, "somebody else has changed pipeline shop/deploy-staging" in result.stderr) == (1, True)
    assert pipelines.config("shop", "deploy-staging").document["description"] == "theirs"


def test_a_save_that_was_answered_and_not_done_is_told(cli: Any, files: Path) -> None:
    cli.memory.pipelines.replace = lambda document, standing: None
    result = cli.run("pipelines", "save", str(files / "deploy-staging.yaml"), "--yes")
    assert (result.exit_code, "does not have it as it is" in result.stderr) == (1, True)


def test_what_nobody_says_is_not_saved(cli: Any, shop: Any, files: Path) -> None:
    apply(cli.memory.world, read_application(yaml.safe_load(shop.catalog)), shop.catalog.encode())
    result = cli.run("pipelines", "save", str(files / "deploy-staging.yaml"), "--yes")
    assert (result.exit_code, "the catalog does not say what {{account}} is" in result.stderr) == (1, True)
    other = shutil.copy(files / "deploy-staging.yaml", files / "rolling.yaml")
    result = cli.run("pipelines", "diff", str(other))
    assert (result.exit_code, "is for any environment" in result.stderr) == (1, True)


def test_show_is_the_input_of_spin(cli: Any, files: Path) -> None:
    file = str(files / "deploy-staging.yaml")
    document = json.loads(cli.run("pipelines", "show", file, "-o", "json").stdout)
    cli.run("pipelines", "save", file, "--yes")
    saved = cli.memory.pipelines.config("shop", "deploy-staging").document
    assert {**document, "id": saved["id"]} == saved
    assert yaml.safe_load(cli.run("pipelines", "show", file).stdout) == document


def test_a_pulled_file_is_right_and_saves_nothing_new(cli: Any, files: Path, tmp_path: Path) -> None:
    cli.run("pipelines", "save", str(files / "deploy-staging.yaml"), "--yes")
    file = tmp_path / "pulled.yaml"
    pull = ("pipelines", "pull", "shop", "deploy-staging")
    assert cli.run(*pull, "--file", str(file)).exit_code == 0
    assert cli.run("pipelines", "diff", str(file)).exit_code == 0
    assert cli.run("pipelines", "check", str(file)).exit_code == 0
    assert cli.run(*pull, "--file", str(file)).exit_code == 1  # it is there
    assert cli.run(*pull, "--file", str(file), "--force", "-o", "json").exit_code == 0
    assert json.loads(file.read_text()) == yaml.safe_load(cli.run(*pull).stdout)
    assert "id" not in json.loads(file.read_text())


def test_a_pipeline_that_is_not_there_is_told(cli: Any, files: Path) -> None:
    for command in ("pull", "delete"):
        result = cli.run("pipelines", command, "shop", "nothing")
        assert (result.exit_code, "no pipeline 'nothing' in application 'shop'" in result.stderr) == (1, True)


def test_deleting_asks_and_warns_of_who_needs_it(cli: Any, files: Path) -> None:
    kept = cli.run("pipelines", "delete", "shop", "deploy-staging", answers="n\n")
    assert (kept.exit_code, "shop/staging is served by it" in kept.stderr) == (1, True)
    assert cli.memory.pipelines.config("shop", "deploy-staging") is not None
    gone = cli.run("pipelines", "delete", "shop", "deploy-staging", "--yes")
    assert (gone.exit_code, gone.stdout) == (0, "shop/deploy-staging deleted\n")
    assert cli.memory.pipelines.config("shop", "deploy-staging") is None
