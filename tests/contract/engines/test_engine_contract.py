"""What ports.Renderer promises, by the real Kustomize and Helm on trees of ours."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from downwind.adapters.memory_tree import MemoryTree
from downwind.errors import Refused
from downwind.model.engines import EngineOptions, HelmOptions, KustomizeOptions, PlainOptions
from downwind.render.engine import ENGINES, read_objects

pytestmark = pytest.mark.engines

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "values.yaml": "colour: red\nsize: 1\n",
    "templates/config.yaml": """apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  colour: {{ .Values.colour | quote }}
  size: {{ .Values.size | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
  monitoring: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
""",
    "templates/hook.yaml": """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}
""",
    "templates/tests/test.yaml": """apiVersion: v1
kind: Pod
metadata: {name: test, annotations: {helm.sh/hook: test}}
""",
    "templates/NOTES.txt": "thank you",
    "crds/crd.yaml": """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.acme.example}
""",
}


def tree(files: Mapping[str, str], special: Mapping[str, str] | None = None) -> MemoryTree:
    return MemoryTree({name: text.encode() for name, text in files.items()}, special)


def objects(engines: Any, files: Mapping[str, str], path: str, options: EngineOptions | None = None) -> list[Any]:
    rendered = engines.render(tree(files), path, options or EngineOptions())
    name = rendered.engine.name
    assert rendered.engine.version == (None if name == "plain" else ENGINES[name])
    assert name == "plain" or len(rendered.engine.sha256) == 64
    return read_objects(rendered)


def chart(engines: Any, more: Mapping[str, str] | None = None, **helm: Any) -> list[Any]:
    files = {f"charts/shop/{name}": text for name, text in CHART.items()} | dict(more or {})
    options = EngineOptions(helm=HelmOptions(**helm), release="shop", namespace="shop-staging")
    return objects(engines, files, "charts/shop", options)


def config(found: list[Any]) -> Any:
    return next(each for each in found if each["kind"] == "ConfigMap")


def test_plain_manifests_pass_through(engines: Any) -> None:
    files = {"a.yaml": "kind: A", "b/b.yaml": "kind: B"}
    assert objects(engines, files, "") == [{"kind": "A"}]
    recursive = EngineOptions(plain=PlainOptions(recursive=True))
    assert objects(engines, files, "", recursive) == [{"kind": "A"}, {"kind": "B"}]


KUSTOMIZED = {
    "base/kustomization.yaml": "resources: [config.yaml, ../shared]\ncomponents: [../component]\n",
    "base/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n",
    "shared/kustomization.yml": "resources: [account.yaml]\n",
    "shared/account.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop}\n",
    "component/Kustomization": """apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
configMapGenerator: [{name: made, files: [as=text.txt], envs: [some.env]}]
generatorOptions: {disableNameSuffixHash: true}
""",
    "component/text.txt": "hello",
    "component/some.env": "A=1\n",
    "deploy/staging/kustomization.yaml": """resources: [../../base]
namespace: shop-staging
patches:
  - path: patch.yaml
  - target: {kind: ServiceAccount}
    patch: |-
      - {op: add, path: /metadata/annotations, value: {a: b}}
replacements: [{path: replacement.yaml}]
""",
    "deploy/staging/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {colour: red}\n",
    "deploy/staging/replacement.yaml": """source: {kind: ConfigMap, name: made, fieldPath: data.as}
