"""One thing that the doctor looked at."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`fix` is None for what is right, and for what can't be told yet. `repair` does the fix here, and returns what to say."""

    what: str
    fix: str | None = None
    repair: Callable[[], str] | None = None
