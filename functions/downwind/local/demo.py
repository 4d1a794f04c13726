"""The main job, played: a release to production, one that is overtaken, one whose test fails. Each line is from the ledger."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import downwind
from downwind.errors import Refused
from downwind.local.add import add, connect
from downwind.local.calls import call, patiently
from downwind.local.ledger_follower import Follower, outcome, report, started
from downwind.local.supervisor import Supervisor
from downwind.local.working_copy import WorkingCopy
from downwind.local.world_file import PARTS, LocalWorld, forget, new_world
from downwind.reconcile import words
from downwind.reconcile.facts import Fact

PATIENCE = 60.0
PRICE_CHANGES = (
    ('"kettle": 5900}', '"kettle": 5900, "filter": 350}'),
    ('"filter": 350}', '"filter": 350, "grinder": 8900}'),
    ('"kettle": 5900', '"kettle": 4900'),
)
"""In app/prices.py; the last one breaks the unit test that pins the price of a kettle."""
EXPECTED = [
    ("staging", 1, "succeeded"),
    ("staging", 2, "succeeded"),
    ("staging", 3, "succeeded"),
    ("production", 1, "succeeded"),
    ("production", 2, "superseded"),
    ("production", 3, "succeeded"),
]


def example() -> Path:
    """`examples/shop` of a checkout, or its copy in an installed wheel."""
    beside = Path(downwind.__file__).parent.parent.parent / "examples" / "shop"
    return beside if beside.is_dir() else Path(__file__).parent / "shop"


class Demo:
    """`say` prints one line. `approve(text)` stands for the person at the judgment: True goes on."""

    def __init__(self, world: LocalWorld, say: Callable[[str], None], approve: Callable[[str], bool]) -> None:
        self.world = world
        self._say = say
        self._approve = approve
        self._pushed: dict[str, datetime] = {}
        self._began = time.monotonic()

    def play(self) -> dict[str, Any]:
        """The whole story; the report that `--report` writes. Raises what stopped it."""
        began = time.monotonic()
        added = patiently(lambda: add(self.world, example(), lambda line: self._say(f"        {line}")))
        self._ports = connect(self.world)
        self._follower = patiently(lambda: Follower(self._ports, added.application.name))
        self._copy = WorkingCopy(self.world.folder / "shop", added.remote)
        self._copy.start_from(example())

        self._chapter("1. A first release goes all the way")
        first = self._push("The first version of the shop")
        self._to_start(first)
        self._to_the_end(first)

        self._chapter("2. A newer release overtakes one that still waits for its judgment")
        self._copy.replace("app/prices.py", *PRICE_CHANGES[0])
        second = self._push("A new price")
        self._to_start(second)
        self._copy.replace("app/prices.py", *PRICE_CHANGES[1])
        third = self._push("A better price")
        self._to_start(third)
        self._to_the_end(third)

        self._chapter("3. A release whose unit test fails goes nowhere")
        self._copy.replace("app/prices.py", *PRICE_CHANGES[2])
        bad = self._push("A price that the unit test does not expect")
        self._wait(
            lambda fact: fact.body.get("kind") == "blocked" and fact.body.get("commit") == bad, "the failed build"
        )
        rollouts = patiently(lambda: report(self._ports, self._follower.registered, self._pushed))
        return {"rollouts": rollouts, "seconds": round(time.monotonic() - began, 3)}

    def _push(self, message: str) -> str:
        commit = self._copy.commit(message)
        self._follower.commits.append(commit)
        self._began = time.monotonic()
        self._pushed[commit] = datetime.now(UTC)
        self._line(f"git push: {commit[:7]} {message!r}")
        patiently(self._copy.push)
        return commit

    def _to_start(self, commit: str) -> None:
        """Up to the judgment before the canary: nothing is deployed in production yet."""
        end = self._wait(outcome("staging", commit), f"the end of {commit[:7]} in staging")
        if end.body["status"] != "succeeded":
            raise Refused(f"staging ended {end.body['status']}: {end.body['reason']}")
        run = self._wait(started("production", commit), f"the start of {commit[:7]} in production")
        self._execution = run.body["execution"]
        self._await_judgment()
        self._line(f"production {run.body['n']} waits for a manual judgment")

    def _to_the_end(self, commit: str) -> None:
        if self._judge(f"Start the canary of {commit[:7]} in production?"):
            self._await_judgment()
            self._line("the canary is live; production waits for a manual judgment")
            self._judge(f"Is the canary well? Let {commit[:7]} into all of production?")
        self._wait(outcome("production", commit), f"the end of {commit[:7]} in production")

    def _await_judgment(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._waiting_stage(self._execution) is None and time.monotonic() < deadline:
            time.sleep(0.1)

    def _judge(self, question: str) -> bool:
        """Whether the run goes on."""
        stage = self._waiting_stage(self._execution)
        if stage is None:
            raise Refused(f"no judgment waits in execution {self._execution}")
        decision = "continue" if self._approve(question) else "stop"
        url = f"{self.world.url('gate')}/pipelines/{self._execution}/stages/{stage}"
        patiently(lambda: call("PATCH", url, {"judgmentStatus": decision}))
        self._line(f"a person says {decision!r} in Spinnaker")
        return decision == "continue"

    def _waiting_stage(self, execution: str) -> str | None:
        found = patiently(lambda: self._ports.pipelines.execution(execution))
        return found.judgment if found is not None else None

    def _wait(self, met: Callable[[Fact], bool], what: str) -> Fact:
        return self._follower.until(met, lambda fact: self._line(words.of_fact(fact)), PATIENCE, what)

    def _line(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:5.1f} s {text}")

    def _chapter(self, title: str) -> None:
        self._say("")
        self._say(title)


def unexpected(rollouts: list[dict[str, Any]]) -> list[str]:
    """What ended otherwise than the story says, in sentences."""
    found = [(each["environment"], each["sequence"], each["status"]) for each in rollouts]
    problems = [
        f"{environment} {n} should have {status}"
        for environment, n, status in EXPECTED
        if (environment, n, status) not in found
    ]
    return problems + [
        f"{environment} {n} is {status}" for environment, n, status in found if (environment, n, status) not in EXPECTED
    ]


@contextlib.contextmanager
def fresh(world_folder: Path, say: Callable[[str], None]) -> Iterator[LocalWorld]:
    """A running world in the place of the one that was there. Refused when the folder holds something else."""
    forget(world_folder)
    world = new_world(world_folder)
    began = time.monotonic()
    with Supervisor(world, say):
        say(f"the world runs: {', '.join(PARTS)} on 127.0.0.1 ({time.monotonic() - began:.1f} s)")
        yield world


def write_report(file: Path, body: dict[str, Any]) -> None:
    try:
        file.write_text(json.dumps(body, indent=2) + "\n")
    except OSError as error:
        raise Refused(f"{file} can't be written: {error.strerror}", fix="name another file for --report") from error


def next_steps(world: LocalWorld, rollouts: list[dict[str, Any]]) -> list[str]:
    """What a newcomer may try now, with this world's own names."""
    command = ".venv/bin/downwind"
    newest, where = next(
        ((each["commit"], each["environment"]) for each in reversed(rollouts) if each["status"] == "succeeded"),
        ("COMMIT", "staging"),
    )
    overtaken = [each["commit"] for each in rollouts if each["status"] == "superseded"][:1]
    return [
        "",
        "The world stays up. Try, in another terminal:",
        f"  {command} status                 what is live, what runs, what comes next",
        f"  {command} why {newest[:10]}         the whole chain of what is in {where}",
        *(f"  {command} why {each[:10]}         and of the one that was overtaken" for each in overtaken),
        f"  cd {world.folder / 'shop'}, change something, git commit -a, git push",
        f"  {command} deploy shop production --commit {newest[:10]} --why 'because I can'",
        f"  Spinnaker's Gate: {world.url('gate')}/applications/shop/pipelines",
        f"  what is live in its cluster: {world.url('gate')}/-/cluster",
        "",
        "Ctrl-C stops it and leaves nothing behind but that folder.",
    ]
