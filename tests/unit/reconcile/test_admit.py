"""When the tip of a ref becomes an entry, and when nothing does."""

from itertools import pairwise
from typing import Any

import pytest

from downwind.model.catalog import Manifests, RepositoryAddress
from downwind.reconcile import names
from downwind.reconcile.admit import LINKS
from downwind.reconcile.facts import Hints
from downwind.reconcile.steps import Append, Compare

A, B, C, D = "a" * 40, "b" * 40, "c" * 40, "d" * 40
MAIN, TAG = "refs/heads/main", "refs/tags/v1"
TWO_TICKS = "two ticks on which refs/heads/main answers the same: no recorded push leads there"


def appended(given: Any) -> list[dict[str, Any]]:
    return [dict(step.entry.body) for step in given.steps() if isinstance(step, Append)]


def make(given: Any) -> None:
    """The one entry that is due is made."""
    (step,) = [step for step in given.steps() if isinstance(step, Append)]
    given.fact(step.entry.name, **step.entry.body)


def nothing(given: Any) -> bool:
    return not appended(given) and not given.due().waits


# Linked by pushes.


def test_a_push_that_leads_from_the_newest_entry_to_the_tip_makes_an_entry(given: Any) -> None:
    given.entry(6, A)
    given.push(A, B)
    given.tip(B)
    (body,) = appended(given)
    assert body == {
        "kind": "entry",
        "application": "shop",
        "environment": "staging",
        "n": 7,
        "verb": "release",
        "by": "push",
        "ref": MAIN,
        "commit": B,
        "object": B,
        "via": [],
        "promoted": 0,
        "newest_release": 7,
        "newest_rollback": 0,
        "settled": 0,
        "hold": None,
        "generation": 7,
    }


def test_a_push_that_created_the_ref_links_it_where_neither_entry_nor_baseline_stands(given: Any) -> None:
    given.push(None, A)
    given.tip(A)
    assert [(body["n"], body["commit"]) for body in appended(given)] == [(1, A)]


def test_a_baseline_is_where_the_first_push_begins(given: Any) -> None:
    given.baseline(A)
    given.tip(A)
    assert nothing(given)
    given.push(A, B)
    given.tip(B)
    assert [(body["n"], body["commit"]) for body in appended(given)] == [(1, B)]


def test_several_pushes_are_one_entry_which_says_over_what_it_went(given: Any) -> None:
    given.entry(1, A)
    for before, after in ((A, B), (B, C), (C, D)):
        given.push(before, after)
    given.tip(D)
    assert [(body["commit"], body["via"]) for body in appended(given)] == [(D, [B, C])]


def test_a_branch_that_was_deleted_and_created_again_links_to_what_was_there_before(given: Any) -> None:
    given.entry(1, A)
    given.push(A, None)
    given.push(None, B)
    given.tip(B)
    assert [body["via"] for body in appended(given)] == [[None]]


def test_a_tag_object_is_compared_and_its_commit_released(given: Any) -> None:
    given.push(None, B, ref=TAG)
    given.tip(A, ref=TAG, object_id=B)
    assert [(body["object"], body["commit"]) for body in appended(given)] == [(B, A)]
    make(given)
    assert not appended(given)


def test_a_push_to_another_ref_links_nothing(given: Any) -> None:
    given.entry(1, A)
    given.push(A, B, ref=TAG)
    given.tip(B)
    assert (appended(given), given.waits()) == ([], [TWO_TICKS, "a build of this commit"])


def test_each_ref_is_compared_with_its_own_entries(given: Any) -> None:
    given.entry(1, A)
    given.entry(2, B, ref=TAG)
    given.completed(A)
    given.completed(B)
    given.tip(A)
    given.tip(B, ref=TAG)
    assert not appended(given)


# What makes no entry.


@pytest.mark.parametrize("before", [None, C], ids=["created", "moved"])
def test_an_old_tags_push_that_comes_again_makes_nothing(given: Any, before: str | None) -> None:
    given.push(before, A, ref=TAG)
    given.tip(A, ref=TAG)
    given.snapshot.tick = 7
    if before is not None:
        given.baseline(A, ref=TAG)
    else:
        make(given)
    given.entry(2, B, ref="refs/tags/v2")
    given.claim(2, B)
    given.outcome(2, "succeeded")
    given.change_environment("production", promotion="request")
    assert not appended(given)
    assert given.waits() == []


def test_a_ref_that_was_deleted_makes_nothing(given: Any) -> None:
    given.entry(1, A)
    given.claim(1, A)
    given.outcome(1, "succeeded")
    given.change_environment("production", promotion="request")
    given.push(A, None)
    given.tip(None)
    assert nothing(given)


