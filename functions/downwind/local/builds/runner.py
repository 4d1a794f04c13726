"""Runs builds, a few at a time: source, steps, images; every change of status is announced."""

import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from downwind.local.builds import source, steps
from downwind.local.builds.config import seconds
from downwind.local.builds.docker import Docker
from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.logbook import Logbook, now
from downwind.local.builds.store import FINISHED, BuildStore

log = logging.getLogger("downwind.local.builds")

_DEFAULT_TIMEOUT = 600.0


class Runner:
    """`announce(body)` saves and publishes a build's new status; `address(repository)` is where its source is."""

    def __init__(
        self,
        data: Path,
        store: BuildStore,
        *,
        announce: Callable[[dict[str, Any]], None],
        address: Callable[[str], str],
        workers: int = 2,
        mirror: str | None = None,
    ) -> None:
        self._mirror = mirror
        self._workspaces = data / "workspaces"
        self._logs = data / "logs"
        self._store = store
        self._announce = announce
        self._address = address
        self._queue: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._stops: dict[str, threading.Event] = {}
        self._running: set[str] = set()
        self._closing = threading.Event()
        self._mutex = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        shutil.rmtree(self._workspaces, ignore_errors=True)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Kills what runs. Such a build stays WORKING and starts again from the beginning with the next `start`."""
        self._closing.set()
        with self._mutex:
            for stop in self._stops.values():
                stop.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def submit(self, location: str, build: str) -> None:
        with self._mutex:
            self._stops[build] = threading.Event()
        self._queue.put((location, build))

    def cancel(self, location: str, build: str) -> dict[str, Any] | None:
        """The build, once it is CANCELLED or had ended before; None when there is none."""
        with self._mutex:
            stop = self._stops.get(build)
            if stop is not None:
                stop.set()
            if build not in self._running and (queued := self._store.build(location, build)) is not None:
                self._announce(queued | {"status": "CANCELLED", "finishTime": now()})
        while (body := self._store.build(location, build)) is not None and body["status"] not in FINISHED:
            if self._closing.wait(0.02):
                break
        return body

    def log_path(self, build: str) -> Path:
        return self._logs / f"log-{build}.txt"

    def _work(self) -> None:
        while (item := self._queue.get()) is not None and not self._closing.is_set():
            location, build = item
            with self._mutex:
                body = self._store.build(location, build)
                stop = self._stops.pop(build)
                if body is None or body["status"] in FINISHED:
                    continue
                self._stops[build] = stop
                self._running.add(build)
            with Logbook(self.log_path(build)) as logbook:
                self._one(body, stop, logbook)
            with self._mutex:
                self._running.discard(build)
                del self._stops[build]

    def _one(self, body: dict[str, Any], stop: threading.Event, logbook: Logbook) -> None:
        workspace = self._workspaces / f"{body['id']}-{time.monotonic_ns()}"
        if body["status"] == "WORKING":
            logbook.say("the builder was stopped in the middle of this build: it starts again from the beginning")
        body |= {"status": "WORKING", "startTime": now(), "timing": {}}
        body.pop("results", None)
        try:
            if stop.is_set():
                raise steps.Stopped("CANCELLED")
            self._announce(body)
            self._phases(body, workspace, stop, logbook)
            body["status"] = "SUCCESS"
        except BuildFailure as failure:
            body |= {"status": "FAILURE", "statusDetail": str(failure)}
        except steps.Stopped as stopped:
            if self._closing.is_set():
                return  # as after a kill: WORKING, to be started again
            body["status"] = stopped.reason
        except Exception:
            log.exception("build %s", body["id"])
            body |= {"status": "INTERNAL_ERROR", "statusDetail": "the local builder failed; see its log"}
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
        body["finishTime"] = now()
        logbook.say(body["status"] + (f": {body['statusDetail']}" if body.get("statusDetail") else ""))
        self._announce(body)

    def _phases(self, body: dict[str, Any], workspace: Path, stop: threading.Event, logbook: Logbook) -> None:
        deadline = time.monotonic() + seconds(body.get("timeout"), _DEFAULT_TIMEOUT)
        resolved = body.get("sourceProvenance", {}).get("resolvedRepoSource")
        tree = workspace / "workspace"
        if resolved is None:
            tree.mkdir(parents=True)
        else:
            logbook.say(f"FETCHSOURCE {resolved['repoName']} at {resolved['commitSha']}")
            with logbook.timed(body["timing"], "FETCHSOURCE"), _kind(body, "FETCH_SOURCE_FAILED"):
                source.checkout(self._address(resolved["repoName"]), resolved["commitSha"], tree)
        docker = Docker(tree, mirror=self._mirror)
        with logbook.timed(body["timing"], "BUILD"), _kind(body, "USER_BUILD_STEP"):
            for number, step in enumerate(body["steps"]):
                self._step(body, number, step, docker, workspace, deadline, stop, logbook)
        results: dict[str, Any] = {}
        if body.get("images"):
            with logbook.timed(body["timing"], "PUSH"), _kind(body, "PUSH_FAILED"):
                results["images"] = [_push(docker, name, logbook) for name in body["images"]]
        body["results"] = results

    def _step(
        self,
        body: dict[str, Any],
        number: int,
        step: dict[str, Any],
        docker: Docker,
        workspace: Path,
        deadline: float,
        stop: threading.Event,
        logbook: Logbook,
    ) -> None:
        label = step.get("id") or step["name"]
        say = logbook.prefixed(f"Step #{number} - {label}")
        timing: dict[str, Any] = {}
        step["status"] = "WORKING"
        self._store.save(body, announced=True)
        left = deadline - time.monotonic()
        limit = min(left, seconds(step.get("timeout"), left))
        try:
            if stop.is_set() or limit <= 0:
                raise steps.Stopped("CANCELLED" if stop.is_set() else "TIMEOUT")
            with logbook.timed(timing, "STEP"):
                code = _execute(body, step, docker, workspace, limit, stop, say)
        except steps.Stopped as stopped:
            step["status"] = stopped.reason
            raise
        except BuildFailure as failure:
            say(str(failure))
            code, step["statusDetail"] = 1, str(failure)
        detail = step.pop("statusDetail", f"exit code {code}")
        step |= {"timing": timing.get("STEP", {}), "exitCode": code, "status": "FAILURE" if code else "SUCCESS"}
        if code and not step.get("allowFailure") and code not in (step.get("allowExitCodes") or []):
            raise BuildFailure(f"build step {number} ({label}) failed: {detail}")


def _execute(
    body: dict[str, Any],
    step: dict[str, Any],
    docker: Docker,
    workspace: Path,
    limit: float,
    stop: threading.Event,
    say: Callable[[str], None],
) -> int:
    tree = docker.workspace
    step = {
        key: [steps.in_workspace(part, tree) for part in value] if key in {"args", "env"} else value
        for key, value in step.items()
    }
    directory = tree / steps.in_workspace(step.get("dir", ""), tree)
    if not directory.is_dir() or not directory.resolve().is_relative_to(tree.resolve()):
        raise BuildFailure(f"no directory {step['dir']} in the workspace")
    if steps.is_docker(step["name"]) and not step.get("entrypoint") and not step.get("script"):
        docker.run(step.get("args") or [], directory, say)
        return 0
    home, scratch = workspace / "home", workspace / "scratch"
    home.mkdir(exist_ok=True)
    scratch.mkdir(exist_ok=True)
    if step.get("script"):
        step["script"] = steps.in_workspace(step["script"], tree)
    options = body.get("options") or {}
    variables = steps.environment(step, options, home)
    if step.get("automapSubstitutions", options.get("automapSubstitutions")):
        variables = {**body.get("substitutions", {}), **variables}
    arguments = steps.command(step, scratch)
    return steps.run(arguments, directory=directory, variables=variables, timeout=limit, stop=stop, say=say)


def _push(docker: Docker, name: str, logbook: Logbook) -> dict[str, Any]:
    timing: dict[str, Any] = {}
    with logbook.timed(timing, "PUSH"):
        full, digest = docker.push(name, logbook.say)
    return {"name": full, "digest": digest, "pushTiming": timing["PUSH"]}


class _kind:  # noqa: N801 - reads as the context that it is
    """Sets failureInfo on the way out of a failing phase."""

    def __init__(self, body: dict[str, Any], kind: str) -> None:
        self._body, self._type = body, kind

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, BuildFailure):
            self._body["failureInfo"] = {"type": self._type, "detail": str(error)}
