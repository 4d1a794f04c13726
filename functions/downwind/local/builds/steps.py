"""One step as a process on this machine: which program stands for its image, its environment, its time."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from downwind.local.builds.failure import BuildFailure

_WORKSPACE = re.compile(r"(?<![\w./-])/workspace(?=/|$|[\s\"':;])")
_PYTHON = re.compile(r"python(3(\.\d+)?)?")


class Stopped(Exception):  # noqa: N818 - it says what happened to the step
    """The step was killed: `reason` is TIMEOUT or CANCELLED."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_docker(image: str) -> bool:
    """gcr.io/cloud-builders/docker and its likes: run by `docker.Docker`, not as a process."""
    return _base(image) == "docker"


def command(step: Mapping[str, Any], scratch: Path) -> list[str]:
    """What to execute. Raises BuildFailure when this machine has no such program."""
    image, arguments = step["name"], [str(part) for part in step.get("args") or []]
    if step.get("script"):
        script = scratch / "script"
        script.write_text(step["script"] if step["script"].startswith("#!") else f"#!/bin/sh\n{step['script']}")
        script.chmod(0o700)
        return [str(script)]
    if step.get("entrypoint"):
        arguments = [step["entrypoint"], *arguments]
    elif "cloud-builders/" in image:
        arguments = [_base(image), *arguments]  # these images have their tool as entrypoint
    if not arguments:
        raise BuildFailure(f"the step on {image} has neither args, entrypoint nor script")
    program = arguments[0]
    if _PYTHON.fullmatch(program) and (_PYTHON.fullmatch(_base(image)) or shutil.which(program) is None):
        return [sys.executable, *arguments[1:]]
    if shutil.which(program, path=_path(image)) is None and not Path(program).is_absolute() and "/" not in program:
        raise BuildFailure(
            f"{image} is not run as a container here, and this machine has no {program}: install it, or name an entrypoint"
        )
    return arguments


def environment(step: Mapping[str, Any], options: Mapping[str, Any], home: Path) -> dict[str, str]:
    """Small and safe: nothing of the person's own shell but where programs are."""
    own = {
        "PATH": _path(step["name"]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",  # or an image built from the workspace would hold the time of the build
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    given = [*(options.get("env") or []), *(step.get("env") or [])]
    return own | {key: value for key, _, value in (item.partition("=") for item in given)}


def in_workspace(text: str, workspace: Path) -> str:
    """Cloud Build's workspace is /workspace; here it is a folder."""
    return _WORKSPACE.sub(lambda _match: str(workspace), text)


def run(
    arguments: Sequence[str],
    *,
    directory: Path,
    variables: Mapping[str, str],
    timeout: float,
    stop: threading.Event,
    say: Callable[[str], None],
) -> int:
    """Runs to the end, in a process group of its own; its exit code. Raises Stopped when it had to be killed."""
    try:
        process = subprocess.Popen(
            arguments,
            cwd=directory,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise BuildFailure(f"{arguments[0]} can't be run: {error.strerror}") from error
    with process:
        ended = threading.Event()
        timed_out = threading.Event()
        guard = threading.Thread(target=_guard, args=(process, timeout, stop, ended, timed_out), daemon=True)
        guard.start()
        for line in process.stdout or ():
            say(line.decode(errors="replace").rstrip("\n"))
        code = process.wait()
        ended.set()
        guard.join()
    if timed_out.is_set():
        raise Stopped("TIMEOUT")
    if stop.is_set():
        raise Stopped("CANCELLED")
    return code


def _guard(
    process: subprocess.Popen[bytes],
    timeout: float,
    stop: threading.Event,
    ended: threading.Event,
    timed_out: threading.Event,
) -> None:
    """Kills the whole group when time is up or somebody says stop."""
    left = timeout
    while not ended.wait(0.05):
        left -= 0.05
        if left <= 0:
            timed_out.set()
        if left <= 0 or stop.is_set():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            return


def _base(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _path(image: str) -> str:
    """Python images find this interpreter's own programs first (pip, pytest)."""
    own = os.environ.get("PATH", os.defpath)
    return f"{Path(sys.executable).parent}{os.pathsep}{own}" if _PYTHON.fullmatch(_base(image)) else own
