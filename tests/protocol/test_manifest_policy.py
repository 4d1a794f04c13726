"""What the catalog's policy does not allow is blocked and told with its place, until manifests or policy are put right."""

from typing import Any

from tests.application import DEPLOYMENT

POLICY = ("\nenvironments:", "\npolicy: {deny: [hostNetwork]}\nenvironments:")
ONE_CLUSTER = ("    namespace: shop", "    cluster: eu-1\n    namespace: shop")
HOST_NETWORK = DEPLOYMENT.replace("    spec:\n      containers", "    spec:\n      hostNetwork: true\n      containers")
ROLE = "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: shop}\n"


def reasons(shop: Any, commit: str) -> list[str]:
    return [body["reason"] for body in shop.blocked(commit)]


def test_a_breach_blocks_the_release_with_file_object_path_and_rule(new_shop: Any) -> None:
    shop = new_shop(POLICY)
    commit = shop.push(deployment=HOST_NETWORK)
    shop.build(commit)
    assert shop.executions("staging") == []
    (reason,) = reasons(shop, commit)
    assert reason.startswith(
        "blocked by policy: shop.yaml:2: Deployment shop: spec.template.spec.hostNetwork: is set (policy.deny hostNetwork); "
    )


def test_another_policy_is_another_input_and_the_release_goes(new_shop: Any) -> None:
    shop = new_shop(POLICY)
    shop.build(shop.push(deployment=HOST_NETWORK))
    shop.apply(shop.catalog.replace("[hostNetwork]", "[hostPath]"))
    shop.push()
    shop.tick(2)
    assert len(shop.executions("staging")) == 1


def test_two_environments_do_not_put_one_object_into_one_cluster(new_shop: Any) -> None:
    shop = new_shop(ONE_CLUSTER)
    commit = shop.push(deployment=DEPLOYMENT + ROLE)
    shop.build(commit)
    assert shop.executions("staging") == []
    (reason,) = reasons(shop, commit)
    assert (
        "ClusterRole shop, for the whole cluster, is in the manifests of production too, in the same cluster eu-1"
        in reason
    )


def test_objects_of_different_namespaces_and_of_different_clusters_are_apart(new_shop: Any) -> None:
    shop = new_shop(ONE_CLUSTER)
    shop.build(shop.push())
    assert len(shop.executions("staging")) == 1
    elsewhere = new_shop()
    elsewhere.build(elsewhere.push(deployment=DEPLOYMENT + ROLE))
    assert len(elsewhere.executions("staging")) == 1


def test_a_neighbour_that_cannot_be_rendered_stops_nobody_else(new_shop: Any) -> None:
    shop = new_shop(ONE_CLUSTER)
    shop.build(shop.push(**{"deploy/production/shop.yaml": b"- no object"}))
    assert len(shop.executions("staging")) == 1
