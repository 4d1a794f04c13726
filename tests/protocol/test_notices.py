"""Word out: one message for each rollout and channel, in its final state in the end, whatever the receivers do meanwhile; and
nothing that is due ever waits for a channel."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.model.channels import KINDS
from downwind.perform import applications
from downwind.ports import NewObject
from downwind.reconcile import names
from downwind.reconcile.notices import ATTEMPTS

NOTIFY = """
notify:
  - {name: commits, to: commit-status, credentials: github}
  - {name: deployments, to: github-deployments, credentials: github}
  - {name: releases, to: slack, channel: C0123456789, credentials: slack}
  - {name: space, to: google-chat, space: spaces/AAAA}
  - {name: team, to: teams, credentials: teams}
  - {name: hook, to: webhook, address: "https://hooks.acme.example/downwind"}
  - name: ops
    to: mail
    server: smtp.acme.example:587
    sender: downwind@acme.example
    recipients: [sre@acme.example]
"""
CHANNELS = ("commits", "deployments", "releases", "space", "team", "hook", "ops")
EDITED = ("commits", "deployments", "releases", "space", "hook")
"""Their messages change in place, and a repeat is known there."""


def notified(text: str = NOTIFY) -> tuple[str, str]:
    return "environments:\n", f"{text.lstrip()}environments:\n"


def states(shop: Any, channel: str) -> list[str]:
    return [state for _, state in shop.memory.notifier.shown(channel)]


def state(shop: Any, channel: str, n: int = 1, environment: str = "staging") -> str | None:
    """Of the one message of that rollout."""
    wanted = names.notice_id("shop", environment, n, channel)
    found = [state for identifier, state in shop.memory.notifier.shown(channel) if identifier == wanted]
    assert len(found) <= 1, (channel, n, found)
    return found[0] if found else None


def all_states(shop: Any, channel: str, rollouts: int) -> list[str | None]:
    """Of all rollouts of staging, and there are no other messages."""
    found = [state(shop, channel, n) for n in range(1, rollouts + 1)]
    assert len(states(shop, channel)) == len([each for each in found if each]), (channel, states(shop, channel))
    return found


def roll_out(shop: Any) -> None:
    """Into staging, to the end."""
    shop.build(shop.push())
    shop.finish(shop.executions("staging")[-1])


def told(shop: Any, environment: str = "staging") -> list[str]:
    """Leaves of the facts."""
    return sorted(name.partition("/")[2] for name in shop.facts(names.notices("shop", environment)))


STAGING_ONLY = ("    after: staging\n", "    after: staging\n    promotion: request\n")


def only(name: str) -> tuple[str, str]:
    """One of the channels."""
    (line,) = [each for each in NOTIFY.splitlines() if f"name: {name}," in each]
    return notified(f"notify:\n{line}\n")


def test_every_kind_of_receiver_is_played() -> None:
    assert all(f"to: {kind}" in NOTIFY for kind in KINDS)


def test_a_start_and_an_end_are_one_message(new_shop: Any) -> None:
    shop = new_shop(notified())
    shop.build(shop.push())
    assert {name: states(shop, name) for name in CHANNELS} == {
        name: ["started"] if name in EDITED else [] for name in CHANNELS
    }
    shop.finish(shop.executions("staging")[-1])
    assert {name: state(shop, name) for name in CHANNELS} == dict.fromkeys(CHANNELS, "succeeded")
    production = {name: state(shop, name, environment="production") for name in CHANNELS}
    assert production == {name: "started" if name in EDITED else None for name in CHANNELS}
    assert all(len(states(shop, name)) == (2 if name in EDITED else 1) for name in CHANNELS)


def test_an_application_without_channels_is_told_of_nowhere_and_costs_no_list(shop: Any, meter: Any) -> None:
    shop.build(shop.push())
    execution = shop.executions("staging")[-1]
    meter.of(shop, lambda: shop.finish(execution))
    assert not [call for call in meter.calls if "/notice/" in call]
    assert shop.memory.notifier.sends == 0


def test_a_failure_is_told_to_those_who_want_failures_only_and_nothing_else_is(new_shop: Any) -> None:
    channel = '- {name: releases, to: slack, channel: C0123456789, credentials: slack, when: failed, text: "{status}: {reason}"}'
    shop = new_shop(notified(f"notify:\n  {channel}\n"))
    roll_out(shop)
    assert states(shop, "releases") == []
    shop.build(shop.push())
    execution = shop.executions("staging")[-1]
    shop.memory.pipelines.fail_stage(execution["id"], "4", "no such image")
    shop.echo(execution)
    (message,) = shop.memory.notifier.arrived
    assert (message.states, message.text) == (["failed"], "failed: no such image")


def test_manifests_that_cannot_be_rendered_are_told_as_a_failure(new_shop: Any) -> None:
    shop = new_shop(notified())
    shop.build(shop.push(deployment="kind: ["))
    shop.tick(2)
    assert [states(shop, name) for name in CHANNELS] == [["blocked"]] * len(CHANNELS)
    assert shop.open() == []


def test_a_build_that_failed_is_told_and_when_it_succeeds_after_all_the_same_message_says_so(new_shop: Any) -> None:
    shop = new_shop(only("releases"))
    commit = shop.push()
    shop.build(commit, "FAILURE")
    assert states(shop, "releases") == ["blocked"]
    shop.build(commit)
    assert states(shop, "releases") == ["started"]
    shop.finish(shop.executions("staging")[-1])
    assert state(shop, "releases") == "succeeded"


def test_environments_and_the_wish_for_ends_only_are_kept_to(new_shop: Any) -> None:
    wish = "environments: [production], when: ended"
    shop = new_shop(notified(f"notify:\n  - {{name: space, to: google-chat, space: spaces/A, {wish}}}\n"))
    roll_out(shop)
    production = shop.executions("production")[-1]
    shop.finish(production)
    assert states(shop, "space") == []
    shop.judge(production)
    assert states(shop, "space") == ["succeeded"]


def test_a_new_channel_hears_nothing_of_what_went_before_it(new_shop: Any, shop: Any) -> None:
    for _ in range(2):
        roll_out(shop)
    old, new = only("releases")
    shop.apply(shop.catalog.replace(old, new))
    shop.tick(2)
    shop.build(shop.push())
    assert states(shop, "releases") == ["started"]
    shop.apply(shop.catalog.replace(*notified()))
    (registered,) = applications.read(shop.world.catalog, ["shop"])
    silent = registered.silent_up_to
    assert silent["releases"] < silent["space"] == silent["hook"]
    shop.finish(shop.executions("staging")[-1])
    assert (state(shop, "releases", 3), states(shop, "space")) == ("succeeded", ["started"]), "of production"


def test_a_catalog_file_that_was_damaged_is_no_reason_to_tell_old_news(new_shop: Any) -> None:
    shop = new_shop(only("releases"))
    name = names.application("shop")
    before = shop.memory.catalog.read(name)
    shop.memory.catalog.replace(NewObject(name=name, data=b"kind: ["), generation=before.generation)
    damaged = shop.memory.catalog.read(name).generation
    shop.apply(shop.catalog)
    (registered,) = applications.read(shop.world.catalog, ["shop"])
    assert registered.silent_up_to == {"releases": damaged}


def test_a_commit_that_is_rolled_out_again_has_the_status_of_the_newest(new_shop: Any) -> None:
    shop = new_shop(only("commits"))
    commit = shop.push()
    shop.build(commit)
    first = shop.executions("staging")[-1]
    shop.request("deploy", "staging", commit=commit)
    second = shop.executions("staging")[-1]
    assert first["id"] != second["id"]
    shop.memory.pipelines.fail_stage(first["id"], "4")
    shop.echo(first)
    assert states(shop, "commits") == ["started"]
    shop.finish(second)
    assert states(shop, "commits")[0] == "succeeded"
    shop.tick(3)
    assert states(shop, "commits")[0] == "succeeded"
    assert shop.outcomes("staging") == [(1, "failed"), (2, "succeeded")]


def test_no_environment_waits_for_a_channel_that_is_silent(new_shop: Any) -> None:
    """Chat never answers: the release goes through staging and production as if it did."""
    shop = new_shop(notified())
    shop.memory.notifier.fail(UnknownOutcome("no answer"), times=10_000)
    roll_out(shop)
    production = shop.executions("production")[-1]
    shop.finish(production)
    shop.judge(production)
    assert shop.outcomes("production") == [(1, "succeeded")]
    shop.tick(60 * 8)
    assert shop.open() == [], "given up in the end"
    dropped = {name.rpartition(".")[2] for name in told(shop) if name.endswith(".dropped")}
    assert dropped == {"dropped"}
    assert len([name for name in told(shop) if name.startswith("releases/ended.claim.")]) == ATTEMPTS


def test_the_tick_sends_notices_after_all_applications_had_their_turn(new_shop: Any) -> None:
    shop = new_shop(notified())
    shop.memory.notifier.fail(TransientError("503"), times=10_000)
    shop.second("another")
    shop.build(shop.push())
    order: list[str] = []
    memory = shop.memory
    memory.ledger.fail = lambda method, name: order.append("list") if method == "list" and "/log/" in name else None
    send = memory.notifier.send

    def seen(*arguments: Any, **named: Any) -> Any:
        order.append("send")
        return send(*arguments, **named)

    memory.notifier.send = seen
    shop.tick(2)
    shop.tick()
    assert {"list", "send"} <= set(order)
    last_tick = order[len(order) - order[::-1].index("list") - 1 :]
    assert set(last_tick[1:]) <= {"send"}


@pytest.mark.parametrize("error", [TransientError("503"), Misconfigured("no such token", fix="renew the secret")])
def test_what_was_not_taken_is_sent_again_by_the_tick_and_written_down(new_shop: Any, error: Exception) -> None:
    shop = new_shop(only("team"), STAGING_ONLY)
    shop.memory.notifier.fail(error, times=2)
    roll_out(shop)
    assert states(shop, "team") == []
    shop.tick()
    shop.tick()
    assert (states(shop, "team"), shop.memory.notifier.sends) == ([], 2), "a minute later, then two minutes"
    shop.tick()
    assert states(shop, "team") == ["succeeded"]
    found = shop.facts(names.notices("shop", "staging"))
    assert [body["reason"] for body in found.values() if body["kind"] == "notice-failed"] == [str(error)] * 2
    shop.tick(2)
    assert shop.open() == []


def test_what_the_receiver_refuses_is_dropped_with_its_reason_and_not_sent_again(new_shop: Any) -> None:
    shop = new_shop(only("releases"))
    shop.memory.notifier.fail(Refused("channel_not_found", fix="name a channel that the app is in"))
    shop.build(shop.push())
    assert shop.memory.notifier.sends == 1
    found = shop.facts(names.notices("shop", "staging"))
    (dropped,) = [body for body in found.values() if body["kind"] == "notice-dropped"]
    assert dropped["reason"] == "channel_not_found; name a channel that the app is in"
    shop.finish(shop.executions("staging")[-1])
    assert state(shop, "releases") == "succeeded", "the next state is another delivery"


def test_an_error_that_nobody_foresaw_stops_nothing_and_shows_no_text(new_shop: Any, capsys: Any) -> None:
    shop = new_shop(only("releases"))
    shop.memory.notifier.fail(KeyError("xoxb-a-token"))
    roll_out(shop)
    assert len(shop.executions("production")) == 1
    assert "KeyError" in (printed := capsys.readouterr().out)
    assert "xoxb" not in printed


@pytest.mark.parametrize("fails", [False, True])
def test_teams_cannot_be_asked_so_only_a_failure_is_sent_again(new_shop: Any, fails: bool) -> None:
    shop = new_shop(only("team"))
    shop.build(shop.push())
    execution = shop.executions("staging")[-1]
    shop.memory.notifier.fail(UnknownOutcome("no answer"))
    if fails:
        shop.memory.pipelines.fail_stage(execution["id"], "4")
    shop.memory.pipelines.finish(execution["id"], "TERMINAL") if fails else shop.memory.pipelines.advance(
        execution["id"]
    )
    shop.echo(execution)
    shop.tick(4)
    assert states(shop, "team") == (["failed"] if fails else [])
    assert any(name.endswith(".dropped") for name in told(shop)) != fails


def test_a_state_waits_for_the_answer_to_the_one_before_it(new_shop: Any) -> None:
    """A start that the receiver takes up after the end was sent would stand there for ever."""
    shop = new_shop(notified())
    shop.memory.notifier.hold(times=len(EDITED))
    roll_out(shop)
    assert all(states(shop, name) in ([], ["started"]) for name in EDITED)
    shop.memory.notifier.release()
    shop.tick(2)
    assert {name: state(shop, name) for name in EDITED} == dict.fromkeys(EDITED, "succeeded")


@pytest.mark.parametrize("channel", ["commits", "releases", "hook"])
@pytest.mark.parametrize("method", ["create", "list"])
def test_a_start_that_was_decided_before_the_end_was_told_is_not_told_after_it(
    new_shop: Any, channel: str, method: str
) -> None:
    """Another worker hears of the end just before the start is claimed; or just after, before it is sent."""
    shop = new_shop(only(channel), STAGING_ONLY)
    claimed: list[str] = []

    def meanwhile(called: str, name: str) -> None:
        if called == "create" and name.endswith("/started.claim.1"):
            claimed.append(name)
        if claimed and called == method and len(claimed) == 1:
            claimed.append("the end")
            shop.finish(shop.executions("staging")[-1])

    shop.memory.ledger.fail = meanwhile
    shop.build(shop.push())
    assert claimed[1] == "the end"
    shop.tick(4)
    assert state(shop, channel) == "succeeded"
    assert states(shop, channel) == ["succeeded"]
    assert shop.open() == []


def test_the_same_commit_in_another_rollout_is_no_reason_for_silence(new_shop: Any) -> None:
    """Its status was told long ago, whatever the lists still hold of it."""
    shop = new_shop(only("commits"), STAGING_ONLY)
    commit = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    shop.order("deploy", "staging", commit=commit)
    assert state(shop, "commits", 2) == "started"
    shop.finish(shop.executions("staging")[-1])
    assert state(shop, "commits", 2) == "succeeded"


def history(play: Any) -> None:
    shop = play.shop
    before, after = shop.commit()
    play.send(lambda: shop.announce(before, after))
    play.send(lambda: shop.build(after))
    play.until(lambda: len(shop.executions("staging")) == 1)
    play.run(shop.executions("staging")[-1])
    play.until(lambda: len(shop.executions("production")) == 1)
    play.run(shop.executions("production")[-1], judge="continue")
    play.until(lambda: not shop.open())


def check_one_each(shop: Any, point: str, rollouts: int) -> None:
    for name in EDITED:
        found = shop.memory.notifier.shown(name)
        assert [state for _, state in found] == ["succeeded"] * rollouts, (point, name, found)
        assert len({identifier for identifier, _ in found}) == rollouts or name == "commits", (point, name)
    assert states(shop, "ops") == ["succeeded"] * rollouts, (point, "ops")
    assert len(states(shop, "team")) <= rollouts, (point, "team")


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.long)])
def test_a_death_at_any_call_loses_no_message_and_doubles_none(new_shop: Any, player: Any, every: int) -> None:
    alive = player(new_shop(notified()))
    history(alive)
    points = alive.points
    check_one_each(alive.shop, "no death", 2)
    assert states(alive.shop, "team") == ["succeeded"] * 2
    near = [index for index, point in enumerate(points) if "/notice/" in point or "notifier" in point]
    for index in [*near[::every], *range(0, len(points), 7 * every)]:
        play = player(new_shop(notified()))
        play.die_at = index
        history(play)
        play.over = True
        play.shop.tick(3)
        check_one_each(play.shop, f"death {index}: {points[index]}", 2)
        assert play.shop.open() == []


FAULTS: list[Callable[[Any], None]] = [
    lambda notifier: notifier.fail(TransientError("429")),
    lambda notifier: notifier.fail(UnknownOutcome("no answer, and it never came")),
    lambda notifier: notifier.lose_answers(3),
    lambda notifier: notifier.hold(3),
]


def rollouts(play: Any, seed: int, many: int) -> Iterator[str]:
    """So many rollouts of staging; messages come twice, workers die, receivers are slow, lose answers or refuse for a while."""
    chance = random.Random(seed)
    shop = play.shop
    for number in range(1, many + 1):
        if chance.random() < 0.5:
            chance.choice(FAULTS)(shop.memory.notifier)
        if chance.random() < 0.3:
            play.die_at = len(play.points) + chance.randrange(80)
        before, after = shop.commit()
        play.send(lambda before=before, after=after: shop.announce(before, after))
        play.send(lambda after=after: shop.build(after))
        play.until(lambda number=number: len(shop.executions("staging")) == number)
        execution = shop.executions("staging")[-1]
        if chance.random() < 0.3:
            shop.memory.pipelines.fail_stage(execution["id"], "4", "denied")
            play.send(lambda execution=execution: shop.echo(execution))
            yield "failed"
        else:
            play.run(execution)
            yield "succeeded"
        for kind, message in chance.choices(shop.sent, k=3):
            play.act(lambda kind=kind, message=message: shop.deliver(kind, message))
        shop.memory.notifier.release()
        if chance.random() < 0.7:
            play.tick()
    play.over = True
    shop.memory.notifier.release()
    for _ in range(300):  # the pauses of the last attempts are long
        if shop.open():
            shop.tick()


@pytest.mark.parametrize(
    ("seed", "many"), [(0, 15), *(pytest.param(seed, 50, marks=pytest.mark.long) for seed in range(4))]
)
def test_fifty_rollouts_are_fifty_messages_each_in_its_final_state(
    new_shop: Any, player: Any, seed: int, many: int
) -> None:
    shop = new_shop(notified(), STAGING_ONLY)
    ends = list(rollouts(player(shop), seed, many))
    assert shop.outcomes("staging") == [(number, end) for number, end in enumerate(ends, 1)]
    for name in (*EDITED, "ops"):
        assert all_states(shop, name, many) == ends, f"seed {seed}: {name}"
    team = [state(shop, "team", number) for number in range(1, many + 1)]
    doubtful = [number for number, end in enumerate(ends, 1) if team[number - 1] != end]
    assert all(ends[number - 1] == "succeeded" for number in doubtful), f"seed {seed}: a failure was lost in Teams"
    assert shop.open() == [], f"seed {seed}"


def test_old_news_is_told_to_nobody(new_shop: Any) -> None:
    shop = new_shop(only("releases"))
    shop.memory.notifier.fail(TransientError("503"), times=3)
    shop.build(shop.push())
    shop.memory.clock.advance(timedelta(days=2).total_seconds())
    shop.tick(2)
    assert states(shop, "releases") == []
