"""A claim and what it promises: the same inputs however often it is taken over, and nothing after its time."""

from collections.abc import Callable
from typing import Any

import pytest

from downwind.errors import TransientError, UnknownOutcome
from downwind.ports import NewObject

DOWN = TransientError("503")
OURS = ("triggers/shop}", "triggers/shop, start: true}")


def claims(shop: Any) -> list[Any]:
    return [body for name, body in sorted(shop.rollouts("staging").items()) if "/claim." in name]


def apply(shop: Any, *pairs: tuple[str, str]) -> None:
    """Somebody changes the catalog."""
    for old, new in pairs:
        assert old in shop.catalog
        shop.catalog = shop.catalog.replace(old, new)
    shop.apply(shop.catalog)


def test_a_take_over_starts_the_pipeline_that_was_claimed(shop: Any) -> None:
    other = shop.memory.pipelines.config("shop", "deploy-staging").document
    shop.memory.pipelines.save({**other, "name": "deploy-other", "id": "other"})
    shop.memory.pipelines.fail(DOWN, verb="start")
    shop.build(shop.push())
    apply(shop, ("namespace: shop-staging", "namespace: elsewhere"), ("name: deploy-staging", "name: deploy-other"))
    shop.tick(3)
    (execution,) = shop.executions("staging")
    assert execution["name"] == "deploy-staging"
    (artifact,) = execution["trigger"]["artifacts"]
    name, _, generation = artifact["reference"].removeprefix("gs://acme-bundles/").partition("#")
    stamped = shop.memory.bundles.read(name, int(generation)).data
    assert (b"shop-staging" in stamped, b"elsewhere" in stamped) == (True, False)
    assert len({body["inputs"] for body in claims(shop)}) == 1
    assert len(claims(shop)) == 2
    shop.finish(execution)
    shop.build(shop.push())
    assert shop.executions("staging")[-1]["name"] == "deploy-other", "the next entry takes the catalog as it is now"


def test_bytes_that_stand_in_the_way_stay_and_ours_go_beside_them(shop: Any) -> None:
    """Of a revision that stamps otherwise, and died after it had written them."""
    name = "shop/staging/rollout/1.yaml"
    shop.memory.bundles.create(NewObject(name=name, data=b"kind: List\n"))
    shop.build(shop.push())
    (execution,) = shop.executions("staging")
    (artifact,) = execution["trigger"]["artifacts"]
    pinned, _, generation = artifact["reference"].removeprefix("gs://acme-bundles/").partition("#")
    assert pinned != name
    assert b"shop-staging" in shop.memory.bundles.read(pinned, int(generation)).data
    assert shop.memory.bundles.read(name).data == b"kind: List\n"


def test_a_lost_answer_is_looked_for_in_the_application_that_was_claimed(shop: Any) -> None:
    """Spinnaker's search is by application: in another one there is nothing, and nothing would mean post again."""
    shop.memory.pipelines.save(
        {**shop.memory.pipelines.config("shop", "deploy-staging").document, "application": "moved", "id": "moved"}
    )
    shop.memory.pipelines.lose_answers()
    shop.build(shop.push())
    apply(shop, ("{application: shop, name: deploy-staging}", "{application: moved, name: deploy-staging}"))
    shop.tick(3)
    assert shop.memory.pipelines.posts == 1
    (execution,) = shop.executions("staging")
    shop.finish(execution)
    assert shop.outcomes("staging") == [(1, "succeeded")]


def test_a_claimed_pipeline_that_is_gone_says_so(shop: Any) -> None:
    shop.memory.pipelines.fail(DOWN, verb="start")
    shop.build(shop.push())
    shop.memory.pipelines._configs.clear()
    shop.tick(3)
    (outcome,) = [body for name, body in shop.rollouts("staging").items() if name.endswith("/outcome")]
    assert outcome["reason"].startswith("refused: Spinnaker has no pipeline 'deploy-staging'")
    assert shop.open() == []


def test_the_claim_of_a_later_version_is_looked_up_and_not_repeated(shop: Any) -> None:
    """Two versions run side by side in an upgrade; what one cannot post the same way, it does not post."""
    create = shop.memory.ledger.create_all

    def later(new: Any) -> Any:
        changed = [replaced(each) if "/claim.0.1" in each.name else each for each in new]
        return create(changed)

    shop.memory.ledger.create_all = later
    shop.memory.pipelines.fail(UnknownOutcome("no answer"), verb="start")
    commit = shop.push()
    shop.build(commit)
    del shop.memory.ledger.create_all
    shop.tick(3)
    assert (shop.memory.pipelines.posts, shop.executions("staging")) == (1, [])
    (outcome,) = [body for name, body in shop.rollouts("staging").items() if name.endswith("/outcome")]
    assert outcome["reason"].endswith("order it again")
    shop.request("deploy", "staging", commit=commit)
    assert len(shop.executions("staging")) == 1


def replaced(new: Any) -> Any:
    import json
    from dataclasses import replace

    body = json.dumps({**json.loads(new.data), "inputs": "of a later version"})
    return replace(new, data=body.encode(), metadata={"fact": body})


@pytest.mark.parametrize("slow", ["trigger", "the claim"])
def test_a_worker_that_was_slow_starts_no_build(new_shop: Callable[..., Any], slow: str) -> None:
    shop = new_shop(OURS)
    memory = shop.memory
    trigger = memory.builds.trigger
    if slow == "trigger":
        memory.builds.trigger = lambda name: (memory.clock.advance(31), trigger(name))[1]
    else:
        memory.ledger.fail_after = lambda method, name: (
            memory.clock.advance(31) if method == "create" and "/claim." in name else None
        )
    commit = shop.push()
    assert memory.builds.runs == []
    memory.builds.trigger, memory.ledger.fail_after = trigger, None
    shop.tick(3)
    assert [each for _, each in memory.builds.runs] == [commit]


def test_a_build_whose_answer_was_lost_is_found_without_a_second_claim(new_shop: Callable[..., Any]) -> None:
    shop = new_shop(OURS)
    shop.memory.builds.lose_answers()
    commit = shop.push()
    shop.tick(3)
    assert [each for _, each in shop.memory.builds.runs] == [commit]
    leaves = [each.name.rpartition("/")[2] for each in shop.memory.ledger.list("build/")]
    assert [leaf for leaf in leaves if leaf.startswith("claim.")] == ["claim.0.1"]


def test_a_trigger_that_was_made_anew_runs_only_once_the_catalog_was_applied(new_shop: Callable[..., Any]) -> None:
    shop = new_shop(OURS)
    name = "projects/acme/locations/us-central1/triggers/shop"
    anew = shop.memory.builds.add_trigger(name, trigger_id="anew")
    commit = shop.push()
    assert shop.memory.builds.runs == []
    (blocked,) = shop.blocked(commit)
    assert blocked["reason"].endswith("is another one than when shop was applied; apply it again")
    shop.apply(shop.catalog)
    shop.tick(2)
    shop.announce(commit, commit)
    assert shop.memory.builds.runs == [(anew.id, commit)]
