"""Facts as bytes, snapshots, and the log of an environment."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.errors import PermanentError
from downwind.reconcile import names
from downwind.reconcile.facts import Hints, Snapshot, decode_body, encode_body
from downwind.reconcile.log import new_entry, read_log
from downwind.reconcile.rollouts import read_rollouts

A, B = "a" * 40, "b" * 40
BODIES = st.dictionaries(
    st.text(max_size=8).filter(lambda key: key != "v"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)
    ),
    max_size=4,
)


@given(BODIES)
def test_a_body_is_read_as_it_was_written_with_its_version(body: dict[str, Any]) -> None:
    assert decode_body("name", encode_body(body)) == {"v": 1, **body}


def test_equal_bodies_give_equal_bytes() -> None:
    assert encode_body({"b": 1, "a": 2}) == encode_body({"a": 2, "b": 1}) == b'{"a":2,"b":1,"v":1}'


def test_every_version_is_accepted_since_two_revisions_run_side_by_side() -> None:
    assert decode_body("name", '{"v":0}') == {"v": 0}
    assert decode_body("name", b'{"v":2,"new":true}') == {"v": 2, "new": True}


@pytest.mark.parametrize("data", [b"", b"x", b"\xff", b"[]", b"{}", b'{"v":"1"}', b"1"])
def test_what_no_revision_wrote_is_an_error_that_names_the_object(data: bytes) -> None:
    with pytest.raises(PermanentError, match="ledger object log/1 is not"):
        decode_body("log/1", data)


def test_hints_add_up() -> None:
    first = Hints(refs=frozenset("a"), commits=frozenset("b"), requests=frozenset({("staging", "1")}))
    second = Hints(refs=frozenset("x"), commits=frozenset("b"))
    assert first | second == Hints(refs=frozenset("ax"), commits=frozenset("b"), requests=frozenset({("staging", "1")}))
    assert first | Hints() == first


def test_a_prefix_shows_its_facts_in_order_and_no_others(given: Any) -> None:
    for name in ("environment/a/log/2", "environment/a/log/1", "environment/a/logs/1", "environment/ab/log/1", "lo"):
        given.fact(name)
    given.fact("environment/a/log/1", by="another")
    found = given.snapshot.under("environment/a/log/")
    assert [fact.name for fact in found] == ["environment/a/log/1", "environment/a/log/2"]
    assert found[0].body["by"] == "another"
    assert given.snapshot.under("release/a/") == []


def test_what_was_made_of_facts_is_kept_until_one_of_them_changes(given: Any) -> None:
    made = []
    for name in (None, "environment/b/log/1", "environment/a/log/1"):
        if name is not None:
            given.fact(name)
        given.snapshot.remember("log", "environment/a/log/", lambda: made.append(1))
    assert len(made) == 2


def test_another_workers_fact_makes_the_lists_around_it_and_below_it_read_again() -> None:
    snapshot = Snapshot(loaded={"release/1/": False, "release/1/bundle/": True, "release/2/": False})
    snapshot.forget("release/1/bundle/staging")
    assert set(snapshot.loaded) == {"release/2/"}
    snapshot.forget("release/")
    assert snapshot.loaded == {}


def test_the_log_is_read_newest_first_with_all_its_words(given: Any) -> None:
    given.entry(9, A, via=[B], generation=7, promoted=None)
    more = {"upstream": "staging", "upstream_sequence": 9, "promoted": 9, "manifests_commit": B}
    given.entry(10, A, by="request", request="r1", build="b1", images={"i": "d"}, who="ann", why="fix", **more)
    newest, older = read_log(given.application, given.environment(), given.snapshot)
    assert (newest.n, newest.by, newest.request, newest.build, newest.images) == (10, "request", "r1", "b1", {"i": "d"})
    assert (newest.who, newest.why, newest.upstream, newest.upstream_sequence) == ("ann", "fix", "staging", 9)
    assert (newest.promoted, newest.manifests_commit, newest.ref, newest.via) == (9, B, None, ())
    assert (older.n, older.ref, older.object, older.via, older.promoted) == (9, "refs/heads/main", A, (B,), 0)
    assert (older.generation, older.images) == (7, None)
    assert older.created < given.now


def test_a_new_entry_is_the_next_number_and_carries_what_was_promoted_forward(given: Any) -> None:
    first = new_entry(given.application, given.environment(), (), {"by": "push", "commit": A})
    assert first.name == names.entry("shop", "staging", 1)
    assert (first.body["n"], first.body["promoted"], first.body["hold"]) == (1, 0, None)
    given.entry(41, A, promoted=17)
    log = read_log(given.application, given.environment(), given.snapshot)
    second = new_entry(given.application, given.environment(), log, {"by": "request", "commit": B})
    assert (second.body["n"], second.body["promoted"], second.body["newest_release"]) == (42, 17, 42)
    third = new_entry(given.application, given.environment(), log, {"by": "promotion", "commit": B, "promoted": 18})
    assert third.body["promoted"] == 18


def test_rollouts_are_read_by_number_each_with_its_claims_runs_cancels_and_outcome(given: Any) -> None:
    given.claim(3, A, attempt=0, epoch=1, ago=90)
    given.claim(3, A, attempt=1, epoch=1, ago=60)
    given.claim(3, A, attempt=1, epoch=2, ago=30)
    given.started(3, "e1", attempt=0)
    given.started(3, "e2", attempt=1)
    given.ended(3, "e1", attempt=0, status="CANCELED")
    given.rollout(3, "cancel.1", kind="cancel", attempt=1, execution="e2", reason="superseded by 4")
    given.claim(4, B)
    given.outcome(4, "succeeded")
    found = read_rollouts(given.application, given.environment(), given.snapshot)
    assert sorted(found) == [3, 4]
    three = found[3]
    assert (three.attempt, three.claim.body["epoch"], three.first_claim.body["epoch"]) == (1, 2, 1)
    assert [(run.execution, run.end is not None) for run in three.runs] == [("e1", True), ("e2", False)]
    assert [run.execution for run in three.runs_of(1)] == ["e2"]
    assert ({key: body["reason"] for key, body in three.cancels.items()}, three.outcome) == (
        {1: "superseded by 4"},
        None,
    )
    assert found[4].outcome is not None


def test_the_oldest_rollout_of_a_list_that_was_cut_may_be_half_and_is_left_out(given: Any) -> None:
    given.claim(3, A)
    given.claim(4, B)
    prefix = names.rollouts("shop", "staging")
    given.snapshot.loaded[prefix] = True
    assert sorted(read_rollouts(given.application, given.environment(), given.snapshot)) == [4]
    given.snapshot.loaded[prefix] = False
    assert sorted(read_rollouts(given.application, given.environment(), given.snapshot)) == [3, 4]


@pytest.mark.parametrize(("whole", "left"), [(4, [4]), (3, [3, 4])])
def test_it_is_left_out_too_where_another_was_listed_on_its_own_but_the_newest_never_is(
    given: Any, whole: int, left: list[int]
) -> None:
    given.claim(3, A)
    given.claim(4, B)
    prefix = names.rollouts("shop", "staging")
    given.snapshot.loaded |= {prefix: True, f"{prefix}{names.down(whole)}/": False}
    assert sorted(read_rollouts(given.application, given.environment(), given.snapshot)) == left
