"""A bundle in parts, as a canary needs it: both rendered from one commit, pinned together, and brought back together."""

import json
from typing import Any

import pytest
import yaml

from downwind.render.serialise import split

PATH = 'manifests: {path: "deploy/{environment}"}'
PARTS = "manifests: {parts: {canary: deploy/canary, full: deploy/production}}"
PIPELINE = "pipeline: {application: shop, name: deploy-production}"
CANARY = b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop-canary}\nspec: {template: {spec: {containers: []}}}\n"


class Canary:
    """The shop, whose production is a canary and then everything."""

    def __init__(self, shop: Any) -> None:
        self.shop = shop
        shop.apply(shop.catalog.replace(PIPELINE, f"{PIPELINE}\n    {PARTS}"))
        self.expect("canary", "full")

    def expect(self, *parts: str) -> None:
        pipelines = self.shop.memory.pipelines
        expected = [
            {"id": part, "matchArtifact": {"type": "gcs/object", "name": f"gs://acme-bundles/shop/production/{part}"}}
            for part in parts
        ]
        document = pipelines.config("shop", "deploy-production").document
        pipelines.save({**document, "expectedArtifacts": expected})

    def release(self) -> str:
        """Up to the judgment in production."""
        commit: str = self.shop.push(**{"deploy/canary/shop.yaml": CANARY})
        self.shop.build(commit)
        self.shop.image(commit)
        self.shop.finish(self.shop.executions("staging")[-1])
        return commit

    def succeed(self) -> str:
        commit = self.release()
        run = self.shop.executions("production")[-1]
        self.shop.finish(run)
        self.shop.judge(run)
        return commit

    def stamped(self, n: int, part: str) -> list[Any]:
        found = self.shop.memory.bundles.read(f"shop/production/rollout/{n}/{part}.yaml")
        return list(yaml.safe_load_all(found.data))


@pytest.fixture
def canary(shop: Any) -> Canary:
    return Canary(shop)


def test_each_part_is_an_artifact_of_its_own_pinned_by_its_generation(canary: Canary) -> None:
    commit = canary.release()
    (run,) = canary.shop.executions("production")
    trigger = run["trigger"]
    assert trigger["expectedArtifactIds"] == ["canary", "full"]
    assert [each["name"] for each in trigger["artifacts"]] == [
        "gs://acme-bundles/shop/production/canary",
        "gs://acme-bundles/shop/production/full",
    ]
    for part, each in zip(("canary", "full"), trigger["artifacts"], strict=True):
        assert each["reference"].startswith(f"gs://acme-bundles/shop/production/rollout/1/{part}.yaml#")
        assert each["reference"].endswith(f"#{each['version']}")
        guard, deployment = canary.stamped(1, part)
        assert guard["metadata"]["name"] == "downwind.shop.production.guard"
        assert deployment["metadata"]["name"] == ("shop-canary" if part == "canary" else "shop")
        assert deployment["metadata"]["annotations"]["downwind.dev/commit"] == commit
        assert deployment["metadata"]["annotations"]["downwind.dev/sequence"] == "1"


def test_a_rollback_brings_both_parts_again(canary: Canary) -> None:
    first = canary.succeed()
    canary.succeed()
    answer = canary.shop.order("rollback", "production", why="errors")
    assert (answer.state, answer.sequence) == ("done", 3)
    run = canary.shop.executions("production")[-1]
    assert run["trigger"]["expectedArtifactIds"] == ["canary", "full"]
    for part in ("canary", "full"):
        (_, deployment) = canary.stamped(3, part)
        marks = deployment["metadata"]["annotations"]
        assert (marks["downwind.dev/commit"], marks["downwind.dev/sequence"]) == (first, "3")


def test_a_pipeline_that_expects_one_part_only_is_not_started(canary: Canary, waits: Any) -> None:
    """Orca would start it, and leave the other part out in silence."""
    canary.expect("full")
    canary.release()
    assert canary.shop.executions("production") == []
    assert canary.shop.outcomes("production") == [(1, "failed")]
    (outcome,) = [body for body in canary.shop.rollouts("production").values() if body["kind"] == "outcome"]
    assert "gs://acme-bundles/shop/production/canary" in json.dumps(outcome)


def test_who_goes_over_to_parts_can_not_go_back_to_one_manifest(shop: Any) -> None:
    """The pipeline of today can't take the bundle of then: told, not started."""
    commit = shop.push()
    shop.build(commit)
    shop.image(commit)
    shop.finish(shop.executions("staging")[-1])
    run = shop.executions("production")[-1]
    shop.finish(run)
    shop.judge(run)
    canary = Canary(shop)
    canary.succeed()
    assert shop.outcomes("production") == [(1, "succeeded"), (2, "succeeded")]
    shop.order("rollback", "production", why="errors")
    assert len(shop.executions("production")) == 2
    assert shop.outcomes("production")[-1] == (3, "failed")


def test_people_find_each_object_as_a_file_of_its_own_beside_the_parts(canary: Canary) -> None:
    canary.release()
    bundles = canary.shop.memory.bundles
    (index,) = (each for each in bundles.list("shop/production/") if each.name.endswith("/index.json"))
    prefix = index.name.removesuffix("index.json")
    assert [each.name.removeprefix(prefix) for each in bundles.list(prefix)] == [
        "canary.yaml",
        "full.yaml",
        "index.json",
        "objects/canary/0001-deployment-shop-canary.json",
        "objects/full/0001-deployment-shop.json",
    ]
    text = bundles.read(f"{prefix}objects/full/0001-deployment-shop.json").data
    assert [json.loads(text)] == split(bundles.read(f"{prefix}full.yaml").data)
    assert json.loads(bundles.read(index.name).data)["object_files"] is True


def test_a_bundle_of_many_objects_has_no_files_for_them_and_says_so(shop: Any) -> None:
    maps = "".join(f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{n}}}\n" for n in range(200))
    shop.build(shop.push(**{"deploy/staging/maps.yaml": maps.encode()}))
    found = [each.name for each in shop.memory.bundles.list("shop/staging/")]
    (index,) = (name for name in found if name.endswith("/index.json"))
    assert not [name for name in found if "/objects/" in name]
    body = json.loads(shop.memory.bundles.read(index).data)
    assert (body["object_files"], len(body["parts"]["manifests"]["objects"])) == (False, 201)
