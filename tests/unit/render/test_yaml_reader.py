"""Files to objects: as Kubernetes reads them (kubectl 1.32.4 was asked), the same with PyYAML's C loader and its Python one."""

import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from downwind.errors import Refused
from downwind.render.limits import Limits
from downwind.render.yaml_reader import read_documents

LOADERS = [yaml.CSafeLoader, yaml.SafeLoader]


@pytest.fixture(params=LOADERS, ids=["c", "python"])
def loader(request: pytest.FixtureRequest) -> Any:
    return request.param


def read(text: str, loader: Any = None) -> list[dict[str, Any]]:
    return read_documents("deploy.yaml", text.encode(), loader=loader)


def test_a_stream_of_documents_keeps_its_order_and_skips_empty_ones(loader: Any) -> None:
    text = "# only a comment\n---\na: 1\n---\n---\n# nothing\n---\nb: [x, {c: ~}]\n...\n"
    assert read(text, loader) == [{"a": 1}, {"b": ["x", {"c": None}]}]


def test_an_empty_file_has_no_objects(loader: Any) -> None:
    assert read("", loader) == []


def test_a_byte_order_mark_is_no_part_of_the_first_key(loader: Any) -> None:
    assert read_documents("a.yaml", b"\xef\xbb\xbfa: 1", loader=loader) == [{"a": 1}]


def test_quotes_and_blocks_make_texts_of_everything(loader: Any) -> None:
    text = "a: '22e5'\nb: \"on\"\nc: |-\n  12\nd: >-\n  ~\ne: !!str 012\nf: '<<'\ng: <<\n'<<': 1\nh: ! '3'\ni: ! on\n"
    assert read(text, loader) == [
        {"a": "22e5", "b": "on", "c": "12", "d": "~", "e": "012", "f": "<<", "g": "<<", "<<": 1, "h": "3", "i": "on"}
    ]


def test_standard_tags_are_taken_where_the_value_fits(loader: Any) -> None:
    text = "a: !!int '7'\nb: !!float 1\nc: !!bool y\nd: !!null ''\ne: !!map {f: !!seq [1]}\n"
    assert read(text, loader) == [{"a": 7, "b": 1, "c": True, "d": None, "e": {"f": [1]}}]


def test_keys_become_texts_as_for_kubernetes(loader: Any) -> None:
    assert read("8080: a\non: b\nno: c\n-1: d\n", loader) == [{"8080": "a", "true": "b", "false": "c", "-1": "d"}]


def test_an_alias_is_the_value_of_its_anchor(loader: Any) -> None:
    assert read("a: &x [1, &y two]\nb: *x\nc: *y\nd: &x 5\ne: *x\n", loader) == [
        {"a": [1, "two"], "b": [1, "two"], "c": "two", "d": 5, "e": 5}
    ]


def test_a_merge_key_brings_what_the_mapping_does_not_have_itself(loader: Any) -> None:
    text = "base: &b {x: 1, z: 2}\na: {<<: *b, x: 5}\nb: {<<: [*b, {x: 9, w: 3}]}\nc: {<<: {k: v}}\n"
    assert read(text, loader)[0] == {
        "base": {"x": 1, "z": 2},
        "a": {"x": 5, "z": 2},
        "b": {"x": 1, "z": 2, "w": 3},
        "c": {"k": "v"},
    }


def test_lists_of_objects_are_unfolded_at_any_depth() -> None:
    text = """
kind: List
items:
- {kind: A}
- {kind: List, items: [{kind: B}]}
---
apiVersion: v1
kind: ConfigMapList
items: [{metadata: {name: c}}, {apiVersion: v2, kind: D}]
"""
    assert read(text) == [
        {"kind": "A"},
        {"kind": "B"},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}},
        {"apiVersion": "v2", "kind": "D"},
    ]


