"""A running world for tests: what a person does in it, as calls. The pytest plugin's fixture `downwind_world` is one of these."""

import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from downwind.errors import TransientError
from downwind.local.add import Added, add, connect
from downwind.local.calls import call, patiently
from downwind.local.ledger_follower import Follower, outcome, started
from downwind.local.supervisor import Supervisor
from downwind.local.working_copy import WorkingCopy
from downwind.local.world_file import LOCAL, LocalWorld, Names, open_world
from downwind.model.catalog import Application
from downwind.perform.world import World
from downwind.reconcile.facts import Fact

PATIENCE = 60.0


class DownwindWorld:
    """A context manager: the world runs inside. `ports` are the very adapters that the functions use, connected to it."""

    def __init__(
        self,
        folder: Path,
        *,
        say: Callable[[str], None] = lambda _line: None,
        names: Names = LOCAL,
    ) -> None:
        self.local: LocalWorld = open_world(folder / ".downwind", names)
        self._supervisor = Supervisor(self.local, say)
        self._folder = folder
        self._added: dict[str, Added] = {}

    def __enter__(self) -> Self:
        self._supervisor.__enter__()
        self.ports: World = connect(self.local)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.stop()

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for clients of this world, as `downwind local env` prints them."""
        return self.local.environment()

    def add(self, directory: Path) -> Application:
        """The application whose downwind.yaml stands in `directory`: repository, trigger, pipelines, catalog."""
        added = add(self.local, directory, lambda _line: None)
        self._added[added.application.name] = added
        return added.application

    def clone(self, application: str, directory: Path | None = None) -> WorkingCopy:
        """A working copy that pushes to the application's repository, begun from the files of `directory`."""
        folder = self._folder / f"{application}-{uuid.uuid4().hex[:8]}"
        copy = WorkingCopy(folder, self._added[application].remote)
        if directory is not None:
            copy.start_from(directory)
        return copy

    def wait_for(
        self, application: str, environment: str, commit: str, status: str = "succeeded", *, seconds: float = PATIENCE
    ) -> Mapping[str, Any]:
        """The rollout's outcome fact. AssertionError when it ended otherwise; TransientError when it did not end in time."""
        found = self.wait(application, outcome(environment, commit), f"{environment} of {commit}", seconds=seconds)
        assert found.body["status"] == status, (
            f"{environment} of {commit} {found.body['status']}: {found.body['reason']}"
        )
        return found.body

    def wait_for_judgment(
        self, application: str, environment: str, commit: str, *, seconds: float = PATIENCE
    ) -> tuple[str, str]:
        """(execution, stage) once the rollout waits for a person."""
        run = self.wait(
            application, started(environment, commit), f"{environment} of {commit} to start", seconds=seconds
        )
        execution = str(run.body["execution"])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found = self.ports.pipelines.execution(execution)
            except TransientError:
                found = None
            if found is not None and found.judgment is not None:
                return execution, found.judgment
            time.sleep(0.1)
        raise TransientError(f"execution {execution} did not come to a judgment within {seconds:.0f} s")

    def approve(
        self, application: str, environment: str, commit: str, *, seconds: float = PATIENCE
    ) -> Mapping[str, Any]:
        """Answers every judgment of the rollout with `continue`, until it has succeeded; its outcome."""
        run = self.wait(
            application, started(environment, commit), f"{environment} of {commit} to start", seconds=seconds
        )
        execution = str(run.body["execution"])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = patiently(lambda: self.ports.pipelines.execution(execution), seconds=seconds)
            if found is not None and found.judgment is not None:
                self.judge((execution, found.judgment))
            elif found is None or found.finished:
                break
            time.sleep(0.05)
        return self.wait_for(application, environment, commit, seconds=seconds)

    def judge(self, waiting: tuple[str, str], decision: str = "continue") -> None:
        """Answers a judgment as a person does in Spinnaker: `continue` or `stop`."""
        execution, stage = waiting
        url = f"{self.local.url('gate')}/pipelines/{execution}/stages/{stage}"
        call("PATCH", url, {"judgmentStatus": decision})

    def wait(
        self,
        application: str,
        met: Callable[[Fact], bool],
        what: str,
        *,
        seconds: float = PATIENCE,
        commits: Sequence[str] = (),
    ) -> Fact:
        """The first fact of the application, old or new, of which `met` is true."""
        follower = patiently(lambda: Follower(self.ports, application), seconds=seconds)
        follower.commits.extend(commits)
        return follower.until(met, lambda _fact: None, seconds, what)

    def publish(self, topic: str, body: Any, attributes: Mapping[str, str] | None = None) -> str:
        """A message from another system; `body` is JSON or bytes. Its id."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ports.publisher.publish(topic, data, attributes or {})

    def deliveries(self) -> list[dict[str, Any]]:
        """CloudEvents that came out since the last call: attributes, and the data under `data`."""
        pulled = self.ports.publisher.pull("deliveries", 1000)
        if pulled:
            self.ports.publisher.acknowledge("deliveries", [ack_id for ack_id, _, _ in pulled])
        return [{**attributes, "data": json.loads(data)} for _, attributes, data in pulled]

    def wait_for_deliveries(self, types: Iterable[str], *, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """CloudEvents from now until one of each of `types` has come out."""
        found: list[dict[str, Any]] = []
        wanted = set(types)
        deadline = time.monotonic() + seconds
        while missing := wanted - {each["ce-type"] for each in found}:
            if time.monotonic() > deadline:
                raise TransientError(f"{', '.join(sorted(missing))} did not come out within {seconds:.0f} s")
            found += self.deliveries()
            time.sleep(0.05)
        return found

    def cluster(self) -> Any:
        """Every object that is live in the cluster."""
        return call("GET", f"{self.local.url('gate')}/-/cluster")

    def kill(self, part: str) -> None:
        """kill -9; the supervisor starts it again."""
        os.kill(self._supervisor.pids()[part], signal.SIGKILL)
