"""The policy as text, where no API server is at hand: every refusal of the table reads as a rule of the YAML words it, and every
rule is needed by some case."""

import re
from typing import Any

import pytest
from tests.contract.cluster.kubectl import ApiServer, Kubectl
from tests.contract.cluster.story import CASES, Story

from downwind.local.kubernetes_api import merged
from downwind.shipped import admission_policy

POLICIES = {each["metadata"]["name"]: each["spec"] for each in admission_policy() if each["kind"].endswith("Policy")}
BINDINGS = {each["metadata"]["name"]: each["spec"] for each in admission_policy() if each["kind"].endswith("Binding")}
RULES = [rule for spec in POLICIES.values() for rule in spec["validations"]]
SUBRESOURCES = ["*/status", "namespaces/finalize", "certificatesigningrequests/approval"]


def parts_of(expression: str) -> list[str]:
    """A CEL sum at its plus signs, those in texts and brackets aside."""
    found, depth, quote, start = [], 0, "", 0
    for index, char in enumerate(expression):
        if quote:
            quote = "" if char == quote and expression[index - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "+" and depth == 0:
            found.append(expression[start:index].strip())
            start = index + 1
    return [*found, expression[start:].strip()]


def pattern_of(expression: str) -> re.Pattern[str]:
    """The fixed texts of a message, with anything between them."""
    texts = [part[1:-1].replace('\\"', '"') if part[0] in "'\"" else None for part in parts_of(expression)]
    return re.compile("".join(".*" if text is None else re.escape(text) for text in texts), re.DOTALL)


PATTERNS = {rule["messageExpression"]: pattern_of(rule["messageExpression"]) for rule in RULES}


def test_a_refusal_is_forbidden_so_that_kubectl_does_not_delete_and_create_again() -> None:
    assert {rule["reason"] for rule in RULES} == {"Forbidden"}
    assert {spec["failurePolicy"] for spec in POLICIES.values()} == {"Fail"}


def test_every_way_to_change_an_annotation_is_matched() -> None:
    (rule,) = POLICIES["sequence.downwind.dev"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["*", *SUBRESOURCES]
    assert rule["operations"] == ["CREATE", "UPDATE"]
    (kept,) = POLICIES["fence.downwind.dev"]["matchConstraints"]["resourceRules"]
    assert (kept["resources"], kept["operations"]) == (["configmaps"], ["DELETE"])


def test_both_bindings_deny_and_leave_out_the_system_alone() -> None:
    for name, spec in BINDINGS.items():
        assert spec["policyName"] == name
        assert "Deny" in spec["validationActions"]
        (left_out,) = spec["matchResources"]["namespaceSelector"]["matchExpressions"]
        assert left_out["operator"] == "NotIn"
        assert left_out["values"] == ["kube-system", "kube-public", "kube-node-lease"]


def test_no_number_is_read_before_it_is_known_to_be_one() -> None:
    for rule in RULES:
        for number in re.findall(r"int\(variables\.(\w+)\)", rule["expression"]):
            known = (
                f"variables.{number}Ok" in rule["expression"] or f"variables.{number}.matches(" in rule["expression"]
            )
            assert known, rule["expression"]


def test_every_refusal_of_the_table_is_worded_by_a_rule_and_every_rule_is_needed(local_server: ApiServer) -> None:
    kubectl = Kubectl(local_server)
    stories = [Story(kubectl, f"case-{number}", case) for number, case in enumerate(CASES) if "real" not in case]
    for story in stories:
        story.play()
    needed: set[str] = set()
    for message in (message for story in stories for message in story.refusals):
        said = message.partition(" denied request: ")[2]
        rules = [rule for rule, pattern in PATTERNS.items() if pattern.fullmatch(said)]
        assert rules or said.startswith("failed expression: "), message
        needed.update(rules)
    assert needed == set(PATTERNS)


@pytest.mark.parametrize(
    ("target", "patch", "wanted"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": {"b": "c"}}, {"a": {"b": None, "d": [None]}}, {"a": {"d": [None]}}),
        ({"a": "text"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        (["a"], {"a": 1}, {"a": 1}),
        ({"a": 1}, ["c"], ["c"]),
    ],
)
def test_a_merge_patch_is_that_of_rfc_7396(target: Any, patch: Any, wanted: Any) -> None:
    assert merged(target, patch) == wanted
