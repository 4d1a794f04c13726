"""Which entry goes, and what the others wait for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from downwind.model.catalog import Freeze, ImageRule, Manifests, RepositoryAddress
from downwind.model.policy import ImagePath, Policy
from downwind.reconcile import names
from downwind.reconcile.due import neighbours, next_steps
from downwind.reconcile.steps import Announce, Append, Compare, RenderBundle, TriggerRollout

A, B, C = "a" * 40, "b" * 40, "c" * 40
MAIN = "refs/heads/main"
FRIDAY = Freeze(cron="0 10 * * *", lasts=4 * 3600, timezone="UTC")  # open at noon, which is now


def triggered(given: Any, **more: Any) -> list[tuple[str, int]]:
    return [(step.environment, step.n) for step in given.steps(**more) if isinstance(step, TriggerRollout)]


def test_an_entry_with_images_and_bundle_is_triggered(given: Any) -> None:
    given.ready(1, A)
    assert given.steps() == [
        TriggerRollout(
            environment="staging",
            n=1,
            attempt=0,
            epoch=1,
            commit=A,
            bundle="content-a",
            parts=("manifests",),
            namespace="shop-staging",
            pipeline=("shop", "deploy-staging"),
            search=False,
            by="push",
        )
    ]
    assert given.waits() == []


def test_without_its_bundle_it_is_rendered_first(given: Any) -> None:
    given.entry(1, A)
    given.completed(A)
    assert given.steps() == [
        RenderBundle(
            environment="staging",
            commit=A,
            manifests_commit=A,
            images={given.image: given.digest(A)},
            inputs=given.inputs(1),
        )
    ]


def test_manifests_of_another_repository_are_rendered_at_the_commit_that_the_entry_pins(given: Any) -> None:
    given.entry(1, A, manifests_commit=B)
    given.completed(A)
    (step,) = given.steps()
    assert (step.commit, step.manifests_commit) == (A, B)


def test_equal_inputs_are_one_bundle_and_any_difference_another(given: Any) -> None:
    given.entry(1, A)
    given.entry(2, A, ref="refs/tags/v1")
    first = given.inputs(1)
    assert given.inputs(2) == first, "the number is no input"
    found = {first, given.inputs(1, images={given.image: given.digest(B)})}
    given.entry(3, A, manifests_commit=B)
    given.entry(4, B)
    found |= {given.inputs(3), given.inputs(4, images={given.image: given.digest(A)})}
    given.change(manifests=Manifests(path="elsewhere"))
    found.add(given.inputs(1))
    given.change(manifests=Manifests(path="elsewhere", repository=RepositoryAddress(address="https://x/y"), ref=MAIN))
    found.add(given.inputs(1))
    given.change_environment("staging", namespace="other")
    found.add(given.inputs(1))
    given.change(policy=Policy(deny=("hostPath",)))
    found.add(given.inputs(1))
    given.change_environment("staging", policy=Policy(deny=("hostIPC",)))
    found.add(given.inputs(1))
    given.change(image_paths=(ImagePath(kind="*", path="spec.image"),))
    found.add(given.inputs(1))
    assert len(found) == 10


def test_manifests_that_cannot_be_rendered_block_their_own_inputs_only_and_an_older_entry_goes(given: Any) -> None:
    given.ready(1, A)
    given.entry(2, B)
    given.completed(B)
    name = names.release("shop", B) + "blocked.render-staging-x"
    given.fact(name, kind="blocked", inputs="of another environment", commit=B)
    assert [type(step) for step in given.steps()] == [RenderBundle]
    given.fact(name, kind="blocked", inputs=given.inputs(2), commit=B)
    assert triggered(given) == [("staging", 1)]


def test_the_newest_complete_entry_goes_and_the_older_are_superseded(given: Any) -> None:
    given.ready(1, A)
    given.ready(2, B)
    given.ready(3, C)
    assert triggered(given) == [("staging", 3)]


def test_an_older_entry_goes_while_the_newer_still_builds(given: Any) -> None:
    given.ready(1, A)
    given.entry(2, B)
    assert triggered(given) == [("staging", 1)]
    assert given.waits() == ["a build of this commit"]


def test_an_entry_below_one_that_was_claimed_never_goes(given: Any) -> None:
    given.ready(1, A)
    given.ready(2, B)
    given.claim(2, B)
    given.outcome(2, "failed")
    assert given.steps() == []


def test_a_newer_entry_starts_instead_of_the_older_that_a_dead_worker_left(given: Any) -> None:
    given.snapshot.tick = 7
    given.claim(1, A, ago=given.timing.lease + 1)
    assert triggered(given) == [("staging", 1)]
    given.ready(2, B)
    assert triggered(given) == [("staging", 2)]


def test_a_newer_entry_starts_instead_of_the_next_attempt_of_the_older(given: Any) -> None:
    given.claim(1, A)
    given.started(1, "e1")
    given.ended(1, "e1", status="TERMINAL", began=False)
    given.snapshot.searched.add(("staging", 1, 0))
    assert triggered(given) == [("staging", 1)]
    given.ready(2, B)
    assert triggered(given) == [("staging", 2)]


def test_an_entry_that_brings_no_release_is_passed_over(given: Any) -> None:
    """Written by a newer revision, which runs beside this one during an upgrade."""
    given.ready(1, A)
    given.entry(2, "", by="operator", verb="someday")
    assert triggered(given) == [("staging", 1)]


def test_nothing_below_a_rebase_is_started(given: Any) -> None:
    given.ready(1, A)
    given.entry(2, "", by="operator", verb="rebase", newest_rollback=2)
    assert given.steps() == []
    given.ready(3, B, newest_rollback=2)
    assert triggered(given) == [("staging", 3)]


def test_an_entry_that_has_an_outcome_never_goes(given: Any) -> None:
    given.ready(1, A)
    given.outcome(1, "failed")
    assert given.steps() == []


def test_environments_do_not_wait_for_each_other(given: Any) -> None:
    given.ready(1, A)
    given.ready(1, A, environment="production", by="promotion", promoted=9)
    assert triggered(given) == [("staging", 1), ("production", 1)]


# Freeze windows.


def test_a_freeze_window_stops_what_automation_appended_until_its_end(given: Any) -> None:
    given.change_environment("staging", freeze=(FRIDAY, Freeze(cron="0 11 * * *", lasts=7200)))
    given.ready(1, A)
    assert given.steps() == []
    (wait,) = given.due().waits
    assert (wait.what, wait.n) == ("the freeze window to end at 2026-11-24 14:00 UTC", 1)
    assert wait.until == datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
    assert triggered(given, now=wait.until) == [("staging", 1)]


def test_a_frozen_release_is_rendered_all_the_same(given: Any) -> None:
    given.change_environment("staging", freeze=(FRIDAY,))
    given.entry(1, A)
    given.completed(A)
    assert [type(step) for step in given.steps()] == [RenderBundle]


def test_an_order_passes_the_window(given: Any) -> None:
    given.change_environment("staging", freeze=(FRIDAY,))
    given.ready(1, A, by="request")
    assert triggered(given) == [("staging", 1)]


def test_an_order_passes_the_window_although_a_newer_push_is_stopped_by_it(given: Any) -> None:
    given.change_environment("staging", freeze=(FRIDAY,))
    given.ready(1, A)
    given.ready(2, B, by="request")
    given.ready(3, A)
    given.ready(4, C)
    assert triggered(given) == [("staging", 2)]
    assert len(given.waits()) == 1, "of what is stopped, the newest alone is waited for"


def test_a_window_that_is_shut_stops_nothing(given: Any) -> None:
    given.change_environment("staging", freeze=(Freeze(cron="0 0 1 1 *", lasts=60),))
    given.ready(1, A)
    assert triggered(given) == [("staging", 1)]


# Entries come first.


def test_entries_are_made_before_anything_is_triggered(given: Any) -> None:
    given.ready(1, A)
    given.push(A, B)
    given.tip(B)
    (step,) = given.steps()
    assert isinstance(step, Append)


def test_two_refs_that_feed_one_environment_give_one_entry_at_a_time(given: Any) -> None:
    given.push(None, A)
    given.tip(A)
    given.push(None, B, ref="refs/tags/v1")
    given.tip(B, ref="refs/tags/v1")
    (first,) = given.steps()
    given.fact(first.entry.name, **first.entry.body)
    (second,) = given.steps()
    assert [step.entry.body["n"] for step in (first, second)] == [1, 2]
    assert {step.entry.body["commit"] for step in (first, second)} == {A, B}


def test_a_question_about_paths_stands_beside_entries_of_other_environments(given: Any) -> None:
    given.change(paths=("services/**",))
    given.baseline(A)
    given.push(A, B)
    given.tip(B)
    given.succeeded(1, A)
    found = given.steps()
    assert [type(step) for step in found] == [Compare, Append]
    assert found[1].environment == "production"


@pytest.mark.parametrize("refs", [[MAIN], [MAIN, "refs/tags/v1"]], ids=["one ref", "two refs"])
def test_an_entry_that_could_not_be_made_in_this_call_stops_nothing_else(given: Any, refs: list[str]) -> None:
    given.ready(1, C)
    for ref in refs:
        given.push(C if ref == MAIN else None, B, ref=ref)
        given.tip(B, ref=ref)
    tried = given.due().steps
    assert [type(step) for step in tried] == [Append]
    again = next_steps(given.registered, given.snapshot, given.now, given.timing, tried)
    kinds = [type(step) for step in again.steps]
    assert TriggerRollout in kinds
    assert kinds.count(Append) == 1


# Announcements.


@pytest.mark.parametrize(
    ("kind", "name", "event"),
    [
        ("completed", f"{names.release('shop', A)}completed", "dev.downwind.release.completed.v1"),
        ("blocked", f"{names.release('shop', A)}blocked.build-b1", "dev.downwind.release.blocked.v1"),
        ("started", f"{names.rollout('shop', 'staging', 1)}started.0.e1", "dev.downwind.rollout.started.v1"),
        ("outcome", f"{names.rollout('shop', 'staging', 1)}outcome", "dev.downwind.rollout.ended.v1"),
    ],
)
def test_what_others_want_to_hear_is_announced_once(given: Any, kind: str, name: str, event: str) -> None:
    about = {"attempt": 0, "execution": "e1", "status": "failed", "commit": A, "reason": ""}
    fact = given.fact(name, announced=False, kind=kind, **about)
    assert given.steps() == [Announce(type=event, fact=fact)]
    given.fact(names.announced(name), kind="announced")
    assert given.steps() == []


def test_other_facts_are_not_announced(given: Any) -> None:
    given.entry(1, A)
    given.push(None, A)
    given.winner(B)
    assert not [step for step in given.steps() if isinstance(step, Announce)]


def test_a_fact_that_stands_is_not_recorded_again(given: Any) -> None:
    given.entry(1, A)
    given.winner(A)
    (name,) = given.recorded()
    given.completed(A)
    assert (name, given.recorded()) == (names.release("shop", A) + "completed", {})


def test_what_follows_is_recorded_before_any_effect(given: Any) -> None:
    given.entry(1, A)
    given.winner(A)
    assert [type(step).__name__ for step in given.steps()] == ["Record", "RenderBundle"]


def test_an_image_of_another_name_does_not_make_a_release_complete(given: Any) -> None:
    given.change(images=(ImageRule(name="registry.example/acme/other"),))
    given.entry(1, A)
    given.winner(A)
    assert not [step for step in given.steps() if isinstance(step, RenderBundle)]


def test_neighbours_are_the_other_environments_of_the_same_cluster_and_the_same_manifests(given: Any) -> None:
    assert neighbours(given.registered, given.environment()) == []
    given.change_environment("staging", cluster="eu")
    assert neighbours(given.registered, given.environment()) == []
    given.change_environment("production", cluster="eu")
    assert neighbours(given.registered, given.environment()) == [
        (given.environment("production"), {"manifests": "deploy/production"})
    ]
    elsewhere = RepositoryAddress(address="https://git.example/config")
    given.change_environment("production", manifests=Manifests(path="a", repository=elsewhere, ref=MAIN))
    assert neighbours(given.registered, given.environment()) == []
