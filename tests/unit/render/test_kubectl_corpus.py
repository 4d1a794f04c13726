"""No scalar changes on its way: 1,385 traps of YAML 1.1 and 1.2, judged by kubectl's own reader. Its answers are recorded; where
kubectl is on the path it is asked again, of the source and of our bundle."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.render.kubectl import KUBECTL, REFUSED, corpus, manifest, read

from downwind.errors import Refused
from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.serialise import split
from downwind.render.yaml_reader import read_documents

RELEASE = ReleaseFacts(application="shop", environment="staging", namespace="shop", commit="c" * 40)
ONLY_KUBECTL_REFUSES = {("value", r'"\/"'), ("flow", r'"\/"'), ("key", "18446744073709551615")}
"""An escape of JSON, which is YAML 1.2; and a key that Go takes for a number of another type."""
OURS_TO_REFUSE = {"!x", "!local 5", "!!binary aGk=", "!!timestamp 2001-01-01", "!!set {a}", "!!omap [a: 1]", '"\ufeff"'}
"""Tags that few readers know alike, and a mark that some drop. In `[x:]` libyaml sees a mapping, Go a text."""


def rendered(place: str, scalar: str) -> Any:
    objects = read_documents("a.yaml", manifest(place, scalar).encode())
    return split(make_bundle(objects, RELEASE).documents)[0].get("spec")


def comparable(value: Any) -> Any:
    """As Go counts: beyond 64 bits a whole number is a float. Nulls in mappings are dropped on purpose."""
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [comparable(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def same(one: Any, other: Any) -> bool:
    """`1 == True == 1.0` for Python, but not for JSON."""
    return json.dumps(comparable(one), sort_keys=True) == json.dumps(comparable(other), sort_keys=True)


def taken() -> Iterator[tuple[str, str, Any, Any]]:
    """What both readers take: place, scalar, kubectl's answer, ours."""
    for place, scalar, answer in corpus():
        if answer != REFUSED:
            try:
                yield place, scalar, answer, rendered(place, scalar)
            except Refused:
                continue


def test_every_scalar_is_what_kubectl_has_read() -> None:
    cases = list(taken())
    assert [case for case in cases if not same(case[2], case[3])] == []
    assert len(cases) > 1_250


def test_what_kubectl_refuses_is_refused_but_for_three_that_are_known() -> None:
    found = set()
    for place, scalar, answer in corpus():
        if answer == REFUSED:
            try:
                rendered(place, scalar)
            except Refused:
                continue
            found.add((place, scalar))
    assert found == ONLY_KUBECTL_REFUSES


def test_what_only_we_refuse_is_known_by_name_or_a_key_that_is_no_text() -> None:
    for place, scalar, answer in corpus():
        if answer == REFUSED:
            continue
        try:
            rendered(place, scalar)
        except Refused as refused:
            known = scalar in OURS_TO_REFUSE or (place, scalar) == ("flow", "x:")
            assert known or "is not a text" in refused.reason, (place, scalar, refused.reason)


@pytest.mark.skipif(
    not KUBECTL, reason="NOT TESTED: no kubectl on the path that could read the corpus and our bundles of it"
)
def test_kubectl_reads_the_same_of_our_bundle_as_of_the_source() -> None:
    cases = [case[:2] for case in taken()]
    sources = [manifest(place, scalar, f"n{number}") for number, (place, scalar) in enumerate(cases)]
    from_source = read("---\n".join(sources))
    objects = [value for text in sources for value in read_documents("a.yaml", text.encode())]
    from_bundle = read(make_bundle(objects, RELEASE).documents)
    assert from_source is not None
    assert from_bundle is not None
    by_name = {each["metadata"]["name"]: each.get("spec") for each in from_bundle}
    assert len(by_name) == len(from_source) == len(cases)
    changed = [each for each in from_source if not same(each.get("spec"), by_name[each["metadata"]["name"]])]
    assert changed == []
