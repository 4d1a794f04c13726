"""The sequence and the guard, as the admission policy and Clouddriver's order need them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.reconcile.stamp import guard_name, stamp
from downwind.render.bundle import ReleaseFacts, make_bundle

RELEASE = ReleaseFacts(application="shop", environment="staging", namespace="shop-staging", commit="c" * 40)
TEMPLATE = {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {"template": TEMPLATE},
}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {"template": TEMPLATE}}


def documents(*objects: dict[str, Any]) -> bytes:
    return make_bundle(objects, RELEASE).documents


def stamped(data: bytes, sequence: int = 7) -> bytes:
    return stamp(data, application="shop", environment="staging", namespace="shop-staging", sequence=sequence)


def read(data: bytes) -> list[dict[str, Any]]:
    assert data.startswith(b"---\n")
    return [json.loads(line) for line in data.removeprefix(b"---\n").split(b"---\n")]


def test_the_guard_is_the_first_document_in_the_environments_namespace_and_not_versioned() -> None:
    guard = read(stamped(documents(DEPLOYMENT)))[0]
    assert guard == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "downwind.shop.staging.guard",
            "namespace": "shop-staging",
            "annotations": {
                "downwind.dev/owner": "shop/staging",
                "downwind.dev/sequence": "7",
                "strategy.spinnaker.io/versioned": "false",
            },
        },
    }
    assert guard["metadata"]["name"] == guard_name("shop", "staging")


def test_every_object_carries_the_sequence_as_a_text_and_nothing_else_changes() -> None:
    data = documents(DEPLOYMENT, CONFIG)
    after = read(stamped(data))[1:]
    assert [value["metadata"]["annotations"].pop("downwind.dev/sequence") for value in after] == ["7", "7"]
    assert after == read(data)


def test_pod_templates_carry_no_sequence() -> None:
    assert read(stamped(documents(DEPLOYMENT)))[1]["spec"]["template"] == TEMPLATE


def test_a_single_job_gets_the_sequence_but_no_guard() -> None:
    (job,) = read(stamped(documents(JOB)))
    assert job["kind"] == "Job"
    assert job["metadata"]["annotations"]["downwind.dev/sequence"] == "7"


@pytest.mark.parametrize(
    "objects",
    [(JOB, CONFIG), (CONFIG,), ({**JOB, "apiVersion": "acme.example/v1"},)],
    ids=["a job with more", "no job", "a job of somebody else's API"],
)
def test_anything_but_a_single_job_is_guarded(objects: tuple[dict[str, Any], ...]) -> None:
    assert read(stamped(documents(*objects)))[0]["metadata"]["name"] == "downwind.shop.staging.guard"


@given(st.integers(1, 10**18 - 1), st.text(st.characters(codec="utf-8"), max_size=20))
def test_the_same_bundle_and_number_give_the_same_bytes_and_another_number_others(sequence: int, text: str) -> None:
    data = documents({**CONFIG, "data": {"a": text}})
    assert stamped(data, sequence) == stamped(data, sequence)
    assert stamped(data, sequence) != stamped(data, sequence % (10**18 - 1) + 1)
    assert all(char <= "~" or char > "\uffff" for char in stamped(data, sequence).decode())
    assert read(stamped(data, sequence))[1]["data"]["a"] == text


@pytest.mark.parametrize("sequence", [0, -1, 10**18])
def test_a_number_that_the_policy_would_refuse_is_refused_here(sequence: int) -> None:
    with pytest.raises(ValueError, match="a sequence is a whole number"):
        stamped(documents(CONFIG), sequence)


def test_a_bundle_of_renderer_1_which_had_no_first_separator_is_stamped_as_one_of_today() -> None:
    data = documents(DEPLOYMENT, CONFIG)
    assert stamped(data.removeprefix(b"---\n")) == stamped(data)
