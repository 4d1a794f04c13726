"""A lower sequence, tried in clusters with and without the policy."""

from collections.abc import Sequence
from typing import Any

from tests.unit.cli.test_verify_command import reviewed

from downwind.adapters.memory_cluster import MemoryCluster
from downwind.bootstrap.proof.clusters import lower_sequence, told
from downwind.errors import TransientError
from downwind.perform import applications
from downwind.perform.verify import Verdict
from downwind.soundness.finding import Finding

NAMESPACES = {"shop-staging": {"kubernetes.io/metadata.name": "shop-staging"}}


def registered(shop: Any) -> Any:
    return applications.read(shop.world.catalog, ["shop"])[0]


def state(shop: Any, cluster: MemoryCluster, environment: str = "staging") -> str:
    return lower_sequence(lambda: [cluster], registered(shop), environment).state


def test_the_policy_refuses_it(shop: Any) -> None:
    cluster = MemoryCluster(name="lab", review=reviewed, namespaces=NAMESPACES)
    assert state(shop, cluster) == "ok"
    assert cluster.objects == []


def test_without_the_policy_it_fails(shop: Any) -> None:
    assert state(shop, MemoryCluster(name="lab", namespaces=NAMESPACES)) == "failed"


def test_a_refusal_of_another_policy_is_not_the_one_that_was_meant(shop: Any) -> None:
    other = MemoryCluster(name="lab", review=lambda _new, _old: "quota exceeded", namespaces=NAMESPACES)
    assert state(shop, other) == "failed"


def test_no_cluster_no_verdict(shop: Any) -> None:
    def gone() -> Sequence[MemoryCluster]:
        raise TransientError("cluster lab did not answer")

    assert lower_sequence(gone, registered(shop), "staging").state == "unreachable"
    assert state(shop, MemoryCluster(name="lab")) == "unreachable"
    assert lower_sequence(list, None, None).state == "not applicable"


def test_each_finding_is_a_line() -> None:
    found = told(
        "clusters",
        "policies",
        lambda: Verdict(findings=(Finding(where="lab", what="is bad", fix="mend it"),) * 2, checked=()),
    )
    assert [each.state for each in found] == ["failed"] * 2
    (sound,) = told("clusters", "policies", lambda: Verdict(findings=(), checked=("a", "b")))
    assert (sound.state, sound.why) == ("ok", "2 checks, no finding")


def test_a_system_that_does_not_answer_is_no_verdict_and_says_how_to_reach_it() -> None:
    def gone() -> Verdict:
        raise TransientError("Gate did not answer")

    (found,) = told("spinnaker", "Spinnaker is fit", gone)
    assert found.state == "unreachable"
    assert "DOWNWIND_GATE_URL" in str(found.fix)
