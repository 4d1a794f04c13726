"""One application of the catalog, as values. `read_catalog` makes it of plain data; docs/reference/catalog.md explains it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from downwind.model.channels import Channel
from downwind.model.engines import EngineOptions
from downwind.model.patterns import ref_matches
from downwind.model.policy import ImagePath, Policy, Rules, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryAddress:
    """`also`: other names under which its events come. `credentials`: a secret's name."""

    address: str
    also: tuple[str, ...] = ()
    credentials: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRule:
    """`trigger` is `projects/P/locations/L/triggers/NAME-OR-ID`; `start`: we run it, else its builds are only listened to."""

    trigger: str
    start: bool = False

    @property
    def project(self) -> str:
        return self.trigger.split("/")[1]

    @property
    def location(self) -> str:
        return self.trigger.split("/")[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRule:
    """`tag`: a template that joins a tag to its commit where no build lists the digest."""

    name: str
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """`path` or `parts` (part name to path), with `{environment}`; another `repository` is pinned by commit at the entry."""

    path: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    repository: RepositoryAddress | None = None
    ref: str | None = None
    options: EngineOptions = field(default_factory=EngineOptions)

    def paths(self, environment: str) -> Mapping[str, str]:
        """Part name to path; the only part of a plain bundle is named "manifests"."""
        named = self.parts or {"manifests": self.path or ""}
        return {part: path.replace("{environment}", environment) for part, path in named.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    cron: str
    lasts: int
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Fed by `refs` or by another environment (`after`), never by both."""

    name: str
    namespace: str
    pipeline_application: str
    pipeline: str
    refs: tuple[str, ...] = ()
    after: str | None = None
    soak: int = 0
    """Seconds that a success has to be live upstream before it is promoted by itself; `for` in the file."""
    promotion: Literal["automatic", "request"] = "automatic"
    on_newer: Literal["cancel_waiting", "queue"] = "cancel_waiting"
    on_failure: Literal["hold", "rollback", "nothing"] = "nothing"
    requests: Literal["topic", "operators"] = "operators"
    operators: tuple[str, ...] = ()
    freeze: tuple[Freeze, ...] = ()
    manifests: Manifests | None = None
    account: str | None = None
    """Spinnaker's account of the cluster; `pipeline.account` in the file, as the next one."""
    artifact_account: str = "gcs"
    """Spinnaker's account that reads the bundles."""
    policy: Policy | None = None
    cluster: str | None = None
    """A name of your own for the cluster, to tell which environments share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    name: str
    repository: RepositoryAddress
    images: tuple[ImageRule, ...]
    manifests: Manifests
    environments: tuple[Environment, ...]
    paths: tuple[str, ...] = ("**",)
    build: BuildRule | None = None
    notify: tuple[Channel, ...] = ()
    policy: Policy = field(default_factory=Policy)
    image_paths: tuple[ImagePath, ...] = ()
    verify: Verification | None = None

    def environment(self, name: str) -> Environment | None:
        return next((each for each in self.environments if each.name == name), None)

    def fed_by(self, ref: str) -> tuple[Environment, ...]:
        """The environments that this full ref name feeds."""
        return tuple(each for each in self.environments if ref_matches(each.refs, ref))

    def manifests_of(self, environment: Environment) -> Manifests:
        return environment.manifests or self.manifests

    def rules_of(self, environment: Environment) -> Rules:
        return Rules(policy=environment.policy or self.policy, image_paths=self.image_paths, verify=self.verify)

    def rivals_of(self, environment: Environment) -> tuple[Environment, ...]:
        """The other environments that deploy to the same cluster, as far as the catalog says."""
        shared = (
            each for each in self.environments if each.cluster is not None and each.cluster == environment.cluster
        )
        return tuple(each for each in shared if each.name != environment.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """An application with what `app apply` found out: the catalog's generation and the id of its trigger.
    `silent_up_to`: channel name to the last generation that did not have it; entries that older ones made are not told."""

    application: Application
    generation: int
    trigger_id: str | None = None
    silent_up_to: Mapping[str, int] = field(default_factory=dict)
