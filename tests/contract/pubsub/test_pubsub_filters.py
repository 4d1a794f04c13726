"""The filter language, case by case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.local.pubsub.filters import compile_filter
from downwind.local.pubsub.wire import Rejected


@pytest.mark.parametrize(
    ("text", "attributes", "expected"),
    [
        ("", {}, True),
        ("attributes:a", {"a": ""}, True),
        ("attributes:a", {"b": "a"}, False),
        ('attributes.a = "1"', {"a": "1"}, True),
        ('attributes.a="1"', {"a": "2"}, False),
        ('attributes.a != "1"', {"a": "2"}, True),
        ('attributes.a != "1"', {"a": "1"}, False),
        ('attributes.a != "1"', {}, True),
        ('hasPrefix(attributes.a, "co")', {"a": "com"}, True),
        ('hasPrefix(attributes.a, "co")', {"a": "org"}, False),
        ('hasPrefix(attributes.a, "")', {}, False),
        ("NOT attributes:a", {}, True),
        ("NOT NOT attributes:a", {}, False),
        ("attributes:a AND attributes:b AND attributes:c", {"a": "", "b": ""}, False),
        ("attributes:a OR attributes:b", {"b": ""}, True),
        ("attributes:a AND (attributes:b OR attributes:c)", {"a": "", "c": ""}, True),
        ("NOT (attributes:a OR attributes:b)", {"b": ""}, False),
        ("attributes:a AND NOT attributes:b", {"a": ""}, True),
        ('attributes.NOT = "1"', {"NOT": "1"}, True),
        ("attributes:ce-type", {"ce-type": "t"}, True),
        ('attributes:"a/b.c"', {"a/b.c": ""}, True),
        (r'attributes.a = "\"\\\x41\u00e9\101\n"', {"a": '"\\AéA\n'}, True),
        ("  attributes:a\n", {"a": ""}, True),
    ],
)
def test_a_filter_matches_as_google_says(text: str, attributes: dict[str, str], expected: bool) -> None:
    assert compile_filter(text)(attributes) is expected


@pytest.mark.parametrize(
    "text",
    [
        "attributes",
        "attributes:",
        "attributes.a",
        "attributes.a =",
        "attributes.a = b",
        'attributes.a > "1"',
        'attributes.a.b = "1"',
        "attributes:a.b",
        "attributes:a attributes:b",
        "attributes:a AND",
        "AND attributes:a",
        "attributes:a OR attributes:b AND attributes:c",
        "(attributes:a",
        "attributes:a)",
        "()",
        'hasPrefix(attributes.a "b")',
        'hasPrefix("a", "b")',
        'attributes.a = "unended',
        r'attributes.a = "\UFFFFFFFF"',
        "not attributes:a",
        "attributes:" + "é" * 123,
    ],
)
def test_what_is_outside_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        compile_filter(text)


@given(st.text(alphabet=st.sampled_from('attributes:.="!=() ANDORNOThasPrefix,\\x41'), max_size=60))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        match = compile_filter(text)
    except Rejected:
        return
    assert match({"a": "1"}) in {True, False}
