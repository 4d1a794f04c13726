"""Images without Cloud Build: a tag or a label joins them to their commit; the event is never a condition."""

from typing import Any

import pytest

BUILD = "build: {trigger: projects/acme/locations/us-central1/triggers/shop}\n"
NO_BUILD = (BUILD, "")
NO_TAG = (', tag: "{commit}"', "")
SHORT = ('tag: "{commit}"', 'tag: "v-{short_commit}"')
REVISION = "org.opencontainers.image.revision"


def body(shop: Any, digest: str | None = None, tag: str | None = None) -> dict[str, str]:
    found = {"action": "INSERT"}
    found |= {"digest": f"{shop.IMAGE}@{digest}"} if digest else {}
    return found | ({"tag": f"{shop.IMAGE}:{tag}"} if tag else {})


def test_an_image_whose_tag_names_the_commit_completes_its_release(new_shop: Any, digest: Any) -> None:
    shop = new_shop(NO_BUILD)
    commit = shop.push()
    shop.send("image", body(shop, digest(commit), commit))
    assert shop.completed(commit)["images"] == {shop.IMAGE: digest(commit)}
    assert len(shop.executions("staging")) == 1


def test_an_image_before_anything_else_waits_for_its_push(new_shop: Any, digest: Any) -> None:
    shop = new_shop(NO_BUILD)
    before, after = shop.commit()
    shop.send("image", body(shop, digest(after), after))
    assert shop.executions("staging") == []
    shop.announce(before, after)
    assert len(shop.executions("staging")) == 1


def test_an_image_that_nobody_announced_is_found_by_its_tag(new_shop: Any) -> None:
    shop = new_shop(NO_BUILD)
    commit = shop.push()
    shop.memory.registry.push(shop.IMAGE, commit)
    shop.tick()
    assert len(shop.executions("staging")) == 1


def test_a_tag_alone_is_resolved_in_the_registry(new_shop: Any) -> None:
    shop = new_shop(NO_BUILD)
    commit = shop.push()
    pushed = shop.memory.registry.push(shop.IMAGE, commit)
    shop.send("image", body(shop, tag=commit))
    assert shop.completed(commit)["images"] == {shop.IMAGE: pushed}


def test_a_digest_alone_is_joined_by_the_label(new_shop: Any) -> None:
    shop = new_shop(NO_BUILD, NO_TAG)
    commit = shop.push()
    pushed = shop.memory.registry.push(shop.IMAGE, labels={REVISION: commit})
    assert shop.send("image", body(shop, pushed)) == "recorded"
    assert len(shop.executions("staging")) == 1


def test_an_image_that_names_no_commit_says_so(new_shop: Any) -> None:
    shop = new_shop(NO_BUILD, NO_TAG)
    shop.push()
    pushed = shop.memory.registry.push(shop.IMAGE)
    shop.send("image", body(shop, pushed))
    assert shop.executions("staging") == []
    (said,) = [fact["reasons"] for fact in shop.events() if fact["kind"] == "recorded" and fact["reasons"]]
    assert said == ["no commit known for this image"]


def test_seven_digits_of_a_commit_are_enough_for_a_release_that_waits(new_shop: Any) -> None:
    shop = new_shop(NO_BUILD, SHORT)
    commit = shop.push()
    pushed = shop.memory.registry.push(shop.IMAGE, f"v-{commit[:7]}")
    shop.send("image", body(shop, pushed, f"v-{commit[:7]}"))
    assert len(shop.executions("staging")) == 1


def test_one_image_in_two_applications_rolls_out_both(new_shop: Any, digest: Any) -> None:
    shop = new_shop(NO_BUILD)
    shop.second("cart")
    commit = shop.push()
    shop.send("image", body(shop, digest(commit), commit))
    assert sorted(each["application"] for each in shop.executions("staging")) == ["cart", "shop"]


@pytest.mark.parametrize("announced", [False, True])
def test_the_same_digest_from_two_commits_is_two_releases(shop: Any, digest: Any, announced: bool) -> None:
    first = shop.push()
    shop.build(first, digest=digest("same"))
    shop.finish(shop.executions("staging")[-1])
    second = shop.push()
    if announced:
        shop.send("image", body(shop, digest("same"), second))
    shop.build(second, digest=digest("same"))
    assert [int(each["trigger"]["downwind"]["sequence"]) for each in shop.executions("staging")] == [1, 2]
    assert shop.completed(first)["images"] == shop.completed(second)["images"]


def test_a_deleted_image_undeploys_nothing(new_shop: Any, digest: Any) -> None:
    shop = new_shop(NO_BUILD)
    commit = shop.push()
    shop.send("image", body(shop, digest(commit), commit))
    before = {each.name for each in shop.memory.ledger.list("")}
    assert shop.send("image", {**body(shop, digest(commit), commit), "action": "DELETE"}) == "ignored"
    shop.tick(2)
    assert len(shop.executions("staging")) == 1
    new = {each.name for each in shop.memory.ledger.list("")} - before
    assert {name.split("/")[0 if name.startswith("event/") else 2] for name in new} == {"event"}, new
