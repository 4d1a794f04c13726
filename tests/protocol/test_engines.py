"""From a push to the bundle, with manifests for an engine."""

from dataclasses import replace
from typing import Any

import pytest
from tests.application import CATALOG, DEPLOYMENT, IMAGE, digest_for

from downwind.adapters.engine_programs import Programs
from downwind.adapters.engine_renderer import EngineRenderer
from downwind.reconcile import names
from downwind.render.engine import ENGINES
from downwind.render.serialise import split

BASES = "https://github.com/acme/bases.git"
KUSTOMIZATION = b"resources: [../../base]\nlabels: [{pairs: {team: blue}}]\n"
BASE = {"base/kustomization.yaml": b"resources: [shop.yaml]\n", "base/shop.yaml": DEPLOYMENT.encode()}


def push(shop: Any, more: dict[str, bytes]) -> str:
    """A commit whose directory for staging holds a kustomization instead of manifests."""
    return str(shop.push(**{"deploy/staging/kustomization.yaml": KUSTOMIZATION, **BASE, **more}))


@pytest.mark.engines
def test_a_kustomize_directory_becomes_a_bundle_and_the_fact_names_its_engine(shop: Any, engines: Any) -> None:
    shop.world = replace(shop.world, renderer=engines)
    commit = push(shop, {})
    shop.build(commit)
    (fact,) = (body for body in shop.facts(names.release("shop", commit)).values() if body["kind"] == "bundle")
    engine = fact["engines"]["manifests"]
    assert (engine["name"], engine["version"]) == ("kustomize", ENGINES["kustomize"])
    assert len(engine["sha256"]) == 64
    stored = shop.memory.bundles.read(names.bundle("shop", "staging", fact["bundle"]) + "manifests.yaml")
    (deployment,) = split(stored.data)
    assert deployment["metadata"]["labels"]["team"] == "blue"
    assert "@sha256:" in deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert len(shop.executions("staging")) == 1


def test_the_bundle_fact_says_of_what_the_bundle_was_made(shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    found = shop.facts(names.release("shop", commit))
    ((name, fact),) = [(name, body) for name, body in found.items() if body["kind"] == "bundle"]
    assert name.rpartition("/")[2] == fact["inputs"]
    assert fact["commit"] == fact["manifests_commit"] == commit
    assert fact["images"] == {IMAGE: digest_for(commit)}
    assert fact["engines"] == {"manifests": {"name": "plain", "version": None, "sha256": None, "isolated": []}}
    assert (fact["fetched"], len(fact["rules"]), len(fact["bundle"])) == ([], 64, 64)


def test_a_machine_without_the_engine_says_so_and_leaves_the_release_open(
    shop: Any, capsys: Any, tmp_path: Any
) -> None:
    shop.world = replace(shop.world, renderer=EngineRenderer(Programs([tmp_path])))
    commit = push(shop, {})
    shop.build(commit)
    assert not shop.blocked(commit)
    assert shop.open()
    assert "Kustomize 5.8.2 is not on this machine; run: downwind engines get" in capsys.readouterr().out


def test_a_remote_base_blocks_the_release_and_says_where(shop: Any, tmp_path: Any) -> None:
    shop.world = replace(shop.world, renderer=EngineRenderer(Programs([tmp_path])))
    remote = b"resources: [https://github.com/acme/bases//web?ref=main]\n"
    commit = shop.push(**{"deploy/staging/kustomization.yaml": remote})
    shop.build(commit)
    shop.tick()
    (blocked,) = shop.blocked(commit)
    assert "deploy/staging/kustomization.yaml: resources[0]" in str(blocked["reason"])


@pytest.mark.engines
def test_a_base_elsewhere_that_the_catalog_allows_is_read_at_its_commit(shop: Any, engines: Any) -> None:
    """Its branch moves on between the review and the rendering; the base does not."""
    base = {"web/kustomization.yaml": b"resources: [shop.yaml]", "web/shop.yaml": DEPLOYMENT.encode()}
    host = shop.memory.repository
    pinned = host.commit(BASES, "refs/heads/main", base)
    host.commit(BASES, "refs/heads/main", {**base, "web/shop.yaml": b"kind: A"})
    allowed = "manifests: {path: deploy/staging, kustomize: {remote: [github.com/acme]}}"
    shop.apply(CATALOG.replace('manifests: {path: "deploy/{environment}"}', allowed))
    shop.world = replace(shop.world, renderer=EngineRenderer(engines._programs, trees=host.tree))
    remote = f"resources: ['https://github.com/acme/bases//web?ref={pinned}']\nnamePrefix: a-\n"
    commit = shop.push(**{"deploy/staging/shop.yaml": b"", "deploy/staging/kustomization.yaml": remote.encode()})
    shop.build(commit)
    assert not shop.blocked(commit)
    (fact,) = (body for body in shop.facts(names.release("shop", commit)).values() if body["kind"] == "bundle")
    stored = shop.memory.bundles.read(names.bundle("shop", "staging", fact["bundle"]) + "manifests.yaml")
    (deployment,) = split(stored.data)
    assert deployment["metadata"]["name"] == "a-shop"
    assert fact["fetched"] == [{"address": BASES, "commit": pinned}]
