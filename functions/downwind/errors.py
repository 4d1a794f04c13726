"""One tree of errors; the class alone decides what becomes of a message or a step.

DownwindError
├── PermanentError      no repetition will help: a message is parked, a step is recorded as failed
│   ├── Refused         a sender or a receiver said no; the text says why and what to change
│   └── Unauthorized    who sent it could not be proved: 401, nothing is recorded
└── TransientError      leave the marker open, the tick goes on
    ├── Misconfigured   this installation lacks a right or a resource: people must act, nothing is lost meanwhile
    └── UnknownOutcome  the effect may have happened: look before repeating it

A text in these errors may be shown to users and stored; it never holds a header, a body or a secret.
"""


class DownwindError(Exception):
    """Base of all errors that we raise on purpose."""


class PermanentError(DownwindError):
    """Repeating the same thing gives the same answer."""


class Refused(PermanentError):  # noqa: N818 - the word of the field, as in "connection refused"
    """Somebody said no. `field` and `fix` help a person where they are known."""

    def __init__(self, reason: str, *, field: str | None = None, fix: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
        self.fix = fix


class Unauthorized(PermanentError):  # noqa: N818 - the name of HTTP status 401
    """The sender's token or signature does not hold."""


class TransientError(DownwindError):
    """The world did not answer, or asked us to come back later."""


class Misconfigured(TransientError):  # noqa: N818 - reads as a statement about the installation
    """Credentials that do not hold, a right or a resource that is missing: no verdict on what was asked for.

    The text ends with `fix`: what people must do. Until then the same step is tried again.
    """

    def __init__(self, reason: str, *, fix: str) -> None:
        super().__init__(f"{reason}; {fix}")
        self.reason = reason
        self.fix = fix


class UnknownOutcome(TransientError):  # noqa: N818
    """A request with an effect was sent and its answer never came."""
