"""`downwind deploy` and `downwind promote`: what is published, what is refused before, and following to the outcome."""

import json
from pathlib import Path
from typing import Any

import pytest

from downwind.cli.identity import claimed
from downwind.errors import TransientError

IMAGE = "us-central1-docker.pkg.dev/acme/apps/shop"
DIGEST = "sha256:" + "d" * 64


def live_in_staging(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    return commit


def published(shop: Any) -> dict[str, Any]:
    (message,) = [each for each in shop.memory.publisher.published if each.topic == "rollout-requests"]
    found: dict[str, Any] = json.loads(message.data)
    return found


def hand_over(shop: Any, done: list[str]) -> None:
    """Pub/Sub brings what is on the topic to the function."""
    for message in shop.memory.publisher.published:
        if message.topic == "rollout-requests" and message.id not in done:
            done.append(message.id)
            shop.send("request", message.data, id=f"order-{message.id}")


def test_deploy_publishes_the_request_that_the_function_takes(cli: Any, shop: Any) -> None:
    commit = live_in_staging(shop)
    mine = shop.memory.registry.push(IMAGE)
    done = cli.run(
        "deploy", "shop", "production", "--commit", commit[:8], "--why", "CHG-1", "--image", f"{IMAGE}={mine}"
    )
    assert done.exit_code == 0, done.output
    request = published(shop)
    assert done.stdout.splitlines()[-1] == f"what becomes of it: downwind why {request['id']}"
    who = request.pop("who")
    assert "@" in who
    assert request == {
        "id": request["id"],
        "verb": "deploy",
        "application": "shop",
        "environment": "production",
        "commit": commit,
        "images": {IMAGE: mine},
        "why": "CHG-1",
    }
    hand_over(shop, [])
    assert shop.log("production") == [commit, commit]
    assert cli.json("why", request["id"])["chains"][0]["commit"] == commit


def test_promote_publishes_no_more_than_it_was_given(cli: Any, shop: Any) -> None:
    live_in_staging(shop)
    assert cli.run("promote", "shop", "production", "--id", "chg-77").exit_code == 0
    request = published(shop)
    assert {key: request[key] for key in request if key != "who"} == {
        "id": "chg-77",
        "verb": "promote",
        "application": "shop",
        "environment": "production",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["deploy", "cart", "staging", "--commit", "a" * 40], 1, "the catalog has no application 'cart'"),
        (["deploy", "shop", "test", "--commit", "a" * 40], 1, "shop has no environment 'test'; use one of: staging, production"),
        (["deploy", "shop", "Staging", "--commit", "a" * 40], 1, "shop has no environment 'Staging'"),
        (["deploy", "shop", "test", "--commit", "abcdef01"], 1, "shop has no environment 'test'"),
        (["promote", "cart", "staging", "--commit", "abcdef01"], 1, "the catalog has no application 'cart'"),
        (["deploy", "shop", "staging", "--commit", "main"], 1, "'main' is no commit; give at least 7 hex digits"),
        (["deploy", "shop", "staging", "--commit", "abcdef01"], 1, "no commit that begins with abcdef01 is known here"),
        (["deploy", "shop", "staging"], 2, "Missing option '--commit'"),
        (["deploy", "shop", "staging", "--commit", "a" * 40, "--image", "x"], 2, "'x' is not NAME=DIGEST"),
        (["deploy", "shop", "staging", "--commit", "a" * 40, "--image", "x=latest"], 1, "a value in images is no digest"),
        (["deploy", "shop", "staging", "--commit", "a" * 40, "--image", f"x={DIGEST}"], 1, "x is not an image of shop"),
        (["promote", "shop", "staging"], 1, "staging is fed by refs: nothing is promoted into it; use deploy"),
    ],
)  # fmt: skip
def test_what_would_not_be_taken_is_refused_before_it_is_published(
    cli: Any, shop: Any, arguments: list[str], code: int, said: str
) -> None:
    done = cli.run(*arguments)
    assert done.exit_code == code
    assert said in done.stderr
    assert [each for each in shop.memory.publisher.published if each.topic == "rollout-requests"] == []


def test_a_digest_is_no_commit(cli: Any, shop: Any) -> None:
    commit = live_in_staging(shop)
    message = shop.sent[0][1]
    shop.send("push", message.data, id="abcdef01")
    done = cli.run("deploy", "shop", "staging", "--commit", "abcdef01")
    assert (done.exit_code, "no commit that begins with abcdef01 is known here" in done.stderr) == (1, True)
    assert commit


def test_an_environment_that_takes_no_orders_from_the_topic_says_what_to_change(cli: Any, shop: Any) -> None:
    shop.apply(shop.catalog.replace("requests: topic", "requests: operators"))
    done = cli.run("deploy", "shop", "staging", "--commit", "a" * 40)
    assert (done.exit_code, "set requests: topic in the catalog" in done.stderr) == (1, True)


