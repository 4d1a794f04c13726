"""`downwind prune`: what older rollouts left behind, and nothing else."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from downwind.adapters.memory_cluster import MemoryCluster

SERVICE = b"apiVersion: v1\nkind: Service\nmetadata: {name: shop}\nspec: {}\n"
CLUSTERROLE = b"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: shop}\nrules: []\n"


class Objects:
    """What a test puts into the twin of a cluster."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster(name="lab")
        self.context: str | None = "nobody has asked"

    def put(self, kind: str, name: str, sequence: int | str | None, *, api_version: str = "v1", **more: Any) -> None:
        """By default an object of shop/staging."""
        annotations = {"downwind.dev/owner": "shop/staging", **more.pop("annotations", {})}
        if sequence is not None:
            annotations["downwind.dev/sequence"] = str(sequence)
        metadata = {"namespace": "shop-staging", **more, "name": name, "annotations": annotations}
        self.cluster.objects.append({"apiVersion": api_version, "kind": kind, "metadata": metadata})


@pytest.fixture
def cluster(cli: Any, monkeypatch: pytest.MonkeyPatch) -> Objects:
    found = Objects()
    make: Callable[..., Any] = cli.session

    def session() -> Any:
        def make_cluster(_settings: Any, context: str | None) -> MemoryCluster:
            found.context = context
            found.cluster.name = context or "lab"
            return found.cluster

        made = make()
        made.make_cluster = make_cluster
        return made

    monkeypatch.setattr(cli, "session", session)
    return found


def rolled_out(shop: Any, **files: bytes) -> None:
    """One more success in staging; its manifests have a Service, and what is given."""
    named = {f"deploy/staging/{name}.yaml": data for name, data in {"service": SERVICE, **files}.items()}
    shop.build(shop.push(**named))
    shop.finish(shop.executions("staging")[-1])


def left(cli: Any, *arguments: str) -> list[tuple[str, str, int, str]]:
    (here,) = cli.json("prune", "shop", *arguments)["environments"]
    return [(each["kind"], each["name"], each["sequence"], each["reason"]) for each in here["leftovers"]]


def test_what_only_an_older_rollout_brought_is_listed_with_the_command_that_deletes_it(
    cli: Any, shop: Any, cluster: Objects
) -> None:
    rolled_out(shop)
    rolled_out(shop)
    cluster.put("Deployment", "old-worker", 1, api_version="apps/v1")
    cluster.put("ClusterRole", "shop", 1, api_version="rbac.authorization.k8s.io/v1", namespace="")
    cluster.put("ConfigMap", "it's", 1)
    done = cli.run("prune", "shop", "staging")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "shop/staging in lab: 2 is live, 3 objects of older rollouts left"
    assert lines[6] == "Nothing was deleted. To delete them, after a look at each:"
    assert [shlex.split(line) for line in lines[7:]] == [
        ["kubectl", "--context", "lab", "delete", "ClusterRole.v1.rbac.authorization.k8s.io/shop"],
        ["kubectl", "--context", "lab", "delete", "--namespace", "shop-staging", "ConfigMap/it's"],
        ["kubectl", "--context", "lab", "delete", "--namespace", "shop-staging", "Deployment.v1.apps/old-worker"],
    ]
    assert left(cli, "staging")[2] == ("Deployment", "old-worker", 1, "not in the manifests of 2")


def test_what_is_live_or_newer_or_of_somebody_else_is_not_listed(cli: Any, shop: Any, cluster: Objects) -> None:
    rolled_out(shop)
    rolled_out(shop, role=CLUSTERROLE)
    cluster.put("Service", "shop", 1)  # in the live bundle, whoever wrote it last
    cluster.put("Service", "shop", 1, namespace="")
    cluster.put("ClusterRole", "shop", 1, api_version="rbac.authorization.k8s.io/v1", namespace="")
    cluster.put("Service", "same", 2)
    cluster.put("Service", "newer", 3)
    cluster.put("Service", "unmarked", None)
    cluster.put("Service", "odd", "x")
    cluster.put("Service", "other", 1, annotations={"downwind.dev/owner": "shop/production"})
    cluster.put("ReplicaSet", "shop-5d6e7f8", 1, api_version="apps/v1", ownerReferences=[{"controller": True}])
    cluster.put("ConfigMap", "downwind.shop.staging", 1, labels={"downwind.dev/fence": "true"})
    cluster.put("ConfigMap", "downwind.shop.staging.guard", 1)
    assert [name for _, name, _, _ in left(cli, "staging")] == ["shop"]
    assert "kubectl --context lab delete Service/shop" in cli.run("prune", "shop", "staging").stdout


def test_kinds_of_one_name_in_two_groups_are_two_kinds(cli: Any, shop: Any, cluster: Objects) -> None:
    rolled_out(shop)
    rolled_out(shop)
    cluster.put("Service", "shop", 1, api_version="serving.knative.dev/v1")
    assert (
        "delete --namespace shop-staging Service.v1.serving.knative.dev/shop"
        in cli.run("prune", "shop", "staging").stdout
    )


def test_older_versions_of_a_versioned_object_are_called_that(cli: Any, shop: Any, cluster: Objects) -> None:
    config = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {}\n"
    rolled_out(shop, config=config)
    rolled_out(shop, config=config)
    named = {"artifact.spinnaker.io/name": "settings"}
    cluster.put("ConfigMap", "settings-v000", 1, annotations=named)
    cluster.put("ConfigMap", "settings-v001", 2, annotations=named)
    cluster.put("ConfigMap", "gone-v000", 1, annotations={"artifact.spinnaker.io/name": "gone"})
    assert left(cli, "staging") == [
        ("ConfigMap", "gone-v000", 1, "not in the manifests of 2"),
        ("ConfigMap", "settings-v000", 1, "an older version of settings"),
    ]


def test_what_a_newer_rollout_brings_back_stays_and_that_one_is_named(cli: Any, shop: Any, cluster: Objects) -> None:
    config = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: back}\ndata: {}\n"
    rolled_out(shop)
    rolled_out(shop)
    shop.build(shop.push(**{"deploy/staging/service.yaml": SERVICE, "deploy/staging/back.yaml": config}))
    cluster.put("ConfigMap", "back", 1)
    assert left(cli, "staging") == []
    assert "  3 came after it: look again when that has ended well" in cli.run("prune", "shop", "staging").stdout


def test_environments_in_which_nothing_has_succeeded_have_nothing_to_compare_with(
    cli: Any, shop: Any, cluster: Objects
) -> None:
    done = cli.run("prune", "shop")
    assert (done.exit_code, cluster.context) == (1, "nobody has asked")
    assert done.stderr.startswith("Error: no rollout has succeeded in shop, as far back as is looked")
    rolled_out(shop)
    assert [each["environment"] for each in cli.json("prune", "shop")["environments"]] == ["staging"]
    assert "no rollout has succeeded in shop/production" in cli.run("prune", "shop", "production").stderr


def test_the_context_stands_in_the_commands(cli: Any, shop: Any, cluster: Objects) -> None:
    rolled_out(shop)
    rolled_out(shop)
    cluster.put("Service", "old", 1)
    text = cli.run("prune", "shop", "staging", "--context", "gke_acme").stdout
    assert (cluster.context, "kubectl --context gke_acme delete --namespace" in text) == ("gke_acme", True)
