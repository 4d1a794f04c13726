"""The example application fits together: its catalog file, build and manifests name one image, and it renders."""

from pathlib import Path

import pytest

from downwind.adapters.memory_tree import MemoryTree
from downwind.adapters.plain_renderer import PlainRenderer
from downwind.model.catalog import Environment
from downwind.model.engines import EngineOptions
from downwind.model.read_catalog import read_application
from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.engine import read_objects
from downwind.render.serialise import split
from downwind.render.yaml_reader import read_documents

SHOP = Path(__file__).parents[3] / "examples" / "shop"
APPLICATION = read_application(read_documents("downwind.yaml", (SHOP / "downwind.yaml").read_bytes())[0])
IMAGE = APPLICATION.images[0].name
DIGEST = "sha256:" + "a" * 64


def test_staging_is_fed_by_main_and_production_by_staging() -> None:
    assert [each.name for each in APPLICATION.fed_by("refs/heads/main")] == ["staging"]
    assert [each.after for each in APPLICATION.environments] == [None, "staging"]


def test_the_build_tests_first_and_pushes_the_catalogs_image_by_commit() -> None:
    (build,) = read_documents("cloudbuild.yaml", (SHOP / "cloudbuild.yaml").read_bytes())
    assert [step["id"] for step in build["steps"]] == ["test", "image"]
    assert build["substitutions"] == {"_IMAGE": IMAGE}
    assert build["images"] == ["${_IMAGE}:${COMMIT_SHA}"]
    assert APPLICATION.images[0].tag == "{commit}"


PARTS = [
    (environment, path)
    for environment in APPLICATION.environments
    for path in APPLICATION.manifests_of(environment).paths(environment.name).values()
]


@pytest.mark.parametrize(("found", "path"), PARTS, ids=[path for _, path in PARTS])
def test_an_environments_manifests_render_into_its_namespace_with_the_image_pinned(
    found: Environment, path: str
) -> None:
    files = {file.name: file.read_bytes() for file in (SHOP / path).iterdir()}
    assert b"".join(files.values()).count(IMAGE.encode()) == 1
    release = ReleaseFacts(
        application=APPLICATION.name,
        environment=found.name,
        namespace=found.namespace,
        commit="c" * 40,
        images={IMAGE: DIGEST},
    )
    bundle = make_bundle(read_objects(PlainRenderer().render(MemoryTree(files), "", EngineOptions())), release)
    assert bundle.pinned == (f"{IMAGE}@{DIGEST}",)
    kinds = ["ConfigMap", "Deployment"] if path.endswith("-canary") else ["ConfigMap", "Service", "Deployment"]
    assert [(each.kind, each.namespace) for each in bundle.objects] == [(kind, found.namespace) for kind in kinds]
    config = split(bundle.documents)[0]
    # Our pipelines bind no artifacts, so a versioned name would not be found by the Deployment.
    assert config["metadata"]["annotations"]["strategy.spinnaker.io/versioned"] == "false"
