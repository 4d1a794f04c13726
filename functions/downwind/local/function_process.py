"""One function as the platform runs it: functions-framework on a folder with `main.py`, in a process of its own.

For the tests and benchmarks of what is deployed; the local world serves all targets from one process instead.
"""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from downwind.errors import TransientError
from downwind.local.calls import listens
from downwind.local.world_file import free_ports

COMMAND = (sys.executable, "-m", "functions_framework")
PATIENCE = 60.0


class FunctionProcess:
    """A context manager: inside, the function answers on `port`. `environment` is the whole environment, nothing is inherited.

    Raises TransientError with the end of the log when it does not come up. `log` is appended to.
    """

    def __init__(
        self, folder: Path, target: str, environment: Mapping[str, str], log: Path, *, command: Sequence[str] = COMMAND
    ) -> None:
        self.port = free_ports(1)[0]
        self._command = [*command, "--source", "main.py", "--target", target]
        self._command += ["--host", "127.0.0.1", "--port", str(self.port)]
        self._folder = folder
        self._environment = dict(environment)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.spawn()
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def spawn(self) -> None:
        """Starts the process and returns at once."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        """Until it takes connections; the first request then waits for the worker."""
        deadline = time.monotonic() + PATIENCE
        while not listens(self.port):
            ended = self._started().poll()
            if ended is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace").strip().splitlines()[-5:]
                raise TransientError(f"functions-framework did not start ({ended}): {' | '.join(tail)}")
            time.sleep(0.002)

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def stop(self) -> None:
        """As the platform does: SIGTERM to the server, which stops its worker."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def worker(self) -> int:
        """The pid of the process that answers: gunicorn's one worker. Linux only."""
        pid = self._started().pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0])

    def memory(self) -> int:
        """Resident bytes of the worker, code and shared pages included. Linux only."""
        pages = int(Path(f"/proc/{self.worker}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise TransientError("the function's process was not started")
        return self._process
