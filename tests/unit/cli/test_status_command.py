"""`downwind status` at each station of the main job."""

import json
import re
from typing import Any

import pytest
import yaml
from tests.application import IMAGE, REPOSITORY, digest_for

from downwind.errors import TransientError
from downwind.perform.everything import hold_everything
from downwind.ports import NewObject


def place(cli: Any, environment: str) -> Any:
    (application,) = cli.json("status", "shop")["applications"]
    return next(each for each in application["environments"] if each["environment"] == environment)


def to_production(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    return commit


def lose(shop: Any, part: str) -> None:
    """As if the worker had died before it wrote this."""
    ledger = shop.memory.ledger
    for each in ledger.list("environment/"):
        if part in each.name:
            ledger.delete(each.name)


def test_a_pushed_commit_waits_for_its_build(cli: Any, shop: Any) -> None:
    commit = shop.push()
    staging = place(cli, "staging")
    assert (staging["live"], staging["running"]) == (None, [])
    (entry,) = staging["next"]
    assert (entry["sequence"], entry["commit"], entry["by"]) == (1, commit, "push")
    assert (entry["state"], entry["waits"]) == ("waiting", ["a build of this commit"])
    text = cli.run("status").stdout
    assert (
        f"staging       -      -       1 {commit[:7]}   waiting   -         waits for a build of this commit\n" in text
    )
    assert "production    -      -       -           -         -         nothing has been rolled out yet\n" in text


def test_a_run_that_waits_for_a_person_says_so(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    shop.finish(shop.executions("production")[-1])
    staging, production = place(cli, "staging"), place(cli, "production")
    assert (staging["live"]["sequence"], staging["live"]["commit"]) == (1, commit)
    (running,) = production["running"]
    assert running["waits"] == ["a manual judgment"]
    assert running["execution"] == shop.executions("production")[-1]["id"]
    assert "waits for a manual judgment" in cli.run("status", "shop").stdout


def test_where_spinnaker_does_not_answer_the_ledger_is_told(cli: Any, shop: Any) -> None:
    to_production(shop)
    shop.finish(shop.executions("production")[-1])
    shop.memory.pipelines.fail(TransientError("Gate did not answer"), verb="execution", times=2)
    document = cli.json("status")["applications"][0]
    assert document["spinnaker"] == {"answered": False, "error": "Gate did not answer"}
    production = document["environments"][1]
    assert production["running"][0]["waits"] == [f"execution {production['running'][0]['execution']} to end"]
    assert "Spinnaker did not say how open executions are: Gate did not answer" in cli.run("status").stdout


def test_a_failed_build_blocks_its_entry_only(cli: Any, shop: Any) -> None:
    good = to_production(shop)
    bad = shop.push()
    build = shop.build(bad, "FAILURE")
    staging = place(cli, "staging")
    assert staging["live"]["commit"] == good
    (entry,) = staging["next"]
    assert (entry["state"], entry["reason"]) == ("blocked", f"build {build} ended FAILURE")


def test_manifests_that_cannot_be_rendered_block_this_environment_only(cli: Any, shop: Any) -> None:
    commit = shop.push(**{"deploy/staging/shop.yaml": b"kind: ["})
    shop.build(commit)
    (entry,) = place(cli, "staging")["next"]
    assert entry["state"] == "blocked"
    assert entry["reason"].startswith("manifests: shop.yaml:")


def test_a_failure_stands_beside_what_is_still_live(cli: Any, shop: Any) -> None:
    first = to_production(shop)
    second = shop.push()
    shop.build(second)
    execution = shop.executions("staging")[-1]
    shop.memory.pipelines.fail_stage(execution["id"], "4", "image cannot be pulled")
    shop.echo(execution)
    staging = place(cli, "staging")
    assert (staging["live"]["sequence"], staging["live"]["commit"]) == (1, first)
    assert (staging["last"]["sequence"], staging["last"]["state"]) == (2, "failed")
    assert "image cannot be pulled" in staging["last"]["reason"]
    (line,) = [each for each in cli.run("status").stdout.splitlines() if "staging" in each]
    assert re.split(" {3,}", line) == [
        "shop",
        "staging",
        f"1 {first[:7]}",
        "1s ago",
        f"2 {second[:7]}",
        "failed",
        "-",
        "image cannot be pulled",
    ]


def test_a_failure_is_still_told_when_the_next_one_is_on_its_way(cli: Any, shop: Any) -> None:
    to_production(shop)
    shop.build(shop.push())
    execution = shop.executions("staging")[-1]
    shop.memory.pipelines.fail_stage(execution["id"], "4", "image cannot be pulled")
    shop.echo(execution)
    third = shop.push()
    text = cli.run("status", "shop").stdout
    assert f"3 {third[:7]} (+1)   waiting" in text
    assert "waits for a build of this commit; 2 failed: image cannot be pulled" in text


def test_what_runs_stands_before_what_waits_and_that_before_what_is_blocked(cli: Any, shop: Any) -> None:
    first = shop.push()
    shop.build(first)
    shop.build(shop.push(), "FAILURE")
    third = shop.push()
    assert [each["sequence"] for each in place(cli, "staging")["next"]] == [3, 2]
    text = cli.run("status", "shop").stdout
    assert f"1 {first[:7]} (+2)   running" in text
    shop.finish(shop.executions("staging")[-1])
    assert f"3 {third[:7]} (+1)   waiting" in cli.run("status", "shop").stdout


def test_an_older_entry_above_the_newest_triggered_lets_the_newer_go_first(cli: Any, shop: Any) -> None:
    shop.push()
    newer = shop.push()
    shop.memory.pipelines.fail(TransientError("Gate did not answer"), verb="config", times=99)
    shop.build(newer)
    lose(shop, "/claim.0.1")
    entries = place(cli, "staging")["next"]
    assert [(each["sequence"], each["state"], each["reason"]) for each in entries] == [
        (2, "due", "staging 2 is to be triggered"),
        (1, "waiting", "a newer entry goes first"),
    ]


def test_a_promotion_that_is_not_written_yet_is_due(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    lose(shop, "/shop/production/")
    production = place(cli, "production")
    assert place(cli, "staging")["live"]["commit"] == commit
    assert production["due"] == [f"to be appended: production 1 is {commit[:7]}: staging 1 succeeded and was promoted"]
    assert "to be appended" in cli.run("status").stdout


def test_a_claimed_rollout_without_execution_waits_for_its_worker(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.memory.pipelines.fail(TransientError("Gate did not answer"), verb="start", times=99)
    shop.build(commit)
    (running,) = place(cli, "staging")["running"]
    assert (running["execution"], running["waits"]) == (
        None,
        ["the worker that claimed it, or the tick that takes over"],
    )


def test_a_rollout_is_not_said_to_wait_for_a_notice(cli: Any, shop: Any) -> None:
    hook = 'notify:\n  - {name: hook, to: webhook, address: "https://hooks.acme.example/downwind"}\n'
    shop.apply(shop.catalog.replace("environments:\n", f"{hook}environments:\n"))
    shop.memory.notifier.fail(TransientError("503"), times=99)
    to_production(shop)
    shop.finish(shop.executions("production")[-1])
    (running,) = place(cli, "production")["running"]
    assert running["waits"] == ["a manual judgment"]


def test_a_hold_says_by_whom_since_when_and_why(cli: Any, shop: Any) -> None:
    to_production(shop)
    shop.order("hold", "staging", who="ann@acme.example", why="audit")
    hold = place(cli, "staging")["hold"]
    since = hold.pop("since")
    assert hold == {"sequence": 2, "by": "operator", "who": "ann@acme.example", "why": "audit"}
    assert place(cli, "production")["hold"] is None
    assert f"-           -         ann@acme.example   held since {since}: audit\n" in cli.run("status").stdout
    commit = shop.push()
    shop.build(commit)
    shop.image(commit)
    text = cli.run("status").stdout
    assert f"3 {commit[:7]}   waiting   ann@acme.example   held since {since}: audit\n" in text


def test_a_hold_below_many_entries_still_says_since_when(cli: Any, shop: Any) -> None:
    shop.order("hold", "staging")
    for _ in range(60):
        shop.push()
    assert place(cli, "staging")["hold"]["since"] == "2026-11-24T09:00:00Z"


def test_a_hold_over_everything_is_in_every_environment(cli: Any, shop: Any) -> None:
    hold_everything(shop.world, "hold", "o1", "ann@acme.example", "outage", shop.memory.clock(), dry_run=False)
    holds = [place(cli, each)["hold"] for each in ("staging", "production")]
    assert holds[0] == holds[1]
    assert (holds[0]["sequence"], holds[0]["who"], holds[0]["why"]) == (None, "ann@acme.example", "outage")
    assert holds[0]["since"] is not None


def test_a_hold_over_everything_is_told_beside_that_of_an_environment(cli: Any, shop: Any) -> None:
    to_production(shop)
    shop.order("hold", "staging", who="bob@acme.example", why="audit")
    assert "everything" not in cli.run("status").stdout
    hold_everything(shop.world, "hold", "o1", "ann@acme.example", "outage", shop.memory.clock(), dry_run=False)
    assert place(cli, "staging")["hold"]["who"] == "bob@acme.example"
    note = "everything is held since 2026-11-24T09:00:0.Z by ann@acme.example: outage; downwind resume --all\n"
    assert re.search(note, cli.run("status").stdout)
    assert re.search(note, cli.run("status", "shop").stdout)
    hold_everything(shop.world, "resume", "o2", "ann@acme.example", None, shop.memory.clock(), dry_run=False)
    assert "everything" not in cli.run("status").stdout


def test_what_made_automation_hold_is_told_once(cli: Any, shop: Any) -> None:
    staging = "pipeline: {application: shop, name: deploy-staging}"
    shop.apply(shop.catalog.replace(staging, f"{staging}\n    on_failure: hold"))
    shop.build(shop.push())
    shop.memory.pipelines.fail_stage(shop.executions("staging")[-1]["id"], "4", "no such image")
    shop.echo(shop.executions("staging")[-1])
    (row,) = [line for line in cli.run("status").stdout.splitlines() if " staging " in line]
    assert "staging 1 failed: " in row
    assert row.count("no such image") == 1


def test_what_still_runs_below_what_is_live_comes_last(cli: Any, shop: Any) -> None:
    first = shop.push()
    shop.build(first)
    to_production(shop)
    third = shop.push()
    assert f"3 {third[:7]} (+1)   waiting" in cli.run("status").stdout


def test_an_application_costs_what_the_reference_says(cli: Any, shop: Any) -> None:
    def cost() -> tuple[int, int]:
        catalog, ledger = shop.memory.catalog, shop.memory.ledger
        before = (catalog.calls, ledger.calls)
        cli.run("status")
        return catalog.calls - before[0], ledger.calls - before[1]

    to_production(shop)
    assert cost() == (2, 5)  # list and read; holds, and two lists for each environment
    shop.push()
    assert cost() == (2, 8)  # and three for the commit that waits
    shop.second("other")
    assert cost() == (3, 13)


def test_yaml_says_the_same_as_json(cli: Any, shop: Any) -> None:
    to_production(shop)
    assert yaml.safe_load(cli.run("status", "-o", "yaml").stdout) == cli.json("status")


def test_an_unknown_application_is_refused_and_an_empty_catalog_says_how_to_begin(cli: Any) -> None:
    done = cli.run("status", "none")
    assert (done.exit_code, done.stderr) == (
        1,
        "Error: the catalog has no application 'none'; downwind app list\n",
    )
    assert "downwind app init" in cli.run("status").stdout


def test_status_writes_nothing(cli: Any, shop: Any) -> None:
    to_production(shop)
    memory = shop.memory
    before = [{each.name: each.generation for each in store.list("")} for store in (memory.ledger, memory.work)]
    cli.run("status")
    assert [{each.name: each.generation for each in store.list("")} for store in (memory.ledger, memory.work)] == before


@pytest.mark.parametrize("command", ["status", "app list"])
def test_a_catalog_file_that_this_version_cannot_read_stops_no_other(cli: Any, shop: Any, command: str) -> None:
    shop.memory.catalog.create(NewObject(name="application/odd.yaml", data=b"name: odd\n"))
    done = cli.run(*command.split(), "-o", "json")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: catalog application/odd.yaml (generation ")
    assert done.stderr.count("\n") == 1
    assert len(json.loads(done.stdout)["applications"]) == 1


def test_only_unreadable_files_are_no_empty_catalog(cli: Any, memory: Any) -> None:
    memory.catalog.create(NewObject(name="application/odd.yaml", data=b"name: odd\n"))
    for command in (["status"], ["status", "odd"], ["app", "list"]):
        done = cli.run(*command)
        assert (done.exit_code, "downwind app init" in done.stdout, "no application" in done.stderr) == (
            1,
            False,
            False,
        )


def test_a_release_without_attestation_says_what_it_waits_for(cli: Any, shop: Any) -> None:
    shop.apply(shop.catalog.replace("\nenvironments:", "\nverify: {provenance: attestation}\nenvironments:"))
    commit = shop.push()
    shop.build(commit)
    waits = f"an attestation: nobody has attested yet how {IMAGE}@{digest_for(commit)} was built (verify.provenance)"
    (entry,) = place(cli, "staging")["next"]
    assert (entry["state"], entry["waits"]) == ("waiting", [waits])
    (line,) = [each for each in cli.json("why", commit)["chains"][0]["steps"] if each["step"] == "waits"]
    assert line["text"] == f"staging 1 waits for {waits}"
    assert waits in json.dumps(cli.json("queue"))
    shop.memory.attestations.fail(TransientError("Artifact Analysis is silent"))
    (entry,) = place(cli, "staging")["next"]
    assert entry["waits"] == ["attestations, which could not be asked for from here: Artifact Analysis is silent"]
    shop.memory.attestations.attest(IMAGE, digest_for(commit), "https://builder.example", (REPOSITORY, commit))
    assert place(cli, "staging")["next"][0]["state"] == "due"
