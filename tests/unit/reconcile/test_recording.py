"""What each event writes down for one application, and what it makes worth a look."""

from typing import Any

import pytest

from downwind.errors import Refused
from downwind.model.catalog import ImageRule
from downwind.model.event import Build, Image, ImageReference, Push, Request
from downwind.reconcile import names
from downwind.reconcile.facts import Hints
from downwind.reconcile.recording import Recording, record_build, record_image, record_push, record_request
from downwind.reconcile.releases import build_prefix

A, B = "a" * 40, "b" * 40
MAIN = "refs/heads/main"
DIGEST = "sha256:" + "1" * 64


def bodies(recording: Recording) -> dict[str, Any]:
    return {fact.name: fact.body for fact in recording.facts}


def push(before: str | None, after: str | None, ref: str = MAIN, repository: str = "projects/p/repos/r") -> Push:
    return Push(repository=repository, ref=ref, before=before, after=after)


def test_a_push_is_one_fact_whoever_says_it(given: Any) -> None:
    said = [
        record_push(push(A, B, repository=name), given.registered) for name in ("projects/p/repos/r", "https://x/y")
    ]
    assert said[0] == said[1]
    ((name, body),) = bodies(said[0]).items()
    assert name == names.push("shop", MAIN, A, B)
    assert (body["kind"], body["repository"], body["before"], body["after"]) == ("push", "github.com/acme/shop", A, B)
    assert said[0].hints == Hints(refs=frozenset({MAIN}), commits=frozenset({B}))


def test_a_deletion_is_a_fact_of_its_ref_and_of_no_commit(given: Any) -> None:
    found = record_push(push(A, None), given.registered)
    assert [fact.name for fact in found.facts] == [names.push("shop", MAIN, A, None)]
    assert found.hints == Hints(refs=frozenset({MAIN}))


def test_a_push_to_a_ref_that_feeds_nothing_is_ignored_with_the_reason(given: Any) -> None:
    found = record_push(push(A, B, ref="refs/heads/wip"), given.registered)
    assert found == Recording(ignored="no environment of shop is fed by refs/heads/wip")


def build(status: str, commit: str | None = A, ref: str | None = MAIN, **more: Any) -> Build:
    return Build(build="b1", status=status, project="acme", location="europe-west1", commit=commit, ref=ref, **more)


def listed(given: Any) -> tuple[ImageReference, ...]:
    return (ImageReference(name=given.image, digest=DIGEST), ImageReference(name="other", tag="latest"))


def test_a_status_of_a_build_is_a_fact_and_a_pointer_from_the_build(given: Any) -> None:
    found = record_build(build("A NEW/WORD", log_url="https://log"), given.registered)
    prefix = build_prefix(given.registered, A)
    status, pointer = found.facts
    assert status.name == f"{prefix}event/b1/A%20NEW%2FWORD"
    assert status.body == {
        "kind": "build-event",
        "build": "b1",
        "status": "A NEW/WORD",
        "commit": A,
        "ref": MAIN,
        "log": "https://log",
        "images": [],
    }
    assert pointer.name == names.build_pointer("b1") + f"shop/{A}"
    assert found.hints == Hints(refs=frozenset({MAIN}), commits=frozenset({A}))


def test_a_success_names_the_winner_and_points_from_each_digest(given: Any) -> None:
    found = bodies(record_build(build("SUCCESS", images=listed(given)), given.registered))
    winner = found[f"{build_prefix(given.registered, A)}winner"]
    assert (winner["kind"], winner["build"]) == ("winner", "b1")
    assert winner["images"] == [{"name": given.image, "digest": DIGEST}], "a tag without a digest pins nothing"
    assert f"{names.image(DIGEST)}release/shop/{A}" in found


@pytest.mark.parametrize("status", ["QUEUED", "FAILURE", "success"])
def test_only_the_word_success_makes_a_winner(given: Any, status: str) -> None:
    found = record_build(build(status, images=listed(given)), given.registered)
    assert not [fact for fact in found.facts if fact.body["kind"] == "winner"]


@pytest.mark.parametrize("ref", [None, "refs/heads/wip"])
def test_a_build_of_a_ref_that_feeds_nothing_asks_for_no_tip(given: Any, ref: str | None) -> None:
    assert record_build(build("SUCCESS", ref=ref), given.registered).hints == Hints(commits=frozenset({A}))


def test_a_build_without_a_commit_and_one_that_the_catalog_does_not_take_are_ignored(given: Any) -> None:
    found = record_build(build("SUCCESS", commit=None), given.registered)
    assert found == Recording(ignored="the build names no commit: nothing can be joined to it")
    given.change(build=None)
    found = record_build(build("SUCCESS"), given.registered)
    assert found == Recording(ignored="shop takes its images by tag, not from builds")


def test_builds_are_told_apart_by_repository_commit_and_trigger(given: Any) -> None:
    first = build_prefix(given.registered, A)
    given.registered = type(given.registered)(application=given.application, generation=8, trigger_id="t2")
    assert build_prefix(given.registered, A) != first
    assert build_prefix(given.registered, B) != build_prefix(given.registered, A)


def image(given: Any, action: str = "INSERT", digest: str | None = DIGEST, tag: str | None = None) -> Image:
    return Image(action=action, image=ImageReference(name=given.image, digest=digest, tag=tag))


def seen(given: Any) -> dict[str, Any]:
    return {f"{names.image(DIGEST)}seen": {"kind": "seen", "name": given.image, "digest": DIGEST}}


