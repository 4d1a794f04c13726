"""Execution and stage ids as Orca makes them: ULIDs, 26 letters of Crockford's alphabet, sorted by time of birth."""

import secrets
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_lock = threading.Lock()
_last = 0


def new_ulid() -> str:
    """Strictly rising within this process, so that a list by id is a list by time."""
    global _last  # noqa: PLW0603 - one clock for the whole process is the point
    with _lock:
        born = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
        _last = max(born, _last + 1)
        number = _last
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
