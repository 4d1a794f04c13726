"""The programs that reach the cluster for us: Helm, and kubectl for a way to Gate. For GKE they get a kubeconfig of their own,
with a token that is good for an hour, readable by nobody else and gone with the run."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Protocol

from downwind.bootstrap.cloud import Cloud, Conflict
from downwind.bootstrap.kinds.releases import CHART, LIMIT
from downwind.bootstrap.kubernetes import locate, token_of
from downwind.bootstrap.values import Values
from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.shipped import shipped

_MOST = 4096
_FORWARDING = re.compile(r"Forwarding from (127\.0\.0\.1:\d+) ->")
_INSTALL = "install it, or put the pinned one on the path: PATH=$(scripts/helm):$PATH"


class Helm(Protocol):
    def run(self, command: Sequence[str]) -> None:
        """One line of Helm. Conflict: another Helm is at it. Refused with Helm's own words."""


@contextlib.contextmanager
def kubeconfig(values: Values, cloud: Cloud, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment in which `--kube-context` names our cluster."""
    if values.config["cluster"]["context"] is not None:
        yield dict(environment)
        return
    server = locate(values, cloud, environment)
    if server is None:
        raise TransientError("the cluster is not there yet")
    name = values.context
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server.host}}],
        "users": [{"name": name, "user": {"token": token_of(cloud.session)}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    with tempfile.TemporaryDirectory(prefix="downwind-") as folder:
        file = Path(folder) / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(json.dumps(body))
        yield {**environment, "KUBECONFIG": str(file)}


class HelmProgram:
    """The Helm of the path. Lines name the chart and the files of values as people do; here they become whole paths."""

    def __init__(self, values: Values, cloud: Cloud, environment: Mapping[str, str]) -> None:
        self._values = values
        self._cloud = cloud
        self._environment = environment
        self._paths = {CHART: str(shipped(CHART)), **{each.name: str(each.path) for each in values.files.values}}

    def run(self, command: Sequence[str]) -> None:
        line = [self._paths.get(argument, argument) for argument in command]
        with kubeconfig(self._values, self._cloud, self._environment) as environment:
            try:
                done = subprocess.run(
                    line,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=LIMIT,
                    check=False,
                )
            except OSError as error:
                raise Misconfigured(f"Helm cannot be started: {error.strerror}", fix=_INSTALL) from error
            except subprocess.TimeoutExpired as error:
                raise UnknownOutcome(f"{' '.join(command[:3])} … did not end within {LIMIT:.0f} s") from error
        if done.returncode:
            raise _reason(command, done.stderr)


def _reason(command: Sequence[str], errors: str) -> Exception:
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    text = f"{' '.join(command[:3])} …: {' '.join(lines[-3:]) or 'failed'}"[:800]
    if "another operation (install/upgrade/rollback) is in progress" in errors or "cannot re-use a name" in errors:
        return Conflict(text)
    if "cluster unreachable" in errors or "connection refused" in errors or "context deadline exceeded" in errors:
        return TransientError(text)
    return Refused(text)


@contextlib.contextmanager
def forwarded(
    values: Values,
    cloud: Cloud,
    environment: Mapping[str, str],
    service: str,
    port: int,
    *,
    opens: float = 60,
    ends: float = 10,
) -> Iterator[str]:
    """A way to a service of Spinnaker's namespace for as long as the block is: `kubectl port-forward`; gives its address here.
    `opens`: seconds until there has to be one (kubectl's sign-in may ask somebody first); `ends`: until kubectl is killed."""
    with kubeconfig(values, cloud, environment) as variables:
        line = ("kubectl", f"--context={values.context}", f"--namespace={values.config['spinnaker']['namespace']}")
        try:
            process = subprocess.Popen(
                (*line, "port-forward", f"service/{service}", f":{port}"),
                env={**variables, "PATH": variables.get("PATH", os.defpath)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        except OSError as error:
            fix = "install it, or reach Gate yourself and say where: --gate URL"
            raise Misconfigured(f"kubectl cannot be started: {error.strerror}", fix=fix) from error
        told: SimpleQueue[str] = SimpleQueue()
        reader = threading.Thread(target=_read, args=(process.stdout, told), name="kubectl", daemon=True)
        reader.start()
        try:
            yield f"http://{_opened(told, service, opens)}"
        finally:
            _end(process, ends)
            reader.join(ends)  # a program that kubectl started may hold its output open
            if process.stdout and not reader.is_alive():
                process.stdout.close()


def _read(lines: IO[str] | None, told: SimpleQueue[str]) -> None:
    """Its lines until the way is open; an empty one at the end. Then it says a line for each connection, and would stop if nobody
    read them."""
    opened = False
    for line in lines or ():
        if not opened:
            told.put(line)
        opened = opened or bool(_FORWARDING.match(line))
    told.put("")


def _opened(told: SimpleQueue[str], service: str, seconds: float) -> str:
    """Host and port here. TransientError with what it said instead."""
    until, said = time.monotonic() + seconds, ""
    while True:
        try:
            line = told.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            what = f"kubectl port-forward opened no way to {service} in {seconds:g} s"
            raise TransientError(f"{what}; it said: {' '.join(said.split())[:300] or 'nothing'}") from None
        found = _FORWARDING.match(line)
        if found is not None:
            return found[1]
        if not line:
            raise TransientError(f"kubectl port-forward gave no way to {service}: {' '.join(said.split())[:300]}")
        said = f"{said}{line}"[-_MOST:]


def _end(process: "subprocess.Popen[str]", seconds: float) -> None:
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:  # it hangs in a call of a system's, or takes no notice
        process.kill()
        process.wait()
