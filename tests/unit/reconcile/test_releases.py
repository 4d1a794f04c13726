"""When a release is complete: every image has a digest, from one winner, by tag, by label or by order."""

from dataclasses import replace
from typing import Any

import pytest

from downwind.model.catalog import BuildRule, ImageRule
from downwind.reconcile import names
from downwind.reconcile.releases import build_prefix, start_refused
from downwind.reconcile.steps import RenderBundle, ResolveImage, StartBuild
from downwind.timing import CLOUD_TIMING

A, B = "a" * 40, "b" * 40
DAY = CLOUD_TIMING.wait
SIDE = "registry.example/acme/sidecar"
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def release(leaf: str, commit: str = A) -> str:
    return names.release("shop", commit) + leaf


def images(given: Any) -> dict[str, str] | None:
    """What would be rendered; None while the release is not complete."""
    found = [dict(step.images) for step in given.steps() if isinstance(step, RenderBundle)]
    return found[0] if found else None


def blocked(given: Any) -> dict[str, str]:
    """Reasons by leaf."""
    prefix = release("blocked.")
    return {
        name.removeprefix(prefix): body["reason"] for name, body in given.recorded().items() if name.startswith(prefix)
    }


@pytest.fixture
def entered(given: Any) -> Any:
    given.entry(1, A)
    return given


# Builds.


def test_the_images_of_the_winner_complete_the_release_and_it_is_recorded(entered: Any) -> None:
    entered.winner(A)
    wanted = {entered.image: entered.digest(A)}
    assert images(entered) == wanted
    body = entered.recorded()[release("completed")]
    assert body == {"kind": "completed", "application": "shop", "commit": A, "images": wanted}


def test_a_build_of_another_commit_completes_nothing(entered: Any) -> None:
    entered.winner(B)
    assert (images(entered), entered.waits()) == (None, ["a build of this commit"])


def test_digests_are_taken_from_the_winner_only(entered: Any) -> None:
    entered.build_event(A, "SUCCESS", build="b2", images={entered.image: TWO})
    entered.winner(A, {entered.image: ONE})
    assert images(entered) == {entered.image: ONE}


def test_a_complete_release_stays_as_it_is(entered: Any) -> None:
    entered.completed(A, {entered.image: ONE})
    entered.winner(A, {entered.image: TWO})
    assert images(entered) == {entered.image: ONE}


def test_builds_that_run_are_waited_for_by_name(entered: Any) -> None:
    entered.build_event(A, "WORKING", build="b2")
    entered.build_event(A, "FAILURE", build="b1")
    entered.build_event(A, "A_NEW_WORD", build="b3")
    assert (entered.waits(), blocked(entered)) == (["build b2, b3"], {})


@pytest.mark.parametrize("status", ["FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"])
def test_a_release_whose_only_build_failed_is_blocked_and_waits_for_nothing(entered: Any, status: str) -> None:
    entered.build_event(A, "WORKING")
    entered.build_event(A, status)
    assert blocked(entered) == {"build-b1": f"build b1 ended {status}"}
    assert entered.waits() == []


def test_every_failed_build_is_named(entered: Any) -> None:
    for build in ("b1", "b2"):
        entered.build_event(A, "FAILURE", build=build)
    assert set(blocked(entered)) == {"build-b1", "build-b2"}


def test_a_late_success_after_a_failure_counts(entered: Any) -> None:
    entered.build_event(A, "FAILURE")
    entered.fact(release("blocked.build-b1"), kind="blocked", commit=A)
    entered.winner(A)
    assert images(entered) == {entered.image: entered.digest(A)}


# Builds that we start.


@pytest.fixture
def starting(entered: Any) -> Any:
    entered.change(build=BuildRule(trigger=entered.application.build.trigger, start=True))
    return entered


def start(given: Any, epoch: int, *, search: bool) -> list[StartBuild]:
    prefix = build_prefix(given.registered, A)
    assert prefix is not None
    return [StartBuild(commit=A, prefix=prefix, trigger="t1", attempt=0, epoch=epoch, search=search)]


def test_a_build_is_started_where_the_catalog_says_so(starting: Any) -> None:
    assert starting.steps() == start(starting, 1, search=False)


def test_a_claimed_start_is_taken_over_by_the_tick_after_the_lease_which_looks_first(starting: Any) -> None:
    starting.build_claim(A, 1, ago=200)
    starting.build_claim(A, 2, ago=60)
    starting.snapshot.tick = 7
    assert (starting.steps(), starting.waits()) == ([], ["the build that was started"])
    starting.build_claim(A, 2, ago=61)
    assert starting.steps() == start(starting, 3, search=True)
    starting.snapshot.tick = None
    assert starting.steps() == []


def test_a_started_build_is_waited_for_and_not_started_again(starting: Any) -> None:
    starting.build_claim(A, 1, ago=200)
    starting.build_started(A)
    starting.snapshot.tick = 7
    assert (starting.steps(), starting.waits()) == ([], ["the build that was started"])


def test_a_build_that_came_by_itself_is_not_started_once_more(starting: Any) -> None:
    starting.build_event(A, "QUEUED")
    assert (starting.steps(), starting.waits()) == ([], ["build b1"])


def test_a_start_that_cloud_build_refused_is_not_tried_again(starting: Any) -> None:
    starting.build_claim(A, 1, ago=200)
    prefix = build_prefix(starting.registered, A)
    assert prefix is not None
    starting.fact(start_refused("shop", A, prefix), kind="blocked", commit=A)
    starting.snapshot.tick = 7
    assert starting.due().steps == starting.due().waits == ()
    starting.registered = replace(
        starting.registered, trigger_id="t2"
    )  # the trigger was made anew, and the catalog applied
    (again,) = starting.steps()
    assert (again.trigger, again.epoch) == ("t2", 1)
    assert again.inputs != replace(again, trigger="t1").inputs