def test_a_deleted_image_undeploys_nothing(given: Any) -> None:
    found = record_image(image(given, "DELETE"), given.registered, (("shop", A),), None)
    assert found == Recording(ignored="DELETE of an image: nothing is deployed or undeployed by it")


def test_an_image_without_a_digest_pins_nothing(given: Any) -> None:
    found = record_image(image(given, digest=None, tag="v1"), given.registered, (), None)
    assert found == Recording(ignored="the message names no digest, and the registry has none for the tag")


def test_an_image_that_a_build_named_already_is_worth_a_look_at_that_commit_of_that_application(given: Any) -> None:
    found = record_image(image(given), given.registered, (("other", B), ("shop", A)), None)
    assert bodies(found) == seen(given)
    assert (found.hints, found.ignored) == (Hints(commits=frozenset({A})), None)


def test_an_image_that_no_build_named_yet_is_kept_and_says_what_is_missing(given: Any) -> None:
    found = record_image(image(given, tag=A), given.registered, (("other", B),), None)
    assert bodies(found) == seen(given)
    assert found.ignored == "no commit known for this image yet: its build names it when it ends"


def test_without_builds_the_tag_names_the_commit(given: Any) -> None:
    given.change(build=None)
    found = record_image(image(given, tag=A), given.registered, (("shop", B),), None)
    release = names.release("shop", A) + "image/" + names.encode(given.image)
    fact = {"kind": "image", "application": "shop", "commit": A, "name": given.image, "digest": DIGEST, "by": "tag"}
    assert bodies(found)[release] == fact
    assert f"{names.image(DIGEST)}release/shop/{A}" in bodies(found)
    assert (found.hints, found.ignored) == (Hints(commits=frozenset({A, B})), None)


def test_without_builds_and_a_telling_tag_the_label_names_the_commit(given: Any) -> None:
    given.change(build=None)
    found = record_image(image(given, tag="latest"), given.registered, (), A)
    assert [fact.body["by"] for fact in found.facts if fact.body["kind"] == "image"] == ["label"]


def test_a_tag_says_more_than_the_label(given: Any) -> None:
    given.change(build=None)
    found = record_image(image(given, tag=A), given.registered, (), B)
    (fact,) = [fact for fact in found.facts if fact.body["kind"] == "image"]
    assert (fact.body["commit"], fact.body["by"]) == (A, "tag")


@pytest.mark.parametrize("template", ["{commit}", None])
def test_without_any_word_on_the_commit_an_image_is_ignored(given: Any, template: str | None) -> None:
    given.change(build=None, images=(ImageRule(name=given.image, tag=template),))
    found = record_image(image(given, tag="latest"), given.registered, (), None)
    assert (bodies(found), found.ignored) == (seen(given), "no commit known for this image")


def test_seven_digits_name_no_commit_but_let_a_waiting_release_ask_for_its_own_tag(given: Any) -> None:
    given.change(build=None, images=(ImageRule(name=given.image, tag="v-{short_commit}"),))
    found = record_image(image(given, tag="v-" + A[:7]), given.registered, (), None)
    assert (bodies(found), found.ignored, found.hints) == (seen(given), None, Hints())


def order(**more: Any) -> Request:
    wanted: dict[str, Any] = {"verb": "deploy", "environment": "production", "commit": A, **more}
    return Request(id="7c1f", application="shop", **wanted)


def test_an_order_is_written_down_whole_under_its_id(given: Any) -> None:
    more: dict[str, Any] = {"build": "b1", "images": {given.image: DIGEST}, "who": "ann", "why": "fix"}
    found = record_request(order(**more), given.registered)
    ((name, body),) = bodies(found).items()
    assert name == names.request("shop", "production", "7c1f") + "order"
    about = {"application": "shop", "environment": "production", "commit": A, **more}
    about["by"] = "request"
    assert body == {"kind": "order", "id": "7c1f", "verb": "deploy", **about}
    assert found.hints.commits == {A}
    assert found.hints.requests == {("production", "7c1f")}


def test_an_order_to_promote_may_leave_the_commit_to_us(given: Any) -> None:
    assert record_request(order(verb="promote", commit=None), given.registered).hints.commits == frozenset()


@pytest.mark.parametrize(
    ("request_", "field", "reason", "fix"),
    [
        (order(environment="test"), "environment", "shop has no environment 'test'", "use one of: staging, production"),
        (order(build="b1"), "build", "shop has no builds", "name images by digest instead"),
        (
            order(verb="promote", environment="staging"),
            "verb",
            "staging is fed by refs: nothing is promoted into it",
            "use deploy",
        ),
        (order(images={"x": DIGEST}), "images", "x is not an image of shop", "use the catalog's names"),
    ],
)
def test_what_cannot_be_ordered_is_refused_with_the_field_and_the_fix(
    given: Any, request_: Request, field: str, reason: str, fix: str
) -> None:
    given.change(build=None)
    with pytest.raises(Refused) as caught:
        record_request(request_, given.registered)
    assert (caught.value.field, caught.value.reason, caught.value.fix) == (field, reason, fix)


def test_an_environment_takes_orders_from_the_topic_only_where_the_catalog_says_so(given: Any) -> None:
    given.change_environment("production", requests="operators")
    with pytest.raises(Refused, match="shop/production takes no orders from the topic") as caught:
        record_request(order(), given.registered)
    assert caught.value.fix == "set requests: topic in the catalog"
