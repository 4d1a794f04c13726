"""The canary followed from its push to its CloudEvents; and stopped at each stage, where the proof has to say so."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.application import DEPLOYMENT, REPOSITORY
from tests.bootstrap.proof.front import Front
from tests.bootstrap.proof.sites import site
from tests.shop import Shop

from downwind.adapters.memory_publisher import MemoryPublisher
from downwind.bootstrap.proof.change import Change
from downwind.bootstrap.proof.follow import Follow
from downwind.bootstrap.proof.result import Result
from downwind.bootstrap.proof.stages import STAGES
from downwind.perform import applications

LISTENING = {"dead-letters": "dead-letters", "verify": "deliveries", "verify-executions": "executions"}


class World:
    """The shop, whose people and systems go one step further each time that the proof looks. `upto` stops them."""

    def __init__(self, memory: Any, upto: int = 99, bad: str = "", *, listening: bool = True) -> None:
        self.memory = memory
        self.publisher = memory.publisher = MemoryPublisher(subscriptions=LISTENING if listening else None)
        self.shop = Shop(memory)
        self.shop.push()
        self.shop.tick(3)
        before, self.commit = self.shop.commit(deployment="kind: [" if bad == "manifests" else DEPLOYMENT)
        assert before is not None
        self.change = Change(address=REPOSITORY, ref="refs/heads/main", before=before, after=self.commit)
        self.bad = bad
        self.steps: list[Callable[[], Any]] = [self.heard, self.built, self.image, self.finished][:upto]
        self.told: list[str] = []

    def heard(self) -> None:
        (message,) = [each for each in self.publisher.published if each.topic == "repo-pushes"]
        self.shop.send("push", message.data, message.attributes)

    def built(self) -> None:
        self.shop.build(self.commit, "FAILURE" if self.bad == "build" else "SUCCESS")

    def image(self) -> None:
        self.shop.image(self.commit)

    def finished(self) -> None:
        executions = self.shop.executions("staging")
        if not executions:
            return
        (execution,) = executions
        if self.bad == "rollout":
            self.memory.pipelines.fail_stage(execution["id"], execution["stages"][-1]["refId"])
            self.shop.echo(execution)
        else:
            self.shop.finish(execution)
        if self.bad != "echo":
            self.publisher.publish("executions", b"", {"source": "spinnaker", "execution": execution["id"]})

    def sleep(self, seconds: float) -> None:
        self.memory.clock.advance(seconds)
        if self.steps:
            self.steps.pop(0)()

    def follow(self, url: str = "http://127.0.0.1:1", **more: Any) -> Follow:
        (registered,) = applications.read(self.memory.world.catalog, ["shop"])
        return Follow(
            site(self.memory.world, url, **{"webhooks": False, **more}),
            registered,
            "staging",
            self.memory.clock,
            self.told.append,
            limit=20,
            sleep=self.sleep,
            clock=lambda: self.memory.clock().timestamp(),
        )

    def run(self, **more: Any) -> list[Result]:
        follow = self.follow(**more)
        sent = follow.send(self.change)
        assert sent.state == "ok", sent
        return list(follow.run(self.change))


def test_every_stage_is_reached_and_told(memory: Any) -> None:
    world = World(memory)
    found = world.run()
    assert [each.state for each in found] == ["ok"] * (len(STAGES) + 2), found
    assert any(line.startswith("triggered: ") for line in world.told)
    assert len(world.told) == len(set(world.told))


@pytest.mark.parametrize(
    ("upto", "stage"),
    [(0, "the push is recorded"), (1, "the build succeeds"), (2, "the image is known"), (3, "the rollout succeeds")],
)
def test_where_it_stops_is_said_with_what_it_waits_for_and_where_to_look(memory: Any, upto: int, stage: str) -> None:
    world = World(memory, upto)
    found = world.run()
    failed = [each for each in found if each.state == "failed"]
    assert [each.what for each in failed] == [stage]
    assert f"downwind why {world.commit[:10]}" in str(failed[0].fix)
    assert "within" in failed[0].why
    after = found[found.index(failed[0]) + 1 :]
    assert after and {each.state for each in after} == {"not applicable"}
    if upto:
        assert "it waits:" in failed[0].why


def test_what_is_held_is_not_triggered_and_the_hold_is_named(memory: Any) -> None:
    world = World(memory)
    world.shop.order("hold", "staging")
    failed = [each for each in world.run() if each.state == "failed"]
    assert [each.what for each in failed] == ["the rollout is triggered"]
    assert "hold" in failed[0].why or "held" in failed[0].why


def test_a_release_whose_manifests_do_not_render_has_no_bundle(memory: Any) -> None:
    world = World(memory, bad="manifests")
    failed = [each for each in world.run() if each.state == "failed"]
    assert [each.what for each in failed] == ["the bundle is written"]


def test_a_failed_build_stops_it_at_once(memory: Any) -> None:
    world = World(memory, bad="build")
    failed = [each for each in world.run() if each.state == "failed"]
    assert [each.what for each in failed] == ["the build succeeds"]
    assert "stopped here" in failed[0].why


def test_a_rollout_that_fails_is_no_proof(memory: Any) -> None:
    failed = [each for each in World(memory, bad="rollout").run() if each.state == "failed"]
    assert [each.what for each in failed] == ["the rollout succeeds"]
    assert "failed" in failed[0].why


def test_an_echo_that_is_silent_fails_though_the_rollout_succeeded(memory: Any) -> None:
    failed = [each for each in World(memory, bad="echo").run() if each.state == "failed"]
    assert [each.what for each in failed] == ["Spinnaker's events come out on executions"]


def test_silent_deliveries_fail(memory: Any) -> None:
    world = World(memory)
    follow = world.follow()
    follow.send(world.change)

    class Deaf:
        """Nothing of what is announced comes out."""

        def __getattr__(self, name: str) -> Any:
            return getattr(world.publisher, name)

        def pull(self, subscription: str, limit: int) -> Any:
            return [] if subscription == "verify" else world.publisher.pull(subscription, limit)

    follow.site = replace(follow.site, world=replace(memory.world, publisher=Deaf()))
    failed = [each for each in follow.run(world.change) if each.state == "failed"]
    assert [each.what for each in failed] == ["CloudEvents come out on deliveries"]
    assert "rollout.ended" in failed[0].why


def test_a_subscription_that_is_missing_could_not_be_asked(memory: Any) -> None:
    found = World(memory, listening=False).run()
    assert [each.state for each in found][-2:] == ["unreachable"] * 2


def test_others_events_stay_for_who_waits_for_them(memory: Any) -> None:
    world = World(memory)
    world.publisher.publish("deliveries", b'{"commit": "other", "application": "shop"}', {"ce-type": "x"})
    world.publisher.publish("deliveries", b"no json", {"ce-type": "x"})
    assert {each.state for each in world.run()} == {"ok"}
    world.publisher.redeliver("verify")
    assert [data for _, _, data in world.publisher.pull("verify", 10)][-1:] != []


def test_a_webhook_is_signed_as_github_signs(memory: Any) -> None:
    from downwind.events.webhook import verify_github

    world = World(memory)
    with Front(204) as front:
        follow = world.follow(front.url, webhooks=True)
        assert follow.send(world.change).state == "ok"
        (sent,) = front.sent
        verify_github(sent.headers, sent.body, [b"hush"])
        front.otherwise = 401
        assert follow.send(world.change).state == "failed"
        front.otherwise = 503
        assert follow.send(world.change).state == "unreachable"
