"""Names of objects: different things have different names, and each stays under its own prefix, whatever the text."""

from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.model.patterns import NAME
from downwind.reconcile import names

TEXT = st.text(max_size=20) | st.text(alphabet="/%.\ud800\udfffé", max_size=6)
NAMES = st.text(alphabet="ab1-", min_size=1, max_size=4).filter(NAME.fullmatch)
OBJECTS = st.sampled_from(["a" * 40, "b" * 40, "c" * 64])
NUMBERS = st.integers(0, names.HIGHEST)


@given(TEXT)
def test_any_text_is_one_segment_and_can_be_read_back(text: str) -> None:
    name = names.encode(text)
    assert "/" not in name
    assert name.isascii()
    assert unquote(name, errors="surrogatepass") == text


@given(NUMBERS, NUMBERS)
def test_down_sorts_the_newest_first_in_18_digits(first: int, second: int) -> None:
    assert (names.down(first) < names.down(second)) is (first > second)
    assert (names.down(first) == names.down(second)) is (first == second)
    assert len(names.down(first)) == 18


def test_the_baseline_sorts_last() -> None:
    assert names.down(0) == "9" * 18


@given(st.lists(TEXT, max_size=4), st.lists(TEXT, max_size=4))
def test_no_two_lists_of_parts_look_alike(first: list[str], second: list[str]) -> None:
    assert (names.digest_of(*first) == names.digest_of(*second)) is (first == second)


def test_the_digest_of_json_does_not_depend_on_the_order_of_keys() -> None:
    assert names.digest_of_json({"a": 1, "b": [2]}) == names.digest_of_json({"b": [2], "a": 1})
    assert names.digest_of_json({"a": 1}) != names.digest_of_json({"a": "1"})


# Each family: how to draw its arguments, and its name.
FAMILIES: dict[str, tuple[list[st.SearchStrategy[Any]], Any]] = {
    "event": ([TEXT, TEXT], names.event),
    "release": ([NAMES, OBJECTS], names.release),
    "pushes": ([NAMES, TEXT, st.none() | OBJECTS], names.pushes),
    "push": ([NAMES, TEXT, st.none() | OBJECTS, st.none() | OBJECTS], names.push),
    "build": ([TEXT, OBJECTS, TEXT], names.build),
    "image": ([OBJECTS], names.image),
    "environment": ([NAMES, NAMES], names.environment),
    "log": ([NAMES, NAMES], names.log),
    "entry": ([NAMES, NAMES, NUMBERS], names.entry),
    "ref": ([NAMES, NAMES, TEXT], names.ref),
    "tip": ([NAMES, NAMES, TEXT, OBJECTS], names.tip),
    "rollouts": ([NAMES, NAMES], names.rollouts),
    "rollout": ([NAMES, NAMES, NUMBERS], names.rollout),
    "request": ([NAMES, NAMES, TEXT], names.request),
    "build pointer": ([TEXT], names.build_pointer),
    "execution pointer": ([TEXT], names.execution_pointer),
    "repository index": ([TEXT], names.repository_index),
    "image index": ([TEXT], names.image_index),
    "trigger index": ([TEXT, TEXT, TEXT], names.trigger_index),
    "catalog file": ([NAMES], names.application),
    "bundle": ([NAMES, NAMES, OBJECTS], names.bundle),
    "correlation": ([NAMES, NAMES, NUMBERS, st.integers(0, 9)], names.correlation),
}


PAIRS = {family: st.tuples(*[st.tuples(*strategies)] * 2) for family, (strategies, _) in FAMILIES.items()}
WHOLE = {"push", "entry", "catalog file", "correlation"}
"""Names of one object; the others are prefixes."""


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_different_things_have_different_names_and_no_list_shows_what_stands_under_another(
    family: str, data: st.DataObject
) -> None:
    name = FAMILIES[family][1]
    first, second = data.draw(PAIRS[family])
    one, other = name(*first), name(*second)
    assert (one == other) is (first == second)
    assert family in WHOLE or one.endswith("/")
    assert family in WHOLE or first == second or not one.startswith(other)


@given(NAMES, NAMES, TEXT, NUMBERS, st.none() | OBJECTS)
def test_what_belongs_together_is_read_by_one_list(
    application: str, name: str, ref: str, number: int, after: str | None
) -> None:
    whole = names.environment(application, name)
    for part in (
        names.entry(application, name, number),
        names.ref(application, name, ref),
        names.tip(application, name, ref, "a" * 40),
        names.rollout(application, name, number),
        names.request(application, name, ref),
    ):
        assert part.startswith(whole)
    assert names.entry(application, name, number).startswith(names.log(application, name))
    assert names.rollout(application, name, number).startswith(names.rollouts(application, name))
    assert names.push(application, ref, None, after).startswith(names.pushes(application, ref, after))
    if after:
        assert names.pushes(application, ref, after).startswith(names.release(application, after))


def test_a_mark_of_announcement_stands_beside_its_fact_and_before_it_in_a_list() -> None:
    for leaf in ("completed", "blocked.build-b1", "started.0.e1", "outcome"):
        fact = "release/0/shop/c/" + leaf
        assert names.announced(fact) == f"release/0/shop/c/announced.{leaf}"
        assert names.announced(fact) < fact, "a list that is cut never shows the fact without its mark"


def test_a_marker_is_the_applications_and_the_events() -> None:
    assert names.marker("shop", names.event("gcr", "1")) == f"open/shop/{names.digest_of('gcr', '1')}"


@given(NAMES, NAMES, st.integers(1, names.HIGHEST), st.sampled_from(["canary", "full"]))
def test_stamped_manifests_and_bundles_never_share_a_name(
    application: str, environment: str, number: int, part: str
) -> None:
    content = "0" * 64
    one, several = (names.stamped(application, environment, number, part, parts) for parts in (1, 2))
    assert one == f"{application}/{environment}/rollout/{number}.yaml"
    assert several == f"{application}/{environment}/rollout/{number}/{part}.yaml"
    assert not one.startswith(names.bundle(application, environment, content))


def test_the_artifacts_name_is_stable_and_one_for_each_part() -> None:
    assert names.artifact("bundles", "shop", "staging", "manifests", 1) == "gs://bundles/shop/staging"
    assert names.artifact("bundles", "shop", "staging", "canary", 2) == "gs://bundles/shop/staging/canary"


def test_a_correlation_id_is_what_the_design_says_and_no_pattern() -> None:
    found = names.correlation("shop", "staging", 41, 2)
    assert found == "downwind-" + sha256(b"shop/staging").hexdigest()[:20] + "-41-2"
