"""What a refused conditional write means: its retry may have met its own success.

Pure, so that the adapter and the simulator decide by the same lines.
"""

from typing import Literal

NONCE_REFUSALS = frozenset({403, 412})
"""Answers to a conditional write that may come from its own earlier success: 412, or 403 for an identity that may create and
not overwrite."""


def meant_by(status: int, *, standing: bool, own: bool, creating: bool) -> Literal["done", "taken", "refused"]:
    """`standing`: an object of that name is there now; `own`: it bears this very call's nonce. done: an earlier try of this
    call wrote it. taken: it is another's. refused: no object explains the answer, so it is about rights."""
    if standing and own:
        return "done"
    if status == 403 and (not standing or not creating):
        return "refused"
    return "taken"