@pytest.mark.parametrize("text", ["kind: Deployment\nitems: []", "kind: AccessList\nspec: {}", "kind: 5\nitems: []"])
def test_what_is_no_list_of_objects_stays_whole(text: str) -> None:
    assert len(read(text)) == 1


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' is there twice"),
        ("y: 1\non: 2", 2, "the key 'true' is there twice"),
        ("~: 1", 1, "the key None is not a text"),
        ("a: 1\n1.5: 1", 2, "the key 1.5 is not a text"),
        ("a: 1\n? [b]\n: 1", 2, "a list or mapping can't be a key"),
        ("a: 1\n? {b: 1}\n: 1", 2, "a list or mapping can't be a key"),
        ("a: !!python/object:os.system x", 1, "the tag tag:yaml.org,2002:python/object:os.system does not fit"),
        ("a: !!python/object:os.system {}", 1, "the tag tag:yaml.org,2002:python/object:os.system is not allowed"),
        ("a: !!binary aGk=", 1, "the tag tag:yaml.org,2002:binary does not fit"),
        ("a: !!timestamp x", 1, "the tag tag:yaml.org,2002:timestamp does not fit"),
        ("a: !!int ''", 1, "the tag tag:yaml.org,2002:int does not fit"),
        ("a: !!bool x", 1, "the tag tag:yaml.org,2002:bool does not fit"),
        ("a: !!int true", 1, "the tag tag:yaml.org,2002:int does not fit"),
        ("a: !!set {b}", 1, "the tag tag:yaml.org,2002:set is not allowed"),
        ("a: !mine 5", 1, "the tag !mine does not fit"),
        ("a: *nobody", 1, "no anchor &nobody ends before *nobody"),
        ("a: &a\n- *a", 2, "no anchor &a ends before *a"),
        ("a: &a 1\nb: &a [*a]", 2, "no anchor &a ends before *a"),
        ("a: &a 1\n---\nb: *a", 3, "no anchor &a ends before *a"),
        ("<<: 1", 1, "'<<' merges mappings only"),
        ("<<: []", 1, "'<<' merges mappings only"),
        ("<<: [{a: 1}, 2]", 1, "'<<' merges mappings only"),
        ("<<: {a: 1}\n<<: {b: 1}", 2, "the key '<<' is there twice"),
        ("x: 1\n<<: {x: 2}", 2, "'<<' comes after a key that it brings too"),
        ("a: 1\n- b", 2, "not YAML"),
        ("a: 'open", 1, "not YAML"),
        ("a: \x07", 1, "the character '\\x07' is not allowed"),
        ("a: ä\nb: \x7f", 2, "the character '\\x7f' is not allowed"),
        ("a: 1\n---\n\ufeffb: 2", 3, "the character '\\ufeff' is not allowed"),
        ("a: 1\n--- 5", 2, "this document is not a mapping"),
        ("- a: 1", 1, "this document is not a mapping"),
        ("a: 1\n---\nkind: List\nitems: [5]", 2, "an item of this List is not a mapping"),
    ],
)
def test_what_is_refused_is_named_with_file_line_and_fix(text: str, line: int, reason: str, loader: Any) -> None:
    with pytest.raises(Refused) as caught:
        read(text, loader)
    assert caught.value.reason.startswith(f"deploy.yaml:{line}: {reason}")
    assert caught.value.fix


def test_half_a_surrogate_pair_is_refused(loader: Any) -> None:
    with pytest.raises(Refused, match=r"deploy\.yaml:2: "):
        read('a: 1\nb: "\\ud83d"', loader)


def test_a_whole_character_beyond_ascii_is_kept(loader: Any) -> None:
    assert read('a: "\\U0001F600 ä"', loader) == [{"a": "😀 ä"}]


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    with pytest.raises(Refused, match=r"a\.yaml:2: not UTF-8"):
        read_documents("a.yaml", b"a: 1\nb: \xff")


