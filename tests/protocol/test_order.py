"""Pushes late, doubled, reordered or never announced: the log follows the repository, never backwards (design.md section 4)."""

from itertools import permutations
from typing import Any

import pytest

MAIN = "refs/heads/main"
TAGS = ("refs: [refs/heads/main]", 'refs: [refs/heads/main, "refs/tags/v*"]')
HOUR = 61
"""Ticks in which the patrol has been everywhere."""


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_pushes_in_any_order_append_the_tip_and_nothing_older_after_it(shop: Any, order: tuple[int, ...]) -> None:
    pushes = [shop.commit() for _ in range(3)]
    for index in order:
        shop.announce(*pushes[index])
    shop.tick(2)
    assert shop.log("staging") == [pushes[-1][1]]
    assert shop.open() == [f"open/shop/{each.rpartition('/')[2]}" for each in shop.open()], ()


def test_a_duplicate_of_an_old_push_appends_nothing(shop: Any) -> None:
    first, second = shop.push(), shop.push()
    before, after = None, first
    shop.announce(before, after, id="the same push by another messenger")
    shop.tick(3)
    assert shop.log("staging") == [first, second]


def test_a_push_that_nobody_announced_is_found_by_the_patrol(shop: Any) -> None:
    announced = shop.push()
    _, silent = shop.commit()
    shop.tick(HOUR + 2)
    assert shop.log("staging") == [announced, silent]


def test_the_patrol_finds_a_branch_that_was_never_announced_at_all(shop: Any) -> None:
    _, silent = shop.commit()
    shop.tick(HOUR + 2)
    assert shop.log("staging") == [silent]


def test_a_tip_that_lags_by_a_push_is_not_gone_back_to(shop: Any) -> None:
    first, second = shop.push(), shop.push()
    shop.memory.repository.lag("https://github.com/acme/shop.git", 1)
    shop.announce(None, first, id="again")
    shop.tick()
    shop.memory.repository.lag("https://github.com/acme/shop.git", 0)
    shop.tick(3)
    assert shop.log("staging") == [first, second]


def test_a_tip_that_lags_while_the_newest_push_comes_is_appended_when_it_is_there(shop: Any) -> None:
    first = shop.push()
    shop.memory.repository.lag("https://github.com/acme/shop.git", 1)
    second = shop.push()
    assert shop.log("staging") == [first]
    shop.memory.repository.lag("https://github.com/acme/shop.git", 0)
    shop.tick(2)
    assert shop.log("staging") == [first, second]


def test_a_forced_push_back_to_an_older_commit_is_a_new_entry(shop: Any) -> None:
    first, second = shop.push(), shop.push()
    shop.memory.repository.move("https://github.com/acme/shop.git", MAIN, first)
    shop.announce(second, first)
    shop.tick(2)
    assert shop.log("staging") == [first, second, first]
    # Every old message again, and the host lags for once: the pushes that were gone over prove nothing any more.
    shop.memory.repository.lag("https://github.com/acme/shop.git", 1)
    shop.announce(None, first, id="again 1")
    shop.announce(first, second, id="again 2")
    shop.memory.repository.lag("https://github.com/acme/shop.git", 0)
    shop.tick(3)
    assert shop.log("staging") == [first, second, first]


def test_an_old_tag_never_comes_again(new_shop: Any) -> None:
    shop = new_shop(TAGS)
    first, second = shop.push("refs/tags/v1.0"), shop.push("refs/tags/v1.1")
    assert shop.log("staging") == [first, second]
    shop.announce(None, first, "refs/tags/v1.0", id="replayed")
    shop.tick(HOUR)
    assert shop.log("staging") == [first, second]


def test_tags_and_branches_that_stood_before_the_catalog_do_not_roll_out(new_shop: Any, shop: Any) -> None:
    late = new_shop(("refs/heads/main", "refs/heads/other"))
    late.commit(MAIN)
    late.commit("refs/tags/v0.9")
    late.apply(late.catalog.replace("[refs/heads/other]", '[refs/heads/main, "refs/tags/v*"]'))
    late.tick(HOUR + 2)
    assert late.log("staging") == []
    after = late.push("refs/tags/v1.0")
    assert late.log("staging") == [after]
    following = late.push(MAIN)
    assert late.log("staging") == [after, following]


def test_a_deleted_branch_undeploys_nothing_and_comes_back_linked(shop: Any) -> None:
    first = shop.push()
    shop.memory.repository.delete("https://github.com/acme/shop.git", MAIN)
    shop.announce(first, None)
    shop.tick(2)
    assert shop.log("staging") == [first]
    _, again = shop.commit()
    shop.announce(None, again)
    assert shop.log("staging") == [first, again]


def test_a_branch_that_comes_back_at_the_same_commit_is_no_news(shop: Any) -> None:
    first = shop.push()
    shop.memory.repository.delete("https://github.com/acme/shop.git", MAIN)
    shop.announce(first, None)
    shop.memory.repository.move("https://github.com/acme/shop.git", MAIN, first)
    shop.announce(None, first, id="again")
    shop.tick(3)
    assert shop.log("staging") == [first]


def test_a_branch_and_a_tag_of_one_name_are_two_refs(new_shop: Any) -> None:
    shop = new_shop(("refs: [refs/heads/main]", "refs: [refs/heads/v1, refs/tags/v1]"))
    branch, tag = shop.push("refs/heads/v1"), shop.push("refs/tags/v1")
    assert shop.log("staging") == [branch, tag]
    entries = shop.entries("staging")
    assert [entry["ref"] for entry in entries] == ["refs/heads/v1", "refs/tags/v1"]


def test_an_annotated_tag_rolls_out_the_commit_behind_it(new_shop: Any) -> None:
    shop = new_shop(TAGS)
    _, commit = shop.commit("refs/heads/elsewhere")
    tag = shop.memory.repository.tag("https://github.com/acme/shop.git", "refs/tags/v2", commit)
    shop.announce(None, tag, "refs/tags/v2")
    (entry,) = shop.entries("staging")
    assert (entry["object"], entry["commit"]) == (tag, commit)
    shop.build(commit)
    assert len(shop.executions("staging")) == 1


def test_several_refs_of_one_message_are_several_entries(new_shop: Any) -> None:
    shop = new_shop(TAGS)
    _, main = shop.commit()
    shop.memory.repository.move("https://github.com/acme/shop.git", "refs/tags/v1", main)
    _, other = shop.commit("refs/tags/v2")
    shop.announce_all({MAIN: (None, main), "refs/tags/v1": (None, main), "refs/tags/v2": (None, other)})
    assert sorted(shop.log("staging")) == sorted([main, main, other])
    shop.tick(2)
    assert len(shop.log("staging")) == 3


def test_old_tags_of_another_repository_do_not_roll_out_when_the_address_changes(shop: Any) -> None:
    standing = shop.memory.catalog.read("application/shop.yaml").data.decode()
    tagged = standing.replace("refs/heads/main", "refs/tags/v*")
    shop.apply(tagged)
    other = "https://github.com/acme/shop-2.git"
    shop.memory.repository.create(other)
    shop.memory.repository.commit(other, "refs/tags/v1", {"deploy/staging/shop.yaml": b"{}"})
    shop.apply(tagged.replace("https://github.com/acme/shop.git", other))
    shop.tick(130)
    assert shop.log("staging") == []
