"""Pushes: Cloud Source Repositories and GitHub on one topic, told apart by attribute `source`."""

from collections.abc import Callable
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.events.repo_push import parse
from downwind.model.event import Ignored, Message, Push

ONE, TWO, ZERO = "1" * 40, "2" * 40, "0" * 40
GITHUB = {"source": "github", "event": "push", "delivery": "d"}
Make = Callable[..., Message]


def csr(updates: Any, **more: Any) -> dict[str, Any]:
    return {"name": "projects/p/repos/r", "refUpdateEvent": {"refUpdates": updates}, **more}


def github(**more: Any) -> dict[str, Any]:
    repository = {"clone_url": "https://h/acme/shop.git"}
    return {"ref": "refs/heads/main", "before": ONE, "after": TWO, "repository": repository, **more}


def one(found: Any) -> Push:
    (push,) = found
    assert isinstance(push, Push)
    return push


@pytest.mark.parametrize(
    ("update", "before", "after", "forced"),
    [
        ({"updateType": "CREATE", "newId": TWO}, None, TWO, False),
        ({"updateType": "CREATE", "oldId": ZERO, "newId": TWO}, None, TWO, False),
        ({"updateType": "UPDATE_FAST_FORWARD", "oldId": ONE, "newId": TWO}, ONE, TWO, False),
        ({"updateType": "UPDATE_NON_FAST_FORWARD", "oldId": ONE, "newId": TWO}, ONE, TWO, True),
        ({"updateType": "DELETE", "oldId": ONE}, ONE, None, False),
        ({"updateType": "DELETE", "oldId": ONE, "newId": ZERO}, ONE, None, False),
        ({"oldId": ONE, "newId": TWO}, ONE, TWO, False),
        ({"oldId": ONE}, ONE, None, False),
        ({"updateType": "OF_THE_FUTURE", "oldId": ONE, "newId": TWO}, ONE, TWO, False),
        ({"updateType": "UPDATE_FAST_FORWARD", "oldId": "1" * 64, "newId": "2" * 64}, "1" * 64, "2" * 64, False),
    ],
)
def test_an_update_of_source_repositories_says_from_where_to_where(
    message: Make, update: dict[str, str], before: str | None, after: str | None, forced: bool
) -> None:
    push = one(parse(message(csr({"refs/heads/main": update}))))
    assert (push.before, push.after, push.forced, push.deleted) == (before, after, forced, after is None)


@pytest.mark.parametrize(
    "update",
    [{}, {"updateType": "DELETE"}, {"updateType": "CREATE"}, {"updateType": "UPDATE_FAST_FORWARD", "oldId": ONE}],
)
def test_an_update_to_nowhere_is_refused(message: Make, update: dict[str, str]) -> None:
    with pytest.raises(Refused, match="newId is"):
        parse(message(csr({"refs/heads/main": update})))


def test_the_url_is_another_name_of_the_repository(message: Make) -> None:
    update = {"refs/heads/main": {"newId": TWO}}
    assert one(parse(message(csr(update, url="https://h/r")))).also == ("https://h/r",)
    assert one(parse(message(csr(update)))).also == ()


@pytest.mark.parametrize(
    "ref",
    ["refs/heads/a..b", "refs/heads/a b", "refs/heads/-/.x", "refs/heads/x.lock", "refs/heads/", "refs/heads/a//b",
     "refs/heads/a\x00", "refs/heads/a@{b", "refs/tags/v1.", "refs/tags/" + "ü" * 130, "refs/heads/a\\b", "refs/heads/*"],
)  # fmt: skip
def test_a_name_that_git_does_not_allow_is_refused_without_showing_it(message: Make, ref: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(message(csr({ref: {"newId": TWO}})))
    assert ref not in caught.value.reason


@pytest.mark.parametrize(
    "ref", ["refs/heads/ä/日本", "refs/tags/v1.2.0-rc.1", "refs/heads/a@b", "refs/heads/" + "x" * 244]
)
def test_a_name_that_git_allows_is_kept_as_it_is(message: Make, ref: str) -> None:
    assert one(parse(message(csr({ref: {"newId": TWO}})))).ref == ref


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"name": "projects/p/repos/"},
        {"name": "https://h/r"},
        {"name": "projects/p/repos/r"},
        csr([]),
        csr({"refs/heads/main": "x"}),
        csr({"refs/heads/main": {"newId": "short"}}),
        csr({"refs/heads/main": {"newId": TWO, "refName": "refs/heads/other"}}),
        csr({"refs/heads/main": {"newId": TWO, "updateType": 1}}),
        csr({"": {"newId": TWO}}),
        csr({"refs/heads/main": {"newId": TWO}}, url=7),
        {"name": "projects/p/repos/r", "refUpdateEvent": 7},
        github(),
    ],
)
def test_what_is_no_notification_is_refused(message: Make, body: Any) -> None:
    with pytest.raises(Refused):
        parse(message(body))


def test_a_push_without_refs_is_ignored(message: Make) -> None:
    assert isinstance(parse(message(csr(None))), Ignored)


def test_an_unknown_sender_is_refused(message: Make) -> None:
    with pytest.raises(Refused, match="no sender"):
        parse(message(github(), {"source": "elsewhere"}))


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ("ping", "hello"),
        ("create", "created"),
        ("delete", "deleted"),
        ("pull_request", "pull_request"),
        ("new.thing", "new.thing"),
    ],
)
def test_github_events_other_than_push_are_ignored_with_their_reason(message: Make, event: str, word: str) -> None:
    found = parse(message(b"not read", GITHUB | {"event": event}))
    assert isinstance(found, Ignored)
    assert word in found.reason


@pytest.mark.parametrize("event", ["", "pu\nsh", "x" * 200])
def test_a_github_message_must_name_its_event(message: Make, event: str) -> None:
    with pytest.raises(Refused):
        parse(message(github(), GITHUB | {"event": event}))


def test_zeros_are_no_commit(message: Make) -> None:
    assert one(parse(message(github(before=ZERO, created=True), GITHUB))).before is None
    assert one(parse(message(github(after=ZERO, deleted=True), GITHUB))).deleted


FULL = {"clone_url": "https://h/a/b.git", "full_name": "a/b", "ssh_url": "git@h:a/b.git"}


@pytest.mark.parametrize(
    ("repository", "name", "also"),
    [(FULL, "https://h/a/b.git", ("a/b", "git@h:a/b.git")), ({"full_name": "a/b"}, "a/b", ())],
)
def test_the_clone_url_names_the_repository(
    message: Make, repository: dict[str, str], name: str, also: tuple[str, ...]
) -> None:
    push = one(parse(message(github(repository=repository), GITHUB)))
    assert (push.repository, push.also) == (name, also)


@pytest.mark.parametrize(
    "body",
    [
        [],
        github(ref=None),
        github(ref=7),
        github(ref="refs/heads/../x"),
        github(before=None),
        github(after=None),
        github(after="main"),
        github(before=ZERO, after=ZERO),
        github(created=True),
        github(deleted=True),
        github(forced="yes"),
        github(deleted=0),
        github(repository=None),
        github(repository=[]),
        github(repository={"clone_url": 7}),
        github(repository={"clone_url": "https://h/" + "x" * 2048}),
    ],
)
def test_what_is_no_github_push_is_refused(message: Make, body: Any) -> None:
    with pytest.raises(Refused):
        parse(message(body, GITHUB))
