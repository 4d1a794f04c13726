"""Starts the parts of a local world, each in its own process, keeps them running, and stops them all. Nothing stays behind."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Self

from downwind.errors import DownwindError, Refused
from downwind.local.calls import call, listens
from downwind.local.provision import provision, write_secrets
from downwind.local.world_file import PARTS, LocalWorld, around_proxy, running, write_pid
from downwind.timing import LOCAL_TIMING

START_SECONDS = 30.0
STOP_SECONDS = 5.0


class Supervisor:
    """A context manager: inside, the world runs. `say` gets one line for each thing that a person would want to know."""

    def __init__(self, world: LocalWorld, say: Callable[[str], None] = lambda _line: None) -> None:
        self.world = world
        self._say = say
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        other = running(self.world)
        if other is not None:
            raise Refused(f"this world runs already (pid {other})", fix="use it, or stop it: downwind local down")
        write_pid(self.world)
        write_secrets(self.world)
        try:
            for part in PARTS:
                self._spawn(part)
            for part in PARTS:
                self._wait_for(part)
            provision(self.world)
        except BaseException:
            self.stop()
            raise
        for work in (self._keep, self._tick):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Functions first, so that nobody waits for what is already gone."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        with self._lock:
            processes = list(self._processes.values())
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for process in processes:
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.world.pid_file.unlink(missing_ok=True)

    def pids(self) -> dict[str, int]:
        with self._lock:
            return {name: process.pid for name, process in self._processes.items()}

    def _spawn(self, part: str) -> None:
        log = self.world.log(part)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "downwind.local.parts", part, str(self.world.folder)],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**_clean(os.environ), "PYTHONUNBUFFERED": "1"},
            )
        with self._lock:
            self._processes[part] = process

    def _wait_for(self, part: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not listens(self.world.ports[part]):
            with self._lock:
                ended = self._processes[part].poll()
            if ended is not None or time.monotonic() > deadline:
                tail = self.world.log(part).read_text(errors="replace").strip().splitlines()[-3:]
                raise Refused(f"{part} did not start: {' | '.join(tail)}", fix=f"see {self.world.log(part)}")
            time.sleep(0.02)

    def _keep(self) -> None:
        """A part that was killed is started again, with what it has on disk."""
        while not self._stopping.wait(0.2):
            for part in PARTS:
                with self._lock:
                    ended = self._processes[part].poll()
                if ended is not None and not self._stopping.is_set():
                    self._say(f"{part} ended ({ended}); starting it again")
                    self._stopping.wait(0.2)
                    self._spawn(part)

    def _tick(self) -> None:
        """Cloud Scheduler's part."""
        url = f"{self.world.url('pubsub_rest')}/v1/projects/{self.world.project}/topics/ticks:publish"
        body = {"messages": [{"data": b64encode(b"{}").decode()}]}
        while not self._stopping.wait(LOCAL_TIMING.tick):
            with contextlib.suppress(DownwindError):  # the broker may be down just now; the next tick comes
                call("POST", url, body, timeout=5)


def _clean(environment: "os._Environ[str]") -> dict[str, str]:
    """Without another installation's settings, which would point the functions elsewhere."""
    kept = {name: value for name, value in environment.items() if not name.startswith("DOWNWIND_")}
    return {**kept, **around_proxy(environment)}
