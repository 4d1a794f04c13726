"""What a check came to, and what many of them say together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "failed", "unreachable", "not applicable"]
SOUND, UNSOUND, UNASKED = 0, 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`unreachable`: it should have been checked, and what was asked gave no verdict; `not applicable`: there is nothing to check
    here. Neither is ever `ok`. `why` is a sentence, `fix` what to do or to look at."""

    group: str
    what: str
    state: State
    why: str
    fix: str | None = None


def exit_code(results: Sequence[Result]) -> int:
    states = {each.state for each in results}
    if "failed" in states:
        return UNSOUND
    return UNASKED if "unreachable" in states else SOUND
