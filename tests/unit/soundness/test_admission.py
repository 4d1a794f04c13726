"""Policies and bindings as an API server gives them, compared with what is shipped."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from downwind.shipped import admission_policy
from downwind.soundness.admission import check_admission, probe_of

SHOP = {"shop": {"kubernetes.io/metadata.name": "shop", "tier": "web"}}


def given() -> list[dict[str, Any]]:
    """With what a real server fills in (seen on 1.37.2)."""
    found = copy.deepcopy(list(admission_policy()))
    for each in found:
        each["metadata"] |= {"uid": "1", "generation": 1}
        if each["kind"] == "ValidatingAdmissionPolicy":
            constraints = each["spec"]["matchConstraints"]
            constraints |= {"namespaceSelector": {}, "objectSelector": {}}
            constraints["resourceRules"] = [{**rule, "scope": "*"} for rule in constraints["resourceRules"]]
            each["status"] = {"observedGeneration": 1}
    return found


def findings(found: list[dict[str, Any]]) -> list[str]:
    return [f"{each.where}: {each.what}" for each in check_admission("lab", found, admission_policy(), SHOP)]


def binding(found: list[dict[str, Any]], name: str = "sequence.downwind.dev") -> dict[str, Any]:
    return next(each["spec"] for each in found if each["kind"].endswith("Binding") and each["metadata"]["name"] == name)


def test_defaults_of_the_server_are_no_difference() -> None:
    assert findings(given()) == []


def test_every_difference_is_counted_and_some_are_shown() -> None:
    found = given()
    for rule in found[0]["spec"]["validations"]:
        rule["reason"] = "Invalid"
    (said,) = findings(found)
    assert "spec.validations[0].reason is not ours" in said
    assert said.endswith("and 6 more")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda spec: spec.update(validationActions=["Warn", "Audit"]), "are [Warn, Audit], without Deny"),
        (lambda spec: spec.pop("validationActions"), "are [], without Deny"),
        (lambda spec: spec.update(paramRef={"name": "x"}), "it has a paramRef"),
        (
            lambda spec: spec["matchResources"].update(objectSelector={"matchLabels": {"a": "b"}}),
            "its matchResources.objectSelector lets objects past",
        ),
        (
            lambda spec: spec["matchResources"].update(excludeResourceRules=[{"resources": ["secrets"]}]),
            "its matchResources.excludeResourceRules lets objects past",
        ),
        (
            lambda spec: spec["matchResources"].update(namespaceSelector={"matchLabels": {"tier": "db"}}),
            "its namespaceSelector leaves out shop",
        ),
        (lambda spec: spec.update(policyName="other"), "is not there: the policy counts nowhere"),
    ],
)
def test_a_binding_that_lets_something_past(change: Callable[[dict[str, Any]], Any], said: str) -> None:
    found = given()
    change(binding(found))
    assert [each for each in findings(found) if said in each], findings(found)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({"matchLabels": {"tier": "web"}}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["db"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({}, True),
        (None, True),
    ],
)
def test_a_selector_selects_as_in_kubernetes(selector: Any, selected: bool) -> None:
    found = given()
    binding(found)["matchResources"]["namespaceSelector"] = selector
    assert (findings(found) == []) is selected


def test_one_binding_that_denies_everywhere_is_enough() -> None:
    found = given()
    other = copy.deepcopy(next(each for each in found if each["kind"].endswith("Binding")))
    other["metadata"]["name"] = "first-day"
    other["spec"]["validationActions"] = ["Warn"]
    assert findings([other, *found]) == []


@pytest.mark.parametrize(("live", "probed"), [("7", "6"), ("1", "0"), ("0", ""), ("x", ""), (None, "")])
def test_the_probe_has_to_be_refused(live: str | None, probed: str) -> None:
    probe = probe_of("shop/staging", "shop", None if live is None else {"downwind.dev/sequence": live})
    assert probe["metadata"]["name"] == "downwind.shop.staging"
    assert probe["metadata"]["annotations"]["downwind.dev/sequence"] == probed
