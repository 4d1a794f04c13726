"""The role for breaking the glass grants what the policy asks for, and nothing else."""

import re
from pathlib import Path

import yaml

ADMISSION = Path(__file__).parents[3] / "infra" / "admission"


def test_the_role_grants_the_verb_that_the_policy_asks_for_and_no_write() -> None:
    (role,) = yaml.safe_load_all((ADMISSION / "break-glass.yaml").read_text())
    asked = re.findall(
        r"authorizer\.group\('([^']+)'\)\.resource\('([^']+)'\)[^\n]*\.check\('([^']+)'\)",
        (ADMISSION / "sequence-policy.yaml").read_text(),
    )
    assert asked
    assert {(group, resource, verb) for group, resource, verb in asked} == {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
