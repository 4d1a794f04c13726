"""Operators' orders as they are typed: what is sent, what is shown, the exit code, and a wait that is followed to its end."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from downwind.adapters.memory_groups import MemoryGroups
from downwind.events.order import read_order
from downwind.perform.orders import carry_out

ME = "sre@acme.example"
STAGING = "pipeline: {application: shop, name: deploy-staging}"
PRODUCTION = "pipeline: {application: shop, name: deploy-production}"


@pytest.fixture
def door(shop: Any, cli: Any, monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """operate behind the command line, without a wire between; the bodies that were sent."""
    catalog = shop.catalog.replace(STAGING, f"{STAGING}\n    operators: [{ME}]")
    shop.apply(catalog.replace(PRODUCTION, f"{PRODUCTION}\n    operators: [{ME}]"))
    sent: list[Mapping[str, Any]] = []

    def post(_settings: Any, _environment: Any, body: Mapping[str, Any]) -> dict[str, Any]:
        sent.append(body)
        asked = read_order(json.dumps(body).encode(), "none")
        done = carry_out(shop.world, MemoryGroups(), asked, ME, [ME], shop.memory.clock())
        return {"who": done.who, "orders": done.orders, "refused": done.refused}

    session = cli.session

    def with_door() -> Any:
        made = session()
        made.environment["DOWNWIND_OPERATE_URL"] = "https://operate.acme.example"
        made.post_order = post
        return made

    monkeypatch.setattr(cli, "session", with_door)
    return sent


def answer(cli: Any, *arguments: str) -> dict[str, Any]:
    """The JSON of a command that must succeed. The functions' log lines come on the same stdout here."""
    done = cli.run(*arguments, "-o", "json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{\n") :])
    return found


