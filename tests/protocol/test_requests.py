"""Orders of other systems: deploy and promote, once each, or parked with the reason."""

from typing import Any

import pytest

from downwind.errors import TransientError

BY_REQUEST = ("    after: staging\n", "    after: staging\n    promotion: request\n")


def reasons(shop: Any) -> list[str]:
    return [body["reason"] for body in shop.facts("parked/").values()]


def released(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    return commit


def test_a_deploy_of_an_older_commit_is_a_new_higher_entry(shop: Any) -> None:
    first, second = released(shop), released(shop)
    shop.request("deploy", "staging", commit=first, who="sre@acme.example", why="second is slow")
    assert shop.log("staging") == [first, second, first]
    assert [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("staging")] == [1, 2, 3]
    assert shop.entries("staging")[-1]["why"] == "second is slow"


def test_the_push_after_an_ordered_deploy_still_links_to_the_push_before(shop: Any) -> None:
    first, second = released(shop), released(shop)
    shop.request("deploy", "staging", commit=first)
    third = shop.push()
    assert shop.log("staging") == [first, second, first, third]


def test_images_by_digest_need_no_build(shop: Any, digest: Any) -> None:
    _, commit = shop.commit("refs/heads/elsewhere")
    mine = shop.memory.registry.push(shop.IMAGE)
    shop.request("deploy", "staging", commit=commit, images={shop.IMAGE: mine})
    assert len(shop.executions("staging")) == 1
    assert mine.encode() in shop.memory.bundles.read("shop/staging/rollout/1.yaml").data


def test_an_image_that_its_registry_does_not_have_is_not_rolled_out(shop: Any, digest: Any) -> None:
    _, commit = shop.commit("refs/heads/elsewhere")
    shop.request("deploy", "staging", commit=commit, images={shop.IMAGE: digest("mine")})
    assert reasons(shop) == [f"the registry has no {shop.IMAGE}@{digest('mine')}"]
    assert shop.log("staging") == []


def test_an_order_waits_for_a_registry_that_does_not_answer(shop: Any) -> None:
    _, commit = shop.commit("refs/heads/elsewhere")
    mine = shop.memory.registry.push(shop.IMAGE)
    shop.memory.registry.fail(TransientError("planned"), verb="exists")
    with pytest.raises(TransientError):
        shop.send("request", order(commit, "staging") | {"images": {shop.IMAGE: mine}})
    kind, message = shop.sent[-1]
    assert shop.deliver(kind, message) == "recorded"
    assert len(shop.executions("staging")) == 1


def test_a_promotion_by_request_takes_the_newest_success(new_shop: Any) -> None:
    shop = new_shop(BY_REQUEST)
    commit = released(shop)
    assert shop.executions("production") == []
    shop.request("promote", "production")
    assert shop.log("production") == [commit]
    assert shop.entries("production")[0]["upstream_sequence"] == 1


def test_a_promotion_of_an_older_sequence_is_parked(new_shop: Any) -> None:
    shop = new_shop(BY_REQUEST)
    first = released(shop)
    released(shop)
    shop.request("promote", "production")
    shop.request("promote", "production", commit=first, id="too late")
    assert reasons(shop) == ["staging 1 is older than 2, which was promoted already; use rollback"]
    assert len(shop.log("production")) == 1
    (told,) = [each for each in shop.memory.publisher.published if each.attributes["ce-type"].endswith("parked.v1")]
    shop.tick(2)
    shop.request("promote", "production", commit=first, id="too late")
    assert reasons(shop) == ["staging 1 is older than 2, which was promoted already; use rollback"], told


def test_the_same_id_is_one_order(shop: Any) -> None:
    commit = released(shop)
    for _ in range(3):
        shop.request("deploy", "staging", id="CHG-1", commit=commit)
    shop.tick(2)
    assert shop.log("staging") == [commit, commit]


def test_the_same_id_is_one_order_after_sixty_more_entries_and_a_ledger_that_forgot_the_event(shop: Any) -> None:
    commit = released(shop)
    shop.request("deploy", "staging", id="CHG-1", commit=commit)
    for number in range(60):
        shop.request("deploy", "staging", id=f"CHG-1-{number}", commit=commit)
    for each in shop.memory.ledger.list("event/"):
        shop.memory.ledger.delete(each.name)
    shop.request("deploy", "staging", id="CHG-1", commit=commit)
    shop.tick(2)
    assert len(shop.log("staging")) == 62


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"application": "nobody"}, "the catalog has no application 'nobody'"),
        ({"environment": "moon"}, "shop has no environment 'moon'"),
        ({"environment": "staging", "verb": "promote"}, "staging is fed by refs: nothing is promoted into it"),
        ({"images": {"other": "sha256:" + "0" * 64}}, "other is not an image of shop"),
        ({"verb": "rollback"}, "rollback is an operator's verb"),
        ({"commit": None}, "commit"),
    ],
)
def test_an_order_that_cannot_be_is_parked_with_the_reason(shop: Any, order: dict[str, Any], why: str) -> None:
    body = {"id": "1", "verb": "deploy", "application": "shop", "environment": "staging", "commit": "a" * 40} | order
    assert shop.send("request", body) == "parked"
    assert why in reasons(shop)[0]
    assert shop.log("staging") == []
    kind, message = shop.sent[-1]
    assert shop.deliver(kind, message) == "duplicate"


def test_an_environment_that_takes_no_orders_from_the_topic_parks_them(new_shop: Any) -> None:
    shop = new_shop(("    requests: topic\n", ""))
    shop.request("deploy", "staging", commit="a" * 40)
    assert reasons(shop) == ["shop/staging takes no orders from the topic"]


def test_nothing_to_promote_is_said(shop: Any) -> None:
    shop.request("promote", "production")
    assert reasons(shop) == ["nothing to promote: no rollout of any commit has succeeded in staging"]


def test_an_id_that_another_order_had_already_is_parked_not_swallowed(shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    assert shop.send("request", order(commit, "staging")) == "recorded"
    assert shop.send("request", order(commit, "staging")) == "duplicate"
    assert shop.send("request", order(commit, "production")) == "parked"


def order(commit: str, environment: str) -> dict[str, Any]:
    return {"id": "42", "verb": "deploy", "application": "shop", "environment": environment, "commit": commit}