def test_a_push_that_an_entry_went_over_already_is_no_reason_to_go_there_again(given: Any) -> None:
    """A, B, back to A, and a host that answers B once more."""
    given.entry(1, A)
    given.entry(2, B, via=[])
    given.entry(3, A, via=[])
    given.push(A, B)
    given.push(B, A)
    given.tip(B)
    assert not appended(given)
    assert TWO_TICKS in given.waits()


def test_neither_is_one_that_an_entry_went_over_on_its_way(given: Any) -> None:
    given.entry(1, A)
    given.entry(2, C, via=[B])
    given.entry(3, A, via=[])
    given.push(A, B)
    given.tip(B)
    assert not appended(given)


def test_pushes_in_a_circle_come_to_an_end(given: Any) -> None:
    given.entry(1, A)
    given.push(C, B)
    given.push(B, C)
    given.tip(C)
    assert not appended(given)


def test_a_way_of_too_many_pushes_is_left_to_the_ticks(given: Any) -> None:
    given.entry(1, A)
    objects = [A, *(f"{number:040x}" for number in range(1, LINKS + 2))]
    for before, after in pairwise(objects):
        given.push(before, after)
    given.tip(objects[LINKS])
    assert len(appended(given)) == 1
    given.tip(objects[LINKS + 1])
    assert not appended(given)


def test_a_repository_that_did_not_answer_is_waited_for(given: Any) -> None:
    given.push(None, A)
    given.tip(A)
    given.snapshot.tips = None
    assert (appended(given), given.waits()) == ([], ["the repository to say where refs/heads/main is"])
    assert given.due().open.refs == {MAIN}


def test_a_ref_that_feeds_nothing_is_not_looked_at(given: Any) -> None:
    given.push(None, A, ref="refs/heads/wip")
    given.tip(A, ref="refs/heads/wip")
    assert nothing(given)


# Paths.


@pytest.fixture
def monorepo(given: Any) -> Any:
    given.change(paths=("services/shop/**",))
    given.entry(1, A)
    given.push(A, B)
    given.tip(B)
    return given


def test_whether_a_path_of_the_application_changed_is_asked_first(monorepo: Any) -> None:
    assert monorepo.steps() == [Compare(before=A, after=B)]


@pytest.mark.parametrize("changed", [True, False])
def test_only_a_change_of_its_paths_is_a_release(monorepo: Any, changed: bool) -> None:
    monorepo.snapshot.changed[A, B] = changed
    assert bool(appended(monorepo)) is changed


def test_what_has_not_changed_is_closed(monorepo: Any) -> None:
    monorepo.claim(1, A)
    monorepo.outcome(1, "failed")
    name = names.ref("shop", "staging", MAIN) + names.down(1)
    monorepo.fact(name, kind="ref", environment="staging", ref=MAIN, n=1, commit=A, object=A, via=[])
    monorepo.snapshot.changed[A, B] = False
    assert (monorepo.steps(), monorepo.waits(), monorepo.due().open.refs) == ([], [], frozenset())


def test_the_first_entry_of_a_ref_is_compared_with_nothing(given: Any) -> None:
    given.change(paths=("services/shop/**",))
    given.push(None, A)
    given.tip(A)
    assert len(appended(given)) == 1


# The rest of an entry.


def test_manifests_of_another_repository_are_to_be_pinned(given: Any) -> None:
    other = RepositoryAddress(address="https://x/manifests.git", credentials="git-manifests")
    given.change(manifests=Manifests(path="deploy", repository=other, ref=MAIN))
    given.push(None, A)
    given.tip(A)
    (step,) = given.steps()
    assert step.manifests == ("https://x/manifests.git", MAIN, "git-manifests")


def test_an_entry_whose_pointer_was_never_written_is_found_and_the_pointer_made_good(given: Any) -> None:
    given.entry(3, A, via=[B])
    given.tip(A)
    body = given.recorded()[names.ref("shop", "staging", MAIN) + names.down(3)]
    about = {"environment": "staging", "ref": MAIN, "n": 3, "commit": A, "object": A, "via": [B]}
    assert body == {"kind": "ref", **about}
    assert not appended(given)


def test_a_push_that_is_still_to_be_shown_stays_open_while_another_tip_comes(given: Any) -> None:
    """Found by the simulator: the host showed the commit before, which was not linked yet, and the newer push was forgotten."""
    given.snapshot.tick = 7
    given.push(A, B)
    given.snapshot.hints |= Hints(commits=frozenset({A, B}))
    given.tip(A)
    due = given.due()
    assert due.open.commits == frozenset({A, B}), "A until its entry stands"
    assert f"the repository to show {B[:7]} on refs/heads/main" in [wait.what for wait in due.waits]
