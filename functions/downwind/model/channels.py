"""Where word of rollouts goes: one channel is a receiver with its own name, templates and choice (docs/how-to/notices.md).

Each kind of receiver says what its system can do, and the rules of `reconcile.notices` follow from that: `edits`, a message
can be changed in place; `asked`, it recognises a message of ours that came twice, or can be asked whether one came.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

FIELDS = (
    "application",
    "environment",
    "sequence",
    "attempt",
    "commit",
    "short_commit",
    "ref",
    "status",
    "reason",
    "who",
    "why",
    "execution",
    "link",
)
"""What a template may name. Absent values are empty."""
NAME_FIELDS = ("application", "environment")
"""What the name of a commit status may be made of: it must be the same for each state of one rollout."""
LINK_FIELDS = tuple(field for field in FIELDS if field != "link")
TEXT = "{application} {environment} {sequence} {status} ({short_commit}): {reason}"
SUBJECT = "{application} {environment} {sequence} {status}"
CONTEXT = "downwind/{application}/{environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """`repository` is the https address of the repository's pages, without `.git`."""

    kind: ClassVar[str] = "commit-status"
    edits: ClassVar[bool] = True
    asked: ClassVar[bool] = True
    host: Literal["github", "gitlab", "bitbucket"]
    repository: str
    context: str = CONTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubDeployments:
    kind: ClassVar[str] = "github-deployments"
    edits: ClassVar[bool] = True
    asked: ClassVar[bool] = True
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """`channel` is an id: a message is changed by its channel's id only."""

    kind: ClassVar[str] = "slack"
    edits: ClassVar[bool] = True
    asked: ClassVar[bool] = True
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleChat:
    kind: ClassVar[str] = "google-chat"
    edits: ClassVar[bool] = True
    asked: ClassVar[bool] = True
    space: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Teams:
    """The address is a secret: whoever knows it may post."""

    kind: ClassVar[str] = "teams"
    edits: ClassVar[bool] = False
    asked: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    kind: ClassVar[str] = "webhook"
    edits: ClassVar[bool] = True
    asked: ClassVar[bool] = True
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """`server` is HOST:PORT. A mail that is sent twice has one Message-ID, by which mailboxes drop the second."""

    kind: ClassVar[str] = "mail"
    edits: ClassVar[bool] = False
    asked: ClassVar[bool] = True
    server: str
    sender: str
    recipients: tuple[str, ...]
    subject: str = SUBJECT


Target = CommitStatus | GithubDeployments | Slack | GoogleChat | Teams | Webhook | Mail
KINDS: dict[str, type[Target]] = {
    each.kind: each for each in (CommitStatus, GithubDeployments, Slack, GoogleChat, Teams, Webhook, Mail)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """`environments`: of these only; empty: of all. `when`: all (starts and ends), ended, or failed (failures only).
    `credentials`: a secret's name. `link`: a template; None: the run in Spinnaker's pages, where the installation has some."""

    name: str
    target: Target
    environments: tuple[str, ...] = ()
    when: Literal["all", "ended", "failed"] = "all"
    text: str = TEXT
    link: str | None = None
    credentials: str | None = None

    def hears_of(self, environment: str) -> bool:
        return not self.environments or environment in self.environments
