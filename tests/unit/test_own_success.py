"""A conditional write that was refused: by its own earlier success, by another's, or for lack of rights."""

import pytest

from downwind.adapters.own_success import meant_by


@pytest.mark.parametrize(
    ("status", "standing", "own", "creating", "meant"),
    [
        (412, True, True, True, "done"),
        (412, True, False, True, "taken"),
        (412, False, False, True, "taken"),
        (412, True, True, False, "done"),
        (412, True, False, False, "taken"),
        (403, True, True, True, "done"),
        (403, True, False, True, "taken"),
        (403, False, False, True, "refused"),
        (403, True, True, False, "done"),
        (403, True, False, False, "refused"),
    ],
)
def test_what_a_refusal_means(status: int, standing: bool, own: bool, creating: bool, meant: str) -> None:
    assert meant_by(status, standing=standing, own=own, creating=creating) == meant
