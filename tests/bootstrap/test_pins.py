"""Secrets by version: functions and the connection are given the newest one that is enabled and no other; a rotation is a change
that the plan shows and `apply` does, and no text of a secret is read for it."""

from typing import Any

import pytest
from tests.bootstrap.conftest import CONFIGS, make_plan
from tests.bootstrap.fake.state import Fault
from tests.bootstrap.site import MakeSite, Site
from tests.bootstrap.test_deploy import deploying

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.plan import Step, document, same
from downwind.bootstrap.proof import drift
from downwind.bootstrap.shell import script
from downwind.bootstrap.write import NEWEST, Request, Write
from downwind.cli.bootstrap_place import Place
from downwind.cli.bootstrap_site import cloud_session, newest
from downwind.cli.context import Session
from downwind.errors import PermanentError, Refused

CALLING = ("on-push", "on-build", "on-image", "on-request", "on-execution", "on-tick", "operate")
TOKEN = "DOWNWIND_GATE_TOKEN_SECRET"


def add(site: Site, secret: str, number: int, state: str = "ENABLED") -> None:
    """As `gcloud secrets versions add`, or `disable`, does."""
    name = f"projects/{site.plan.values.project}/secrets/{secret}/versions/{number}"
    site.google.state.resources["secretmanager", name] = {"name": name, "state": state}


def variables(site: Site, function: str) -> dict[str, Any]:
    place = f"projects/{site.plan.values.project}/locations/{site.plan.values.region}/functions"
    found = site.google.state.resources["cloudfunctions", f"{place}/{site.plan.values.name}-{function}"]
    return dict(found["serviceConfig"]["environmentVariables"])


def connection(site: Site) -> str:
    name = "projects/acme-delivery/locations/europe-west1/connections/downwind-github"
    about = site.google.state.resources["cloudbuild", name]["githubConfig"]
    return str(about["authorizerCredential"]["oauthTokenSecretVersion"]).partition("/secrets/")[2]


def due(site: Site) -> dict[str, Step]:
    return {each.resource.key: each for each in steps_now(site.plan, site.cloud()) if each.due}


