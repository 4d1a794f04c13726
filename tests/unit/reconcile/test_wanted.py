"""Which lists a decision needs: all at once where they are known, and no more of them as the past grows."""

from itertools import pairwise
from typing import Any

from downwind.model.channels import Channel, Teams
from downwind.reconcile import names
from downwind.reconcile.admit import LINKS, ROUNDS_IN_HANDLER
from downwind.reconcile.facts import Hints
from downwind.reconcile.releases import build_prefix
from downwind.reconcile.wanted import wanted

A, B, C = "a" * 40, "b" * 40, "c" * 40
MAIN, TAG = "refs/heads/main", "refs/tags/v1"


def asked(given: Any) -> set[str]:
    return {query.prefix for query in wanted(given.registered, given.snapshot)}


def listed(given: Any) -> set[str]:
    """The prefixes of one round, which are listed then."""
    found = asked(given)
    given.snapshot.loaded.update(dict.fromkeys(found, False))
    given.snapshot.rounds += 1
    return found


def environments() -> set[str]:
    found = {prefix(*("shop", name)) for prefix in (names.log, names.rollouts) for name in ("staging", "production")}
    return found | {names.ALL_HOLDS}


def release(given: Any, commit: str) -> set[str]:
    build = build_prefix(given.registered, commit)
    return {names.release("shop", commit), f"{build}", f"{build}winner"}


def test_without_a_hint_the_environments_are_read_and_nothing_else(given: Any) -> None:
    assert listed(given) == environments()
    assert asked(given) == set()


def test_what_channels_were_told_is_read_where_there_are_any(given: Any) -> None:
    given.change(notify=(Channel(name="ops", target=Teams()),))
    told = {names.notices("shop", name) for name in ("staging", "production")}
    assert listed(given) == environments() | told
    assert asked(given) == set()


def test_a_message_that_is_still_to_be_told_has_a_list_of_its_own(given: Any) -> None:
    given.change(notify=(Channel(name="ops", target=Teams()),))
    given.snapshot.hints = Hints(notices=frozenset({("staging", 3)})) | Hints(notices=frozenset({("staging", 4)}))
    assert {names.notices_of("shop", "staging", n) for n in (3, 4)} <= listed(given)


def test_what_the_hints_name_is_read_in_the_same_round(given: Any) -> None:
    given.tip(A)
    given.order("r1")
    given.snapshot.hints |= Hints(commits=frozenset({B}), refs=frozenset({"refs/heads/wip"}))
    orders = {names.request("shop", "production", "r1"), names.event("request", "r1")}
    ref = {names.ref("shop", "staging", MAIN)}
    assert listed(given) == environments() | release(given, B) | orders | ref


def test_a_release_without_builds_is_one_list(given: Any) -> None:
    given.change(build=None)
    given.snapshot.hints = Hints(commits=frozenset({A}))
    assert asked(given) == environments() | {names.release("shop", A)}


def test_then_the_releases_of_entries_above_the_newest_claimed(given: Any) -> None:
    given.entry(1, A)
    given.claim(1, A)
    given.entry(2, B)
    given.entry(3, C, environment="production", by="promotion")
    listed(given)
    assert listed(given) == release(given, B) | release(given, C)
    assert asked(given) == set()


def test_a_newest_rollout_that_one_list_cannot_hold_is_read_whole(given: Any) -> None:
    given.entry(2, A)
    given.claim(2, A)
    listed(given)
    assert asked(given) == set()
    prefix = names.rollouts("shop", "staging")
    given.snapshot.loaded[prefix] = True
    assert listed(given) == {names.rollout("shop", "staging", 2)}
    assert asked(given) == set()


def test_an_older_rollout_that_was_cut_is_not_read(given: Any) -> None:
    for n in (2, 3, 4):
        given.claim(n, A)
    listed(given)
    given.snapshot.loaded[names.rollouts("shop", "staging")] = True
    assert asked(given) == set()


def tip_round(given: Any) -> set[str]:
    """What is asked on the way back from the tip."""
    return {prefix for prefix in listed(given) if prefix.startswith("release/") and "/none/" not in prefix}


def test_the_way_back_from_a_tip_is_read_push_by_push_until_it_is_linked(given: Any) -> None:
    given.change(build=None)
    given.entry(1, A)
    given.claim(1, A)
    given.snapshot.tick = 7
    given.tip(C)
    listed(given)
    assert tip_round(given) == {names.release("shop", C)}
    given.push(B, C)
    assert tip_round(given) == {names.release("shop", B)}
    given.push(A, B)
    assert asked(given) == set()


def test_of_deletions_only_the_refs_own_are_read(given: Any) -> None:
    given.entry(1, A)
    given.claim(1, A)
    given.snapshot.tick = 7
    given.tip(B)
    given.push(None, B)
    listed(given)
    assert names.pushes("shop", MAIN, None) in listed(given)


def test_a_tick_reads_what_earlier_ticks_heard(given: Any) -> None:
    given.tip(B)
    listed(given)
    assert names.tip("shop", "staging", MAIN, B) not in asked(given)
    given.snapshot.tick = 7
    assert names.tip("shop", "staging", MAIN, B) in asked(given)


def test_a_tip_that_is_where_the_newest_entry_is_or_is_gone_asks_for_nothing(given: Any) -> None:
    given.entry(1, A)
    given.claim(1, A)
    given.tip(A)
    given.tip(None, ref=TAG)
    listed(given)
    assert asked(given) == set()


def chain(given: Any, length: int) -> None:
    objects = [f"{number:040x}" for number in range(1, length + 1)]
    for before, after in pairwise(objects):
        given.push(before, after)
    given.tip(objects[-1])


def rounds(given: Any) -> int:
    count = 0
    while listed(given):
        count += 1
    return count


def test_a_handler_leaves_a_long_way_to_the_tick(given: Any) -> None:
    chain(given, 20)
    assert rounds(given) == ROUNDS_IN_HANDLER


def test_a_tick_goes_no_further_back_than_a_link_may_be(given: Any) -> None:
    given.snapshot.tick = 7
    chain(given, LINKS * 2)
    rounds(given)
    assert len([prefix for prefix in given.snapshot.loaded if prefix.startswith("release/")]) == LINKS


def test_pushes_in_a_circle_are_read_once(given: Any) -> None:
    given.snapshot.tick = 7
    given.push(A, B)
    given.push(B, A)
    given.tip(B)
    rounds(given)
    assert len([prefix for prefix in given.snapshot.loaded if prefix.startswith("release/")]) == 2


def test_the_number_of_lists_does_not_grow_with_the_past(given: Any) -> None:
    given.tip(A)
    first = listed(given) | listed(given)
    given.snapshot.loaded.clear()
    given.snapshot.rounds = 0
    for number in range(1, 40):
        given.succeeded(number, f"{number:040x}")
        given.push(None, f"{number:040x}", ref=f"refs/tags/v{number}")
    assert listed(given) | listed(given) == first


def test_the_rollout_of_an_execution_that_is_older_than_the_newest_ones_and_of_no_foreign_one(given: Any) -> None:
    given.execution("e1", 3)
    given.execution("e2", 4, environment="elsewhere")
    listed(given)
    assert listed(given) == {names.rollout("shop", "staging", 3)}
    given.claim(3, A)
    assert asked(given) == set()
