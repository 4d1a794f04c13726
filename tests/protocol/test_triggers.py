"""The one post to Gate, whatever becomes of it: no attempt is posted twice unless Gate was asked first."""

from typing import Any

import pytest

from downwind.adapters.gate import GatePipelines
from downwind.errors import Refused, TransientError, UnknownOutcome


def due(shop: Any) -> str:
    """Everything is there but the trigger."""
    commit: str = shop.push()
    shop.build(commit)
    return commit


def settled(shop: Any) -> None:
    shop.tick(3)
    (execution,) = shop.executions("staging")
    shop.finish(execution)
    assert shop.outcomes("staging") == [(1, "succeeded")]


@pytest.mark.parametrize("verb", ["config", "start"])
def test_gate_that_is_down_is_tried_again_by_the_tick(shop: Any, verb: str) -> None:
    shop.memory.pipelines.fail(TransientError("503"), verb=verb, times=2)
    due(shop)
    assert shop.executions("staging") == []
    shop.tick(2)
    settled(shop)


def test_an_answer_that_was_lost_is_looked_up_not_repeated(shop: Any) -> None:
    shop.memory.pipelines.lose_answers()
    due(shop)
    shop.tick(3)
    assert shop.memory.pipelines.posts == 1
    settled(shop)


def test_an_answer_that_was_lost_is_healed_by_echos_first_event(shop: Any) -> None:
    shop.memory.pipelines.lose_answers()
    due(shop)
    (execution,) = shop.executions("staging")
    shop.echo(execution)
    started = [name for name in shop.rollouts("staging") if "/started." in name]
    assert len(started) == 1
    shop.tick(3)
    assert shop.memory.pipelines.posts == 1
    settled(shop)


def test_an_execution_that_ended_before_its_post_was_recorded_is_found_all_the_same(shop: Any) -> None:
    shop.memory.pipelines.lose_answers()
    due(shop)
    shop.memory.pipelines.advance(shop.executions("staging")[0]["id"])
    shop.tick(3)
    assert shop.outcomes("staging") == [(1, "succeeded")]
    assert len(shop.executions("staging")) == 1


def test_a_post_that_never_arrived_is_searched_for_and_repeated_as_the_same_attempt(shop: Any) -> None:
    shop.memory.pipelines.fail(UnknownOutcome("no answer"), verb="start")
    due(shop)
    assert shop.executions("staging") == []
    shop.tick(3)
    (execution,) = shop.executions("staging")
    assert execution["trigger"]["downwind"]["attempt"] == "0"
    settled(shop)


def test_the_search_that_fails_is_no_reason_to_post(shop: Any) -> None:
    shop.memory.pipelines.lose_answers()
    due(shop)
    shop.memory.pipelines.fail(TransientError("503"), verb="search", times=3)
    shop.tick(8)
    assert shop.memory.pipelines.posts == 1
    settled(shop)


def test_what_gate_refuses_has_failed_and_an_order_is_the_way_on(shop: Any) -> None:
    shop.memory.pipelines.fail(Refused("400: Invalid required artifacts check"), verb="start")
    commit = due(shop)
    shop.tick(3)
    assert shop.outcomes("staging") == [(1, "failed")]
    assert shop.open() == []
    shop.request("deploy", "staging", commit=commit)
    assert len(shop.executions("staging")) == 1


@pytest.mark.parametrize("lost", ["pipeline", "expected artifact"])
def test_a_pipeline_that_cannot_take_the_manifests_is_said(shop: Any, lost: str) -> None:
    pipelines = shop.memory.pipelines
    if lost == "pipeline":
        pipelines._configs.clear()
    else:
        pipelines.save({**pipelines.config("shop", "deploy-staging").document, "expectedArtifacts": []})
    due(shop)
    (outcome,) = [body for name, body in shop.rollouts("staging").items() if name.endswith("/outcome")]
    assert "deploy-staging" in outcome["reason"]
    assert pipelines.posts == 0


def test_a_worker_that_was_slow_since_its_claim_posts_nothing(shop: Any) -> None:
    config = shop.memory.pipelines.config
    shop.memory.pipelines.config = lambda *names: (shop.memory.clock.advance(31), config(*names))[1]
    due(shop)
    assert shop.memory.pipelines.posts == 0
    shop.memory.pipelines.config = config
    settled(shop)


def test_a_start_that_would_wait_long_behind_others_posts_nothing(shop: Any) -> None:
    """Applications of one message go side by side, and an instance posts one at a time: the wait counts since the claim."""
    gate = GatePipelines("http://127.0.0.1:9", timeout=0.05)
    config = shop.memory.pipelines.config("shop", "deploy-staging")
    with gate._posting, pytest.raises(TransientError, match="busy"):
        gate.start(config, {})
    gate.close()


def test_other_bytes_where_the_stamped_manifests_belong_do_not_stop_the_rollout(shop: Any) -> None:
    """A worker may have stamped with the catalog of yesterday and died before its claim."""
    from downwind.ports import NewObject

    shop.memory.bundles.create(NewObject(name="shop/staging/rollout/1.yaml", data=b"not ours"))
    due(shop)
    (started,) = shop.executions("staging")
    (artifact,) = started["trigger"]["artifacts"]
    name, _, generation = artifact["reference"].removeprefix("gs://acme-bundles/").partition("#")
    assert name.startswith("shop/staging/rollout/1.")
    assert name != "shop/staging/rollout/1.yaml"
    assert b"downwind.shop.staging.guard" in shop.memory.bundles.read(name, int(generation)).data
