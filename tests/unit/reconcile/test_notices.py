"""Who is told what: the pure part, state by state and claim by claim."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from downwind.model.channels import Channel, CommitStatus, Mail, Slack, Target, Teams
from downwind.reconcile import names
from downwind.reconcile.facts import Hints
from downwind.reconcile.messages import compose
from downwind.reconcile.notices import ATTEMPTS, LONGEST, pause
from downwind.reconcile.steps import Notify
from downwind.timing import CLOUD_TIMING

A, B = "a" * 40, "b" * 40
SLACK = Slack(channel="C0123456789")
STATUS = CommitStatus(host="github", repository="https://github.com/acme/shop")
MAIL = Mail(server="smtp.acme.example:587", sender="a@acme.example", recipients=("b@acme.example",))


@pytest.fixture
def told(given: Any) -> Any:
    """One channel, and how facts about it are put there."""

    def channel(target: Target = SLACK, **more: Any) -> None:
        given.change(notify=(Channel(name="ops", target=target, **more),))

    def fact(n: int, leaf: str, kind: str, *, ago: float = 0, **body: Any) -> None:
        phase = leaf.split(".")[0]
        about = {"n": n, "channel": "ops", "phase": phase, "environment": "staging", "state": "started", **body}
        given.fact(names.notices_of("shop", "staging", n) + f"ops/{leaf}", ago=ago, kind=kind, **about)

    given.channel, given.notice = channel, fact
    # Without production, so that no end is promoted: an entry would come first and alone.
    given.change(environments=given.application.environments[:1])
    channel()
    given.entry(1, A, who="ann", why="a fix")
    given.claim(1, A)
    given.started(1, "e1")
    given.execution("e1", 1)
    return given


def due(given: Any) -> list[tuple[int, str, str, int]]:
    return [(step.n, step.phase, step.state, step.epoch) for step in given.steps() if isinstance(step, Notify)]


def only(given: Any) -> Notify:
    (step,) = [step for step in given.steps() if isinstance(step, Notify)]
    return step


def dropped(given: Any) -> list[str]:
    return [body["reason"] for body in given.recorded().values() if body["kind"] == "notice-dropped"]


def ends(given: Any, status: str = "succeeded") -> None:
    given.rollout(1, "outcome", kind="outcome", status=status, reason="why", attempt=0, execution="e1")


def test_a_start_is_due_then_the_end_in_its_place(told: Any) -> None:
    assert due(told) == [(1, "started", "started", 1)]
    told.notice(1, "started.claim.1", "notice-claim", epoch=1)
    told.notice(1, "started.sent", "notice-sent", epoch=1, receipt="17.1")
    assert due(told) == []
    ends(told)
    assert due(told) == [(1, "ended", "succeeded", 1)]
    assert (only(told).receipt, only(told).look, only(told).since) == ("17.1", False, None)


def test_a_retry_is_told_in_the_same_message_once_it_has_started(told: Any) -> None:
    ends(told, "failed")
    told.notice(1, "ended.claim.1", "notice-claim", epoch=1)
    told.notice(1, "ended.sent", "notice-sent", epoch=1, receipt="17.1")
    told.rollout(1, "retry-order.x", kind="retry-order", entry=2, attempt=1)
    assert due(told) == []
    told.claim(1, A, attempt=1)
    told.started(1, "e2", attempt=1)
    assert (due(told), only(told).receipt) == ([(1, "started-1", "started", 1)], "17.1")
    assert (only(told).fields["attempt"], only(told).fields["execution"]) == ("1", "e2")
    about = {"status": "succeeded", "reason": "", "attempt": 1, "execution": "e2"}
    told.rollout(1, "outcome.1", kind="outcome", **about)
    assert due(told) == [(1, "ended-1", "succeeded", 1)]


def test_a_claim_without_a_run_is_no_news(given: Any, told: Any) -> None:
    told.claim(2, B)
    told.entry(2, B)
    assert due(told) == [(1, "started", "started", 1)]


def test_a_claim_under_way_is_waited_for_by_everybody_and_by_no_rollout(told: Any) -> None:
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=60)
    told.snapshot.tick = 7
    assert due(told) == []
    (wait,) = [each for each in told.due().waits if "ops" in each.what]
    assert (wait.what, wait.environment, wait.n) == ("ops to be told of staging 1 (attempt 2)", None, None)
    ends(told)
    assert due(told) == [], "the end would overtake the start"
    assert "ops to be told of staging 1" in told.waits()


def test_only_the_tick_takes_over_and_looks_first(told: Any) -> None:
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=61)
    assert due(told) == []
    told.snapshot.tick = 7
    step = only(told)
    assert (step.epoch, step.look, step.since) == (2, True, told.now - timedelta(seconds=61))


def test_an_end_after_an_unanswered_start_looks_first_in_a_handler_too(told: Any) -> None:
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=61)
    ends(told)
    assert (only(told).phase, only(told).epoch, only(told).look) == ("ended", 1, True)


def test_what_surely_did_not_arrive_needs_no_look_but_time(told: Any) -> None:
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=60)
    told.notice(1, "started.failed.1", "notice-failed", epoch=1, reason="503", ago=59)
    told.snapshot.tick = 7
    assert due(told) == []
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=61)
    assert (only(told).epoch, only(told).look) == (2, False)


def test_pauses_double_up_to_an_hour() -> None:
    assert [pause(epoch, CLOUD_TIMING) for epoch in (1, 2, 3, 6, 7, 10)] == [60, 120, 240, 1920, LONGEST, LONGEST]


@pytest.mark.parametrize("reason", ["503", None])
def test_after_ten_attempts_it_is_dropped_with_the_last_reason(told: Any, reason: str | None) -> None:
    for epoch in range(1, ATTEMPTS + 1):
        told.notice(1, f"started.claim.{epoch}", "notice-claim", epoch=epoch, ago=5000)
        if reason:
            told.notice(1, f"started.failed.{epoch}", "notice-failed", epoch=epoch, reason=f"{reason} {epoch}")
    told.snapshot.tick = 7
    assert due(told) == []
    last = f"the last because {reason} {ATTEMPTS}" if reason else "none was answered"
    assert dropped(told) == [f"{ATTEMPTS} attempts failed; {last}"]
    told.notice(1, "started.dropped", "notice-dropped", reason="given up")
    assert (due(told), dropped(told), [each for each in told.waits() if "ops" in each]) == ([], [], [])


def test_a_refusal_answers_its_claim_and_the_end_is_another_delivery(told: Any) -> None:
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=1)
    told.notice(1, "started.dropped", "notice-dropped", epoch=1, reason="no such channel")
    ends(told)
    assert (only(told).phase, only(told).look) == ("ended", False)


@pytest.mark.parametrize(("status", "again"), [("succeeded", False), ("superseded", False), ("failed", True)])
def test_a_receiver_that_cannot_be_asked_hears_a_failure_again_and_nothing_else(
    told: Any, status: str, again: bool
) -> None:
    told.channel(Teams())
    assert due(told) == [], "it could not change the start"
    ends(told, status)
    assert due(told) == [(1, "ended", status, 1)]
    told.notice(1, "ended.claim.1", "notice-claim", epoch=1, ago=61)
    told.snapshot.tick = 7
    assert due(told) == ([(1, "ended", status, 2)] if again else [])
    assert bool(dropped(told)) != again


@pytest.mark.parametrize(
    ("when", "status", "heard"),
    [
        ("all", "succeeded", True),
        ("ended", "superseded", True),
        ("ended", "failed", True),
        ("failed", "succeeded", False),
        ("failed", "cancelled", False),
        ("failed", "failed", True),
    ],
)
def test_a_channel_hears_what_it_wants_and_failures_always(told: Any, when: str, status: str, heard: bool) -> None:
    told.channel(when=when)
    assert bool(due(told)) == (when == "all")
    ends(told, status)
    assert bool(due(told)) == heard


def test_news_of_yesterday_is_none(told: Any) -> None:
    assert [step for step in told.steps(told.now + timedelta(hours=23)) if isinstance(step, Notify)]
    assert not [step for step in told.steps(told.now + timedelta(hours=25)) if isinstance(step, Notify)]


def test_what_was_begun_is_dropped_a_day_later_with_its_reason(told: Any) -> None:
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=61)
    told.notice(1, "started.failed.1", "notice-failed", epoch=1, reason="503", ago=61)
    told.snapshot.tick = 7
    later = told.now + timedelta(hours=25)
    reasons = [body["reason"] for body in told.recorded(later).values() if body["kind"] == "notice-dropped"]
    assert reasons == ["it is older than a day; the last because 503"]


def test_what_was_begun_goes_on_when_the_lists_do_not_reach_back_to_its_rollout(told: Any) -> None:
    fields = {"commit": B, "environment": "staging", "sequence": "9"}
    told.notice(9, "ended.claim.1", "notice-claim", epoch=1, ago=61, state="failed", fields=fields)
    told.notice(8, "ended.claim.1", "notice-claim", epoch=1, ago=61, fields=fields)
    told.notice(8, "ended.sent", "notice-sent", epoch=1, receipt="1.1", ago=60)
    told.notice(7, "ended.dropped", "notice-dropped", reason="no")
    told.notice(6, "ended.claim.1", "notice-claim", epoch=1, ago=61, channel="another", fields=fields)
    told.snapshot.tick = 7
    assert due(told) == [(1, "started", "started", 1), (9, "ended", "failed", 2)]
    step = next(step for step in told.steps() if isinstance(step, Notify) and step.n == 9)
    assert (step.fields, step.look, step.prefix) == (fields, True, names.notices_of("shop", "staging", 9) + "ops/")


def test_an_entry_that_is_older_than_the_channel_is_not_told(told: Any) -> None:
    told.registered = replace(told.registered, silent_up_to={"ops": 4})
    assert due(told) == []
    told.entry(2, B, generation=5)
    told.claim(2, B)
    told.started(2, "e2")
    assert due(told) == [(2, "started", "started", 1)]


def test_where_the_list_of_notices_was_cut_the_oldest_listed_and_all_below_are_left(told: Any) -> None:
    told.entry(2, B)
    told.claim(2, B)
    told.started(2, "e2")
    told.notice(1, "started.claim.1", "notice-claim", epoch=1)
    told.snapshot.loaded[names.notices("shop", "staging")] = True
    assert due(told) == [(2, "started", "started", 1)]


def test_what_a_marker_says_is_still_to_be_told_was_listed_whole_and_is_never_left(told: Any) -> None:
    told.entry(2, B)
    told.claim(2, B)
    told.started(2, "e2")
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=61)
    told.notice(2, "started.claim.1", "notice-claim", epoch=1, ago=61)
    told.snapshot.loaded[names.notices("shop", "staging")] = True
    told.snapshot.tick = 7
    told.snapshot.hints = Hints(notices=frozenset({("staging", 1), ("production", 1)}))
    assert due(told) == [(2, "started", "started", 2)], "not listed yet"
    told.snapshot.loaded[names.notices_of("shop", "staging", 1)] = False
    assert due(told) == [(1, "started", "started", 2)]


def test_who_is_still_to_be_told_is_kept_for_the_next_run(told: Any) -> None:
    assert told.due().open.notices == {("staging", 1)}
    told.notice(1, "started.sent", "notice-sent", epoch=1, receipt=None)
    assert told.due().open.notices == frozenset()


# One commit has one status.


def test_the_newest_rollout_of_a_commit_has_its_status(told: Any) -> None:
    told.channel(STATUS)
    told.entry(2, A, by="request")
    told.claim(2, A)
    told.started(2, "e2")
    told.entry(3, B)
    told.claim(3, B)
    told.started(3, "e3")
    assert due(told) == [(3, "started", "started", 1), (2, "started", "started", 1)]
    told.notice(1, "started.claim.1", "notice-claim", epoch=1, ago=5)
    assert due(told) == [(3, "started", "started", 1)], "what is under way for the commit could come later"
    told.channel(SLACK)
    told.snapshot.facts.pop(names.notices_of("shop", "staging", 1) + "ops/started.claim.1")
    told.snapshot.groups.clear()
    told.snapshot.add(list(told.snapshot.facts.values()))
    assert [n for n, *_ in due(told)] == [3, 2, 1], "a chat has one message for each"


def test_a_worker_that_read_the_rollouts_before_the_end_does_not_go_back_to_the_start(told: Any) -> None:
    """It stalled between its two lists: the notices are newer than the rollouts. Found by the simulator."""
    told.notice(1, "ended.claim.1", "notice-claim", epoch=1, state="succeeded", fields={"commit": A})
    told.notice(1, "ended.sent", "notice-sent", epoch=1, receipt="17.1")
    assert due(told) == []


def test_a_status_is_not_taken_from_a_newer_rollout_that_this_worker_has_not_read(told: Any) -> None:
    told.channel(STATUS)
    told.notice(2, "started.claim.1", "notice-claim", epoch=1, fields={"commit": B})
    assert due(told) == [(1, "started", "started", 1)], "another commit has a status of its own"
    told.notice(3, "started.claim.1", "notice-claim", epoch=1, fields={"commit": A})
    told.notice(3, "started.sent", "notice-sent", epoch=1, receipt="17.1")
    assert due(told) == []


def test_what_is_known_of_a_message_when_it_is_decided(told: Any) -> None:
    """What comes after that, before it is sent, is another's."""
    told.channel(STATUS)
    told.entry(2, A, by="request")
    told.claim(2, A)
    told.started(2, "e2")
    told.notice(1, "ended.claim.1", "notice-claim", epoch=1, ago=100, fields={"commit": A})
    told.notice(1, "ended.failed.1", "notice-failed", epoch=1, reason="503")
    told.notice(3, "ended.claim.1", "notice-claim", epoch=1, ago=100, fields={"commit": B})
    place = names.notices_of("shop", "staging", 1)
    assert only(told).known == {f"{place}ops/ended.claim.1"}, "the same commit has the same status"
    told.channel(SLACK)
    assert next(step.known for step in told.steps() if isinstance(step, Notify)) == frozenset()


