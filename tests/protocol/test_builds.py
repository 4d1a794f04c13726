"""Builds: joined to their commit whatever their messages do; only the catalog's trigger counts; the first success wins."""

from itertools import permutations
from typing import Any

import pytest

from downwind.errors import TransientError, UnknownOutcome

STARTED_BY_US = ("triggers/shop}", "triggers/shop, start: true}")
DAY = 24 * 60 * 60


def bundle(shop: Any, number: int = 1, environment: str = "staging") -> str:
    return str(shop.memory.bundles.read(f"shop/{environment}/rollout/{number}.yaml").data.decode())


def images(shop: Any, *digests: str) -> dict[str, str]:
    return {f"us-central1-docker.pkg.dev/acme/apps/shop:{index}": digest for index, digest in enumerate(digests)}


@pytest.mark.parametrize("order", list(permutations(("QUEUED", "WORKING", "SUCCESS"))))
def test_statuses_in_any_order_start_one_rollout(shop: Any, order: tuple[str, ...]) -> None:
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    for status in order:
        shop.tell(build, commit, status)
    shop.tick(2)
    assert len(shop.executions("staging")) == 1


def test_a_success_after_a_failure_of_the_same_commit_rolls_out(shop: Any) -> None:
    commit = shop.push()
    shop.build(commit, "FAILURE")
    shop.tick(2)
    assert (shop.executions("staging"), shop.open()) == ([], [])
    shop.build(commit)
    assert len(shop.executions("staging")) == 1


