"""What `manifests` says to an engine."""

from typing import Any

import pytest
import yaml

from downwind.model.engines import EngineOptions, HelmOptions, KustomizeOptions, PinnedChart, PlainOptions
from downwind.model.fields import Invalid
from downwind.model.read_catalog import read_application


def options(catalog_text: str, more: dict[str, Any]) -> EngineOptions:
    document = yaml.safe_load(catalog_text)
    document["manifests"] |= more
    return read_application(document).manifests.options


def test_nothing_said_is_every_default(catalog_text: str) -> None:
    assert options(catalog_text, {}) == EngineOptions()


def test_every_field_becomes_a_value(catalog_text: str) -> None:
    helm = {
        "release": "shop",
        "namespace": "other",
        "values": ["a.yaml", "/env/{environment}.yaml"],
        "inline": {"a": {"b": [1, None]}},
        "kubernetes_version": "1.36",
        "api_versions": ["a/v1"],
        "skip_crds": True,
        "hooks": "leave",
        "charts": [{"repository": "oci://ghcr.io/acme/", "name": "redis", "version": "1.2.3", "sha256": "a" * 64}],
        "redirects": ["pkg-containers.githubusercontent.com"],
    }
    kustomize = {
        "load": "repository",
        "namespace": "x",
        "name_prefix": "a-",
        "name_suffix": "-b",
        "remote": ["github.com"],
    }
    found = options(catalog_text, {"recursive": True, "kustomize": kustomize, "helm": helm})
    assert found == EngineOptions(
        plain=PlainOptions(recursive=True),
        kustomize=KustomizeOptions(
            load="repository", namespace="x", name_prefix="a-", name_suffix="-b", remote=("github.com",)
        ),
        helm=HelmOptions(
            release="shop",
            namespace="other",
            values=("a.yaml", "/env/{environment}.yaml"),
            inline={"a": {"b": [1, None]}},
            kubernetes_version="1.36",
            api_versions=("a/v1",),
            skip_crds=True,
            hooks="leave",
            charts=(PinnedChart(repository="oci://ghcr.io/acme", name="redis", version="1.2.3", sha256="a" * 64),),
            redirects=("pkg-containers.githubusercontent.com",),
        ),
    )
    of = found.of("shop", "staging", "shop-staging")
    assert of.helm is not None
    assert of.helm.values == ("a.yaml", "/env/staging.yaml")
    assert (of.release, of.namespace) == ("shop", "shop-staging")
    assert EngineOptions().of("a", "b", "c").helm is None


@pytest.mark.parametrize("inline", [[], {"a": float("inf")}, {"a": {1: 2}}, {"a": [object()]}])
def test_inline_values_are_what_json_has(catalog_text: str, inline: Any) -> None:
    with pytest.raises(Invalid, match=r"manifests\.helm\.inline: is not a mapping of plain values"):
        options(catalog_text, {"helm": {"inline": inline}})


REDIS = {"repository": "https://charts.acme.example", "name": "redis", "version": "1.2.3", "sha256": "a" * 64}


@pytest.mark.parametrize(
    ("more", "address"),
    [
        ({}, "https://charts.acme.example/redis-1.2.3.tgz"),
        ({"url": "https://cdn.acme.example/r.tgz"}, "https://cdn.acme.example/r.tgz"),
        ({"url": "oci://ghcr.io/acme/other"}, f"oci://ghcr.io/acme/other@sha256:{'a' * 64}"),
        ({"repository": "oci://ghcr.io/acme"}, f"oci://ghcr.io/acme/redis@sha256:{'a' * 64}"),
    ],
)
def test_a_pinned_chart_has_one_address(more: dict[str, str], address: str) -> None:
    assert PinnedChart(**(REDIS | more)).address == address


@pytest.mark.parametrize(
    ("charts", "said"),
    [
        ([REDIS, REDIS | {"sha256": "b" * 64}], r"charts\[1\]: is the same chart in the same version again"),
        (
            [REDIS | {"repository": "oci://ghcr.io/acme", "url": "https://x.io/r.tgz"}],
            r"charts\[0\]\.url: belongs to an",
        ),
    ],
)
def test_pins_that_make_no_sense_are_problems(catalog_text: str, charts: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        options(catalog_text, {"helm": {"charts": charts}})
