"""The bytes of one document, where Spinnaker's readers are particular (measured on Orca 2026.2.3)."""

import pytest

from downwind.render.serialise import clean, document, join, split


def test_a_document_is_one_line_of_ascii_with_sorted_keys_and_one_line_end() -> None:
    assert document({"b": 1, "a": {"d": [], "c": "ä"}}, "x") == b'{"a":{"c":"\\u00e4","d":[]},"b":1}\n'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\x7f", rb"\u007f"),
        ("\t\n", rb"\t\n"),
        ("a/b", b"a/b"),
        ("\u2028", rb"\u2028"),
        ("\x01", rb"\u0001"),
        ("ä\\u00e4", rb"\u00e4\\u00e4"),
    ],
)
def test_characters_that_a_reader_might_stumble_over_are_escaped_and_a_slash_is_not(text: str, written: bytes) -> None:
    assert document({"a": text}, "x") == b'{"a":"' + written + b'"}\n'


def test_a_character_beyond_the_first_plane_is_written_as_it_is_since_readers_of_yaml_refuse_surrogate_pairs() -> None:
    assert document({"a": "ä😀"}, "x") == b'{"a":"\\u00e4' + "😀".encode() + b'"}\n'


def test_every_document_follows_a_separator_since_kubectl_takes_what_begins_with_a_brace_for_json_alone() -> None:
    assert join([b"{}\n", b"{}\n"]) == b"---\n{}\n---\n{}\n"


def test_nulls_in_objects_are_dropped_at_any_depth_and_nulls_in_lists_are_kept() -> None:
    assert clean({"a": None, "b": [None, {"c": None}], "d": {"e": None}}, "x") == {"b": [None, {}], "d": {}}


def test_whole_numbers_are_written_without_a_point_up_to_where_go_writes_them_so() -> None:
    assert repr(clean([3.0, -0.0, 1.5, 1e20, 1e21, True], "x")) == "[3, 0, 1.5, 100000000000000000000, 1e+21, True]"


def test_nothing_is_shared_with_what_was_given() -> None:
    shared = {"a": [1]}
    first, second = clean([shared, shared], "x")
    assert first == second == shared
    assert first is not second
    assert first["a"] is not shared["a"]


def test_split_gives_back_what_join_took_though_a_text_holds_the_separator() -> None:
    objects = [{"a": "\n---\n"}, {"---\n": "---"}]
    written = join(document(value, "x") for value in objects)
    assert split(written) == split(written.removeprefix(b"---\n")) == objects
