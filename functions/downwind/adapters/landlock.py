"""Linux's Landlock: a thread gives up files for good, and so does every program that it starts. Needs no right and no other user.

Source: docs.kernel.org/userspace-api/landlock, include/uapi/linux/landlock.h. libc has no functions for it, so the three calls
are made by number, which is the same on every processor. Not there: kernels before 5.13, gVisor, and other systems than Linux.
"""

import ctypes
import os
import stat
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

from downwind.adapters.asked import Asked
from downwind.errors import TransientError

T = TypeVar("T")
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
EXECUTE, WRITE, READ, LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_RIGHTS_OF_ABI = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights over files each version of the interface knows. What a rule set does not name stays allowed."""
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_OF_A_FILE = EXECUTE | WRITE | READ | _TRUNCATE | _IOCTL
CHANGE = ~(EXECUTE | READ | LIST)
"""Every right that changes something, known and to come."""
_TCP = 0b11
_SCOPES = 0b11


def _version() -> int:
    if not sys.platform.startswith("linux"):
        return 0
    found = _call(_CREATE_RULESET, None, 0, _VERSION)
    if found <= 0:
        return 0
    try:
        confined(lambda: None, [(Path("/"), READ)], abi=found)
    except (OSError, TransientError):
        return 0
    return found


version = Asked(_version)
"""The interface's version on this machine; 0: there is none, or this process may not use it."""


def confined(start: Callable[[], T], allowed: Iterable[tuple[Path, int]], abi: int = 0) -> T:
    """What `start` gives, called in a thread that may do with files what `allowed` says of each path and all below it, and no
    more. Where the kernel knows how, it may neither listen nor connect by TCP, nor reach processes outside. A path that is not
    there is left out. TransientError: the kernel did not let us."""
    found: list[T] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            _restrict(allowed, abi or version())
            found.append(start())
        except BaseException as error:  # raised again below, in the caller's thread
            problems.append(error)

    thread = threading.Thread(target=run, name="downwind-confined")
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
    return found[0]


def _restrict(allowed: Iterable[tuple[Path, int]], abi: int) -> None:
    """This thread."""
    rights = (1 << _RIGHTS_OF_ABI[max(each for each in _RIGHTS_OF_ABI if each <= abi)]) - 1
    sizes = 24 if abi >= 6 else 16 if abi >= 4 else 8
    attributes = struct.pack("=QQQ", rights, _TCP, _SCOPES)[:sizes]
    rules = _checked(_call(_CREATE_RULESET, attributes, sizes, 0))
    try:
        for path, wanted in allowed:
            try:
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                directory = stat.S_ISDIR(os.fstat(place).st_mode)
                rule = struct.pack("=Qi", wanted & rights & (~0 if directory else _OF_A_FILE), place)
                _checked(_call(_ADD_RULE, rules, _PATH_BENEATH, rule, 0))
            finally:
                os.close(place)
        _checked(_libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_call(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _call(number: int, *arguments: int | bytes | None) -> int:
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return int(_libc().syscall(ctypes.c_long(number), *wide))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(answer: int) -> int:
    if answer < 0:
        raise TransientError(f"the kernel took no rule for an engine's files: {os.strerror(ctypes.get_errno())}")
    return answer
