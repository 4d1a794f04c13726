"""What no ledger may ever lead to, however its facts came about: drawn at random, most of them impossible."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from downwind.model.catalog import Freeze
from downwind.reconcile import names
from downwind.reconcile.due import next_steps
from downwind.reconcile.rollouts import read_rollouts
from downwind.reconcile.steps import Append, CancelRollout, Record, StartBuild, Step, TriggerRollout

A, B, C = "a" * 40, "b" * 40, "c" * 40
COMMITS = st.sampled_from([A, B, C])
MAYBE = st.none() | COMMITS
REFS = st.sampled_from(["refs/heads/main", "refs/tags/v1"])
WHERE = st.sampled_from(["staging", "production"])
NUMBERS = st.integers(1, 4)
EXECUTIONS = st.sampled_from(["e1", "e2", "e3"])
STATUSES = st.sampled_from(["SUCCEEDED", "TERMINAL", "CANCELED", "RUNNING", "NOT_STARTED"])
AGO = st.sampled_from([1, 61, 1000, 100_000])
BOOLEANS = st.booleans()


def grow(ledger: Any, draw: Any) -> None:
    """One fact, observation or setting more."""
    environment, n, commit = draw(WHERE), draw(NUMBERS), draw(COMMITS)
    match draw(st.integers(0, 17)):
        case 0 | 1:
            by = draw(st.sampled_from(["push", "request", "promotion"]))
            ledger.entry(n, commit, environment=environment, by=by, promoted=draw(st.integers(0, 4)), ago=draw(AGO))
        case 2:
            ledger.push(draw(MAYBE), draw(MAYBE), ref=draw(REFS))
        case 3:
            ledger.tip(draw(MAYBE), ref=draw(REFS))
        case 4:
            ledger.claim(
                n, commit, environment=environment, attempt=draw(st.integers(0, 2)), epoch=draw(NUMBERS), ago=draw(AGO)
            )
        case 5:
            ledger.started(n, draw(EXECUTIONS), environment=environment, attempt=draw(st.integers(0, 2)), ago=draw(AGO))
        case 6:
            fence = draw(st.sampled_from(["open", "passed", "refused"]))
            about = {"status": draw(STATUSES), "fence": fence, "began": draw(BOOLEANS), "deployed": draw(BOOLEANS)}
            ledger.ended(n, draw(EXECUTIONS), environment=environment, **about)
        case 7:
            status = draw(st.sampled_from(["succeeded", "failed", "superseded"]))
            ledger.outcome(n, status, environment=environment)
        case 8:
            judgment = draw(st.none() | st.just("stage-1"))
            about = {"status": draw(STATUSES), "judgment": judgment, "deploying": draw(BOOLEANS)}
            ledger.execution(draw(EXECUTIONS), n, environment=environment, **about)
        case 9:
            ledger.winner(commit)
        case 10:
            ledger.completed(commit)
        case 11:
            verb = draw(st.sampled_from(["deploy", "promote"]))
            ledger.order(draw(st.sampled_from(["r1", "r2"])), environment=environment, verb=verb, commit=commit)
        case 12:
            ledger.snapshot.tick = draw(st.none() | st.integers(7, 9))
        case 13:
            ledger.snapshot.gone.add(draw(EXECUTIONS))
        case 14 | 15:
            execution, judgment = draw(EXECUTIONS), draw(st.none() | st.just("stage-1"))
            ledger.claim(n, commit, environment=environment, ago=draw(AGO))
            ledger.started(n, execution, environment=environment, ago=draw(AGO))
            if draw(BOOLEANS):
                about = {"judgment": judgment, "deploying": draw(BOOLEANS)}
                ledger.execution(execution, n, environment=environment, **about)
        case 16:
            ledger.change(build=replace(ledger.application.build, start=True))
            ledger.build_claim(commit, draw(NUMBERS), ago=draw(AGO))
        case _:
            ledger.change_environment(
                environment,
                on_newer=draw(st.sampled_from(["queue", "cancel_waiting"])),
                freeze=draw(st.sampled_from([(), (Freeze(cron="* * * * *", lasts=60),)])),
            )


def render(ledger: Any) -> None:
    """Writes every bundle that is due, so that triggers come into reach."""
    for step in ledger.steps():
        if type(step).__name__ == "RenderBundle":
            name = f"{names.release('shop', step.commit)}bundle/{step.environment}/{step.inputs}"
            ledger.fact(name, kind="bundle", environment=step.environment, bundle="content", parts=["manifests"])


@settings(max_examples=400)
@given(data=st.data())
def test_no_ledger_leads_to_what_the_promise_excludes(make_given: Any, data: st.DataObject) -> None:
    ledger = make_given()
    for _ in range(data.draw(st.integers(1, 14))):
        grow(ledger, data.draw)
    render(ledger)
    steps = ledger.steps()
    check_entries(steps)
    check_triggers(ledger, steps)
    check_effects(ledger, steps)
    assert ledger.steps() == steps, "the same facts give the same steps"
    check_entries(list(next_steps(ledger.registered, ledger.snapshot, ledger.now, ledger.timing, steps).steps))


def check_entries(steps: list[Step]) -> None:
    appended = Counter(step.environment for step in steps if isinstance(step, Append))
    assert all(count == 1 for count in appended.values()), "two entries would take one number"
    for step in steps:
        if isinstance(step, Append) and step.environment == "production" and step.entry.body["by"] == "promotion":
            assert step.entry.body["promoted"] == step.entry.body["upstream_sequence"] > 0


def check_triggers(ledger: Any, steps: list[Step]) -> None:
    triggers = [step for step in steps if isinstance(step, TriggerRollout)]
    assert len({step.environment for step in triggers}) == len(triggers), "one start for each environment"
    for step in triggers:
        rollouts = read_rollouts(ledger.application, ledger.environment(step.environment), ledger.snapshot)
        claimed = max((n for n, rollout in rollouts.items() if rollout.claims), default=0)
        assert step.n >= claimed, "never backwards"
        mine = rollouts.get(step.n)
        assert mine is None or mine.outcome is None, "what has ended is not started again"
        assert step.attempt <= 2
        assert (step.attempt, step.epoch) not in (mine.claims if mine else {}), "a claim is taken once"
        if ledger.snapshot.tick is None:
            assert step.epoch == 1, "only the tick takes over"
        if step.epoch > 1:
            assert step.search, "an unknown outcome is looked up before anything is posted again"
        if step.attempt > 0 and step.epoch == 1:
            assert mine is not None
            before = [run for run in mine.runs_of(step.attempt - 1) if run.end]
            assert before, "a new attempt follows an end that is recorded"
            assert not any(run.end["fence"] == "refused" or run.end.get("deploying") for run in before if run.end)


def check_effects(ledger: Any, steps: list[Step]) -> None:
    for step in steps:
        if isinstance(step, CancelRollout):
            seen = ledger.snapshot.executions[step.execution]
            assert seen.judgment is not None, "only a run that waits in a judgment is cancelled"
            assert not seen.deploying, "a run that has deployed is left to end"
            assert ledger.environment(step.environment).on_newer == "cancel_waiting"
        if isinstance(step, Record):
            assert step.fact.name not in ledger.snapshot.facts
        if isinstance(step, StartBuild):
            assert step.epoch == 1 or ledger.snapshot.tick is not None
    recorded = [step.fact.name for step in steps if isinstance(step, Record)]
    assert len(recorded) == len(set(recorded)), "one fact has one body"
