"""The commands as people type them: plan, apply, destroy, their exit codes and what they say."""

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
