"""`downwind history`: who, why, when and what became of it, page after page, at a cost that does not grow."""

import re
from typing import Any

import pytest

from downwind.errors import TransientError
from downwind.perform.everything import hold_everything
from downwind.ports import NewObject
from downwind.reconcile import names


def entries(cli: Any, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli.json("history", "shop", *arguments)["entries"]
    return found


def numbers(found: list[dict[str, Any]]) -> list[tuple[str | None, int]]:
    return [(each["environment"], each["sequence"]) for each in found]


def to_production(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    shop.finish(shop.executions("production")[-1])
    return commit


def test_every_kind_of_entry_with_what_became_of_it(cli: Any, shop: Any) -> None:
    first = to_production(shop)
    failed = shop.build(shop.push(), "FAILURE")
    shop.push()
    shop.request("deploy", "staging", commit=first, who="ann@acme.example", why="CHG-1")
    found = entries(cli)
    said = [(each["environment"], each["sequence"], each["by"], each["state"], each["reason"]) for each in found]
    assert said == [
        ("staging", 4, "request", "running", None),
        ("staging", 3, "push", "passed over", "a newer entry was triggered first"),
        ("staging", 2, "push", "passed over", f"build {failed} ended FAILURE"),
        ("production", 1, "promotion", "running", None),
        ("staging", 1, "push", "succeeded", "every deploying stage succeeded"),
    ]
    assert (found[0]["who"], found[0]["why"]) == ("ann@acme.example", "CHG-1")
    assert (found[3]["upstream"], found[3]["upstream_sequence"], found[3]["waits"]) == (
        "staging",
        1,
        ["a manual judgment"],
    )
    assert (found[4]["ref"], found[4]["started"] <= found[4]["ended"]) == ("refs/heads/main", True)
    lines = [re.split(" {3,}", line)[4:] for line in cli.run("history", "shop").stdout.splitlines()]
    execution = found[0]["execution"]
    assert lines == [
        ["WHAT", "WHO", "STATE", "TOOK", "WHY"],
        ["deploy", "ann@acme.example (claimed)", "running", "-", f"CHG-1; waits for execution {execution} to end"],
        ["push", "-", "passed over", "-", "the tip of refs/heads/main; a newer entry was triggered first"],
        ["push", "-", "passed over", "-", f"the tip of refs/heads/main; build {failed} ended FAILURE"],
        ["promotion", "-", "running", "-", "staging 1 succeeded; waits for a manual judgment"],
        ["push", "-", "succeeded", "0s", "the tip of refs/heads/main"],
    ]


def released(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.image(commit)
    shop.finish(shop.executions("staging")[-1])
    return commit


def told(cli: Any, environment: str) -> list[list[str]]:
    """COMMIT, WHAT, WHO, STATE, TOOK and WHY of the table, the oldest first."""
    lines = cli.run("history", "shop", environment).stdout.splitlines()[1:]
    return [re.split(" {3,}", line)[3:] for line in reversed(lines)]


def test_orders_stand_in_the_log_with_who_and_why(cli: Any, shop: Any) -> None:
    first, second = released(shop), released(shop)
    shop.order("rollback", "staging", who="ann@acme.example", why="errors")
    shop.finish(shop.executions("staging")[-1])
    third = released(shop)
    shop.order("resume", "staging", who="bob@acme.example", why="mended")
    execution = shop.executions("staging")[-1]
    shop.order("cancel", "staging", who="ann@acme.example", why=None)
    shop.tick(2)
    shop.order("retry", "staging", why="once more")
    shop.order("hold", "staging", why="audit")
    ran = shop.executions("staging")[-1]["id"]
    assert (execution["id"] != ran, told(cli, "staging")) == (
        True,
        [
            [first[:7], "push", "-", "succeeded", "1s", "the tip of refs/heads/main"],
            [second[:7], "push", "-", "succeeded", "1s", "the tip of refs/heads/main"],
            [first[:7], "rollback", "ann@acme.example", "succeeded", "0s", "to 1: errors"],
            [third[:7], "push", "-", "running", "-", f"the tip of refs/heads/main; waits for execution {ran} to end"],
            ["-", "resume", "bob@acme.example", "done", "-", "mended"],
            [third[:7], "cancel", "ann@acme.example", "done", "-", "entry 4"],
            [third[:7], "retry", "sre@acme.example", "done", "-", "entry 4: once more"],
            ["-", "hold", "sre@acme.example", "holds", "-", "audit"],
        ],
    )
    found = {each["sequence"]: each for each in entries(cli, "staging")}
    assert [(found[n]["by"], found[n]["verb"], found[n]["target"]) for n in (2, 3, 5, 6)] == [
        ("push", "release", None),
        ("operator", "rollback", 1),
        ("operator", "resume", None),
        ("operator", "cancel", 4),
    ]
    assert (found[5]["commit"], found[5]["state"], found[8]["state"]) == (None, "done", "holds")


def over_all(shop: Any, verb: str, identifier: str, why: str | None = None) -> None:
    shop.memory.clock.advance(60)
    hold_everything(shop.world, verb, identifier, "boss@acme.example", why, shop.memory.clock(), dry_run=False)


def test_a_hold_over_everything_stands_among_the_entries_and_alone(cli: Any, shop: Any) -> None:
    assert "nothing was ever held everywhere" in cli.run("history").stdout
    to_production(shop)
    over_all(shop, "hold", "h1", "outage")
    shop.memory.clock.advance(60)
    shop.build(shop.push())
    found = entries(cli)
    assert numbers(found) == [("staging", 2), (None, 1), ("production", 1), ("staging", 1)]
    assert set(found[1]) == set(found[0])
    about = {name: found[1][name] for name in ("verb", "who", "why", "state", "request")}
    wanted = {"verb": "hold", "who": "boss@acme.example", "why": "outage", "state": "holds", "request": "h1"}
    assert about == wanted
    over_all(shop, "resume", "h2")
    assert [(each["verb"], each["state"]) for each in cli.json("history")["entries"]] == [
        ("resume", "done"),
        ("hold", "done"),
    ]
    (row,) = [line for line in cli.run("history", "shop", "staging").stdout.splitlines() if "outage" in line]
    assert row.split()[0] == "(all)"
    page = cli.json("history", "shop", "--limit", "2")
    rest = cli.json("history", "shop", "--continue", page["continue"])
    assert "ALL=1" in page["continue"]
    assert numbers([*page["entries"], *rest["entries"]]) == [(None, 2), *numbers(found)]
    assert cli.json("history", "--limit", "1")["continue"] == "ALL=1"
    assert numbers(cli.json("history", "--continue", "ALL=1")["entries"]) == [(None, 1)]


def test_an_automatic_rollback_says_what_failed(cli: Any, shop: Any) -> None:
    staging = "pipeline: {application: shop, name: deploy-staging}"
    shop.apply(shop.catalog.replace(staging, f"{staging}\n    on_failure: rollback"))
    first = released(shop)
    commit = shop.push()
    shop.build(commit)
    shop.image(commit)
    execution = shop.executions("staging")[-1]
    shop.memory.pipelines.fail_stage(execution["id"], "4", "image cannot be pulled")
    shop.echo(execution)
    last = told(cli, "staging")[-1]
    assert last[:3] == [first[:7], "rollback", "on_failure"]
    assert last[5].startswith("to 1: staging 2 failed: image cannot be pulled")


def test_who_answered_a_judgment_stands_with_the_rollout(cli: Any, shop: Any) -> None:
    released(shop)
    shop.finish(shop.executions("production")[-1])
    shop.order("approve", "production", who="ann@acme.example", why="looks good")
    (entry,) = entries(cli, "production")
    answer = {
        "decision": "continue",
        "who": "ann@acme.example",
        "why": "looks good",
        "time": entry["judgments"][0]["time"],
    }
    assert entry["judgments"] == [answer]
    assert "staging 1 succeeded; approved by ann@acme.example: looks good" in cli.run("history", "shop").stdout


def test_an_entry_that_waits_or_is_blocked_says_so(cli: Any, shop: Any) -> None:
    shop.build(shop.push(), "FAILURE")
    shop.push()
    waiting, blocked = entries(cli, "staging")
    assert (waiting["state"], waiting["waits"]) == ("waiting", ["a build of this commit"])
    assert (blocked["state"], blocked["build_status"]) == ("blocked", "FAILURE")


def test_links_lead_to_the_run_and_to_the_log_of_the_build(cli: Any, shop: Any) -> None:
    commit = shop.push()
    build = shop.memory.builds.start(shop.trigger, commit, "refs/heads/main")
    log = f"https://console.cloud.google.com/cloud-build/builds;region=us-central1/{build}?project=1"
    body = shop.memory.builds.set(build, "SUCCESS", {f"{shop.IMAGE}:{commit}": "sha256:" + "1" * 64}) | {"logUrl": log}
    shop.send("build", body, {"buildId": build, "status": "SUCCESS"})
    (entry,) = entries(cli, "staging")
    execution = shop.executions("staging")[-1]["id"]
    page = f"https://deck.acme.example/#/applications/shop/executions/details/{execution}"
    assert (entry["execution"], entry["execution_page"]) == (execution, page)
    assert (entry["build"], entry["build_status"], entry["build_log"]) == (build, "SUCCESS", log)
    assert f"   {page}   {log}   " in cli.run("history", "shop", "staging", "--links").stdout
    assert log not in cli.run("history", "shop", "staging").stdout


def test_pages_give_every_entry_once_over_all_environments(cli: Any, shop: Any) -> None:
    for _ in range(4):
        to_production(shop)
    shop.push()
    whole = numbers(entries(cli))
    assert len(whole) == 9
    found: list[tuple[str | None, int]] = []
    token: list[str] = []
    pages = 0
    while True:
        page = cli.json("history", "shop", "--limit", "2", *token)
        found += numbers(page["entries"])
        pages += 1
        if page["continue"] is None:
            break
        assert f"--continue {page['continue']}" in cli.run("history", "shop", "--limit", "2", *token).stdout
        token = ["--continue", page["continue"]]
    assert (found, pages) == (whole, 5)


def test_a_page_of_one_environment_goes_on_where_it_ended(cli: Any, shop: Any) -> None:
    for _ in range(3):
        shop.push()
    done = cli.run("history", "shop", "staging", "--limit", "2").stdout
    assert done.splitlines()[-1] == "older ones: downwind history shop staging --continue staging=1"
    assert numbers(entries(cli, "staging", "--continue", "staging=1")) == [("staging", 1)]
    shop.push()
    assert numbers(entries(cli, "staging", "--continue", "staging=1")) == [("staging", 1)]


@pytest.mark.parametrize(
    "token", ["", "staging", "staging=x", "staging=0", "production=1", "qa=1", "staging=1" + "0" * 18]
)
def test_a_token_of_another_place_is_refused(cli: Any, shop: Any, token: str) -> None:
    done = cli.run("history", "shop", "staging", "--continue", token)
    assert (done.exit_code, "is not what a page has printed" in done.stderr) == (2, True)


def test_unknown_names_are_refused_with_the_fix(cli: Any, shop: Any) -> None:
    done = cli.run("history", "cart")
    assert (done.exit_code, done.stderr) == (1, "Error: the catalog has no application 'cart'; downwind app list\n")
    done = cli.run("history", "shop", "qa")
    assert done.stderr == "Error: shop has no environment 'qa'; use one of: staging, production\n"


def test_an_empty_log_says_where_to_look(cli: Any, shop: Any) -> None:
    done = cli.run("history", "shop")
    assert (done.exit_code, done.stdout) == (0, "no entry yet; what comes next: downwind status shop\n")


def test_a_rollout_with_more_claims_than_one_list_still_has_its_outcome(cli: Any, shop: Any) -> None:
    """While Gate is down each tick that takes over adds a claim."""
    to_production(shop)
    shop.build(shop.push())
    prefix = names.rollout("shop", "staging", 1)
    claim = shop.memory.ledger.read(f"{prefix}claim.0.1")
    for epoch in range(2, 300):
        body = claim.metadata["fact"].replace('"epoch":1', f'"epoch":{epoch}')
        new = NewObject(name=f"{prefix}claim.0.{epoch}", data=body.encode(), metadata={"fact": body})
        shop.memory.ledger.create(new)
    assert entries(cli, "staging")[-1]["state"] == "succeeded"


def test_spinnaker_may_be_silent(cli: Any, shop: Any) -> None:
    to_production(shop)
    shop.memory.pipelines.fail(TransientError("Gate did not answer"), verb="execution", times=9)
    assert "Spinnaker did not say how open executions are: Gate did not answer" in cli.run("history", "shop").stdout


def test_a_page_costs_the_same_however_long_the_log_is(cli: Any, shop: Any) -> None:
    def cost() -> tuple[int, int]:
        ledger = shop.memory.ledger
        before = (ledger.rounds, ledger.calls)
        cli.json("history", "shop", "--limit", "3")
        return ledger.rounds - before[0], ledger.calls - before[1]

    for _ in range(4):
        to_production(shop)
    few = cost()
    for _ in range(8):
        to_production(shop)
    assert cost() == few
    assert few[0] <= 9
    assert few[1] <= 2 + 9 + 3 * 3
