"""What effects need from the world, as small Protocols. Each has an adapter and an in-memory twin that pass one contract suite.

All calls are synchronous and safe to make from several threads. `*_all` methods make their calls side by side, so that a
round of them costs the time of one; an error in one is raised after all have ended. Every call ends within the adapter's
time-out (20 s unless said otherwise): `TransientError` when the system did not answer or asked for patience, `UnknownOutcome`
when an effect may have happened, `Misconfigured` when it did not let us in, `Refused` when it said no for
good. Vendor errors end here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from downwind.model.channels import Channel
from downwind.model.engines import EngineOptions
from downwind.model.execution import Execution
from downwind.model.notice import Notice
from downwind.render.engine import Rendered
from downwind.render.tree import FileTree


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object. `created` is the store's own clock (aware, UTC); `data` is None where only a list was read."""

    name: str
    generation: int
    created: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObject:
    """What `create` takes. `metadata` is given back by lists, so small facts need no read of their own (8 KiB in all)."""

    name: str
    data: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Store(Protocol):
    """One bucket. Reads and lists see every write that was answered (Cloud Storage is strongly consistent)."""

    def create(self, new: NewObject) -> StoredObject | None:
        """Create-only. None: an object of that name already stands, and it is not this very call's own
        (a retry that meets its own success is told apart by a nonce in the metadata, key `nonce`)."""

    def create_all(self, new: Sequence[NewObject]) -> list[StoredObject | None]:
        """`create` for each, side by side; answers in the order given."""

    def read(self, name: str, generation: int | None = None) -> StoredObject | None:
        """With data; None when there is no such object (or generation)."""

    def read_all(self, names: Sequence[str]) -> list[StoredObject | None]: ...

    # Before `list`, which hides the type of that name from what follows it in the class.
    def list_all(
        self, prefixes: Sequence[str], *, limit: int | Sequence[int] | None = None
    ) -> list[list[StoredObject]]:
        """`limit`: of every list, or one for each."""

    def list(self, prefix: str, *, limit: int | None = None, start: str | None = None) -> list[StoredObject]:
        """Objects whose names begin with `prefix`, ascending by name, from `start` (inclusive) on, at most `limit`."""

    def replace(self, new: NewObject, *, generation: int) -> StoredObject | None:
        """Compare and swap: writes only if the object's generation is `generation` (0: there is none). None: it is not.
        Only `downwind app` does this, on the catalog."""

    def delete(self, name: str) -> None:
        """Deletes; an absent object is no error. Only the tick does this, on the work bucket, and `app delete` on the catalog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """`object` is what the ref holds; `commit` the commit behind it (another id for an annotated tag only)."""

    object: str
    commit: str


class Repository(Protocol):
    """Any git host, over HTTPS. `address` and `credentials` (a secret's name) come from the catalog, never from a payload.
    Redirects to another host are not followed."""

    def tips(self, address: str, credentials: str | None = None) -> Mapping[str, Tip]:
        """All heads and tags by full name (one ls-remote)."""

    def tree(self, address: str, commit: str, credentials: str | None = None) -> FileTree:
        """The files of exactly that commit (one shallow fetch), to be read with `render.tree.TreeReader`, which says what is
        allowed in it. Refused: no such commit. Reading a tree may raise TransientError."""

    def blobs(self, address: str, commit: str, credentials: str | None = None) -> Mapping[str, str]:
        """Path to object id of every entry of that commit's tree, from the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A Cloud Build trigger as it is: its id, not only its name."""

    id: str
    name: str
    project: str
    location: str


class Builds(Protocol):
    """Cloud Build. Trigger names are `projects/P/locations/L/triggers/NAME-OR-ID`."""

    def trigger(self, name: str) -> Trigger:
        """Refused when there is none."""

    def run(self, trigger: Trigger, commit: str) -> str:
        """Runs the trigger at that commit; the id of the build. Never retried inside: UnknownOutcome means look first."""

    def get(self, project: str, location: str, build: str) -> Mapping[str, Any] | None:
        """The Build resource as REST JSON (camelCase), None when there is none."""

    def find(self, trigger: Trigger, commit: str) -> Sequence[Mapping[str, Any]]:
        """Builds of that trigger at that commit, newest first, as REST JSON."""


class Registry(Protocol):
    """An OCI registry. `name` is the whole name with host, as in the catalog."""

    def digest(self, name: str, tag: str) -> str | None:
        """The digest that the tag points to now; None when there is no such tag."""

    def exists(self, name: str, digest: str) -> bool: ...

    def labels(self, name: str, digest: str) -> Mapping[str, str]:
        """Labels of the image's config; empty for an index or an image without any. Refused: no such image."""

    def platforms(self, name: str, digest: str) -> Sequence[str]:
        """`os/architecture`, with `/variant` where there is one, of an image or of all in an index. Refused: no such image."""


class Renderer(Protocol):
    """All engines: a directory of a commit in, what its engine prints out. Not trusted with the tree, and it reads no YAML of
    objects: that comes after it, the same for all (`render.engine.read_objects`)."""

    def render(self, tree: FileTree, path: str, options: EngineOptions) -> Rendered:
        """Refused with file and fix for what can't be rendered; Misconfigured where the engine is not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """A saved pipeline: what starting it needs to know. `document` is Front50's whole JSON."""

    id: str
    name: str
    application: str
    document: Mapping[str, Any]


class Pipelines(Protocol):
    """Spinnaker, through Gate's v1 routes."""

    def config(self, application: str, name: str) -> PipelineConfig | None: ...

    def save(self, document: Mapping[str, Any]) -> None:
        """Creates or updates by name: the id of a standing pipeline of that name is kept."""

    def replace(self, document: Mapping[str, Any], standing: PipelineConfig | None) -> None:
        """As `save`, over exactly what `config` gave as `standing`. Refused: there is something else by now."""

    def delete(self, config: PipelineConfig) -> None:
        """Refused: it has a name that Spinnaker's delete can't take. One that is gone already is no error."""

    def start(self, config: PipelineConfig, trigger: Mapping[str, Any]) -> str:
        """Posts once, never retries; the execution's id. Refused: 4xx (but credentials), for good. UnknownOutcome: look first."""

    def search(self, application: str, correlation_id: str, since: datetime) -> Sequence[Execution]:
        """Executions whose trigger.correlationId is exactly this, started at or after `since`; finished ones too."""

    def execution(self, execution_id: str) -> Execution | None:
        """None when Spinnaker has none of that id."""

    def cancel(self, execution_id: str, reason: str) -> None:
        """Asks for the end of a run; a finished one is left as it is."""

    def judge(self, execution: Execution, decision: str) -> None:
        """Answers the manual judgment that waits (`continue` or `stop`); Refused when none waits."""


class Publisher(Protocol):
    """Pub/Sub. Topics are bare names; the adapter adds project and prefix."""

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """The message id, once the service has it."""

    def pull(self, subscription: str, limit: int) -> Sequence[tuple[str, Mapping[str, str], bytes]]:
        """At once, at most `limit`: (ack id, attributes, data)."""

    def acknowledge(self, subscription: str, ack_ids: Sequence[str]) -> None: ...


class Notifier(Protocol):
    """A receiver of notices. Addresses come from the catalog or a secret, https only; redirects are not followed, answers are
    read up to 1 MiB."""

    def send(
        self,
        channel: Channel,
        notice: Notice,
        *,
        receipt: str | None = None,
        look: bool = False,
        since: datetime | None = None,
    ) -> str | None:
        """Brings the message `notice.id` of that channel into the notice's state, all in one time-out; a receipt by which it
        can be found again, where the receiver gives one. `receipt`: of an earlier state. `look`: an earlier send of this
        message, at or after `since`, may have arrived: where the receiver can be asked it is asked before anything is sent.

        UnknownOutcome only where the message may be there; TransientError: it is not. Misconfigured: credentials that do not
        hold. Refused: it will never be taken."""


class Secrets(Protocol):
    """Secret Manager, or files in a folder."""

    def read(self, name: str) -> str:
        """The newest version's text without a final newline, or of the version that `name` ends with (`gate-token/versions/3`);
        Misconfigured when there is no such secret or it may not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A live object that bears our marks, without its content. `namespace` is empty for a cluster-wide one. `controlled`: a
    controller made it of another object, and copied the marks."""

    api_version: str
    kind: str
    namespace: str
    name: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    controlled: bool = False


class Cluster(Protocol):
    """One Kubernetes cluster, by a context of a kubeconfig. Only the command line asks it, and nothing is ever written."""

    @property
    def name(self) -> str:
        """The context's."""

    def admission(self) -> Sequence[Mapping[str, Any]]:
        """Every ValidatingAdmissionPolicy and every binding, as the API server gives them."""

    def namespace(self, name: str) -> Mapping[str, str] | None:
        """The labels of a namespace; None when there is none of that name."""

    def annotations(self, namespace: str, config_map: str) -> Mapping[str, str] | None:
        """Of one ConfigMap; None when there is none of that name."""

    def marked(self) -> Sequence[Marked]:
        """Every object of any kind that bears `downwind.dev/owner`. Only metadata is asked for: no secret leaves the server."""

    def dry_run(self, manifest: Mapping[str, Any]) -> str | None:
        """What the API server would say to a server-side apply of it: None, it would take it; else how an admission policy
        refuses it, in its words. Refused: the manifest or its namespace cannot be."""

    def live(self, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The object of that kind, namespace and name as it stands; None when there is none. Refused: the cluster has no such
        kind."""

    def preview(self, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a server-side apply of the manifest would make of what stands, by a dry run. Refused: the manifest, its kind or
        its namespace cannot be, or an admission policy refuses it, in its words."""


class Groups(Protocol):
    """Google groups, for the catalog's `operators`."""

    def has(self, group: str, email: str) -> bool:
        """Is this person a member, directly or by another group? Misconfigured when the group can't be read: that is no."""
