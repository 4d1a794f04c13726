"""What the catalog says to the engine that renders a directory. Fields of an engine that the directory does not ask for are
an error of the rendering, not silently left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainOptions:
    """`recursive`: the directories below as well."""

    recursive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KustomizeOptions:
    """`load`: which files a kustomization may name: those below its own directory, or any of the repository. `remote`: hosts, or
    `HOST/OWNER`, from which a base may come that is pinned by a whole commit id. The others are laid over the directory as one
    more kustomization would."""

    load: Literal["below", "repository"] = "below"
    namespace: str | None = None
    name_prefix: str | None = None
    name_suffix: str | None = None
    remote: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedChart:
    """A chart elsewhere that may be fetched. `repository` (https:// or oci://, without a final slash) and `name` are what a
    dependency says; `sha256` is that of its .tgz. `url`: where that lies, if not at REPOSITORY/NAME-VERSION.tgz: an address by
    https, or a repository of an OCI registry."""

    repository: str
    name: str
    version: str
    sha256: str
    url: str | None = None

    @property
    def oci(self) -> str | None:
        """The repository of a registry that has it, as oci://HOST/PATH; None: it is fetched by https."""
        place = self.url or f"{self.repository}/{self.name}"
        return place if place.startswith("oci://") else None

    @property
    def address(self) -> str:
        if self.oci:
            return f"{self.oci}@sha256:{self.sha256}"
        return self.url or f"{self.repository}/{self.name}-{self.version}.tgz"


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmOptions:
    """`release`: left out, the application's name. `namespace`: left out, the environment's. `values`: file patterns in their
    order, from the chart's directory, or from the repository's root with a leading `/`, and with `{environment}`; `inline`
    goes over them all. `charts`: the only ones that are fetched. `redirects`: hosts to which their addresses may lead on."""

    release: str | None = None
    namespace: str | None = None
    values: tuple[str, ...] = ()
    inline: Mapping[str, Any] = field(default_factory=dict)
    kubernetes_version: str | None = None
    api_versions: tuple[str, ...] = ()
    skip_crds: bool = False
    hooks: Literal["include", "leave"] = "include"
    charts: tuple[PinnedChart, ...] = ()
    redirects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """`release` and `namespace`: what Helm is told where its own options name none."""

    plain: PlainOptions = field(default_factory=PlainOptions)
    kustomize: KustomizeOptions | None = None
    helm: HelmOptions | None = None
    release: str = "release"
    namespace: str = "default"

    def of(self, application: str, environment: str, namespace: str) -> "EngineOptions":
        """For one environment: `{environment}` in values files filled in, and the application's name for the release."""
        helm = self.helm and replace(
            self.helm, values=tuple(each.replace("{environment}", environment) for each in self.helm.values)
        )
        return replace(self, helm=helm, release=application, namespace=namespace)
