"""Six hours without one system, whichever: nothing is lost, and nothing that is good is parked. A restart replays nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from downwind.errors import TransientError
from downwind.perform import tick as ticking

DOWN = TransientError("503")
HOURS = 6
OURS = ("triggers/shop}", "triggers/shop, start: true}")
SYSTEMS = {
    "git host": ("repository", ("tips", "tree", "blobs")),
    "Cloud Build": ("builds", ("trigger", "run", "get", "find")),
    "registry": ("registry", ("digest", "exists", "labels")),
    "Gate": ("pipelines", ("config", "start", "search", "execution", "cancel")),
    "ledger bucket": ("ledger", ("create", "create_all", "read", "read_all", "list", "list_all")),
    "work bucket": ("work", ("create", "read", "read_all", "list", "delete")),
    "catalog bucket": ("catalog", ("read", "read_all", "list", "list_all")),
    "bundles bucket": ("bundles", ("create", "create_all", "read", "read_all")),
    "Pub/Sub publish": ("publisher", ("publish",)),
}


def down(*_: Any, **__: Any) -> Any:
    raise DOWN


def cut(memory: Any, system: str) -> Callable[[], None]:
    """Until the answer is called, each call fails as the adapter says it does."""
    port, methods = SYSTEMS[system]
    for method in methods:
        setattr(getattr(memory, port), method, down)

    def mend() -> None:
        for method in methods:
            delattr(getattr(memory, port), method)

    return mend


class Post:
    """Pub/Sub: what was not acknowledged comes again, with every second tick here."""

    def __init__(self, shop: Any) -> None:
        self.waiting: list[Any] = []
        self._arrive, shop.deliver = shop.deliver, self.deliver

    def deliver(self, kind: str, message: Any) -> str:
        try:
            word: str = self._arrive(kind, message)
            return word
        except TransientError:
            self.waiting.append((kind, message))
            return "not acknowledged"

    def again(self) -> None:
        waiting, self.waiting = self.waiting, []
        for kind, message in waiting:
            self.deliver(kind, message)


TOLD_APART = {"Cloud Build", "work bucket"}
"""Where it matters most who starts the builds; the others play that with the long ones."""
PLAYED = [pytest.param(system, (), id=system) for system in SYSTEMS] + [
    pytest.param(
        system, (OURS,), marks=[] if system in TOLD_APART else [pytest.mark.long], id=f"{system}, we start builds"
    )
    for system in SYSTEMS
]


@pytest.mark.parametrize(("system", "catalog"), PLAYED)
def test_six_hours_without_it(new_shop: Callable[..., Any], system: str, catalog: Any) -> None:
    shop = new_shop(*catalog)
    memory = shop.memory
    earlier = shop.push()
    build(shop, earlier)
    post = Post(shop)
    running = shop.executions("staging")[-1]
    moved = [shop.commit() for _ in range(3)]
    mend = cut(memory, system)
    for minute in range(HOURS * 60):
        shop.memory.clock.advance(memory.timing.tick)
        tick(shop)
        if minute in (30, 90, 150):
            before, after = moved[minute // 60]
            shop.announce(before, after)
            if system != "Cloud Build":
                build(shop, after)
        if minute == 200:
            memory.pipelines.advance(running["id"])
            shop.echo(running)
        if minute % 2:
            post.again()
    mend()
    newest = moved[-1][1]
    post.again()
    if system == "Cloud Build":
        shop.tick(2)
        build(shop, newest)
    settle(shop, post)
    assert post.waiting == []
    assert shop.facts("parked/") == {}
    for environment in ("staging", "production"):
        last = shop.entries(environment)[-1]
        assert last["commit"] == newest
        assert dict(shop.outcomes(environment))[last["n"]] == "succeeded"
        passed = [each["trigger"]["downwind"]["sequence"] for each in shop.executions(environment)]
        assert len(passed) == len(set(passed))
    assert earlier in shop.log("staging")
    assert shop.open() == []
    told = [each.attributes["ce-id"] for each in memory.publisher.published if each.topic == "deliveries"]
    outcomes = {name for name in told if name.endswith("/outcome")}
    assert len(outcomes) == len(shop.outcomes("staging")) + len(shop.outcomes("production"))


def tick(shop: Any) -> None:
    try:
        ticking.tick(shop.world, shop.memory.clock())
    except TransientError:
        return  # 503: the work bucket is away, and Pub/Sub sends the tick again


def build(shop: Any, commit: str) -> None:
    """Ends, and is announced; what we are to start and did not, Cloud Build has started by a person's hand."""
    found = shop.memory.builds._builds.values()
    mine = [body["id"] for body in found if body["substitutions"]["COMMIT_SHA"] == commit]
    if mine:
        shop.tell(mine[-1], commit)
    else:
        shop.build(commit)
    shop.memory.registry.push(shop.IMAGE, commit)


def settle(shop: Any, post: Any) -> None:
    for _ in range(12):
        shop.tick()
        post.again()
        for execution in list(shop.memory.pipelines.executions.values()):
            if execution["status"] == "RUNNING":
                shop.finish(execution)
                if shop.memory.pipelines.execution(execution["id"]).judgment is not None:
                    shop.judge(execution)
    shop.tick(12)


def test_a_restart_replays_nothing(shop: Any) -> None:
    """A new process has the stores and nothing else."""
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])
    shop.tick(2)
    shop.build(shop.push(), "WORKING")
    memory = shop.memory
    posts, published = memory.pipelines.posts, len(memory.publisher.published)
    facts = [each.name for each in memory.ledger.list("")]
    shop.world = memory.world
    for kind, message in shop.sent:
        shop.deliver(kind, message)
    shop.tick(2)
    assert (memory.pipelines.posts, len(memory.publisher.published)) == (posts, published)
    assert [each.name for each in memory.ledger.list("") if each.name not in facts] == []


def test_after_an_outage_of_the_scheduler_one_tick_does_the_work_of_all(shop: Any) -> None:
    before, after = shop.commit()
    shop.memory.repository.fail(DOWN, verb="tips")
    shop.announce(before, after)
    start = shop.memory.clock()
    shop.memory.clock.advance(HOURS * 3600)
    said = [ticking.tick(shop.world, start + timedelta(minutes=minute)) for minute in range(HOURS * 60)]
    assert len([word for word in said if "applications" in word]) <= 3
    assert shop.log("staging") == [after]


def test_executions_are_looked_up_after_two_minutes_then_every_ten(shop: Any) -> None:
    shop.memory.clock.advance(300)  # away from the minute of this repository's patrol
    shop.build(shop.push())
    start = shop.memory.clock().timestamp()
    asked: list[float] = []
    execution = shop.memory.pipelines.execution

    def ask(identifier: str) -> Any:
        asked.append((shop.memory.clock().timestamp() - start) // 60)
        return execution(identifier)

    shop.memory.pipelines.execution = ask
    shop.tick(44)
    assert sorted(set(asked)) == [2, 3, 12, 13, 22, 23, 32, 33, 42, 43]
