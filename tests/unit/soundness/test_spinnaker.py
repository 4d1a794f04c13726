"""Each thing that makes a Spinnaker unfit, and that it comes with what to do."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from downwind.model.catalog import Registered
from downwind.model.read_catalog import read_application
from downwind.soundness.finding import Finding
from downwind.soundness.spinnaker import (
    check_accounts,
    check_applications,
    check_echo,
    check_spin,
    check_user,
    check_version,
)

LOCAL = [{"name": "local", "authorized": True}]
GCS = [{"name": "gcs", "types": ["gcs/object"]}]


def told(findings: Iterable[Finding]) -> list[str]:
    found = list(findings)
    assert all(each.fix and each.where for each in found)
    return [f"{each.where}: {each.what}" for each in found]


@pytest.mark.parametrize(
    "said", ["2026.1.3", "2026.1.4", "2026.2.4", "2026.2.10", "2026.3.0", "2027.0.1", "2026.2.4-rc1"]
)
def test_a_version_at_the_floor_or_above_it_is_fit(said: str) -> None:
    assert told(check_version(said)) == []


@pytest.mark.parametrize(
    ("said", "wanted"),
    [("2026.1.2", "2026.1.3"), ("2026.2.3", "2026.2.4"), ("2026.0.9", "2026.2.4"), ("1.30.1", "2026.2.4")],
)
def test_an_older_version_is_to_be_upgraded(said: str, wanted: str) -> None:
    (found,) = check_version(said)
    assert (f"is Spinnaker {said}, older" in found.what, found.fix) == (True, f"upgrade to {wanted} or newer")


@pytest.mark.parametrize("said", [None, "", "Unknown", "main"])
def test_a_version_that_is_not_said_cannot_be_judged(said: str | None) -> None:
    assert "does not say which version" in told(check_version(said))[0]


def test_whoever_is_anonymous_is_told_so() -> None:
    assert told(check_user({"username": "ci"}, "token")) == []
    assert "whoever reaches it can do what we can" in told(check_user({"username": "anonymous"}, "nothing"))[0]
    assert "though we sign in by token" in told(check_user({}, "token"))[0]


@pytest.fixture
def registered() -> Registered:
    application = read_application(
        {
            "apiVersion": "downwind.dev/v1",
            "kind": "Application",
            "name": "shop",
            "repository": {"address": "https://git.acme.example/shop.git"},
            "images": [{"name": "r.example/shop", "tag": "{commit}"}],
            "manifests": {"path": "deploy"},
            "environments": [
                {
                    "name": "staging",
                    "refs": ["refs/heads/main"],
                    "namespace": "shop",
                    "pipeline": {"application": "shop", "name": "deploy", "account": "prod"},
                }
            ],
        }
    )
    return Registered(application=application, generation=1)


@pytest.mark.parametrize(
    ("accounts", "artifacts", "what"),
    [
        ([{"name": "prod", "authorized": True}], GCS, []),
        ([{"name": "prod"}], GCS, []),
        (LOCAL, GCS, ["its account prod is not one that Spinnaker shows us (local)"]),
        ([], GCS, ["its account prod is not one that Spinnaker shows us (none)"]),
        ([{"name": "prod", "authorized": False}], GCS, ["we may not use account prod"]),
        ([{"name": "prod"}], [], ["its artifact account gcs is not one of Spinnaker's (none)"]),
        ([{"name": "prod"}], [{"name": "gcs", "types": ["s3/object"]}], ["artifact account gcs reads no gcs/object"]),
    ],
)
def test_the_accounts_that_the_catalog_names(
    registered: Registered, accounts: list[Any], artifacts: list[Any], what: list[str]
) -> None:
    assert told(check_accounts([registered], accounts, artifacts)) == [f"shop/staging: {each}" for each in what]


def test_an_account_that_the_catalog_does_not_name_is_spinnakers_own_affair(registered: Registered) -> None:
    (environment,) = registered.application.environments
    application = replace(registered.application, environments=(replace(environment, account=None),))
    assert told(check_accounts([replace(registered, application=application)], [], GCS)) == []


def test_an_application_that_spinnaker_does_not_show(registered: Registered) -> None:
    assert told(check_applications([registered], [{"name": "SHOP"}])) == []
    assert told(check_applications([registered], [{"name": "other"}])) == [
        "application shop: is not one that Spinnaker shows us"
    ]


def test_ends_that_came_late_were_not_announced() -> None:
    assert told(check_echo([])) == told(check_echo([700.0, 0.2])) == []
    assert "did not announce the last 3 ends: we knew of them 600 s later" in told(check_echo([120.0, 600.0, 720.0]))[0]


@pytest.mark.parametrize("said", ["spin version 2026.2.3", "version dev", "2027.0.0"])
def test_a_spin_that_loses_what_it_is_given_is_warned_of(said: str) -> None:
    assert "loses parameters and artifacts" in told(check_spin(said))[0]


@pytest.mark.parametrize("said", ["2026.1.2", "spin version: 1.30.0"])
def test_an_older_spin_is_none_of_those(said: str) -> None:
    assert told(check_spin(said)) == []
