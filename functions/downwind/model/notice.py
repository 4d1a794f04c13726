"""What a channel is told of one rollout: the same message in one state after another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["started", "succeeded", "failed", "cancelled", "superseded", "blocked"]
FAILURES: frozenset[str] = frozenset({"failed", "blocked"})
"""What nobody may miss. Cancelled is none, since a person did it; nor superseded: a newer one went instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`id` names the message, whatever its state: 40 lower case hex digits. `fields` are the values of `channels.FIELDS`;
    `text`, `subject` and `context` are filled in already, in plain text: the adapter writes them in its system's own form."""

    id: str
    state: State
    fields: Mapping[str, str]
    text: str
    subject: str = ""
    context: str = ""
    link: str | None = None

    @property
    def commit(self) -> str:
        return self.fields["commit"]

    @property
    def failed(self) -> bool:
        return self.state in FAILURES
