"""Drift against infra/, and the doors as Google says they are, on the fake of its APIs."""

from typing import Any

import pytest
from tests.bootstrap.conftest import DIGEST
from tests.bootstrap.site import MakeSite, Site

from downwind.bootstrap.proof.cloud_doors import CloudDoors
from downwind.bootstrap.proof.drift import check


def states(site: Site, *, packaged: bool = True) -> dict[str, str]:
    return {each.what: each.state for each in check(site.plan, site.cloud(), packaged=packaged)}


def function(site: Site, name: str) -> Any:
    found = [
        value for key, value in site.google.state.resources.items() if key[1].endswith(f"/functions/downwind-{name}")
    ]
    assert len(found) == 1
    return found[0]


def test_what_is_as_planned_has_no_drift_and_what_is_not_is_named(make_site: MakeSite) -> None:
    site = make_site("smallest", applied=True)
    assert states(site) == {"the cloud is as infra/ says": "ok"}
    function(site, "on-push")["serviceConfig"]["ingressSettings"] = "ALLOW_ALL"
    assert states(site) == {"function/on-push": "failed"}
    assert site.google.state.writes() == []


def test_without_a_package_the_functions_have_to_agree(make_site: MakeSite) -> None:
    site = make_site("smallest", applied=True)
    site.plan.values.package = "f" * 64
    assert set(states(site).values()) == {"failed"}
    assert states(site, packaged=False) == {
        "the cloud is as infra/ says": "ok",
        "all functions run one source": "ok",
    }
    function(site, "on-tick")["labels"]["downwind-source"] = "another"
    found = states(site, packaged=False)
    assert found["all functions run one source"] == "failed"


@pytest.mark.parametrize("member", [None, "allUsers"])
def test_the_doors_are_read_as_they_are(make_site: MakeSite, member: str | None) -> None:
    site = make_site("smallest", applied=True)
    if member:
        for key, policy in site.google.state.policies.items():
            if key[1].endswith("/services/downwind-on-push"):
                policy["bindings"].append({"role": "roles/run.invoker", "members": [member]})
    door = CloudDoors(site.plan, site.cloud()).read("on-push")
    assert door is not None
    assert door.internal
    assert door.open_to_all == (member is not None)
    assert "serviceAccount:downwind-push@acme-small.iam.gserviceaccount.com" in door.invokers
    assert len(DIGEST) == 64


def test_a_function_that_is_gone_is_none(make_site: MakeSite) -> None:
    assert CloudDoors(make_site("smallest").plan, make_site("smallest").cloud()).read("on-push") is None