def test_a_start_that_never_came_about_is_given_up_after_a_day(given: Any) -> None:
    given.change(build=BuildRule(trigger=given.application.build.trigger, start=True))
    given.entry(1, A, ago=DAY + 1)
    given.build_claim(A, 1, ago=DAY)
    given.snapshot.tick = 7
    assert blocked(given) == {"abandoned": "abandoned: waited a day for the build that was started"}
    assert given.waits() == []


# A day.


def test_a_release_without_a_build_is_abandoned_after_a_day(given: Any) -> None:
    given.entry(1, A, ago=DAY)
    assert (blocked(given), given.waits()) == ({}, ["a build of this commit"])
    given.entry(1, A, ago=DAY + 1)
    assert blocked(given) == {"abandoned": "abandoned: waited a day for a build of this commit"}
    assert given.waits() == []


def test_an_abandoned_release_goes_once_its_build_comes(given: Any) -> None:
    given.entry(1, A, ago=DAY + 1)
    given.fact(release("blocked.abandoned"), kind="blocked", commit=A)
    given.winner(A)
    assert images(given) == {given.image: given.digest(A)}


# Images that no build lists.


@pytest.fixture
def untold(entered: Any) -> Any:
    """The build lists one of two images."""
    entered.change(images=(ImageRule(name=entered.image), ImageRule(name=SIDE, tag="v-{short_commit}")))
    entered.winner(A, {entered.image: ONE})
    return entered


def test_the_registry_is_asked_for_the_tag_of_an_image_that_the_build_does_not_list(untold: Any) -> None:
    assert untold.steps() == [ResolveImage(commit=A, image=SIDE, tag="v-" + A[:7])]


def test_a_tag_that_the_registry_did_not_have_a_moment_ago_is_waited_for(untold: Any) -> None:
    untold.snapshot.missing_images.add((A, SIDE))
    assert (untold.steps(), untold.waits()) == ([], [f"image {SIDE}:v-{A[:7]}"])


def test_what_is_recorded_of_an_image_completes_the_release(untold: Any) -> None:
    untold.image_fact(A, TWO, SIDE)
    assert images(untold) == {untold.image: ONE, SIDE: TWO}


def test_what_the_winner_lists_comes_before_what_a_tag_says(untold: Any) -> None:
    untold.image_fact(A, TWO, untold.image)
    untold.image_fact(A, TWO, SIDE)
    assert images(untold) == {untold.image: ONE, SIDE: TWO}


def test_an_image_that_neither_build_nor_tag_can_name_blocks(untold: Any) -> None:
    untold.change(images=(ImageRule(name=untold.image), ImageRule(name=SIDE)))
    ((leaf, reason),) = blocked(untold).items()
    assert leaf.startswith("image-")
    assert reason == f"the build lists no digest for {SIDE}, and the catalog gives it no tag"
    assert untold.waits() == []


def test_a_complete_release_does_not_stop_at_an_image_that_the_catalog_got_since(entered: Any) -> None:
    entered.completed(A, {entered.image: ONE})
    entered.change(images=(ImageRule(name=entered.image), ImageRule(name=SIDE, tag="{commit}")))
    entered.image_fact(A, TWO, SIDE)
    assert images(entered) == {entered.image: ONE, SIDE: TWO}


# No builds at all.


def test_without_builds_the_registry_is_asked_for_each_tag(entered: Any) -> None:
    entered.change(build=None)
    assert entered.steps() == [ResolveImage(commit=A, image=entered.image, tag=A)]


def test_without_builds_and_tags_a_label_is_waited_for(entered: Any) -> None:
    entered.change(build=None, images=(ImageRule(name=entered.image),))
    assert entered.waits() == [f"image {entered.image} whose label names this commit"]
    entered.image_fact(A, ONE)
    assert images(entered) == {entered.image: ONE}


# Orders.


def order(given: Any, **more: Any) -> None:
    given.entry(1, A, by="request", **more)


def test_an_order_that_names_every_image_needs_no_build(given: Any) -> None:
    order(given, images={given.image: ONE, "not of the catalog": TWO})
    assert images(given) == {given.image: ONE}
    assert given.recorded() == {}, "an order's images are not the release's"


def test_an_order_that_names_one_image_takes_the_rest_from_the_winner(given: Any) -> None:
    given.change(images=(ImageRule(name=given.image), ImageRule(name=SIDE)))
    given.winner(A, {given.image: ONE, SIDE: ONE})
    order(given, images={SIDE: TWO})
    assert images(given) == {given.image: ONE, SIDE: TWO}
    assert given.recorded() == {}


def test_an_order_that_names_a_build_takes_its_images_once_it_has_succeeded(given: Any) -> None:
    given.winner(A, {given.image: ONE})
    given.build_event(A, "WORKING", build="b2")
    order(given, build="b2")
    assert (images(given), given.waits()) == (None, ["build b2 to succeed"])
    given.build_event(A, "SUCCESS", build="b2", images={given.image: TWO})
    assert images(given) == {given.image: TWO}
    assert given.recorded() == {}, "a spare build completes no release"


def test_an_order_that_names_a_build_waits_in_vain_where_the_catalog_has_no_builds_any_more(given: Any) -> None:
    given.change(build=None)
    order(given, build="b2")
    assert given.waits() == ["build b2 to succeed"]
