"""The simulator finds nothing in a few histories, finds what it should when a layer is gone, and repeats itself exactly."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.simulation import exhaustive, hunt, runs
from tests.simulation.check import violations
from tests.simulation.fate import Written
from tests.simulation.flows import FLOWS
from tests.simulation.history import History
from tests.simulation.mutants import MUTANTS
from tests.simulation.run import play_one, run, trace_hash
from tests.simulation.shop import SHORT_KINDS, Kind
from tests.simulation.spinnaker import Applied, Command
from tests.simulation.story import tell

from downwind.ports import NewObject
from downwind.reconcile import names
from downwind.reconcile.facts import encode_body

ROOT = Path(__file__).parents[2]
PURE = ("events", "model", "reconcile", "render", "perform")
OUTSIDE = {
    "time",
    "random",
    "uuid",
    "secrets",
    "os",
    "socket",
    "threading",
    "subprocess",
    "requests",
    "asyncio",
    "tempfile",
}


@pytest.mark.parametrize("first", [0, 1_000_000])
def test_a_hundred_histories_break_nothing(first: int) -> None:
    total = run(100, first)
    assert total.failed == []
    assert total.violations == 0
    assert total.histories == 100
    assert total.fewest_points >= 200
    assert total.crashes >= 100


def test_the_same_seed_is_the_same_history_whatever_the_hash_seed() -> None:
    told = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--histories", "10", "--seed", "77", "--json"],
            cwd=ROOT,
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        told.add(json.loads(done.stdout)["trace_sha256"])
    assert told == {run(10, 77).trace_sha256}


def test_without_fences_the_same_histories_go_wrong() -> None:
    """The checks can fail: a spare run and a stale one come through where nobody stops them."""
    off = frozenset({"fence", "guard", "correlation", "search"})
    total = run(150, 0, off)
    assert total.double > 0


def test_what_did_not_happen_is_found() -> None:
    history = History(0, fate=Written({}), kind=SHORT_KINDS[0])
    history.outside.push(history.kind.refs[0])
    history.settle()
    assert violations(history) == []
    standing = history.spinnaker.applied[0]
    history.spinnaker.applied.append(
        Applied(application="shop", environment="staging", sequence=1, execution="other", attempt=0, at=0)
    )
    assert [kind for kind, _ in violations(history)] == ["double"]
    history.spinnaker.applied[:] = [
        Applied(application="shop", environment="staging", sequence=2, execution="later", attempt=0, at=0),
        standing,
    ]
    assert [kind for kind, _ in violations(history)] == ["backward"]
    history.spinnaker.applied[:] = [standing]
    history.stores["ledger"].delete(
        next(each.name for each in history.stores["ledger"].list("") if each.name.endswith("/outcome"))
    )
    assert "lost" in {kind for kind, _ in violations(history)}
    history.outside.push(history.kind.refs[0])
    assert any("the tip of refs/heads/main" in text for _, text in violations(history))


def kind_of(name: str) -> Kind:
    return next(kind for kind in SHORT_KINDS if kind.name == name)


def forbidden(history: History) -> list[str]:
    return [text for kind, text in violations(history) if kind == "forbidden"]


def test_what_automation_must_not_do_under_a_hold_is_found() -> None:
    history = History(0, fate=Written({}), kind=kind_of("waits for people"))
    history.spinnaker.answer_judgments = False
    for _ in range(2):
        history.outside.push(history.kind.refs[0])
        history.scheduler.run(history.scheduler.now + 250)
    first, second = history.spinnaker.executions
    assert [each.what for each in history.spinnaker.commands] == ["superseded by 2"]
    assert forbidden(history) == []
    history.operators.order("hold", "staging")
    history.scheduler.run(history.scheduler.now + 10)
    now, commands = history.scheduler.now, history.spinnaker.commands
    commands.append(Command(verb="cancel", execution=first, what="superseded by 2", at=now))
    assert forbidden(history) == [], "its reason stood before the hold"
    commands[:] = [Command(verb="judge", execution=second, what="continue", at=now)]
    assert forbidden(history) == ["shop/staging 2: automation answered a judgment: continue"]
    commands[:] = [Command(verb="cancel", execution=second, what="superseded by 4", at=now)]
    assert "for no reason that is written down" in forbidden(history)[0]
    name = names.rollout("shop", "staging", 2) + "cancel.0"
    body = {"kind": "cancel", "n": 2, "attempt": 0, "execution": second, "reason": "superseded by 4"}
    history.stores["ledger"].put(NewObject(name=name, data=encode_body(body)))
    commands[:] = [Command(verb="cancel", execution=second, what="superseded by 4", at=now + 1)]
    assert forbidden(history) == ["shop/staging 2 was cancelled for 4 while it was held"]
    commands.clear()
    entry = {"kind": "entry", "n": 4, "by": "on_failure", "verb": "rollback", "commit": None, "hold": {"n": 4}}
    history.stores["ledger"].put(NewObject(name=names.entry("shop", "staging", 4), data=encode_body(entry)))
    assert forbidden(history) == ["shop/staging 4: automation appended a rollback while it was held"]


def test_a_message_that_is_missing_doubled_or_stale_is_found() -> None:
    history = History(0, fate=Written({}), kind=kind_of("tells people"))
    history.outside.push(history.kind.refs[0])
    history.settle()
    assert violations(history) == []
    standing = list(history.notifier.arrived)
    assert sorted(each.channel for each in standing) == ["commits", "ops", "releases", "team"]
    for index, message in enumerate(standing):
        history.notifier.arrived[:] = [*standing[:index], *standing[index + 1 :]]
        assert [kind for kind, _ in violations(history)] == ["lost"], message.channel
        if message.channel in {"releases", "team"}:
            history.notifier.arrived[:] = [*standing, replace(message, place=f"{message.place} again".strip())]
            assert [kind for kind, _ in violations(history)] == ["double"], message.channel
        history.notifier.arrived[:] = [*standing[:index], replace(message, states=["started"]), *standing[index + 1 :]]
        assert [kind for kind, _ in violations(history)] == ["lost"], message.channel


def test_a_story_tells_the_faults_and_the_end() -> None:
    verdict = play_one(3)
    told = tell(verdict)
    assert told.endswith("Everything holds.")
    assert "git                refs/" in told
    assert trace_hash(verdict) == trace_hash(play_one(3))


@pytest.mark.parametrize("flow", ["push, plain", "execution, plain"])
def test_every_third_fault_at_the_points_of_a_message(flow: str) -> None:
    """All of them, of all flows: scripts/simulate --exhaustive --singles, which .ci/run plays."""
    jobs = [job for job in exhaustive.jobs_of(flow, frozenset(), pairs=False) if not job.backwards][::3]
    assert len(jobs) > 90
    assert [failure for job in jobs for failure in job.run()[1]] == []


@pytest.mark.parametrize("flow", list(FLOWS))
def test_every_flow_ends_well_without_faults(flow: str) -> None:
    fate, failure = exhaustive.play(flow, {})
    assert failure is None
    assert fate.asked > 20


def test_some_orders_of_six_messages() -> None:
    orders = list(exhaustive.orders())
    assert len(orders) == 2 * 1956
    assert [found for order in orders[::80] if (found := exhaustive.play_order(order))] == []


def test_the_code_that_is_played_reaches_the_world_through_ports_only() -> None:
    """Else the simulator would not see it: no clock, no randomness, no thread, no file."""
    found = []
    for package in PURE:
        for path in sorted((ROOT / "functions/downwind" / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                elif ast.unparse(node) in {"datetime.now", "datetime.utcnow", "date.today", "datetime.today"}:
                    names = ["time"]
                elif (
                    isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "input"}
                ):
                    names = ["os"]
                found += [f"{path.name}: {ast.unparse(node)}" for name in names if name.split(".")[0] in OUTSIDE]
    assert found == []


def test_ten_thousand_copies_at_once_of_one_message_have_one_effect() -> None:
    """A thousand here; scripts/simulate --storm plays ten."""
    history = History(0, fate=Written({}), kind=SHORT_KINDS[0])
    entries, executions = exhaustive.copies(history, 1000)
    assert (entries, executions) == (1, 1)


def test_old_messages_played_again_have_no_effect() -> None:
    """Two hundred here; scripts/simulate --storm plays a hundred thousand."""
    history = History(0, fate=Written({}), kind=SHORT_KINDS[0])
    assert exhaustive.replayed(history, 200) == 0


def test_the_runs_on_record_are_of_seeds_that_were_never_played_before() -> None:
    played = runs.read()
    assert sum(each.histories for each in played) >= 167_500
    assert runs.overlapping(played) == []


def test_a_run_is_recorded_once(tmp_path: Path) -> None:
    file = tmp_path / "runs.tsv"
    run_ = runs.Run.of(100, run(10, 100))
    runs.add(run_, file)
    assert runs.read(file) == [run_]
    with pytest.raises(ValueError, match="played already"):
        runs.add(runs.Run.of(105, run(10, 105)), file)


def test_every_planted_fault_still_fits_the_code(tmp_path: Path) -> None:
    """`scripts/mutants` hunts them; here only that each patch applies and leaves Python."""
    assert len(MUTANTS) >= 30
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        text = (hunt.PACKAGE / mutant.path).read_text()
        assert text.count(mutant.old) == 1, mutant.name
        ast.parse(text.replace(mutant.old, mutant.new))


def test_a_planted_fault_is_found(tmp_path: Path) -> None:
    mutant = next(each for each in MUTANTS if each.name == "a raw message counts as recorded")
    assert hunt.hunt(mutant, 50)[1] is not None
