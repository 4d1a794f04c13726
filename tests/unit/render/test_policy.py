"""What is refused before it can become a bundle, each with a fix."""

from typing import Any

import pytest

from downwind.errors import Refused
from downwind.render.bundle import ReleaseFacts, make_bundle

RELEASE = ReleaseFacts(application="shop", environment="staging", namespace="s", commit="c" * 40)


def thing(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("text", "object 1 is not a Kubernetes object"),
        ({}, "object 1 has no apiVersion"),
        ({"kind": "A", "metadata": {"name": "x"}}, "A x has no apiVersion"),
        ({"apiVersion": "", "kind": "A", "metadata": {"name": "x"}}, "A x has no apiVersion"),
        ({"apiVersion": 1, "kind": "A", "metadata": {"name": "x"}}, "A x: apiVersion is 1, not a text"),
        ({"apiVersion": "v1", "metadata": {"name": "x"}}, "object 1 has no kind"),
        ({"apiVersion": "v1", "kind": "A"}, r"object 1 \(A\) has no metadata"),
        ({"apiVersion": "v1", "kind": "A", "metadata": []}, r"object 1 \(A\) has no metadata"),
        ({"apiVersion": "v1", "kind": "A", "metadata": {}}, r"object 1 \(A\) has no name"),
        (thing(name=5), "ConfigMap 5: name is 5, not a text"),
        (thing(generateName="a-"), "ConfigMap a has generateName"),
        (thing(namespace=5), "ConfigMap 5/a: metadata.namespace is not a text"),
        (thing(annotations=[]), "ConfigMap a: metadata.annotations is not a mapping"),
        (thing(labels="x"), "ConfigMap a: metadata.labels is not a mapping"),
        (thing(annotations={"n": 5}), "ConfigMap a: the value of n in metadata.annotations is 5"),
        (thing(labels={"n": {}}), "ConfigMap a: the value of n in metadata.labels is {}"),
        (thing(annotations={"downwind.dev/sequence": "1"}), "ConfigMap a carries downwind.dev/sequence"),
        (thing(annotations={"downwind.dev/owner": "a/b"}), "ConfigMap a carries downwind.dev/owner"),
        (thing(annotations={"downwind.dev/sequence-override": "1->2"}), "carries downwind.dev/sequence-override"),
        (thing(labels={"downwind.dev/fence": "true"}), "ConfigMap a carries downwind.dev/fence"),
        (thing(labels={"downwind.dev/adopt": "a/b"}), "ConfigMap a carries downwind.dev/adopt"),
        (thing(name="downwind.shop.staging"), "has the name of a fence or a guard"),
        (thing(name="downwind.shop.staging.guard"), "has the name of a fence or a guard"),
        (thing(name="downwind.other.production-v000"), "has the name of a fence or a guard"),
        (thing() | {"data": {5: "x"}}, "ConfigMap a: the key 5 is not a text"),
        (thing() | {"data": {"x" * 1_100: "x"}}, "is too long"),
        (thing() | {"data": {"ä" * 200: "x"}}, "is too long"),
        (thing() | {"data": float("inf")}, "inf is not a value that JSON has"),
        (thing() | {"data": float("nan")}, "nan is not a value that JSON has"),
        (thing() | {"data": b"x"}, "b'x' is not a value that JSON has"),
        (thing() | {"data": "x" * 3_000_001}, "more than Spinnaker reads in one document"),
    ],
)
def test_it_is_refused_with_its_place_and_a_fix(value: Any, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        make_bundle([value], RELEASE)
    assert caught.value.fix


def test_the_fix_of_a_number_shows_it_in_quotes() -> None:
    with pytest.raises(Refused) as caught:
        make_bundle([thing(annotations={"prometheus.io/port": 8080})], RELEASE)
    assert caught.value.fix == 'write prometheus.io/port: "8080"'


@pytest.mark.parametrize(
    "name",
    ["downwind", "downwind.shop", "downwind.shop.staging.other", "a.downwind.shop.staging", "downwind-shop.staging"],
)
def test_a_name_that_no_fence_can_have_is_allowed(name: str) -> None:
    assert make_bundle([thing(name=name)], RELEASE).objects[0].name == name


def test_a_key_of_eighty_letters_of_any_script_is_allowed() -> None:
    assert make_bundle([thing() | {"data": {"x" * 900: "1", "ä" * 81: "2"}}], RELEASE).objects
