"""Revisions of functions as processes: each the package that was uploaded for it, with the settings that it was deployed with,
begun when it is first called. They find nothing but Google's addresses, as the platform gives them no others."""

import os
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from downwind.local.function_process import FunctionProcess

_PYTHON = (sys.executable, "-S", "-P")
"""Without this checkout: no .pth file is read, nor the folder that we stand in."""
_PACKAGES = os.pathsep.join(dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """`package`: the zip. `settings`: environment variables of the revision."""

    service: str
    revision: str
    entry: str
    package: Path
    settings: Mapping[str, str]


class Programs:
    """A context manager. `environment`: how each reaches Google."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._deployed: dict[str, Deployed] = {}
        self._running: dict[str, FunctionProcess] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._unpacking = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(FunctionProcess.stop, self._running.values()))

    @property
    def running(self) -> list[str]:
        """Revisions that were called."""
        return sorted(self._running)

    def deployed(self, new: Deployed) -> None:
        """What ran under the same name is another function's, which was deleted."""
        before = self._running.pop(new.revision, None)
        if before is not None:
            before.stop()
        self._deployed[new.revision] = new
        self._locks[new.revision] = threading.Lock()

    def url(self, revision: str) -> str | None:
        """None: nobody deployed that. Raises TransientError when it does not come up."""
        found = self._deployed.get(revision)
        if found is None:
            return None
        with self._locks[revision]:
            if revision not in self._running:
                self._running[revision] = self._start(found)
            return f"http://127.0.0.1:{self._running[revision].port}"

    def _start(self, wanted: Deployed) -> FunctionProcess:
        folder = self._folder / wanted.package.stem
        with self._unpacking:
            if not folder.exists():
                with zipfile.ZipFile(wanted.package) as archive:
                    archive.extractall(folder)
        platform = {"K_SERVICE": wanted.service, "K_REVISION": wanted.revision, "PYTHONPATH": _PACKAGES}
        environment = {**self._environment, **wanted.settings, **platform}
        log = self._folder / f"{wanted.revision}.log"
        command = (*_PYTHON, "-m", "functions_framework")
        process = FunctionProcess(folder, wanted.entry, environment, log, command=command)
        return process.__enter__()
