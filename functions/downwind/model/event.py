"""What a message from outside says, in our words, whoever sent it.

Each parser in `downwind.events` returns a tuple of these, or `Ignored`; it raises `Refused` for what can't be understood.
Absent values are None, never zeros or "". Refs are full names (`refs/heads/main`). Commits are 40 lower case hex digits
(64 for sha256 repositories). Digests are `sha256:<64 hex>`. Image names carry neither tag nor digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """The message is understood and asks nothing of us; `reason` is a sentence for a person."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """`name` without tag and digest; at least one of the other two is given."""

    name: str
    digest: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One ref of one repository moved from `before` to `after`.

    `repository` is the sender's own name for it (a clone URL, or `projects/p/repos/r`), `also` further names that mean
    the same; `object ids` in before and after are as sent: for an annotated tag that is the tag object.
    """

    repository: str
    ref: str
    before: str | None
    after: str | None
    also: tuple[str, ...] = ()
    forced: bool = False
    kind: Literal["push"] = "push"

    @property
    def deleted(self) -> bool:
        return self.after is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One status of one Cloud Build build. `status` is kept as text, also where we do not know the word.

    `trigger` is buildTriggerId, never a name; `location` is `global` where the build's name has none.
    `whole` is False when the message was too large to be taken at its word: read the build by id.
    """

    build: str
    status: str
    project: str | None
    location: str
    trigger: str | None = None
    commit: str | None = None
    ref: str | None = None
    repository: str | None = None
    images: tuple[ImageReference, ...] = ()
    log_url: str | None = None
    whole: bool = True
    kind: Literal["build"] = "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A registry's word on one image: INSERT or DELETE (other actions are kept as text)."""

    action: str
    image: ImageReference
    kind: Literal["image"] = "image"


Verb = Literal["deploy", "promote", "rollback", "hold", "resume", "cancel", "retry", "approve", "reject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Another system's order: deploy or promote. `who` is what the sender claims."""

    id: str
    verb: Verb
    application: str
    environment: str
    commit: str | None = None
    build: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    who: str | None = None
    why: str | None = None
    kind: Literal["request"] = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Request):
    """An operator's, with `who` as Google's token proved it. `target`: the sequence that it is about; `execution` and `stage`:
    the judgment that it answers."""

    target: int | None = None
    execution: str | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Something happened to an execution of Spinnaker; what, only Gate can say."""

    execution: str
    kind: Literal["execution"] = "execution"


Event = Push | Build | Image | Request | Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One Pub/Sub message, whatever wire form brought it (`events.envelope`).

    `id` is the messageId (unique in its topic only); `published` RFC 3339 text or None; `attempt` Pub/Sub's deliveryAttempt
    or None; `data` is b"" in attribute-only messages. `token`: whether Pub/Sub's ID token was checked; None: nobody says.
    """

    id: str
    data: bytes
    attributes: Mapping[str, str]
    topic: str | None = None
    subscription: str | None = None
    published: str | None = None
    ordering_key: str | None = None
    attempt: int | None = None
    token: bool | None = None
