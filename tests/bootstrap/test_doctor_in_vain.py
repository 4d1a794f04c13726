"""What the doctor asks in vain: a gcloud that says nothing, or can't be started; an API that is off."""

from pathlib import Path

import pytest
from tests.bootstrap.fake.state import Fault
from tests.bootstrap.site import MakeSite

from downwind.bootstrap import doctor


def test_a_gcloud_that_says_nothing_is_a_finding(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 0.2, raising=False)
    program = tmp_path / "gcloud"
    program.write_text("#!/bin/sh\nexec sleep 3\n")
    program.chmod(0o755)
    site = make_site("smallest")
    found = {each.what: each.fix for each in doctor.examine(site.plan, site.cloud(), which=lambda _: str(program))}
    assert found["gcloud could not be asked: it said nothing for 0.2 s"] == f"see what it does: {program} version"
    assert "billing is on" in found, "the rest is looked at"


def test_a_gcloud_that_cannot_be_started_is_a_finding(make_site: MakeSite, tmp_path: Path) -> None:
    program = tmp_path / "gcloud"
    program.write_text("no program")
    site = make_site("smallest")
    found = {each.what: each.fix for each in doctor.examine(site.plan, site.cloud(), which=lambda _: str(program))}
    assert "gcloud could not be asked: Permission denied" in found


def test_where_the_api_of_projects_is_off_nothing_is_said_to_be_missing(make_site: MakeSite) -> None:
    site = make_site("smallest")
    site.google.state.faults = [
        Fault("cloudresourcemanager", method, "projects/[^/]+$", 403, 1, "SERVICE_DISABLED")
        for method in ("GET", "POST")
    ]
    found = {each.what: each.fix for each in doctor.examine(site.plan, site.cloud(), which=lambda _: None)}
    what = "project acme-small is not there, or cloudresourcemanager.googleapis.com is off in it"
    assert str(found[what]).endswith(
        "; or gcloud services enable cloudresourcemanager.googleapis.com --project=acme-small"
    )
    assert not [each for each in found if each.startswith("you lack")]
