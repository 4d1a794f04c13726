"""scripts/spinnaker-images against a registry over HTTP, and the chart with the file that it writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.contract.chart.helm import CHART, SETS, Helm, objects, workloads

from downwind.cli.chart_images import STORES, in_mirror, main
from downwind.local.builds.image import File, assemble, layer
from downwind.local.builds.upload import upload
from downwind.local.outbox import Outbox
from downwind.local.registry import RegistryServer

IMAGES = {
    name: image["repository"]
    for name, image in yaml.safe_load((CHART / "values.yaml").read_text())["images"].items()
    if isinstance(image, dict)
}


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    server = RegistryServer(tmp_path / "registry", outbox=outbox, pubsub_url="http://127.0.0.1:9", project="demo")
    server.start()
    yield f"127.0.0.1:{server.port}/mirror"
    server.stop()
    outbox.stop()


def filled(mirror: str) -> dict[str, str]:
    """By image, the digest of what was pushed under the release's tag."""
    pushed = {}
    for name, repository in IMAGES.items():
        image = assemble([layer({"app": File(data=name.encode())})], {}, [])
        upload(image, f"{in_mirror(repository, mirror)}:{STORES.get(name, '2026.2.4')}")
        pushed[name] = image.digest
    return pushed


def test_the_file_that_it_writes_is_what_the_chart_needs(helm: Helm, mirror: str, tmp_path: Path) -> None:
    pushed, output = filled(mirror), tmp_path / "images.yaml"
    done = CliRunner().invoke(main, ["2026.2.4", "--mirror", mirror, "--output", str(output)])
    assert (done.exit_code, done.output) == (0, f"10 digests in {output}\n")
    rendered = helm.run("template", "spinnaker", CHART, "--values", SETS["trial"], "--values", output)
    used = {container["image"] for _, pod in workloads(objects(rendered)) for container in pod["spec"]["containers"]}
    assert used == {f"{in_mirror(IMAGES[name], mirror)}@{digest}" for name, digest in pushed.items()}


def test_a_release_that_is_not_out_is_said_to_be_none(mirror: str) -> None:
    filled(mirror)
    done = CliRunner().invoke(main, ["2026.2.99", "--mirror", mirror])
    assert done.exit_code == 1
    assert f"no such tag: {in_mirror(IMAGES['clouddriver'], mirror)}:2026.2.99" in done.output
