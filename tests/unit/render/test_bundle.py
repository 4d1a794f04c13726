"""Objects to bundles: what is pinned, marked and ordered, and that equal inputs give equal bytes."""

import copy
import hashlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from downwind.errors import Refused
from downwind.render.bundle import BundleSet, ObjectSummary, ReleaseFacts, make_bundle
from downwind.render.serialise import split
from downwind.render.yaml_reader import read_documents

NAME = "registry.example/acme/shop"
DIGEST = "sha256:" + "a" * 64
RELEASE = ReleaseFacts(
    application="shop", environment="staging", namespace="shop-staging", commit="c" * 40, images={NAME: DIGEST}
)
MARKS = {
    "downwind.dev/owner": "shop/staging",
    "downwind.dev/commit": "c" * 40,
    "downwind.dev/release": "shop/" + "c" * 40,
}


def thing(kind: str = "ConfigMap", name: str = "a", api: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **more.pop("metadata", {})}, **more}


def deployment(image: str = NAME, name: str = "web") -> dict[str, Any]:
    template = {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    return thing("Deployment", name, "apps/v1", spec={"template": template})


def test_the_release_is_pinned_and_marked_on_the_object_but_not_on_its_pods() -> None:
    source = deployment(f"{NAME}:v1")
    before = copy.deepcopy(source)
    bundle = make_bundle([source], RELEASE)
    (found,) = split(bundle.documents)
    assert found["metadata"] == {
        "name": "web",
        "namespace": "shop-staging",
        "annotations": MARKS,
        "labels": {"downwind.dev/application": "shop", "downwind.dev/environment": "staging"},
    }
    assert found["spec"]["template"] == {
        "metadata": {"annotations": {"a": "b"}},
        "spec": {"containers": [{"name": "web", "image": f"{NAME}@{DIGEST}"}]},
    }
    assert bundle.pinned == (f"{NAME}@{DIGEST}",)
    assert bundle.unused == ()
    sha256 = hashlib.sha256(bundle.documents.removeprefix(b"---\n")).hexdigest()
    assert bundle.objects == (ObjectSummary(kind="Deployment", name="web", namespace="shop-staging", sha256=sha256),)
    assert source == before


def test_a_bundle_knows_no_sequence() -> None:
    assert b"sequence" not in make_bundle([deployment()], RELEASE).documents


def test_an_image_of_the_release_that_stands_nowhere_is_reported_and_a_foreign_one_kept() -> None:
    bundle = make_bundle([deployment("nginx:1.27")], RELEASE)
    assert (bundle.pinned, bundle.unused) == ((), (NAME,))
    assert b'"image":"nginx:1.27"' in bundle.documents


def test_the_repository_is_written_where_it_is_known() -> None:
    release = ReleaseFacts(
        application="shop", environment="staging", namespace="s", commit="c" * 40, repository="https://git.example/shop"
    )
    (found,) = split(make_bundle([thing()], release).documents)
    assert found["metadata"]["annotations"]["downwind.dev/repository"] == "https://git.example/shop"


def test_annotations_of_the_manifest_stay_and_adopt_is_one_of_them() -> None:
    own = {"strategy.spinnaker.io/versioned": "false", "downwind.dev/adopt": "shop/old"}
    (found,) = split(make_bundle([thing(metadata={"annotations": own})], RELEASE).documents)
    assert found["metadata"]["annotations"] == {**own, **MARKS}


@pytest.mark.parametrize(
    ("value", "namespace"),
    [
        (thing(), "shop-staging"),
        (thing(metadata={"namespace": ""}), "shop-staging"),
        (thing(metadata={"namespace": None}), "shop-staging"),
        (thing(metadata={"namespace": "other"}), "other"),
        (thing("Role", api="rbac.authorization.k8s.io/v1"), "shop-staging"),
        (thing("ClusterRole", api="rbac.authorization.k8s.io/v1"), None),
        (thing("Namespace"), None),
        (thing("Service", api="serving.knative.dev/v1"), None),
        (thing("Rollout", api="argoproj.io/v1alpha1"), None),
    ],
    ids=lambda value: None if isinstance(value, str | None) else f"{value['apiVersion']} {value['kind']}",
)
def test_only_a_known_namespaced_kind_without_namespace_gets_the_environments(
    value: dict[str, Any], namespace: str | None
) -> None:
    bundle = make_bundle([value], RELEASE)
    assert split(bundle.documents)[0]["metadata"].get("namespace") == namespace
    assert bundle.objects[0].namespace == namespace


def test_documents_stand_in_clouddrivers_order_then_by_namespace_kind_and_name() -> None:
    objects = [
        thing("Thing", "x", "acme.example/v1"),
        thing("HorizontalPodAutoscaler", "a", "autoscaling/v2"),
        deployment(name="b"),
        deployment(name="a"),
        thing("Job", "a", "batch/v1"),
        thing("Service", "a"),
        thing("Secret", "a"),
        thing("ConfigMap", "b"),
        thing("ConfigMap", "z", metadata={"namespace": "earlier"}),
        thing("ServiceAccount", "a"),
        thing("RoleBinding", "a", "rbac.authorization.k8s.io/v1"),
        thing("Role", "a", "rbac.authorization.k8s.io/v1"),
        thing("Namespace", "a"),
    ]
    assert [f"{found.kind} {found.name}" for found in make_bundle(objects, RELEASE).objects] == [
        "Namespace a",
        "Role a",
        "RoleBinding a",
        "ServiceAccount a",
        "ConfigMap z",
        "ConfigMap b",
        "Secret a",
        "Service a",
        "Deployment a",
        "Deployment b",
        "Job a",
        "HorizontalPodAutoscaler a",
        "Thing x",
    ]


def test_one_name_in_two_groups_is_two_objects() -> None:
    objects = [thing("Service"), thing("Service", api="serving.knative.dev/v1", metadata={"namespace": "shop-staging"})]
    assert len(make_bundle(objects, RELEASE).objects) == 2


@pytest.mark.parametrize(
    "second",
    [thing(), thing(metadata={"namespace": "shop-staging"}), thing(data={"a": "b"})],
    ids=["same", "with the namespace written out", "other content"],
)
def test_two_objects_of_one_name_are_refused(second: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="is there twice"):
        make_bundle([thing(), second], RELEASE)


def test_two_versions_of_one_api_are_one_object() -> None:
    with pytest.raises(Refused, match="HorizontalPodAutoscaler a is there twice"):
        make_bundle([thing("HorizontalPodAutoscaler", api=f"autoscaling/{v}") for v in ("v1", "v2")], RELEASE)


def test_no_objects_are_refused() -> None:
    with pytest.raises(Refused, match="there are no manifests"):
        make_bundle([], RELEASE)


def test_more_objects_than_the_limit_are_refused() -> None:
    with pytest.raises(Refused, match="2001 objects are too many"):
        make_bundle([thing(name=f"c{number}") for number in range(2_001)], RELEASE)


def test_more_bytes_than_the_limit_are_refused() -> None:
    with pytest.raises(Refused, match="the bundle has"):
        make_bundle([thing(name=f"c{number}", data={"a": "x" * 2_900_000}) for number in range(3)], RELEASE)


def test_spinnakers_expressions_are_kept_word_for_word() -> None:
    text = "${execution.id} #{a} {{b}}"
    (found,) = split(make_bundle([thing(data={"a": text})], RELEASE).documents)
    assert found["data"]["a"] == text


TRICKY = ["22e5", "1e3", "0o17", "y", "on", "2026-11-23", "012", "12e4567", "~", "null", "1_000", "0x1F", "12:30", ".5"]


def test_texts_that_look_like_something_else_stay_texts_for_every_reader() -> None:
    source = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n"
    source += "".join(f'  k{number}: "{text}"\n' for number, text in enumerate(TRICKY))
    bundle = make_bundle(read_documents("a.yaml", source.encode()), RELEASE)
    wanted = {f"k{number}": text for number, text in enumerate(TRICKY)}
    assert split(bundle.documents)[0]["data"] == wanted
    assert yaml.safe_load(bundle.documents)["data"] == wanted
    assert read_documents("again.yaml", bundle.documents)[0]["data"] == wanted


def test_numbers_are_written_as_kubernetes_counts_them() -> None:
    source = (
        b"apiVersion: v1\nkind: T\nmetadata: {name: a}\nspec: [1e3, 0o17, 012, 1.0, 0123e4, 1.5, y, 12:30, 1e300]\n"
    )
    assert (
        b'"spec":[1000,15,10,1,1230000,1.5,true,"12:30",1e+300]'
        in make_bundle(read_documents("a.yaml", source), RELEASE).documents
    )


def test_a_bundle_is_named_by_the_hash_of_its_bytes() -> None:
    bundle = make_bundle([thing()], RELEASE)
    assert bundle.digest == hashlib.sha256(bundle.documents).hexdigest()


def test_a_set_is_named_by_its_parts_and_their_bytes() -> None:
    one, two = make_bundle([thing(name="one")], RELEASE), make_bundle([thing(name="two")], RELEASE)
    lines = f"{one.digest}  canary\n{two.digest}  full\n"
    assert BundleSet(parts={"full": two, "canary": one}).digest == hashlib.sha256(lines.encode()).hexdigest()
    sets = [{"": one}, {"": two}, {"a": one}, {"a": one, "b": two}, {"a": two, "b": one}]
    assert len({BundleSet(parts=parts).digest for parts in sets}) == len(sets)


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
VALUE = st.recursive(
    TEXT | st.booleans() | st.integers(-(2**63), 2**63) | st.sampled_from(TRICKY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(
    st.builds(
        lambda kind, name, data: thing(kind, name, data=data),
        st.sampled_from(["ConfigMap", "Service", "Deployment", "Thing"]),
        st.text("abc", min_size=1, max_size=4),
        VALUE,
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda value: (value["kind"], value["metadata"]["name"]),
)


@given(OBJECTS, st.randoms(use_true_random=False))
def test_the_order_of_the_objects_and_of_their_keys_does_not_matter(objects: list[dict[str, Any]], chance: Any) -> None:
    shuffled = [dict(chance.sample(list(value.items()), len(value))) for value in objects]
    chance.shuffle(shuffled)
    assert make_bundle(shuffled, RELEASE) == make_bundle(objects, RELEASE)


@given(OBJECTS)
def test_what_is_written_is_what_was_given_for_a_reader_of_json(objects: list[dict[str, Any]]) -> None:
    found = [json.loads(line) for line in make_bundle(objects, RELEASE).documents.split(b"---\n")[1:]]
    assert content(found) == content(objects)


@given(OBJECTS)
def test_what_is_written_is_what_was_given_for_readers_of_yaml(objects: list[dict[str, Any]]) -> None:
    documents = make_bundle(objects, RELEASE).documents
    for found in (list(yaml.safe_load_all(documents)), read_documents("a.yaml", documents)):
        assert content(found) == content(objects)


def content(objects: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(value["kind"], value["metadata"]["name"]): value["data"] for value in objects}


@given(OBJECTS)
def test_a_bundle_made_of_a_bundles_own_objects_is_the_same(objects: list[dict[str, Any]]) -> None:
    first = make_bundle(objects, RELEASE)
    again = split(first.documents)
    for value in again:
        for mark in MARKS:
            del value["metadata"]["annotations"][mark]
        del value["metadata"]["labels"]
    assert make_bundle(again, RELEASE) == first
