"""The local cluster answers the cases of infra/admission/sequence-policy.yaml as the real API server did. Each is a story:
writes one after another to one object, `ok` or a part of the refusal wanted for each.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from downwind.local.cluster import ApiError, Cluster

ROOT = Path(__file__).parents[3]
A64 = "a" * 64
D = "downwind.dev/"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(tmp_path)
    yield found
    found.stop()


def thing(**annotations: str) -> dict[str, Any]:
    """An ordinary object; keyword `sequence_override` becomes `downwind.dev/sequence-override`."""
    marks = {D + key.replace("_", "-"): value for key, value in annotations.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "web", "namespace": "shop", "annotations": marks},
    }


def owned(sequence: str, owner: str = "shop/staging", **more: str) -> dict[str, Any]:
    return thing(owner=owner, sequence=sequence, **more)


def fence(
    sequence: str, attempt: str = "0", execution: str = "E1", name: str = "downwind.shop.staging"
) -> dict[str, Any]:
    found = owned(sequence, attempt=attempt, execution=execution)
    found |= {"kind": "ConfigMap"}
    found["metadata"] |= {"name": name, "labels": {D + "fence": "true"}}
    return found


def without(manifest: dict[str, Any], *marks: str) -> dict[str, Any]:
    for mark in marks:
        del manifest["metadata"]["annotations"][D + mark]
    return manifest


def relabelled(manifest: dict[str, Any], value: str | None) -> dict[str, Any]:
    manifest["metadata"]["labels"] = {} if value is None else {D + "fence": value}
    return manifest


def renamed(manifest: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    manifest["metadata"] |= metadata
    return manifest


FALL = "may not fall from"
WHOLE = "must be a whole number of at most 18 digits"
DEPLOY = "start rollouts with `downwind deploy`"
OWNER = "must be <application>/<environment>"
IS_FENCE = 'is a fence: it must be a ConfigMap named downwind.shop.staging with the label downwind.dev/fence: "true"'
OWN = "needs an execution of its own"

Story = list[tuple[dict[str, Any], str]]
STORIES: dict[str, Story] = {
    "a sequence rises, repeats, and does not fall, as a number": [
        (owned("10"), "ok"),
        (owned("11"), "ok"),
        (owned("11"), "ok"),
        (owned("10"), f"{FALL} 11 to 10: a newer render is already live"),
        (owned("9"), FALL),
        (owned("100"), "ok"),
        (owned("99"), FALL),
        (owned("9" * 18), "ok"),
        (owned("9" * 17 + "8"), FALL),
    ],
    "zero is a sequence": [(owned("0"), "ok"), (owned("1"), "ok")],
    "marks may not be removed": [
        (owned("10"), "ok"),
        (without(owned("1"), "sequence"), "may not be removed (it is 10)"),
        (without(owned("10"), "owner"), "may not be removed: it belongs to shop/staging"),
        (thing(), "may not be removed: it belongs to shop/staging"),
    ],
    "an object without marks is free, and may get both": [
        (thing(), "ok"),
        (thing(sequence="7"), "needs downwind.dev/owner: <application>/<environment> beside it"),
        (thing(team="x"), "ok"),
        (owned("7"), "ok"),
    ],
    "an owner without a sequence may add one, another owner may not": [
        (thing(owner="shop/staging"), "ok"),
        (owned("1", "shop/production"), "belongs to shop/staging, not to shop/production"),
        (owned("1"), "ok"),
    ],
    "an object changes its owner by adopt only, and counts afresh": [
        (owned("10"), "ok"),
        (owned("11", "shop/production"), 'write downwind.dev/adopt: "shop/staging" into the new manifest'),
        (owned("3", "shop/production"), "belongs to shop/staging"),
        (owned("11", "shop/production", adopt="billing/staging"), "belongs to shop/staging"),
        (owned("11", "shop/production", adopt=""), "belongs to shop/staging"),
        (owned("3", "shop/production", adopt="shop/staging"), "ok"),
        (owned("20"), "belongs to shop/production"),
        (owned("20", adopt="shop/staging"), "belongs to shop/production"),
        (owned("4", "shop/production"), "ok"),
        (owned("3", "shop/production"), FALL),
        (owned("3", "shop/production", adopt="shop/staging"), FALL),
    ],
    "an adoption needs a sequence": [
        (owned("10"), "ok"),
        (thing(owner="shop/production", adopt="shop/staging"), "may not be removed (it is 10)"),
        (owned("x", "shop/production", adopt="shop/staging"), WHOLE),
    ],
    "kube-system is not guarded": [
        (renamed(owned("10"), namespace="kube-system"), "ok"),
        (renamed(owned("5"), namespace="kube-system"), "ok"),
    ],
    "an object that a controller owns is left alone": [
        (renamed(owned("10"), ownerReferences=[{"controller": True}]), "ok"),
        (renamed(owned("5"), ownerReferences=[{"controller": True}]), "ok"),
    ],
    "a fence is no exception for a controller's sake": [
        (fence("10"), "ok"),
        (renamed(fence("5", "0", "E2"), ownerReferences=[{"controller": True}]), FALL),
    ],
    "break-glass needs the verb, which a deployer has not": [
        (owned("30"), "ok"),
        (owned("25", sequence_override="30->25"), FALL),
    ],
    "a fence rises with an execution of its own": [
        (fence("5", "0", "E5a"), "ok"),
        (fence("5", "0", "E5a"), "ok"),
        (fence("5", "0", "E5b"), "execution E5a (attempt 0) already holds sequence 5"),
        (fence("5", "1", "E5c"), "ok"),
        (fence("5", "0", "E5a"), "execution E5c (attempt 1) already holds sequence 5"),
        (fence("5", "0", "E5c"), "already holds sequence 5"),
        (fence("5", "1", "E5d"), "already holds sequence 5"),
        (fence("5", "1", "E5c"), "ok"),
        (fence("5", "9", "E5e"), "ok"),
        (fence("5", "10", "E5f"), "ok"),
        (fence("5", "9", "E5e"), "already holds sequence 5"),
        (fence("6", "0", "E6"), "ok"),
        (fence("5", "11", "E5g"), f"{FALL} 6 to 5"),
        (fence("5", "0", "E6"), FALL),
        (fence("7", "0", "E6"), OWN),
        (fence("6", "1", "E6"), OWN),
    ],
    "a standing fence keeps its marks and its label": [
        (fence("6", "0", "E6"), "ok"),
        (without(fence("6", "0", "E6"), "sequence"), DEPLOY),
        (without(fence("6", "0", "E6"), "execution"), DEPLOY),
        (without(fence("6", "0", "E6"), "attempt"), DEPLOY),
        (without(fence("6", "0", "E6"), "owner"), "may not be removed"),
        (relabelled(fence("6", "0", "E6"), None), IS_FENCE),
        (relabelled(fence("6", "0", "E6"), "false"), IS_FENCE),
        (relabelled(fence("7", "0", "E7"), None), IS_FENCE),
        (fence("", "0", "E7"), DEPLOY),
        (fence("abc", "0", "E7"), DEPLOY),
        (fence("7", "0", ""), DEPLOY),
        (fence("7", "", "E7"), DEPLOY),
        (fence("7", "0", "E7"), "ok"),
    ],
    "an object with an execution follows the fence's rule, without its name": [
        (owned("5", attempt="0", execution="E5"), "ok"),
        (owned("5", attempt="0", execution="E6"), "already holds sequence 5"),
        (owned("6", attempt="0", execution="E6"), "ok"),
    ],
    "the guard is an ordinary object whose sequence does not fall": [
        (renamed(owned("6"), name="downwind.shop.staging.guard"), "ok"),
        (renamed(owned("5"), name="downwind.shop.staging.guard"), f"{FALL} 6 to 5"),
        (renamed(owned("6"), name="downwind.shop.staging.guard"), "ok"),
    ],
}
CREATES: list[tuple[dict[str, Any], str]] = [
    *((owned(text), WHOLE) for text in ("abc", "", "-1", "1.5", "1e3", "010", "0x10", " 12", "12 ", "+12", "１２")),
    *((owned(text), WHOLE) for text in ("9223372036854775807", "1234567890123456789")),
    (owned("5"), "ok"),
    *((owned("1", o), OWNER) for o in ("shop", "shop/", "/staging", "shop/staging/x", "Shop/staging", "shop /staging")),
    *((owned("1", o), OWNER) for o in ("", " shop/staging", "sh.op/staging", "shop/stag.ing", "shop/staging.guard")),
    *((owned("1", o), OWNER) for o in ("shop-/staging", "shop/-staging", "shop_a/staging", f"{A64}/b", f"b/{A64}")),
    *((owned("1", o), "ok") for o in ("a/b", "a-1/0--9", f"{A64[:63]}/{A64[:63]}")),
    (without(fence("1"), "sequence"), DEPLOY),
    (fence(""), DEPLOY),
    (fence("x"), DEPLOY),
    (without(fence("1"), "attempt"), DEPLOY),
    *((fence("1", attempt), DEPLOY) for attempt in ("", "-1", "1.0")),
    (without(fence("1"), "execution"), DEPLOY),
    *((fence("1", "0", execution), DEPLOY) for execution in ("", " ", "${execution.id}")),
    (fence("${trigger['downwind']['sequence']}"), DEPLOY),
    (without(fence("1"), "owner"), DEPLOY),
    (relabelled(fence("1"), "yes"), IS_FENCE),
    (relabelled(fence("1"), None), IS_FENCE),
    (without(relabelled(fence("1"), None), "attempt", "execution"), DEPLOY),
    (fence("1", name="downwind.shop.staging-v000"), 'strategy.spinnaker.io/versioned: "false"'),
    ({**fence("1"), "kind": "Secret"}, IS_FENCE),
    (fence("1"), "ok"),
]


def check(cluster: Cluster, manifest: dict[str, Any], wanted: str) -> None:
    if wanted == "ok":
        cluster.apply(manifest)
        return
    with pytest.raises(ApiError) as refusal:
        cluster.apply(manifest)
    assert (refusal.value.status, refusal.value.reason) == (403, "Forbidden")
    assert wanted in str(refusal.value)


@pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
def test_writes_one_after_another(cluster: Cluster, story: Story) -> None:
    for manifest, wanted in story:
        check(cluster, manifest, wanted)


@pytest.mark.parametrize(("manifest", "wanted"), CREATES)
def test_a_first_write(cluster: Cluster, manifest: dict[str, Any], wanted: str) -> None:
    check(cluster, manifest, wanted)


def test_a_refused_write_leaves_the_object_as_it_was(cluster: Cluster) -> None:
    before = cluster.apply(owned("11"))
    check(cluster, owned("10"), FALL)
    assert cluster.get("shop", "Secret", "web") == before


def test_break_glass_counts_only_in_the_write_that_sets_it(cluster: Cluster) -> None:
    cluster.apply(owned("30"))
    cluster.apply(owned("25", sequence_override="30->25"), may_override=True)
    cluster.apply(owned("30", sequence_override="30->25"), may_override=True)
    with pytest.raises(ApiError, match=FALL):
        cluster.apply(owned("25", sequence_override="30->25"), may_override=True)
    with pytest.raises(ApiError, match=FALL):
        cluster.apply(owned("25"), may_override=True)


def test_break_glass_takes_all_marks_off(cluster: Cluster) -> None:
    cluster.apply(owned("25"))
    cluster.apply(thing(sequence_override="25->"), may_override=True)
    cluster.apply(owned("1", "billing/staging"))


def test_a_fence_is_deleted_only_after_its_annotation_and_with_the_verb(cluster: Cluster) -> None:
    cluster.apply(fence("6", "0", "E6"))
    where = ("shop", "ConfigMap", "downwind.shop.staging")
    with pytest.raises(ApiError, match="may not be deleted: execution E6 holds sequence 6"):
        cluster.delete(*where, may_override=True)
    marked = fence("6", "0", "E6")
    marked["metadata"]["annotations"][D + "sequence-override"] = "6->"
    cluster.apply(marked)
    with pytest.raises(ApiError, match="is the fence of shop/staging"):
        cluster.delete(*where)
    cluster.delete(*where, may_override=True)
    assert cluster.get(*where) is None


def test_any_other_object_may_be_deleted_and_start_anew(cluster: Cluster) -> None:
    cluster.apply(owned("20"))
    cluster.delete("shop", "Secret", "web")
    cluster.apply(owned("3"))


def test_a_refusal_reads_as_the_api_server_words_it(cluster: Cluster) -> None:
    deployment = {**owned("13"), "apiVersion": "apps/v1", "kind": "Deployment"}
    cluster.apply(deployment)
    with pytest.raises(ApiError) as refusal:
        cluster.apply({**owned("12"), "apiVersion": "apps/v1", "kind": "Deployment"})
    assert str(refusal.value) == (
        "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'sequence.downwind.dev' with binding "
        "'sequence.downwind.dev' denied request: downwind.dev/sequence of Deployment shop/web may not fall from 13 to "
        "12: a newer render is already live"
    )


def test_the_copy_of_the_policy_has_the_rules_that_python_has() -> None:
    """Every fixed text of a Python refusal stands in the YAML too, so that neither changes alone."""
    documents = list(yaml.safe_load_all((ROOT / "infra/admission/sequence-policy.yaml").read_text()))
    policies = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "ValidatingAdmissionPolicy"}
    rules = [rule for spec in policies.values() for rule in spec["validations"]]
    assert set(policies) == {"sequence.downwind.dev", "fence.downwind.dev"}
    assert {rule["reason"] for rule in rules} == {"Forbidden"}
    words = " ".join(rule["messageExpression"] for rule in rules).replace('\\"', '"')
    for text in (
        FALL,
        WHOLE,
        DEPLOY,
        OWNER,
        OWN,
        "may not be removed (it is ",
        "already holds sequence ",
        "belongs to ",
    ):
        assert text in words