def test_a_second_success_is_spare_until_a_deploy_names_it(shop: Any, digest: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    spare = shop.build(commit, digest=digest(commit, "spare"))
    shop.tick(2)
    assert len(shop.executions("staging")) == 1
    shop.request("deploy", "staging", commit=commit, build=spare)
    assert len(shop.executions("staging")) == 2
    assert digest(commit, "spare") in bundle(shop, 2)
    assert digest(commit) in bundle(shop, 1)


def test_the_winner_of_a_commit_that_is_built_every_night_stays_the_winner(shop: Any, digest: Any) -> None:
    _, commit = shop.commit("refs/heads/elsewhere")
    for night in range(80):
        build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
        for status in ("QUEUED", "WORKING"):
            shop.tell(build, commit, status)
        shop.tell(build, commit, digest=digest(commit, str(night)))
    shop.request("deploy", "staging", commit=commit)
    assert shop.completed(commit)["images"] == {shop.IMAGE: digest(commit, "0")}


def test_digests_of_two_builds_are_never_mixed(new_shop: Any, digest: Any) -> None:
    other = "us-central1-docker.pkg.dev/acme/apps/cart"
    shop = new_shop(("manifests:", f"  - {{name: {other}}}\nmanifests:"))
    commit = shop.push()
    first = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    shop.tell_images(first, {f"{shop.IMAGE}:x": digest("one")})
    second = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    shop.tell_images(second, {f"{shop.IMAGE}:x": digest("two"), f"{other}:x": digest("two")})
    shop.tick(2)
    assert shop.executions("staging") == [], "the winner has no cart, and the spare's is not taken"
    assert any("cart" in fact["reason"] for fact in shop.blocked(commit))


def test_several_images_of_one_build_are_one_release(new_shop: Any, digest: Any) -> None:
    other = "us-central1-docker.pkg.dev/acme/apps/cart"
    shop = new_shop(("manifests:", f"  - {{name: {other}, tag: '{{commit}}'}}\nmanifests:"))
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    shop.tell_images(build, {f"{shop.IMAGE}:x": digest(commit)})
    assert shop.executions("staging") == [], "cart is not in its registry yet"
    pushed = shop.memory.registry.push(other, commit)
    shop.tick(2)
    assert len(shop.executions("staging")) == 1
    assert shop.completed(commit)["images"] == {shop.IMAGE: digest(commit), other: pushed}


def test_a_build_that_lists_no_images_is_resolved_by_tag(shop: Any) -> None:
    commit = shop.push()
    pushed = shop.memory.registry.push(shop.IMAGE, commit)
    shop.build(commit, listed=False)
    assert len(shop.executions("staging")) == 1
    assert pushed in bundle(shop)


def test_an_image_that_is_pushed_after_its_build_ended_wakes_the_release(shop: Any) -> None:
    commit = shop.push()
    shop.build(commit, listed=False)
    shop.tick()
    assert shop.executions("staging") == []
    pushed = shop.memory.registry.push(shop.IMAGE, commit)
    shop.image(commit, digest=pushed)
    assert pushed in bundle(shop)


@pytest.mark.parametrize(
    "place",
    ["projects/acme/locations/us-central1/triggers/other", "projects/acme/locations/europe-west1/triggers/shop"],
)
def test_a_build_of_another_trigger_or_place_is_ignored_whatever_it_calls_itself(shop: Any, place: str) -> None:
    trigger = shop.memory.builds.add_trigger(place, trigger_id="99999999-0000-0000-0000-000000000000")
    commit = shop.push()
    build = shop.memory.builds.start(trigger, commit, "refs/heads/main")
    shop.memory.builds._builds[trigger.project, trigger.location, build]["substitutions"]["TRIGGER_NAME"] = "shop"
    assert shop.tell(build, commit) == build
    shop.tick(2)
    assert shop.executions("staging") == []
    assert shop.memory.ledger.list("build/") == []


def test_a_build_before_its_push_waits_for_it(shop: Any) -> None:
    before, after = shop.commit()
    shop.build(after)
    assert shop.executions("staging") == []
    shop.announce(before, after)
    assert len(shop.executions("staging")) == 1


def test_a_build_whose_push_nobody_announced_rolls_out_after_two_ticks(shop: Any) -> None:
    _, after = shop.commit()
    shop.build(after)
    shop.tick(2)
    assert len(shop.executions("staging")) == 1


@pytest.mark.parametrize("data", [b"", b"x" * (1024 * 1024 + 1)])
def test_a_message_that_says_only_the_id_is_read_where_the_catalogs_triggers_are(shop: Any, data: bytes) -> None:
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    shop.memory.builds.set(build, "SUCCESS", images(shop, "sha256:" + "a" * 64))
    assert shop.send("build", data, {"buildId": build, "status": "SUCCESS"}) == "recorded"
    assert len(shop.executions("staging")) == 1


def test_no_build_for_a_day_is_abandoned_and_a_late_success_takes_it_up(shop: Any) -> None:
    commit = shop.push()
    shop.tick()
    assert shop.open() != []
    shop.memory.clock.advance(DAY)
    shop.tick(2)
    assert [fact["reason"] for fact in shop.blocked(commit)] == ["abandoned: waited a day for a build of this commit"]
    assert shop.open() == []
    shop.build(commit)
    assert len(shop.executions("staging")) == 1


def test_a_build_that_we_start_is_started_once_under_duplicates(new_shop: Any) -> None:
    shop = new_shop(STARTED_BY_US)
    before, after = shop.commit()
    for index in range(5):
        shop.announce(before, after, id=f"copy {index}")
    shop.tick(5)
    assert [commit for _, commit in shop.memory.builds.runs] == [after]


def test_a_start_whose_answer_is_lost_is_looked_up_before_it_is_repeated(new_shop: Any) -> None:
    shop = new_shop(STARTED_BY_US)
    shop.memory.builds.lose_answers()
    commit = shop.push()
    shop.tick(3)
    assert len(shop.memory.builds.runs) == 1
    (build,) = shop.memory.builds.find(shop.trigger, commit)
    shop.tell(build["id"], commit)
    assert len(shop.executions("staging")) == 1


@pytest.mark.parametrize("error", [TransientError("503"), UnknownOutcome("never arrived")])
def test_a_start_that_never_came_about_is_repeated_by_the_tick(new_shop: Any, error: Exception) -> None:
    shop = new_shop(STARTED_BY_US)
    shop.memory.builds.fail(error, verb="run")
    commit = shop.push()
    assert shop.memory.builds.runs == []
    shop.tick(3)
    assert [each for _, each in shop.memory.builds.runs] == [commit]


def test_a_start_that_cloud_build_refuses_is_said_and_not_repeated(new_shop: Any) -> None:
    shop = new_shop(STARTED_BY_US)
    shop.memory.builds._triggers.clear()
    commit = shop.push()
    shop.tick(4)
    assert [fact["reason"] for fact in shop.blocked(commit)] == [
        "Cloud Build refused it: no trigger projects/acme/locations/us-central1/triggers/shop"
    ]
    assert shop.open() == []


def test_two_applications_of_one_trigger_start_one_build_and_share_it(new_shop: Any) -> None:
    shop = new_shop(STARTED_BY_US)
    shop.second("cart")
    commit = shop.push()
    assert len(shop.memory.builds.runs) == 1
    (build,) = shop.memory.builds.find(shop.trigger, commit)
    shop.tell(build["id"], commit)
    assert sorted(each["application"] for each in shop.executions("staging")) == ["cart", "shop"]


def lost(shop: Any) -> str:
    """A build whose end Pub/Sub has given up."""
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    shop.memory.builds.set(build, "SUCCESS", images(shop, "sha256:" + "5" * 64))
    return str(commit)


def test_a_success_that_no_message_told_of_is_asked_for(shop: Any) -> None:
    lost(shop)
    shop.tick(4)
    assert len(shop.executions("staging")) == 1
    assert "sha256:" + "5" * 64 in bundle(shop)


def test_builds_are_asked_for_after_two_minutes_then_every_ten(shop: Any) -> None:
    shop.push()
    asked = []
    find = shop.memory.builds.find

    def noted(*named: Any) -> Any:
        asked.append(shop.memory.clock())
        return find(*named)

    shop.memory.builds.find = noted
    shop.tick(1)
    assert asked == []
    shop.tick(60)
    assert 10 <= len(asked) <= 14


def test_of_two_successes_that_nobody_told_of_the_older_is_the_winner(shop: Any) -> None:
    commit = lost(shop)
    second = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    shop.memory.builds.set(second, "SUCCESS", images(shop, "sha256:" + "6" * 64))
    shop.tick(4)
    assert "sha256:" + "5" * 64 in bundle(shop)


def test_a_failure_that_nobody_told_of_blocks(shop: Any) -> None:
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    shop.memory.builds.set(build, "FAILURE")
    shop.tick(4)
    assert [body["reason"] for body in shop.blocked(commit)] == [f"build {build} ended FAILURE"]


def test_a_build_that_we_started_and_lost_sight_of_is_asked_for(new_shop: Any) -> None:
    shop = new_shop(STARTED_BY_US)
    commit = shop.push()
    (build,) = shop.memory.builds.find(shop.trigger, commit)
    shop.memory.builds.set(build["id"], "SUCCESS", images(shop, "sha256:" + "7" * 64))
    shop.tick(4)
    assert len(shop.executions("staging")) == 1