def test_wait_follows_a_deploy_to_its_success_with_one_line_a_step(cli: Any, shop: Any) -> None:
    commit = live_in_staging(shop)
    done: list[str] = []
    looks = iter(range(100))

    def world() -> None:
        hand_over(shop, done)
        if next(looks) == 3:
            shop.finish(shop.executions("staging")[-1])

    cli.passing = world
    followed = cli.run("deploy", "shop", "staging", "--commit", commit, "--why", "again", "--wait")
    assert followed.exit_code == 0, followed.output
    lines = [line for line in followed.stdout.splitlines() if not line.startswith("{")]
    execution = shop.executions("staging")[-1]["id"]
    assert lines[0].startswith("request ")
    assert lines[1].startswith(f"staging 2 is {commit[:7]}: ordered by request ")
    assert lines[2:] == [
        "the order was carried out: staging 2",
        "staging 2 claimed for trigger, so that nobody else starts it (epoch 1)",
        f"staging 2 triggered: execution {execution}",
        f"staging 2 waits for execution {execution} to end",
        f"execution {execution} ended SUCCEEDED, its fence passed",
        "staging 2 succeeded: every deploying stage succeeded",
    ]


@pytest.mark.parametrize("end", ["refuse", "fail", "build", "overtaken"])
def test_wait_ends_with_1_where_it_did_not_succeed(cli: Any, shop: Any, end: str) -> None:
    live_in_staging(shop)
    done: list[str] = []
    commit = shop.push()
    if end in ("fail", "refuse"):
        shop.build(commit)
    looks = iter(range(100))

    def world() -> None:
        hand_over(shop, done)
        if next(looks) != 3:
            return
        if end == "build":
            shop.build(commit, "FAILURE")
        elif end == "overtaken":
            newer = shop.push()
            shop.build(newer)
        else:
            execution = shop.executions("staging")[-1]
            shop.memory.pipelines.fail_stage(execution["id"], "4", "image cannot be pulled")
            shop.echo(execution)

    cli.passing = world
    if end == "refuse":
        followed = cli.run("promote", "shop", "production", "--commit", commit, "--wait")
        said = "nothing to promote: no rollout of"
    else:
        followed = cli.run("deploy", "shop", "staging", "--commit", commit, "--wait")
        said = {
            "fail": "failed: image cannot be pulled",
            "build": "is blocked: build ",
            "overtaken": "staging 3 was never triggered: a newer entry went first",
        }[end]
    assert followed.exit_code == 1, followed.output
    assert said in followed.stdout


def test_wait_tells_of_an_order_that_was_parked(cli: Any, shop: Any) -> None:
    commit = live_in_staging(shop)
    done: list[str] = []

    def world() -> None:
        shop.apply(shop.catalog.replace("requests: topic", "requests: operators"))
        hand_over(shop, done)

    cli.passing = world
    followed = cli.run("deploy", "shop", "staging", "--commit", commit, "--wait")
    assert followed.exit_code == 1
    assert "parked: shop/staging takes no orders from the topic" in followed.stdout


def test_wait_gives_up_in_the_end_and_says_how_to_go_on(cli: Any, shop: Any) -> None:
    commit = live_in_staging(shop)
    shop.memory.pipelines.fail(TransientError("no answer"), verb="execution", times=2)
    followed = cli.run("deploy", "shop", "staging", "--commit", commit, "--wait", "--timeout", "9", "--id", "r1")
    assert followed.exit_code == 3
    assert "not ended after 9 s; it goes on without you: downwind why r1" in followed.stderr


def test_wait_outlives_a_store_that_does_not_answer(cli: Any, shop: Any) -> None:
    commit = live_in_staging(shop)
    done: list[str] = []
    looks = iter(range(100))

    def world() -> None:
        hand_over(shop, done)
        if len(shop.executions("staging")) == 2:
            shop.finish(shop.executions("staging")[-1])
        if next(looks) == 0:
            shop.memory.ledger.fail = silent

    def silent(method: str, name: str) -> None:
        shop.memory.ledger.fail = None
        raise TransientError("Cloud Storage did not answer")

    cli.passing = world
    followed = cli.run("deploy", "shop", "staging", "--commit", commit, "--wait")
    assert followed.exit_code == 0, followed.output
    assert "no answer: Cloud Storage did not answer; looking again" in followed.stdout


def gcloud(folder: Path, account: str) -> dict[str, str]:
    (folder / "configurations").mkdir(parents=True)
    (folder / "active_config").write_text("work\n")
    (folder / "configurations" / "config_work").write_text(f"[core]\naccount = {account}\nproject = 100%\n")
    return {"CLOUDSDK_CONFIG": str(folder)}


def test_who_is_gcloud_s_account_where_there_is_one(tmp_path: Path) -> None:
    assert claimed(gcloud(tmp_path / "a", "ann@acme.example")) == "ann@acme.example"
    home = tmp_path / "home"
    gcloud(home / ".config" / "gcloud", "bob@acme.example")
    assert claimed({"HOME": str(home)}) == "bob@acme.example"
    assert claimed({"CLOUDSDK_CORE_ACCOUNT": "ci@acme.example", "HOME": str(home)}) == "ci@acme.example"
    assert claimed({"CLOUDSDK_ACTIVE_CONFIG_NAME": "none", "HOME": str(home), "USER": "eve"}).startswith("eve@")


@pytest.mark.parametrize("environment", [{"LOGNAME": "ann"}, {"USER": "ann", "HOME": "/nowhere"}])
def test_who_is_else_the_user_of_this_machine(environment: dict[str, str]) -> None:
    assert claimed(environment).startswith("ann@")
