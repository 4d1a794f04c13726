"""The expressions that the local Orca understands, and what becomes of the others (facts: deploy-manifest.md 1)."""

from typing import Any

import pytest

from downwind.local.gate.spel import SpelError, Summary, evaluate, evaluate_all

ROOTS: dict[str, Any] = {
    "trigger": {"downwind": {"sequence": "7", "application": "shop"}, "dry": True, "list": ["a", "b"], "n": 7},
    "execution": {"id": "01X"},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("trigger['downwind']['sequence']", "7"),
        ("trigger.downwind.sequence", "7"),
        ('trigger["downwind"].sequence', "7"),
        ("execution.id", "01X"),
        ("trigger['none']", None),
        ("trigger['none']?.sequence", None),
        ("trigger.list[1]", "b"),
        ("trigger['downwind'] != null", True),
        ("trigger['none'] == null", True),
        ("trigger['none'] != null && trigger['none']['x'] != null", False),
        ("trigger['none'] == null || trigger['none']['x'] == null", True),
        ("trigger['none'] == null ? 'none' : trigger['none']['sequence']", "none"),
        ("trigger['downwind'] == null ? 'none' : trigger['downwind']['sequence']", "7"),
        ("trigger.n == 7", True),
        ("trigger.n == '7'", False),
        ("trigger.n != 7.0", True),
        ("!(trigger.dry && false)", True),
        ("1 == 2", False),
        ("'it''s'", "it's"),
        ("  'a' == 'a'  ", True),
    ],
)
def test_an_expression_has_a_value(expression: str, value: Any) -> None:
    assert evaluate(expression, ROOTS) == value


@pytest.mark.parametrize(
    ("expression", "level"),
    [
        ("trigger['none']['sequence']", "ERROR"),
        ("trigger.none", "INFO"),
        ("trigger['none'].sequence", "ERROR"),
        ("trigger['downwind']?.get('sequence')", "ERROR"),
        ("T(java.lang.Runtime).getRuntime()", "ERROR"),
        ("#readJson('{}')", "ERROR"),
        ("trigger.n + 1", "ERROR"),
        ("(1", "ERROR"),
        ("1 ? 2", "ERROR"),
        ("", "ERROR"),
        ("nothing", "INFO"),
    ],
)
def test_what_is_not_understood_fails_and_calls_nothing(expression: str, level: str) -> None:
    with pytest.raises(SpelError) as found:
        evaluate(expression, ROOTS)
    assert found.value.level == level


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${trigger.n}", 7),
        ("${trigger.dry}", True),
        ("n${trigger.n} ${trigger.dry}", "n7 true"),
        ("${execution.id}/${trigger.downwind.application}", "01X/shop"),
    ],
)
def test_a_string_that_is_one_expression_takes_the_type_of_its_value(text: str, value: Any) -> None:
    summary: Summary = {}
    assert evaluate_all({"a": [text, 1, None]}, ROOTS, summary) == {"a": [value, 1, None]}
    assert summary == {}


@pytest.mark.parametrize(
    ("text", "description", "level"),
    [
        (
            "${trigger['x']['y']}",
            "Failed to evaluate [downwind.dev/sequence] EL1012E: Cannot index into a null value",
            "ERROR",
        ),
        ("${trigger['x']}", "Failed to evaluate [downwind.dev/sequence] trigger['x'] not found", "INFO"),
        (
            "ok ${execution.id} ${trigger['x']}",
            "Failed to evaluate [downwind.dev/sequence] trigger['x'] not found",
            "INFO",
        ),
    ],
)
def test_one_bad_expression_leaves_the_whole_string_and_is_noted(text: str, description: str, level: str) -> None:
    summary: Summary = {}
    assert evaluate_all({"downwind.dev/sequence": text}, ROOTS, summary) == {"downwind.dev/sequence": text}
    ((entry,),) = summary.values()
    assert (entry["description"], entry["level"]) == (description, level)
