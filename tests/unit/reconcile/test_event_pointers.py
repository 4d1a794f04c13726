"""The way back from a commit or a digest to the events that named it, and from an object's name to its release."""

import pytest

from downwind.model.event import Build, Event, Execution, Image, ImageReference, Push, Request
from downwind.reconcile import names
from downwind.reconcile.recording import pointers

A, B = "a" * 40, "b" * 40
DIGEST = "sha256:" + "d" * 64
EVENT = names.event("repo-pushes", "m1")
SHA = EVENT.split("/")[1]


@pytest.mark.parametrize(
    ("event", "place"),
    [
        (Push(repository="r", ref="refs/heads/main", before=A, after=B), f"pointer/commit/{B}/"),
        (Push(repository="r", ref="refs/heads/main", before=A, after=None), None),
        (Build(build="b1", status="SUCCESS", project="p", location="global", commit=A), f"pointer/commit/{A}/"),
        (Build(build="b1", status="SUCCESS", project="p", location="global"), None),
        (Request(id="r1", verb="deploy", application="a", environment="e", commit=A), f"pointer/commit/{A}/"),
        (Request(id="r1", verb="promote", application="a", environment="e"), None),
        (Image(action="INSERT", image=ImageReference(name="gcr.io/a", digest=DIGEST)), f"image/{DIGEST}/event/"),
        (Image(action="INSERT", image=ImageReference(name="gcr.io/a", tag="v1")), None),
        (Execution(execution="01ABC"), None),
    ],
)
def test_an_event_is_pointed_to_from_what_it_names(event: Event, place: str | None) -> None:
    assert [fact.name for fact in pointers(EVENT, [event])] == ([f"{place}{SHA}"] if place else [])


def test_two_refs_at_one_commit_make_one_pointer() -> None:
    refs = [Push(repository="r", ref=f"refs/heads/{name}", before=None, after=A) for name in ("main", "next")]
    assert len(pointers(EVENT, refs)) == 1


@pytest.mark.parametrize(
    ("name", "release"),
    [
        (names.push("shop", "refs/heads/main", A, B), ("shop", B)),
        (names.push("shop", "refs/heads/main", A, None), None),
        (f"{names.image(DIGEST)}release/shop/{A}", ("shop", A)),
        (f"{names.build_pointer('b1')}shop/{A}", ("shop", A)),
        (names.entry("shop", "staging", 1), None),
        (f"{names.image(DIGEST)}seen", None),
    ],
)
def test_a_name_tells_its_release(name: str, release: tuple[str, str] | None) -> None:
    assert names.release_in(name) == release
