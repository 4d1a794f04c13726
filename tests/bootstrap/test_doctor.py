"""The doctor: a fit project, and each thing that may be wrong with its fix."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS
from tests.bootstrap.site import MakeSite, Site

from downwind.bootstrap.doctor import Check, examine
from downwind.cli.main import main


def nowhere(_program: str) -> None:
    return None


def wrong(site: Site) -> list[Check]:
    """Without the machine's own programs: what is said of the project."""
    checks = examine(site.plan.values, site.cloud(), which=nowhere)
    programs = ("gcloud", "kubectl", "gke-")
    return [each for each in checks if each.fix is not None and not each.what.startswith(programs)]


def test_a_fit_project_is_fit(make_site: MakeSite) -> None:
    site = make_site("standard")
    assert wrong(site) == []
    assert site.google.escaped == []


@pytest.mark.parametrize(
    ("lacking", "what"),
    [
        ("billing", "billing is off"),
        ("iam.roles.create", "you lack iam.roles.create"),
        ("constraints/iam.allowedPolicyMemberDomains", "iam.allowedPolicyMemberDomains restricts"),
    ],
)
def test_what_is_wrong_comes_with_its_fix(make_site: MakeSite, lacking: str, what: str) -> None:
    site = make_site("standard")
    site.google.state.lacking.add(lacking)
    (found,) = wrong(site)
    assert what in found.what


def test_a_policy_that_refuses_nothing_of_this_plan_is_no_finding(make_site: MakeSite) -> None:
    site = make_site("smallest")
    site.google.state.lacking.add("constraints/iam.allowedPolicyMemberDomains")
    assert wrong(site) == []


def test_the_number_of_another_project_is_found(make_site: MakeSite) -> None:
    site = make_site("smallest", number="999999999999")
    (found,) = wrong(site)
    assert found.fix == 'write number: "210987654321" into the configuration'


def test_missing_programs_are_named(make_site: MakeSite) -> None:
    site = make_site("standard")
    found = [each.what for each in examine(site.plan.values, site.cloud(), which=nowhere) if each.fix]
    assert found == ["gcloud is not on this machine", "kubectl is missing", "gke-gcloud-auth-plugin is missing"]


def test_the_command_ends_with_1_where_something_is_wrong(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_site("smallest")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(main, ["bootstrap", "doctor", "--config", str(CONFIGS / "smallest.yaml")])
    assert done.exit_code == 1
    assert "to do: install the Google Cloud CLI" in done.output