# What never starts.


def test_a_release_that_is_blocked_is_told_unless_it_was_completed_after_all(told: Any) -> None:
    told.entry(2, B)
    told.fact(names.release("shop", B) + "blocked.build-b1", kind="blocked", commit=B, reason="build b1 ended FAILURE")
    assert due(told) == [(2, "blocked", "blocked", 1), (1, "started", "started", 1)]
    told.completed(B)
    assert due(told) == [(1, "started", "started", 1)]


def test_manifests_are_blocked_for_their_own_environment(told: Any) -> None:
    told.entry(2, B)
    told.completed(B)
    for environment in ("production", "staging"):
        name = f"{names.release('shop', B)}blocked.render-{environment}-1234"
        told.fact(name, kind="blocked", commit=B, reason=f"manifests of {environment}", inputs="x")
        assert [each for each in due(told) if each[0] == 2] == (
            [(2, "blocked", "blocked", 1)] if environment == "staging" else []
        )


def test_an_entry_that_was_passed_over_is_not_told_as_blocked(told: Any) -> None:
    told.claim(3, A)
    told.entry(2, B)
    told.fact(names.release("shop", B) + "blocked.abandoned", kind="blocked", commit=B, reason="waited a day")
    assert due(told) == [(1, "started", "started", 1)]


