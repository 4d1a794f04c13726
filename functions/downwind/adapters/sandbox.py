"""Runs a program that is not trusted with what it reads: no environment, no home, no programs to call, no network and no files of
the machine where the kernel lets us take them away, and under limits. Its own process group, killed whole when it is over.

Linux. Where user namespaces are not allowed (`unshare` is missing or refused) the network stays, and the limit of processes
is not there; without Landlock the files of the machine stay. Elsewhere than on Linux memory and processes are not limited either.
`walls()` says which of both this machine has.
"""

import contextlib
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from downwind.adapters import landlock
from downwind.adapters.asked import Asked
from downwind.errors import Refused, TransientError

_UNSHARE = ("--user", "--net", "--ipc", "--uts", "--")
_CHUNK = 1 << 16
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """Seconds and bytes. `processor`: of all its threads together; `wall`: until it counts as the machine's fault."""

    processor: int = 10
    wall: float = 20.0
    memory: int = 512 << 20
    processes: int = 64
    files: int = 256
    written: int = 1 << 20
    output: int = 8 << 20
    complaint: int = 64 << 10


RUN_LIMITS = RunLimits()


def _isolation() -> tuple[str, ...]:
    unshare = shutil.which("unshare") if sys.platform == "linux" else None
    if unshare is None:
        return ()
    command = (unshare, *_UNSHARE)
    try:
        done = subprocess.run([*command, "/bin/true"], env={}, capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return command if done.returncode == 0 else ()


isolation = Asked(_isolation)
"""The command that takes the network away; empty where this machine has none that works."""


def walls() -> tuple[str, ...]:
    """What is taken away here: `files`, `network`."""
    return (("files",) if landlock.version() else ()) + (("network",) if isolation() else ())


def run(name: str, command: Sequence[str], folder: Path, home: Path, limits: RunLimits = RUN_LIMITS) -> bytes:
    """What it printed. `name` is for errors; `home`: an empty folder beside the copy.

    Refused: it failed (with the end of what it said, cleaned), printed too much, or used up its processor time or memory.
    TransientError: the machine was too slow, or has no room.
    """
    network = isolation()
    full = [*network, *command]
    environment = {"HOME": str(home), "TMPDIR": str(home), "PATH": str(home), "TZ": "UTC", **_go(limits)}

    def start() -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            full,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        _limit(process.pid, limits, alone=bool(network))
        return process

    try:
        process = landlock.confined(start, _files(full, home)) if landlock.version() else start()
    except OSError as error:
        raise TransientError(f"{name} could not be started: {error.strerror}") from error
    try:
        out, said, over = _collect(process, limits)
        if over is None:
            process.wait(timeout=limits.wall)
    except subprocess.TimeoutExpired:
        over = "time"
    finally:
        _end(process)
    if over == "time":
        raise TransientError(f"{name} did not end within {limits.wall:g} s")
    if over is not None:
        raise Refused(f"{name} printed more than {limits.output >> 20} MiB", fix="render less at once")
    if process.returncode != 0:
        raise _failed(name, process.returncode, said, home, limits)
    return out


def _files(command: Sequence[str], home: Path) -> list[tuple[Path, int]]:
    """What it may do with which files: read the copy, write its empty home, start itself with what a program of the system needs
    for that. No file of an engine is among them: both are one file each."""
    read = landlock.READ | landlock.LIST
    programs = [Path(each) for each in command if each.startswith("/")]
    return [
        (home.parent, read),
        (home, read | landlock.CHANGE),
        (Path(os.devnull), landlock.READ | landlock.WRITE),
        *((path, landlock.READ | landlock.EXECUTE) for path in (*programs, *_loaders())),
        *((Path(path), landlock.READ) for path in _LIBRARIES),
    ]


@cache
def _loaders() -> tuple[Path, ...]:
    """The programs that load shared libraries; `unshare` has some."""
    return tuple(path for folder in ("/lib64", "/lib") for path in Path(folder).glob("ld-*.so*"))


def _go(limits: RunLimits) -> dict[str, str]:
    """A process this short collects garbage for a tenth of its time by default, and most need 30 MiB: so rarely, until it needs
    more than half of what it may have."""
    return {"GOMAXPROCS": "2", "GOGC": "400", "GOMEMLIMIT": str(limits.memory // 2)}


def _limit(pid: int, limits: RunLimits, *, alone: bool) -> None:
    """From outside and right after the start: a hook between fork and exec could hang a process with threads."""
    if not hasattr(resource, "prlimit"):
        return
    wanted = {
        resource.RLIMIT_CPU: limits.processor,
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_FSIZE: limits.written,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_CORE: 0,
    }
    if alone:  # elsewhere it would count this user's other processes, too
        wanted[resource.RLIMIT_NPROC] = limits.processes
    for what, value in wanted.items():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, what, (value, value))


def _collect(process: "subprocess.Popen[bytes]", limits: RunLimits) -> tuple[bytes, bytes, str | None]:
    """Both outputs as they come, so that neither fills its pipe. Of the second only the end is kept."""
    out, said = bytearray(), bytearray()
    deadline = time.monotonic() + limits.wall
    with selectors.DefaultSelector() as selector:
        for stream, buffer in ((process.stdout, out), (process.stderr, said)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, buffer)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return bytes(out), bytes(said), "time"
            for key, _ in selector.select(left):
                data = os.read(key.fd, _CHUNK)
                if not data:
                    selector.unregister(key.fileobj)
                key.data.extend(data)
            if len(out) > limits.output:
                return b"", b"", "output"
            del said[: -limits.complaint]
    return bytes(out), bytes(said), None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """The whole group, whatever it left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _failed(name: str, code: int, said: bytes, home: Path, limits: RunLimits) -> Refused:
    if code in {-signal.SIGXCPU, -signal.SIGKILL, 128 + signal.SIGXCPU, 128 + signal.SIGKILL}:
        return Refused(f"{name} used more than {limits.processor} s of processor time", fix="render less at once")
    text = said.decode(errors="replace")
    if "out of memory" in text or "cannot allocate memory" in text:
        return Refused(f"{name} needs more than {limits.memory >> 20} MiB of memory", fix="render less at once")
    return Refused(f"{name} failed: {cleaned(text, home.parent)}", fix="run it by hand: it says more there")


def cleaned(text: str, scratch: Path, most: int = 600) -> str:
    """One line of printable text without the place of the copy; its end, where it is long: what failed is said last."""
    for root in dict.fromkeys((scratch.resolve(), scratch)):
        text = re.sub(re.escape(str(root)) + r"(/tree|/chart)?/?", "", text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= most else f"…{text[-most:]}"
