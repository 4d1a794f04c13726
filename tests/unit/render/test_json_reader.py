"""JSON files: what YAML readers stumble over is read, what is no manifest is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.errors import Refused
from downwind.render.yaml_reader import read_documents


def test_tabs_escaped_slashes_and_surrogate_pairs_are_read() -> None:
    data = b'{\n\t"a": "x\\/y",\n\t"b": "\\ud83d\\ude00",\n\t"c": [1.5, null, true]\n}'
    assert read_documents("a.json", data) == [{"a": "x/y", "b": "😀", "c": [1.5, None, True]}]


def test_a_list_of_objects_is_unfolded() -> None:
    assert read_documents("a.json", b'{"kind": "List", "items": [{"kind": "A"}]}') == [{"kind": "A"}]


def test_null_has_no_objects() -> None:
    assert read_documents("a.json", b"null") == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1,\n"b": }', "a.json:2: not JSON"),
        (b'{"a": 1} {"b": 2}', "a.json:1: not JSON"),
        (b"", "a.json:1: not JSON"),
        (b'{"a": 1, "b": 2, "a": 3}', "a.json: the key 'a' is there twice"),
        (b'{"a": NaN}', "a.json: NaN is not JSON"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "a.json: a number of 5000 digits"),
        (b'{"a": "\\ud83d"}', "a.json: half a surrogate pair"),
        (b'{"\\ud83d": 1}', "a.json: half a surrogate pair"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "a.json: nested deeper than 64 levels"),
        (b"[" * 100_000, "a.json: nested deeper than 64 levels"),
        (b"[]", "a.json:1: this document is not a mapping"),
    ],
)
def test_what_is_refused_is_named_with_its_fix(data: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        read_documents("a.json", data)
    assert caught.value.reason.startswith(reason)
    assert caught.value.fix


def test_sixty_four_levels_are_allowed() -> None:
    data = b'{"a":' * 64 + b"1" + b"}" * 64
    assert read_documents("a.json", data) == [json.loads(data)]


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.lists(st.booleans())))
def test_any_json_object_is_read_as_it_is(value: dict[str, object]) -> None:
    assert read_documents("a.json", json.dumps(value).encode()) == [value]
