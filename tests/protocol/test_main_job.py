"""From push to production on the real handlers, and what must not disturb it."""

import random
from typing import Any

import pytest


def to_production(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    shop.finish(shop.executions("production")[-1])
    return commit


def test_a_push_becomes_a_rollout_in_staging_and_after_a_judgment_in_production(shop: Any) -> None:
    commit = shop.push()
    assert shop.executions("staging") == []
    shop.build(commit)
    (staging,) = shop.executions("staging")
    assert staging["trigger"]["downwind"] == {
        "application": "shop",
        "environment": "staging",
        "sequence": "1",
        "attempt": "0",
    }
    assert shop.executions("production") == []
    shop.finish(staging)
    assert shop.outcomes("staging") == [(1, "succeeded")]
    (production,) = shop.executions("production")
    shop.finish(production)
    assert shop.outcomes("production") == []
    shop.judge(production)
    assert shop.outcomes("production") == [(1, "succeeded")]
    shop.tick(2)
    assert shop.open() == []


def test_what_spinnaker_deploys_is_pinned_by_generation_and_digest(shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    (staging,) = shop.executions("staging")
    (artifact,) = staging["trigger"]["artifacts"]
    name, _, generation = artifact["reference"].removeprefix("gs://acme-bundles/").partition("#")
    assert name == "shop/staging/rollout/1.yaml"
    stored = shop.memory.bundles.read(name, int(generation))
    text = stored.data.decode()
    assert "us-central1-docker.pkg.dev/acme/apps/shop@sha256:" in text
    assert '"downwind.dev/sequence":"1"' in text
    assert "downwind.shop.staging.guard" in text


def test_a_second_push_cancels_the_first_that_waits_in_judgment(shop: Any) -> None:
    first = to_production(shop)
    second = to_production(shop)
    assert shop.log("production") == [first, second]
    older, newer = shop.executions("production")
    assert shop.memory.pipelines.cancellations == [(older["id"], "superseded by 2")]
    shop.echo(older)
    shop.judge(newer)
    assert shop.outcomes("production") == [(1, "superseded"), (2, "succeeded")]


def test_a_failed_build_goes_nowhere_and_the_next_push_does(shop: Any) -> None:
    bad = shop.push()
    shop.build(bad, "FAILURE")
    assert shop.executions("staging") == []
    shop.tick(2)
    assert shop.open() == []
    good = shop.push()
    shop.build(good)
    (staging,) = shop.executions("staging")
    assert staging["trigger"]["downwind"]["sequence"] == "2"


@pytest.mark.parametrize("seed", range(40))
def test_every_message_five_times_in_any_order_gives_the_same_rollouts(shop: Any, seed: int) -> None:
    commits = [shop.commit() for _ in range(3)]
    random_ = random.Random(seed)
    messages: list[Any] = []
    original, shop.deliver = shop.deliver, lambda kind, message: ""
    for before, after in commits:
        shop.announce(before, after)
        build = shop.memory.builds.start(shop.trigger, after, "refs/heads/main")
        for status in ("QUEUED", "WORKING", "SUCCESS"):
            images = {f"us-central1-docker.pkg.dev/acme/apps/shop:{after}": "sha256:" + after + after[:24]}
            body = shop.memory.builds.set(build, status, images if status == "SUCCESS" else None)
            shop.send("build", body, {"buildId": build, "status": status})
        digest = "sha256:" + after + after[:24]
        name = "us-central1-docker.pkg.dev/acme/apps/shop"
        shop.send("image", {"action": "INSERT", "digest": f"{name}@{digest}", "tag": f"{name}:{after}"})
    shop.deliver = original
    messages = [*shop.sent] * 5
    random_.shuffle(messages)
    for kind, message in messages:
        shop.deliver(kind, message)
        if random_.random() < 0.1:
            shop.tick()
    shop.tick(3)
    assert shop.log("staging")[-1] == commits[-1][1]
    sequences = [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("staging")]
    assert sequences == sorted(set(sequences)), "one rollout a sequence, never backwards"
    newest = shop.executions("staging")[-1]
    assert sequences[-1] == len(shop.log("staging"))
    for execution in shop.executions("staging"):
        if not execution.get("canceled"):
            shop.finish(execution)
    shop.tick(2)
    assert shop.executions("production")[-1]["trigger"]["downwind"]["sequence"] == str(len(shop.log("production")))
    assert shop.log("production")[-1] == commits[-1][1], newest["id"]
    before = (len(shop.memory.pipelines.executions), shop.log("staging"))
    for kind, message in messages:
        shop.deliver(kind, message)
    assert (len(shop.memory.pipelines.executions), shop.log("staging")) == before
