"""Charts elsewhere, fetched from a repository of this machine and rendered by the real Helm."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.application import CATALOG
from tests.charts import chart, dependency, lock, packed_chart
from werkzeug.wrappers import Request, Response

from downwind.adapters.chart_archives import PublicCharts
from downwind.adapters.engine_renderer import EngineRenderer
from downwind.adapters.memory_charts import MemoryCharts
from downwind.adapters.memory_tree import MemoryTree
from downwind.cli.context import Session
from downwind.cli.main import main
from downwind.local.http import Handler, HttpPart
from downwind.model.engines import EngineOptions, HelmOptions, PinnedChart
from downwind.reconcile import names
from downwind.render.engine import read_objects
from downwind.render.serialise import split

pytestmark = pytest.mark.engines
PAGE = """apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-{{ .Chart.Name }}"}
data: {version: {{ .Chart.Version | quote }}, size: {{ .Values.size | quote }}}
"""


def library(name: str, version: str, *dependencies: Any, more: dict[str, bytes] | None = None) -> bytes:
    files = {"templates/a.yaml": PAGE.encode(), "values.yaml": b"size: 1\n", **(more or {})}
    return packed_chart(name, *dependencies, version=version, more=files)


DEEP = {"charts/deep-0.1.0.tgz": library("deep", "0.1.0")}
KEPT = {
    "redis-1.2.9.tgz": library("redis", "1.2.9", dependency("deep", "https://nowhere.example", "*"), more=DEEP),
    "redis-2.0.0.tgz": library("redis", "2.0.0"),
    "queue-0.3.1.tgz": library("queue", "0.3.1"),
}


class Repository(HttpPart):
    """The archives of `KEPT` in a folder, and as the blobs of an OCI registry."""

    name = "charts"

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        return [
            (("GET",), "/charts/<name>", self._file),
            (("GET",), "/v2/charts/<name>/blobs/sha256:<digest>", self._blob),
        ]

    def _file(self, _request: Request, name: str) -> Response:
        return Response(KEPT[name])

    def _blob(self, _request: Request, name: str, digest: str) -> Response:
        found = (data for file, data in KEPT.items() if file.startswith(name) and sha256(data) == digest)
        return Response(next(found))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def repository() -> Iterator[Repository]:
    part = Repository()
    part.start()
    yield part
    part.stop()


def pinned(repository: Repository, name: str, version: str, *, oci: bool = False) -> PinnedChart:
    file = f"{name}-{version}.tgz"
    address = f"oci://127.0.0.1:{repository.port}/charts" if oci else "https://charts.acme.example"
    url = None if oci else f"{repository.url}/charts/{file}"
    return PinnedChart(repository=address, name=name, version=version, sha256=sha256(KEPT[file]), url=url)


def test_helm_finds_what_was_fetched_by_range_alias_condition_and_lock(engines: Any, repository: Repository) -> None:
    pins = (
        pinned(repository, "redis", "1.2.9"),
        pinned(repository, "redis", "2.0.0", oci=True),
        pinned(repository, "queue", "0.3.1"),
    )
    first, second, third = (each.repository for each in pins)
    needs = (
        dependency("redis", first, "~1.2"),
        dependency("redis", second, ">=2", alias="cache"),
        dependency("queue", third, "^0.3", condition="queue.enabled"),
        dependency("common", "file://../common"),
    )
    tree = MemoryTree(
        {
            "shop/Chart.yaml": chart("shop", *needs),
            "shop/Chart.lock": lock(
                dependency("redis", first, "1.2.9"),
                dependency("redis", second, "2.0.0"),
                dependency("queue", third, "0.3.1"),
                dependency("common", "file://../common"),
            ),
            "shop/values.yaml": b"cache: {size: 7}\nqueue: {enabled: false}\n",
            "common/Chart.yaml": chart("common"),
            "common/templates/a.yaml": PAGE.encode(),
        }
    )
    renderer = EngineRenderer(engines._programs, 60, archives=PublicCharts(loopback=True).archive)
    options = EngineOptions(helm=HelmOptions(charts=pins), release="shop")
    rendered = renderer.render(tree, "shop", options)
    found = {each["metadata"]["name"]: each["data"] for each in read_objects(rendered)}
    assert found == {
        "shop-redis": {"version": "1.2.9", "size": "1"},
        "shop-cache": {"version": "2.0.0", "size": "7"},
        "shop-deep": {"version": "0.1.0", "size": "1"},
        "shop-common": {"version": "1.0.0", "size": None},
    }
    assert [each.as_json() for each in rendered.fetched] == [
        {"address": each.address, "sha256": each.sha256} for each in pins
    ]
    enabled = replace(options, helm=HelmOptions(charts=pins, inline={"queue": {"enabled": True}}))
    assert {each["metadata"]["name"] for each in read_objects(renderer.render(tree, "shop", enabled))} > set(found)


REDIS = ("https://charts.acme.example", "redis", "1.2.9", KEPT["redis-1.2.9.tgz"])


def test_the_bundle_fact_names_what_was_fetched_and_the_bundle_is_that_of_the_same_bytes_committed(
    shop: Any, engines: Any
) -> None:
    charts = MemoryCharts()
    pin = charts.keep(*REDIS)
    shop.world = replace(shop.world, renderer=EngineRenderer(engines._programs, archives=charts.archive))
    helm = {"charts": [{key: getattr(pin, key) for key in ("repository", "name", "version", "sha256")}]}
    manifests = f"manifests: {{path: deploy/staging, helm: {json.dumps(helm)}}}"
    shop.apply(CATALOG.replace('manifests: {path: "deploy/{environment}"}', manifests))
    shop_chart = chart("shop", dependency("redis", pin.repository, "~1.2"))
    fetched = rendered(shop, {"deploy/staging/Chart.yaml": shop_chart})
    assert fetched["fetched"] == [{"address": pin.address, "sha256": pin.sha256}]
    committed = rendered(
        shop, {"deploy/staging/Chart.yaml": shop_chart, "deploy/staging/charts/redis-1.2.9.tgz": REDIS[3]}
    )
    assert committed["fetched"] == []
    kept = [
        shop.memory.bundles.read(names.bundle("shop", "staging", each["bundle"]) + "manifests.yaml")
        for each in (fetched, committed)
    ]
    (first, second) = ([each["data"] for each in split(found.data)] for found in kept)
    assert first == second == [{"size": "1", "version": "0.1.0"}, {"size": "1", "version": "1.2.9"}]


def rendered(shop: Any, files: dict[str, bytes]) -> Any:
    """The bundle fact of a commit with these files."""
    commit = shop.push(**{"deploy/staging/shop.yaml": b"", **files})
    shop.build(commit)
    assert not shop.blocked(commit), shop.blocked(commit)
    (fact,) = (body for body in shop.facts(names.release("shop", commit)).values() if body["kind"] == "bundle")
    return fact


def test_a_folder_and_a_file_of_pins_are_enough_for_the_command_line(
    engines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = MemoryCharts()
    pin = kept.keep(*REDIS)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/Chart.yaml").write_bytes(chart("shop", dependency("redis", pin.repository, "^1.2.0")))
    fields = ("repository", "name", "version", "sha256")
    (tmp_path / "pins.yaml").write_text(json.dumps({"charts": [{each: getattr(pin, each) for each in fields}]}))
    session = Session(make_renderer=lambda timeout: EngineRenderer(engines._programs, timeout, archives=kept.archive))
    done = CliRunner().invoke(main, ["render", "shop", "--charts", "pins.yaml", "-o", "json"], obj=session)
    assert done.exit_code == 0, done.output
    assert [each["metadata"]["name"] for each in json.loads(done.stdout)] == ["shop-deep", "shop-redis"]