def test_what_uses_a_secret_is_given_its_version_and_no_text_is_read(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    assert {variables(site, name)[TOKEN] for name in CALLING} == {"gate-token/versions/1"}
    assert variables(site, "receive")["DOWNWIND_ECHO_SECRET"] == "downwind-echo/versions/1"
    assert TOKEN not in variables(site, "receive"), "it calls nobody"
    assert connection(site) == "github-token/versions/1"
    site.google.state.log.clear()
    assert due(site) == {}
    assert not [each for each in site.google.state.log if ":access" in each["path"]]


def test_a_new_version_is_a_change_that_says_so(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    before = document(steps_now(site.plan, site.cloud()))
    add(site, "gate-token", 2)
    add(site, "github-token", 2, "DISABLED")
    add(site, "github-token", 3)
    steps = due(site)
    assert set(steps) == {*(f"function/{each}" for each in CALLING), "connection/github"}
    assert steps["function/on-push"].why.startswith("secret gate-token has a new version 2, and 1 is used; ")
    assert steps["connection/github"].why.startswith("secret github-token has a new version 3, and 1 is used; ")
    assert not any("yet" in each.why for each in steps.values()), "there is a version"
    assert not same(before, document(list(steps.values()))), "a plan that was saved before is refused"
    results = drift.check(site.plan, site.cloud(), packaged=True)
    assert "secret gate-token has a new version 2" in next(each.why for each in results if "on-tick" in each.what)
    assert site.apply().failed == {}
    assert any("secret gate-token has a new version 2" in each for each in site.told)
    assert not [each for each in site.told if "no version" in each], "both secrets hold something"
    assert {variables(site, name)[TOKEN] for name in CALLING} == {"gate-token/versions/2"}
    assert connection(site) == "github-token/versions/3"
    assert due(site) == {}


def test_a_version_that_was_disabled_gives_way_to_the_one_before(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    add(site, "gate-token", 2)
    assert site.apply().failed == {}
    add(site, "gate-token", 2, "DISABLED")
    step = due(site)["function/operate"]
    assert step.why.startswith("version 2 of secret gate-token is not enabled any more, and 1 is its newest; ")
    assert site.apply().failed == {}
    assert variables(site, "operate")[TOKEN] == "gate-token/versions/1"
    assert due(site) == {}


def test_functions_of_an_older_release_are_given_the_version(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    place = "projects/acme-delivery/locations/europe-west1"
    found = site.google.state.resources["cloudfunctions", f"{place}/functions/downwind-on-push"]
    found["serviceConfig"]["environmentVariables"][TOKEN] = "gate-token"
    github = site.google.state.resources["cloudbuild", f"{place}/connections/downwind-github"]["githubConfig"]
    github["authorizerCredential"]["oauthTokenSecretVersion"] = (
        "projects/acme-delivery/secrets/github-token/versions/latest"
    )
    steps = due(site)
    assert steps["function/on-push"].why.startswith("secret gate-token is used without a version, and 1 is its newest;")
    assert steps["connection/github"].why.startswith("secret github-token is used without a version, and 1 is")
    assert site.apply().failed == {}
    assert due(site) == {}


def test_empty_secrets_stop_it_are_told_at_once_and_it_goes_on_when_they_are_put_in(make_site: MakeSite) -> None:
    site = make_site("standard")
    for key in [each for each in site.google.state.resources if "/versions/" in each[1]]:
        del site.google.state.resources[key]
    plan = {each.resource.key: each for each in steps_now(site.plan, site.cloud())}
    why = plan["function/on-push"].why
    line = "gcloud secrets versions add gate-token --data-file=- --project=acme-delivery"
    assert f"secret gate-token has no version 1 yet: you put it in first: {line}" in why
    assert "secret downwind-echo has no version 1 yet: apply makes it" in plan["function/receive"].why
    outcome = site.apply()
    assert list(outcome.failed) == ["connection/github"]
    assert line in "\n".join(script(site.plan, steps_now(site.plan, site.cloud()))), "the secret is there, and empty"
    for name in ("github-token", "gate-token"):
        assert (
            f"gcloud secrets versions add {name} --data-file=- --project=acme-delivery"
            in outcome.failed["connection/github"]
        )
    add(site, "github-token", 1)
    assert "function/on-push needs secret gate-token, which is empty" in str(site.apply().failed)
    add(site, "gate-token", 1)
    assert site.apply().failed == {}
    assert due(site) == {}


def test_a_made_secret_without_an_enabled_version_gets_another_and_it_is_used(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    add(site, "downwind-echo", 1, "DISABLED")
    steps = due(site)
    assert "secret downwind-echo has no version 2 yet: apply makes it" in steps["function/receive"].why
    assert site.apply().failed == {}
    assert variables(site, "receive")["DOWNWIND_ECHO_SECRET"] == "downwind-echo/versions/2"
    assert due(site) == {}


def test_a_deployment_keeps_the_versions_and_lists_none(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    add(site, "gate-token", 2)
    site.plan = make_plan("standard")
    site.plan.values.package = "f" * 64
    site.plan = type(site.plan)(site.plan.values)
    site.google.state.log.clear()
    runs = deploying(site)
    for now in runs.look():
        if now.resource.id == "on-push":
            runs._deploy(now, str(now.serving))
    assert variables(site, "on-push")[TOKEN] == "gate-token/versions/1"
    assert not [each for each in site.google.state.log if each["api"] == "secretmanager"]
    found = site.google.state.resources[
        "cloudfunctions", "projects/acme-delivery/locations/europe-west1/functions/downwind-on-build"
    ]
    del found["serviceConfig"]["environmentVariables"][TOKEN]
    site.google.state.log.clear()
    with pytest.raises(Refused, match="downwind-on-build does not use a secret yet"):
        runs.run()
    assert site.google.state.writes() == [], "it is refused before anything is done"


def test_a_version_that_was_not_read_is_never_written(make_site: MakeSite) -> None:
    site = make_site("smallest")
    for write in (
        Write(
            request=Request(api="cloudfunctions", method="PATCH", path="v2/x", body={"a": f"gate/versions/{NEWEST}"})
        ),
        Write(request=Request(api="run", path="x"), command=("gcloud", f"--set-env-vars=A=gate/versions/{NEWEST}")),
    ):
        with pytest.raises(PermanentError, match="never written"):
            Writer(site.cloud(), None).do(write)
    assert site.google.state.writes() == []


def test_a_proof_asks_with_the_version_that_functions_were_given(make_site: MakeSite) -> None:
    """The latest may be one that was disabled, to go back from it, or one that nobody has applied yet."""
    place = Place(CONFIGS / "standard.yaml", offline=True)
    assert cloud_session(place, Session()).settings.gate_token_secret == "gate-token"
    site = make_site("standard", applied=True)
    add(site, "gate-token", 2)
    session = cloud_session(place, Session(), site.cloud())
    assert session.settings.gate_token_secret == "gate-token/versions/1"
    site.google.state.faults = [Fault("cloudfunctions", "GET", "on-push", 403, 1, "PERMISSION_DENIED")]
    assert cloud_session(place, Session(), site.cloud()).settings.gate_token_secret == "gate-token"


def test_the_newest_secret_is_the_newest_that_is_enabled(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    add(site, "downwind-echo", 2, "DISABLED")
    project = site.plan.values.project
    assert newest(site.cloud(), project, "downwind-echo") == "downwind-echo/versions/1"
    assert newest(site.cloud(), project, "downwind-nothing") == "downwind-nothing"
    site.google.state.faults = [Fault("secretmanager", "GET", "/versions$", 403, 1, "PERMISSION_DENIED")]
    assert newest(site.cloud(), project, "downwind-echo") == "downwind-echo"
