"""Random days: people push, force and delete, builds fail and are repeated, messages come late, twice or never, hosts lag, calls
fail, workers die, Spinnaker purges and loses runs. Whatever happened, in the end the promise holds (design.md section 5)."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from downwind.errors import TransientError, UnknownOutcome

HISTORIES = 200
VERBS = 40
MAIN = "refs/heads/main"
REPOSITORY = "https://github.com/acme/shop.git"
STARTED_BY_US = ("triggers/shop}", "triggers/shop, start: true}")
READS = (
    "repository.tips",
    "repository.files",
    "pipelines.config",
    "pipelines.search",
    "pipelines.execution",
    "builds.find",
)
EFFECTS = ("pipelines.start", "pipelines.cancel", "builds.run", "publisher.publish")
FAULTS = [(f"before {call}", TransientError("503")) for call in (*READS, *EFFECTS)]
FAULTS += [(f"{when} {call}", UnknownOutcome("no answer")) for when in ("before", "after") for call in EFFECTS]


class Day:
    """One history. Every verb is something that the world does; messages wait in `post` until they are delivered."""

    def __init__(self, shop: Any, play: Any, seed: int) -> None:
        self.shop, self.play, self.random = shop, play, random.Random(seed)
        self.post: list[Any] = []
        self.commits: list[str] = []
        self.arrive, shop.deliver = shop.deliver, lambda kind, message: self.post.append((kind, message))
        self.verbs: list[Callable[[], None]] = [
            *[self.push] * 3,
            *[self.build] * 4,
            *[self.deliver] * 12,
            *[self.tick] * 4,
            *[self.run] * 6,
            self.force,
            self.delete,
            self.image,
            self.request,
            self.lag,
            self.fault,
            self.doom,
            self.purge,
            self.replay,
        ]

    def go(self) -> None:
        for _ in range(VERBS):
            self.random.choice(self.verbs)()
        self.settle()

    # What people do.

    def push(self, lost: float = 0.1) -> None:
        before, after = self.shop.commit()
        self.commits.append(after)
        if self.random.random() >= lost:
            self.shop.announce(before, after)

    def force(self) -> None:
        tip = self.shop.memory.repository.tips(REPOSITORY).get(MAIN)
        if tip and self.commits:
            back = self.random.choice(self.commits)
            self.shop.memory.repository.move(REPOSITORY, MAIN, back)
            self.shop.announce(tip.object, back)

    def delete(self) -> None:
        tip = self.shop.memory.repository.tips(REPOSITORY).get(MAIN)
        if tip:
            self.shop.memory.repository.delete(REPOSITORY, MAIN)
            self.shop.announce(tip.object, None)

    def request(self) -> None:
        if self.commits:
            self.shop.request("deploy", "staging", commit=self.random.choice(self.commits))

    # What other systems do.

    def build(self) -> None:
        if self.commits:
            commit = self.random.choice(self.commits)
            status = self.random.choice(["WORKING", "FAILURE", "SUCCESS", "SUCCESS"])
            salt = str(self.random.randrange(3))
            self.shop.build(commit, status, digest="sha256:" + (commit + salt * 24)[:64])

    def image(self) -> None:
        if self.commits:
            self.shop.image(self.random.choice(self.commits))

    def run(self) -> None:
        running = [each for each in self.shop.memory.pipelines.executions.values() if each["status"] == "RUNNING"]
        if running:
            self.play.run(self.random.choice(running), judge=self.random.choice(["continue", "continue", "stop", None]))

    def purge(self) -> None:
        young = [each for each in self.shop.memory.pipelines.executions.values() if self.unborn(each)]
        if young:
            execution = self.random.choice(young)
            self.shop.memory.pipelines.purge(execution["id"])
            self.shop.echo(execution)

    @staticmethod
    def unborn(execution: dict[str, Any]) -> bool:
        return execution["status"] == "RUNNING" and all(each["status"] == "NOT_STARTED" for each in execution["stages"])

    # What Pub/Sub and the cloud do.

    def deliver(self) -> None:
        if self.post:
            index = self.random.randrange(len(self.post))
            kind, message = self.post[index]
            try:
                self.arrive(kind, message)
            except (TransientError, self.play.Crash):
                return
            if self.random.random() < 0.8:
                del self.post[index]

    def replay(self) -> None:
        if self.shop.sent:
            self.post.append(self.random.choice(self.shop.sent))

    def lag(self) -> None:
        self.shop.memory.repository.lag(REPOSITORY, self.random.randrange(3))

    def fault(self) -> None:
        self.play.faults += [self.random.choice(FAULTS)] * self.random.randrange(1, 4)

    def doom(self) -> None:
        self.play.die_at = len(self.play.points) + self.random.randrange(60)

    def tick(self) -> None:
        self.play.tick()

    # The end of the day.

    def settle(self) -> None:
        """Faults end, all messages come, the newest commit is built, every run ends, every judgment is answered."""
        memory = self.shop.memory
        self.play.over = True
        memory.repository.lag(REPOSITORY, 0)
        self.drain()
        self.shop.tick(3)
        self.push(lost=0)
        newest = self.commits[-1]
        self.shop.build(newest)
        for _ in range(25):
            self.drain()
            self.shop.tick()
            for execution in list(memory.pipelines.executions.values()):
                self.play.run(execution, judge="continue", echo=self.random.random() < 0.7)
        self.shop.tick(12)

    def drain(self) -> None:
        self.random.shuffle(self.post)
        waiting, self.post = self.post, []
        for kind, message in waiting:
            self.arrive(kind, message)


def check(day: Day, waits: Any) -> None:
    shop, newest = day.shop, day.commits[-1]
    for environment in ("staging", "production"):
        passed = day.play.order[environment]
        assert len(passed) == len(set(passed)), f"one rollout a sequence in {environment}: {passed}"
        assert passed == sorted(passed), f"never backwards in {environment}: {passed}"
        entries = shop.entries(environment)
        assert [entry["n"] for entry in entries] == list(range(1, len(entries) + 1))
        (last,) = [entry for entry in entries if entry["n"] == passed[-1]]
        assert last["commit"] == newest, f"in the end the newest is in {environment}"
        assert dict(shop.outcomes(environment))[passed[-1]] == "succeeded"
    promoted = [entry["upstream_sequence"] for entry in shop.entries("production")]
    assert promoted == sorted(set(promoted)), "no older one is promoted after a newer"
    assert shop.open() == [], f"nothing is open without a wait: {waits(shop)}"


@pytest.mark.parametrize("batch", range(4))
def test_in_the_end_the_newest_is_live_and_nothing_went_backwards_or_twice(
    new_shop: Any, player: Any, waits: Any, batch: int
) -> None:
    for seed in range(batch * HISTORIES // 4, (batch + 1) * HISTORIES // 4):
        shop = new_shop(*([STARTED_BY_US] if seed % 3 == 0 else []))
        day = Day(shop, player(shop, backwards=seed % 2 == 1), seed)
        try:
            day.go()
            check(day, waits)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
