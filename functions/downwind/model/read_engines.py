"""The options of engines under `manifests` of a catalog file."""

import math
import re
from collections.abc import Mapping
from typing import Any, cast

from downwind.model.engines import EngineOptions, HelmOptions, KustomizeOptions, PinnedChart, PlainOptions
from downwind.model.fields import Fields
from downwind.model.patterns import NAME

_RELEASE = re.compile(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?")
_AFFIX = re.compile(r"[a-z0-9.-]{1,63}")
_VERSION = re.compile(r"v?1\.[0-9]{1,3}(\.[0-9]{1,3})?")
_API_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9./-]{0,200}")
_REMOTE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9._-]+){0,4}")
_VALUES = re.compile(r"(?!-)(?!//)(?!.*(^|/)\.\.(/|$)).{1,1024}")
_HOST = r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*(:[0-9]{1,5})?"
_REDIRECT = re.compile(_HOST)
_PATH = r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~+-]+)*"
_CHARTS = re.compile(rf"(https|oci)://{_HOST}{_PATH}/?")
_ARCHIVE = re.compile(rf"(https|oci)://{_HOST}{_PATH}")
_CHART = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,252}")
_NUMBER = r"(0|[1-9][0-9]{0,8})"
_WORDS = r"[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*"
_SEMVER = re.compile(rf"(?=.{{1,100}}$)v?{_NUMBER}(\.{_NUMBER}){{0,2}}(-{_WORDS})?(\+{_WORDS})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMESPACE = "a namespace: lower case letters, digits and '-'"


def read_engine_options(fields: Fields) -> EngineOptions:
    return EngineOptions(
        plain=PlainOptions(recursive=fields.boolean("recursive")),
        kustomize=_kustomize(fields.child("kustomize")),
        helm=_helm(fields.child("helm")),
    )


def _kustomize(fields: Fields | None) -> KustomizeOptions | None:
    if fields is None:
        return None
    affix = "lower case letters, digits, '-' and '.'"
    found = KustomizeOptions(
        load=cast(Any, fields.choice("load", ["below", "repository"], "below")),
        namespace=fields.optional("namespace", pattern=NAME, form=_NAMESPACE),
        name_prefix=fields.optional("name_prefix", pattern=_AFFIX, form=affix),
        name_suffix=fields.optional("name_suffix", pattern=_AFFIX, form=affix),
        remote=fields.texts(
            "remote", pattern=_REMOTE, form="HOST, HOST/OWNER or HOST/OWNER/REPOSITORY, without https://"
        ),
    )
    fields.done()
    return found


def _helm(fields: Fields | None) -> HelmOptions | None:
    if fields is None:
        return None
    found = HelmOptions(
        release=fields.optional("release", pattern=_RELEASE, form="a release's name: at most 53 of a-z, 0-9 and '-'"),
        namespace=fields.optional("namespace", pattern=NAME, form=_NAMESPACE),
        values=fields.texts(
            "values", pattern=_VALUES, form="a path or pattern below the chart, or from the repository's root with /"
        ),
        inline=_inline(fields),
        kubernetes_version=fields.optional("kubernetes_version", pattern=_VERSION, form='a version such as "1.37"'),
        api_versions=fields.texts("api_versions", pattern=_API_VERSION, form="such as monitoring.coreos.com/v1"),
        skip_crds=fields.boolean("skip_crds"),
        hooks=cast(Any, fields.choice("hooks", ["include", "leave"], "include")),
        charts=read_charts(fields),
        redirects=read_redirects(fields),
    )
    fields.done()
    return found


def read_redirects(fields: Fields) -> tuple[str, ...]:
    return fields.texts("redirects", pattern=_REDIRECT, form="a host in lower case, without https://")


def read_charts(fields: Fields) -> tuple[PinnedChart, ...]:
    """The list `charts`: which charts elsewhere may be fetched, each pinned by the SHA-256 of its archive."""
    found: dict[tuple[str, str, str], PinnedChart] = {}
    for each in fields.children("charts"):
        chart = PinnedChart(
            repository=each.text(
                "repository", pattern=_CHARTS, form="https://HOST/PATH or oci://HOST/PATH, as Chart.yaml has it"
            ).rstrip("/"),
            name=each.text("name", pattern=_CHART, form="the chart's name"),
            version=each.text("version", pattern=_SEMVER, form='one version such as "1.2.3", no range'),
            sha256=each.text("sha256", pattern=_SHA256, form="the SHA-256 of its .tgz: 64 of 0-9 and a-f"),
            url=each.optional(
                "url", pattern=_ARCHIVE, form="the https:// address of its .tgz, without ? and #, or oci://"
            ),
        )
        if chart.repository.startswith("oci://") and chart.url:
            each.problem("url", "belongs to an https:// repository", "leave it out: a registry has one place for it")
        key = (chart.repository, chart.name, chart.version)
        if key in found:
            each.problem(None, "is the same chart in the same version again", "leave one of the two out")
        found[key] = chart
        each.done()
    return tuple(found.values())


def _inline(fields: Fields) -> Mapping[str, Any]:
    value = fields.value("inline")
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not _is_json(value):
        fields.problem("inline", "is not a mapping of plain values", "write it as the chart's values.yaml")
        return {}
    return value


def _is_json(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
