"""From a message's arrival at the broker to what it causes, on a world that has nothing else to do.

Both ends are stamps of servers of the same machine: the message's publishTime, and the creation times of the ledger's objects.
The fact `started` is written after Gate's 202, so Gate's acceptance is counted a little too late, never too early.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.stage import Stage, data
from downwind.local.builds.image import File, assemble, layer
from downwind.local.builds.upload import upload
from downwind.local.calls import call
from downwind.local.ledger_follower import started
from downwind.local.working_copy import WorkingCopy
from downwind.local.world_file import PROJECT
from downwind.reconcile.facts import Fact

LIMIT = 0.5
TOPICS = ("repo-pushes", "cloud-builds")


def latency(stage: Stage, runs: int) -> list[Figure]:
    bare = _bare(stage, runs)
    for topic in TOPICS:
        body = {"topic": f"projects/{PROJECT}/topics/{topic}"}
        call("PUT", stage.subscription(f"tap-{topic}"), body)
    built, by_tag = _Line(stage, "stall", built=True), _Line(stage, "booth", built=False)
    for line in (built, by_tag):
        line.release()  # the first pays for what every process loads once
    with_build = [built.release() for _ in range(runs)]
    without = [by_tag.release() for _ in range(runs)]
    to_entry = [each["entry"] - each["push"] for each in with_build]
    to_gate = [each["started"] - each["success"] for each in with_build]
    both = [entry + gate for entry, gate in zip(to_entry, to_gate, strict=True)]
    direct = [each["started"] - each["push"] for each in without]
    return [
        Figure(name="message to a bare function's call", unit="s", samples=bare),
        Figure(name="push to entry", unit="s", samples=to_entry, bare=bare),
        Figure(name="build's SUCCESS to Gate's acceptance", unit="s", samples=to_gate, bare=bare),
        _limited("push to Gate's acceptance, without build time", both, bare),
        _limited("push to Gate's acceptance, image there already", direct, bare),
    ]


def _limited(name: str, samples: list[float], bare: list[float]) -> Figure:
    return Figure(name=name, unit="s", samples=samples, bare=bare, limit=LIMIT, limit_on="p50")


class _Line:
    """One application and its working copy; each `release` is a push, followed to Gate and to the end of the rollout."""

    def __init__(self, stage: Stage, name: str, *, built: bool) -> None:
        self._stage = stage
        self._name = name
        self._built = built
        directory = stage.add(name, built=built)
        self._copy: WorkingCopy = stage.world.clone(name, directory)
        self._version = self._copy.folder / "app" / "version.txt"
        self._count = 0

    def release(self) -> Mapping[str, float]:
        """Seconds since the epoch: push, entry, success (of the build, if there is one), started."""
        self._count += 1
        self._version.write_text(f"{self._count}\n")
        commit = self._copy.commit(f"release {self._count}")
        if not self._built:
            self._upload(commit)
        self._stage.settle()
        self._copy.push()
        world = self._stage.world
        entry = world.wait(self._name, _entry(commit), "the entry")
        begun = world.wait(self._name, started("staging", commit), "Gate's acceptance")
        world.wait_for(self._name, "staging", commit)
        found = {"entry": entry.created.timestamp(), "started": begun.created.timestamp()}
        found["push"] = self._published("repo-pushes", lambda body: commit in str(body.get("refUpdateEvent")))
        if self._built:
            found["success"] = self._published(
                "cloud-builds",
                lambda body: body.get("status") == "SUCCESS" and body["substitutions"].get("COMMIT_SHA") == commit,
            )
        return found

    def _upload(self, commit: str) -> None:
        content = layer({"app": File(data=commit.encode())})
        mirror = f"127.0.0.1:{self._stage.world.local.ports['registry']}"
        image = f"us-central1-docker.pkg.dev/acme/apps/{self._name}:{commit}"
        upload(assemble([content], {}, []), image, mirror=mirror)
        time.sleep(0.5)  # the registry's notice goes out on its own; `settle` sees it only once it has

    def _published(self, topic: str, wanted: Callable[[dict[str, Any]], bool]) -> float:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for message in self._stage.pull(f"tap-{topic}"):
                if wanted(data(message) or {}):
                    return datetime.fromisoformat(message["publishTime"]).timestamp()
            time.sleep(0.05)
        raise RuntimeError(f"the message on {topic} did not come")


def _entry(commit: str) -> Callable[[Fact], bool]:
    return lambda fact: (fact.body.get("kind"), fact.body.get("commit")) == ("entry", commit)


def _bare(stage: Stage, runs: int) -> list[float]:
    """The same broker pushes to a function that only writes down when it was called."""
    called: Path = stage.bare / "called"
    base = f"{stage.world.local.url('pubsub_rest')}/v1/projects/{PROJECT}/topics/note"
    call("PUT", base, {})
    taken: list[float] = []
    with stage.function("note") as process:
        config = {"pushEndpoint": f"http://127.0.0.1:{process.port}/"}
        call("PUT", stage.subscription("note"), {"topic": f"projects/{PROJECT}/topics/note", "pushConfig": config})
        call("PUT", stage.subscription("tap-note"), {"topic": f"projects/{PROJECT}/topics/note"})
        for count in range(1, runs + 2):
            call("POST", f"{base}:publish", {"messages": [{"data": "e30="}]})
            while not called.exists() or len(called.read_text().splitlines()) < count:
                time.sleep(0.01)
            sent = datetime.fromisoformat(stage.pull("tap-note")[0]["publishTime"]).timestamp()
            taken.append(float(called.read_text().splitlines()[-1]) - sent)
        call("DELETE", stage.subscription("note"))
    return taken[1:]
