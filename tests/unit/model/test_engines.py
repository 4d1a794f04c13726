"""What `manifests` says to an engine."""

from typing import Any

import pytest
import yaml

from downwind.model.engines import EngineOptions, HelmOptions, KustomizeOptions, PlainOptions
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