def test_environments_without_a_channel_are_not_looked_at(told: Any) -> None:
    told.channel(environments=("elsewhere",))
    assert due(told) == []


# Texts.


def test_a_message_is_the_channels_templates_filled_in(told: Any) -> None:
    text = (
        "{application}/{environment} {sequence}.{attempt} {status} by {who}: {why} {{x}} {short_commit} {commit} {ref}"
    )
    told.channel(text=text, link="https://deck.acme.example/{execution}?by={who}")
    notice = compose("shop", only(told), "https://deck.acme.example/other")
    assert notice.text == f"shop/staging 1.0 started by ann: a fix {{x}} aaaaaaa {A} refs/heads/main"
    assert notice.link == "https://deck.acme.example/e1?by=ann"
    assert (notice.subject, notice.context) == ("", "")
    assert notice.id == names.notice_id("shop", "staging", 1, "ops")
    assert (notice.failed, notice.commit) == (False, A)


def test_a_value_is_not_filled_in_again_and_a_link_holds_no_markup(told: Any) -> None:
    told.entry(1, A, who="{commit}/../<x>", why="{who}")
    told.channel(text="{who} {why}", link="https://deck.acme.example/{who}")
    notice = compose("shop", only(told), None)
    assert notice.text == "{commit}/../<x> {who}"
    assert notice.link == "https://deck.acme.example/%7Bcommit%7D%2F..%2F%3Cx%3E"


def test_without_a_reason_the_text_ends_before_the_colon(told: Any) -> None:
    assert compose("shop", only(told), None).text == "shop staging 1 started (aaaaaaa)"
    ends(told, "failed")
    failed = compose("shop", only(told), None)
    assert (failed.text, failed.failed, failed.link) == ("shop staging 1 failed (aaaaaaa): why", True, None)


def test_a_mail_has_a_subject_of_one_line_and_a_status_a_context(told: Any) -> None:
    told.channel(MAIL, when="ended")
    told.entry(1, A, who="ann\r\nBcc: x")
    told.rollout(1, "outcome", kind="outcome", status="failed", reason="r" * 5000, attempt=0, execution=None)
    notice = compose("shop", only(told), "https://deck")
    assert (notice.subject, len(notice.text), notice.link) == ("shop staging 1 failed", 3000, "https://deck")
    told.channel(STATUS)
    assert compose("shop", only(told), None).context == "downwind/shop/staging"
