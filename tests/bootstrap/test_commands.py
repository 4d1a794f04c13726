"""The commands as people type them: plan, apply, destroy, their exit codes and what they say."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.bootstrap.conftest import CONFIGS
from tests.bootstrap.site import MakeSite

from downwind.cli.main import main


@pytest.fixture
def package(tmp_path: Path) -> Path:
    file = tmp_path / "functions.zip"
    file.write_bytes(b"the source")
    return file


def run(verb: str, package: Path, *more: str, answer: str | None = None) -> Result:
    config = ["--config", str(CONFIGS / "smallest.yaml"), "--package", str(package)]
    return CliRunner().invoke(main, ["bootstrap", verb, *config, *more], input=answer)


def test_a_saved_plan_is_applied_and_then_there_is_nothing_to_do(
    make_site: MakeSite, package: Path, tmp_path: Path
) -> None:
    site = make_site("smallest")
    saved = tmp_path / "plan.json"
    assert run("plan", package, "--out", str(saved)).exit_code == 2
    assert site.google.state.writes() == []
    done = run("apply", package, str(saved), "--no-gcloud")
    assert done.exit_code == 0, done.output
    assert "done    bucket/ledger" in done.output
    assert "waiting" in done.output.splitlines()[-1]
    again = run("plan", package)
    assert again.exit_code == 0
    assert again.output.splitlines()[-1] == f"{len(site.plan.resources)} keep"


def test_a_saved_plan_is_refused_when_the_world_has_moved(make_site: MakeSite, package: Path, tmp_path: Path) -> None:
    site = make_site("smallest")
    saved = tmp_path / "plan.json"
    run("plan", package, "--out", str(saved))
    site.google.state.services.add("pubsub.googleapis.com")
    refused = run("apply", package, str(saved), "--no-gcloud")
    assert refused.exit_code == 1
    assert "the world has moved" in refused.output
    assert site.google.state.writes() == []
    saved.write_text("{")
    assert run("apply", package, str(saved)).exit_code == 1


@pytest.mark.parametrize("text", [None, "[]", "{}", "1", "\x00", '{"steps": ' + "[" * 100_000])
def test_what_is_no_plan_is_refused_before_anything_is_asked(
    make_site: MakeSite, package: Path, tmp_path: Path, text: str | None
) -> None:
    site = make_site("smallest")
    saved = tmp_path / "plan.json"
    if text is not None:
        saved.write_text(text)
    refused = run("apply", package, str(saved))
    assert refused.exit_code == 1
    assert "plan.json is no plan: " in refused.output
    assert site.google.state.log == []


def test_a_file_that_cannot_be_written_is_told(package: Path, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "no" / "file")
    refused = run("plan", package, "--offline", "--out", nowhere)
    assert refused.exit_code == 1
    assert f"Error: {nowhere} cannot be written: No such file or directory" in refused.output


def test_apply_and_destroy_ask_first(make_site: MakeSite, package: Path) -> None:
    site = make_site("smallest")
    asked = run("apply", package, "--no-gcloud", answer="n\n")
    assert asked.exit_code == 1
    assert "+ create  bucket/ledger" in asked.output
    assert site.google.state.writes() == []
    assert run("destroy", package).exit_code == 0, "there is nothing to take away"


def test_destroy_wants_the_projects_name_and_says_what_stays(make_site: MakeSite, package: Path) -> None:
    site = make_site("smallest", applied=True)
    refused = run("destroy", package, "--no-gcloud", answer="yes\n")
    assert refused.exit_code == 1
    assert site.google.state.writes() == []
    gone = run("destroy", package, "--no-gcloud", answer="acme-small\n")
    assert gone.exit_code == 0, gone.output
    assert "= keep    bucket/ledger" in gone.output
    assert "gone    function/on-push" in gone.output


def test_destroy_needs_no_package(make_site: MakeSite) -> None:
    """Neither the one that runs nor any: what it uploaded goes with its bucket."""
    site = make_site("smallest", applied=True)
    line = ["bootstrap", "destroy", "--config", str(CONFIGS / "smallest.yaml"), "--no-gcloud", "--yes", "--with-data"]
    gone = CliRunner().invoke(main, line)
    assert gone.exit_code == 0, gone.output
    assert "gone    bucket/source" in gone.output
    assert not [name for api, name in site.google.state.resources if api == "object"]


def test_a_failure_has_an_exit_code_and_the_way_on(make_site: MakeSite, package: Path) -> None:
    from tests.bootstrap.fake.state import Fault

    site = make_site("smallest")
    site.google.state.faults = [Fault("storage", "POST", "/storage/v1/b$", 400, 1, "INVALID_ARGUMENT")]
    failed = run("apply", package, "--no-gcloud", "--yes")
    assert failed.exit_code == 1
    assert "not begun: " in failed.output
    assert "run apply again" in failed.output


def test_without_credentials_that_hold_it_says_so(make_site: MakeSite, package: Path) -> None:
    from tests.bootstrap.fake.state import Fault

    site = make_site("smallest")
    site.google.state.faults = [Fault("iam", "GET", "", 401, 1, "UNAUTHENTICATED")]
    refused = run("plan", package)
    assert refused.exit_code == 1
    assert "gcloud auth login" in refused.output


IN_CLUSTER = """
cluster: {context: lab}
namespaces: [{name: web}]
"""


def test_cluster_and_gate_by_the_commands(make_site: MakeSite, package: Path, tmp_path: Path) -> None:
    """What Google has stands already; KUBECONFIG has the context, and Gate has another address from here."""
    site = make_site("smallest", applied=True)
    config = tmp_path / "own.yaml"
    text = (CONFIGS / "smallest.yaml").read_text() + IN_CLUSTER
    pipelines = "pipelines: [web/pipelines/deploy-web.yaml], email: sre@acme.example}"
    config.write_text(text.replace('8084"}', f'8084", {pipelines}'))
    shutil.copytree(CONFIGS / "web", tmp_path / "web")

    def command(verb: str, *more: str) -> Result:
        line = ["--config", str(config), "--package", str(package), "--gate", site.gate.url, *more]
        return CliRunner().invoke(main, ["bootstrap", verb, *line])

    planned = command("plan", "-o", "json")
    assert planned.exit_code == 2, planned.output
    kinds = {each["kind"] for each in json.loads(planned.stdout)["steps"] if each["action"] == "create"}
    assert kinds >= {"namespace", "object", "application", "pipeline"}
    done = command("apply", "--no-gcloud", "--yes")
    assert done.exit_code == 0, done.output
    assert "done    pipeline/web/deploy-web" in done.output
    again = command("plan")
    assert again.exit_code == 0, again.output
    gone = command("destroy", "--no-gcloud", "--yes")
    assert gone.exit_code == 0, gone.output
    assert "gone    object/ValidatingAdmissionPolicy/sequence.downwind.dev" in gone.output
    assert "= keep    namespace/web" in gone.output


def test_apply_wants_the_images_before_it_begins(make_site: MakeSite, package: Path, tmp_path: Path) -> None:
    site = make_site("standard")
    config = tmp_path / "own.yaml"
    text = (CONFIGS / "standard.yaml").read_text()
    config.write_text(text.replace("spinnaker/images.yaml", "missing.yaml").replace("[spinnaker/values.yaml]", "[]"))
    refused = CliRunner().invoke(main, ["bootstrap", "apply", "--config", str(config), "--package", str(package)])
    assert refused.exit_code == 1
    assert "missing.yaml is not there" in refused.output
    assert "scripts/spinnaker-images --output missing.yaml" in refused.output
    assert site.google.state.writes() == []
    offline = ["bootstrap", "plan", "--offline", "--config", str(config), "--package", str(package)]
    assert CliRunner().invoke(main, offline).exit_code == 2


def test_a_pipeline_file_that_is_not_right_is_told(package: Path, tmp_path: Path) -> None:
    shutil.copytree(CONFIGS / "web", tmp_path / "web")
    file = tmp_path / "web/pipelines/deploy-web.yaml"
    file.write_text(file.read_text().replace("skipExpressionEvaluation: true", "skipExpressionEvaluation: false"))
    config = tmp_path / "own.yaml"
    pipelines = "pipelines: [web/pipelines/deploy-web.yaml], email: sre@acme.example}"
    config.write_text((CONFIGS / "smallest.yaml").read_text().replace('8084"}', f'8084", {pipelines}'))
    line = ["bootstrap", "plan", "--offline", "--config", str(config), "--package", str(package)]
    refused = CliRunner().invoke(main, line)
    assert refused.exit_code == 1
    assert f"{file}:" in refused.output
    assert "downwind pipelines check" in refused.output