targets: [{select: {kind: ConfigMap, name: shop}, fieldPaths: [data.said], options: {create: true}}]
""",
}


def test_a_kustomization_finds_bases_components_patches_and_files_of_its_repository(engines: Any) -> None:
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects(engines, KUSTOMIZED, "deploy/staging")}
    assert {each["metadata"]["namespace"] for each in found.values()} == {"shop-staging"}
    assert found["ConfigMap", "made"]["data"] == {"as": "hello", "A": "1"}
    assert found["ConfigMap", "shop"]["data"] == {"colour": "red", "said": "hello"}
    assert found["ServiceAccount", "shop"]["metadata"]["annotations"] == {"a": "b"}


def test_the_catalogs_kustomize_options_lie_over_the_directory(engines: Any) -> None:
    options = EngineOptions(kustomize=KustomizeOptions(namespace="other", name_prefix="a-", name_suffix="-z"))
    for path in ("deploy/staging", "base"):
        found = objects(engines, KUSTOMIZED, path, options)
        assert {each["metadata"]["namespace"] for each in found} == {"other"}
        assert "a-shop-z" in {each["metadata"]["name"] for each in found}


def test_files_beside_a_kustomization_are_loaded_only_where_the_catalog_allows_it(engines: Any) -> None:
    files = {
        "app/kustomization.yaml": "resources: [../other/config.yaml]\n",
        "other/config.yaml": KUSTOMIZED["base/config.yaml"],
    }
    with pytest.raises(Refused, match=r"security; file 'other/config\.yaml' is not in or below"):
        objects(engines, files, "app")
    allowed = EngineOptions(kustomize=KustomizeOptions(load="repository"))
    assert [each["metadata"]["name"] for each in objects(engines, files, "app", allowed)] == ["shop"]


def test_a_chart_is_told_release_namespace_and_a_kubernetes_version_that_stays(engines: Any) -> None:
    found = config(chart(engines))
    assert found["metadata"] == {"name": "shop", "namespace": "shop-staging"}
    assert found["data"] == {"colour": "red", "size": "1", "kubernetes": "v1.37.0", "monitoring": "false"}
    named = config(
        chart(
            engines,
            release="own",
            namespace="theirs",
            kubernetes_version="1.30.1",
            api_versions=("monitoring.coreos.com/v1",),
        )
    )
    assert named["metadata"] == {"name": "own", "namespace": "theirs"}
    assert (named["data"]["kubernetes"], named["data"]["monitoring"]) == ("v1.30.1", "true")


def test_values_files_count_in_their_order_and_inline_values_last(engines: Any) -> None:
    more = {
        "charts/shop/values/1.yaml": "colour: green\nsize: 2\n",
        "charts/shop/values/2.yaml": "colour: blue\n",
        "environments/staging.yaml": "size: 3\n",
    }
    data = config(chart(engines, more, values=("values/*.yaml", "/environments/staging.yaml")))["data"]
    assert (data["colour"], data["size"]) == ("blue", "3")
    data = config(chart(engines, more, values=("/environments/staging.yaml", "values/1.yaml"), inline={"size": 4}))[
        "data"
    ]
    assert (data["colour"], data["size"]) == ("green", "4")


def test_hooks_and_custom_resource_definitions_are_there_unless_left_out_and_tests_never(engines: Any) -> None:
    assert {each["kind"] for each in chart(engines)} == {"ConfigMap", "Job", "CustomResourceDefinition"}
    assert {each["kind"] for each in chart(engines, skip_crds=True)} == {"ConfigMap", "Job"}
    assert {each["kind"] for each in chart(engines, hooks="leave", skip_crds=True)} == {"ConfigMap"}


def test_a_date_is_that_of_utc_on_every_machine(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    dated = (
        f'{CHART["templates/config.yaml"]}  dated: {{{{ 1700000000 | int64 | date "2006-01-02T15:04 MST" | quote }}}}\n'
    )
    assert (
        config(chart(engines, {"charts/shop/templates/config.yaml": dated}))["data"]["dated"] == "2023-11-14T22:13 UTC"
    )


def test_a_chart_beside_it_and_one_in_charts_are_found(engines: Any) -> None:
    dependencies = [
        {"name": "common", "version": "1.0.0", "repository": "file://../common"},
        {"name": "inner", "version": "1.0.0", "repository": "https://charts.example"},
    ]
    plain = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\n"
    more = {
        "charts/shop/Chart.yaml": json.dumps(
            {"apiVersion": "v2", "name": "shop", "version": "1.0.0", "dependencies": dependencies}
        ),
        "charts/common/Chart.yaml": "apiVersion: v2\nname: common\nversion: 1.0.0\n",
        "charts/common/templates/a.yaml": plain,
        "charts/shop/charts/inner/Chart.yaml": "apiVersion: v2\nname: inner\nversion: 1.0.0\n",
        "charts/shop/charts/inner/templates/a.yaml": plain,
    }
    assert {each["metadata"]["name"] for each in chart(engines, more)} >= {"common", "inner", "shop"}


def test_what_an_engine_says_on_failure_is_one_line_without_the_place_of_the_copy(engines: Any) -> None:
    with pytest.raises(Refused) as caught:
        chart(engines, {"charts/shop/templates/bad.yaml": '{{ fail "no\\nway" }}'})
    assert "helm template charts/shop failed:" in caught.value.reason
    assert "shop/templates/bad.yaml" in caught.value.reason
    assert "\n" not in caught.value.reason
    assert "downwind-" not in caught.value.reason
    with pytest.raises(Refused, match="kustomize build app failed") as caught:
        objects(engines, {"app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": "kind: A\n"}, "app")
    assert "/tmp" not in caught.value.reason


def test_symlinks_are_read_as_what_they_point_to_and_never_by_the_engine(engines: Any) -> None:
    files = {f"charts/shop/{name}": text for name, text in CHART.items()}
    files["charts/shop/templates/config.yaml"] += '  more: {{ .Files.Get "extra.txt" | quote }}\n'
    inside = tree({**files, "extra.txt": "inside"}, {"charts/shop/extra.txt": "symlink ../../extra.txt"})
    found = read_objects(engines.render(inside, "charts/shop", EngineOptions()))
    assert config(found)["data"]["more"] == "inside"
    for target in ("../../../../../../etc/hostname", "/etc/hostname"):
        outside = tree(files, {"charts/shop/extra.txt": f"symlink {target}"})
        with pytest.raises(Refused, match="leaves the repository"):
            engines.render(outside, "charts/shop", EngineOptions())