def released(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    return commit


def test_a_rollback_says_what_it_became_and_what_follows(shop: Any, cli: Any, door: Any) -> None:
    first, _ = released(shop), released(shop)
    would = cli.run("rollback", "shop", "staging", "--why", "INC-7", "--dry-run")
    assert would.output.splitlines()[0] == (
        f"would be: staging 3 is {first[:7]} again, as entry 1 brought it, and holds: ordered by {ME}, because: INC-7"
    )
    assert "  then: staging 3 is to be triggered" in would.output.splitlines()
    done = cli.run("rollback", "shop", "staging", "--why", "INC-7")
    assert done.exit_code == 0
    assert "  now: staging 3 waits for execution" in done.output
    assert door[-1].keys() == {"id", "verb", "application", "environment", "why"}


@pytest.mark.parametrize(("to", "sent"), [("1", {"sequence": 1}), ("commit", {})])
def test_a_rollback_goes_to_a_sequence_or_a_commit(
    shop: Any, cli: Any, door: Any, to: str, sent: dict[str, Any]
) -> None:
    first, _ = released(shop), released(shop)
    wanted = sent or {"commit": first}
    assert cli.run("rollback", "shop", "staging", "--to", first[:10] if to == "commit" else to).exit_code == 0
    assert wanted.items() <= door[-1].items()


def test_json_is_the_answer_of_operate(shop: Any, cli: Any, door: Any) -> None:
    released(shop)
    found = answer(cli, "hold", "shop", "staging", "--id", "o1")
    assert (found["who"], found["orders"][0]["request"], found["orders"][0]["state"]) == (ME, "o1", "done")


def test_a_hold_of_an_application_holds_each_environment(shop: Any, cli: Any, door: Any) -> None:
    assert [each["environment"] for each in answer(cli, "hold", "shop")["orders"]] == ["staging", "production"]
    assert cli.run("resume", "shop", "staging").exit_code == 0
    partly = cli.run("resume", "shop")
    assert (partly.exit_code, "refused in staging: nothing holds staging" in partly.output) == (1, True)


def test_everything_is_held_by_a_word_of_its_own(cli: Any, door: Any) -> None:
    assert cli.run("hold", "--all", "--why", "fire").output.startswith(f"{ME} holds everything, because: fire")
    assert cli.run("resume", "--all").exit_code == 0
    for wrong in (["hold"], ["hold", "shop", "--all"]):
        assert "give an APPLICATION, or --all" in cli.run(*wrong).output


@pytest.mark.parametrize("verb", ["hold", "resume"])
def test_nothing_is_sent_where_everything_is_to_be_waited_for(cli: Any, door: Any, verb: str) -> None:
    said = cli.run(verb, "--all", "--wait")
    assert (said.exit_code, "--wait follows one application, not --all" in said.output) == (2, True), said.output
    assert door == []


def test_a_refusal_is_one_line_with_exit_code_1(cli: Any, door: Any) -> None:
    said = cli.run("resume", "shop", "staging")
    assert (said.exit_code, said.output) == (1, "Error: nothing holds staging\n")


def test_without_an_address_of_operate_that_is_said(cli: Any) -> None:
    said = cli.run("retry", "shop", "staging")
    assert said.exit_code == 1
    assert "set DOWNWIND_OPERATE_URL to the address of operate" in said.output


def test_deploy_and_promote_go_to_operate_where_there_is_one(shop: Any, cli: Any, door: Any) -> None:
    commit = released(shop)
    found = answer(cli, "deploy", "shop", "staging", "--commit", commit[:8])
    assert found["orders"][0]["sequence"] == 2
    assert answer(cli, "promote", "shop", "production", "--dry-run")["orders"][0]["state"] == "would"
    assert [body["verb"] for body in door] == ["deploy", "promote"]


def test_a_dry_run_by_the_topic_is_refused(shop: Any, cli: Any) -> None:
    commit = released(shop)
    said = cli.run("deploy", "shop", "staging", "--commit", commit, "--dry-run")
    assert (said.exit_code, "there is no answer to show" in said.output) == (1, True)


@pytest.mark.parametrize(("stage", "code"), [(None, 0), ("4", 1)])
def test_a_rollback_is_followed_to_its_end(shop: Any, cli: Any, door: Any, stage: str | None, code: int) -> None:
    released(shop), released(shop)

    def end() -> None:
        execution = shop.executions("staging")[-1]
        if stage:
            shop.memory.pipelines.fail_stage(execution["id"], stage)
            shop.echo(execution)
        else:
            shop.finish(execution)

    cli.passing = end
    said = cli.run("rollback", "shop", "staging", "--wait")
    assert said.exit_code == code, said.output
    assert "staging 3 triggered" in said.output
    first = said.stdout.splitlines()[0]
    assert said.stdout.count(f"{first}\n") == 1, "the answer says it, so the wait does not"


def test_a_cancel_is_followed_until_it_is_cancelled(shop: Any, cli: Any, door: Any) -> None:
    shop.build(shop.push())
    cli.passing = lambda: shop.echo(shop.executions("staging")[-1])
    said = cli.run("cancel", "shop", "staging", "--wait")
    assert (said.exit_code, "staging 1 cancelled" in said.output) == (0, True)


def test_a_retry_is_followed_past_the_outcome_that_stands(shop: Any, cli: Any, door: Any) -> None:
    shop.build(shop.push())
    shop.memory.pipelines.fail_stage(shop.executions("staging")[-1]["id"], "4")
    shop.echo(shop.executions("staging")[-1])
    cli.passing = lambda: shop.finish(shop.executions("staging")[-1])
    said = cli.run("retry", "shop", "staging", "--wait")
    assert (said.exit_code, "staging 1 (attempt 1) succeeded" in said.output) == (0, True), said.output


@pytest.mark.parametrize(("verb", "outcome"), [("approve", "succeeded"), ("reject", "cancelled")])
def test_a_judgment_is_followed_to_what_it_brings(shop: Any, cli: Any, door: Any, verb: str, outcome: str) -> None:
    released(shop)
    execution = shop.executions("production")[-1]
    shop.finish(execution)
    cli.passing = lambda: shop.echo(execution)
    said = cli.run(verb, "shop", "production", "--wait")
    assert (said.exit_code, f"production 1 {outcome}" in said.output) == (0, True), said.output


def test_a_hold_is_followed_until_nothing_runs_and_a_resume_to_the_end_of_what_it_let_go(
    shop: Any, cli: Any, door: Any
) -> None:
    shop.build(shop.push())
    cli.passing = lambda: shop.finish(shop.executions("staging")[-1])
    assert cli.run("hold", "shop", "staging", "--wait").exit_code == 0
    assert cli.run("resume", "shop", "staging", "--wait").exit_code == 0, "nothing to wait for"
    cli.run("hold", "shop", "staging")
    shop.build(shop.push())
    said = cli.run("resume", "shop", "staging", "--wait", "-o", "json")
    assert said.exit_code == 0, said.output
    assert shop.outcomes("staging")[-1] == (5, "succeeded")


def test_the_time_to_wait_ends(shop: Any, cli: Any, door: Any) -> None:
    released(shop), released(shop)
    said = cli.run("rollback", "shop", "staging", "--wait", "--timeout", "10")
    assert (said.exit_code, "it goes on without you" in said.output) == (3, True)


def test_why_tells_of_an_order_who_gave_it_and_what_became_of_it(shop: Any, cli: Any, door: Any) -> None:
    first, _ = released(shop), released(shop)
    cli.run("rollback", "shop", "staging", "--id", "CHG-7", "--why", "INC-7")
    told = {step["step"]: step["text"] for step in cli.steps("CHG-7")}
    assert told["received"].startswith("order CHG-7 came to operate")
    assert told["verified"].endswith(
        "operate checked whose ID token it was, and that the catalog or the installation lists this person"
    )
    assert told["ordered"] == "the order was carried out: staging 3"
    rules = cli.told(first, "matched")
    assert any("operators are sre@acme.example" in each for each in rules)