NESTED_MERGES = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 10)
)
DOUBLING = "a0: &a0 [xxxxxxxxxxxxxxxx, xxxxxxxxxxxxxxxx]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (NESTED_MERGES, "more than 32000 values"),
        (DOUBLING, "more than 32000 values"),
        (f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 100)}]", "aliases make more than 8388608 bytes"),
        ("a:\n" + "- 1\n" * 32_000, "more than 32000 values"),
        ("".join(f"%TAG !t{n}! tag:x,2000:{n}\n" for n in range(18)) + "---\na: 1", "more than 16 lines begin with %"),
        ("a: &a x\nb: [" + "*a, " * 101 + "]", "more than 100 aliases"),
        ("".join(f"k{n}: {{<<: {{a: 1}}}}\n" for n in range(17)), "more than 16 merge keys"),
        ("[" * 1_000, "nested deeper than 64 levels"),
        ("{a: " * 1_000, "nested deeper than 64 levels"),
        ("a: 1\n" + "---\n" * 2_001, "more than 2000 documents"),
        ("a: " + "x" * 1_048_576, "bytes are too many"),
        ("kind: List\nitems:\n" + "- {}\n" * 2_001, "2001 objects are too many"),
    ],
    ids=[
        "merges",
        "aliases",
        "bytes of aliases",
        "values",
        "directives",
        "many aliases",
        "many merges",
        "lists",
        "mappings",
        "documents",
        "bytes",
        "items",
    ],
)
def test_what_would_grow_beyond_the_limits_is_refused(text: str, reason: str, loader: Any) -> None:
    with pytest.raises(Refused) as caught:
        read(text, loader)
    assert reason in caught.value.reason
    assert caught.value.fix


def test_the_limits_themselves_are_allowed(loader: Any) -> None:
    limits = Limits(depth=3, aliases=2, merge_keys=1, documents=2)
    text = "a: &a {b: [1]}\nc: {<<: *a}\n---\nd: &d 1\ne: [*d]\n"
    assert len(read_documents("a.yaml", text.encode(), limits, loader=loader)) == 2


PLAIN = st.text("abcxyz0123456789+-._:eEoOnNyY~ ", min_size=1, max_size=8)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBER = st.integers(-(2**63), 2**64 - 1)
VALUE = st.recursive(PLAIN | TEXT | NUMBER | st.none() | st.booleans(), lambda v: st.lists(v, max_size=3), max_leaves=5)


@given(st.dictionaries(TEXT, VALUE, min_size=1, max_size=4))
def test_what_pyyaml_writes_quoted_is_read_back_by_both_loaders(value: dict[str, Any]) -> None:
    text = yaml.safe_dump(value, default_style='"', allow_unicode=False)
    assert [read(text, loader) for loader in LOADERS] == [[value], [value]]


@given(st.lists(PLAIN, min_size=1, max_size=4))
def test_both_loaders_agree_on_any_line(lines: list[str]) -> None:
    text = "".join(f"k{number}: {line}\n" for number, line in enumerate(lines))
    answers: list[object] = []
    for loader in LOADERS:
        try:
            answers.append(read(text, loader))
        except Refused:
            answers.append(Refused)
    assert answers[0] == answers[1]


WORDS = [
    "\n  ",
    "\n- ",
    ": ",
    "<<: ",
    "*a",
    "&a ",
    "---\n",
    "!!int ",
    "! ",
    "%YAML 1.1\n",
    "\\ud83d",
    "\ufeff",
    "\u2028",
    "😀",
]
PIECE = st.sampled_from([*"abc01:-?[]{},&*!|>'\"%@`# \n\t~<=.\\", *WORDS])


@given(st.lists(PIECE, max_size=25))
def test_any_text_is_read_or_refused_and_both_loaders_agree(pieces: list[str]) -> None:
    answers = []
    for loader in LOADERS:
        # One loader may be stricter: the Python one takes half surrogate pairs and some odd directives.
        with contextlib.suppress(Refused):
            answers.append(repr(read("".join(pieces), loader)))
    assert len(set(answers)) <= 1


@given(st.binary(max_size=40), st.sampled_from(["a.yaml", "a.json"]))
def test_any_bytes_are_read_or_refused(data: bytes, name: str) -> None:
    try:
        assert isinstance(read_documents(name, data), list)
    except Refused as refused:
        assert refused.reason.startswith(name)
