"""`downwind why`: every kind of name leads to the chain, and each line to the object that proves it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from downwind.errors import TransientError
from downwind.events.sources import TOPICS
from downwind.perform import ledger
from downwind.perform.everything import hold_everything
from downwind.perform.find import SOURCES
from downwind.reconcile import names
from downwind.reconcile.facts import NewFact

IMAGE = "us-central1-docker.pkg.dev/acme/apps/shop"


def to_production(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    shop.finish(shop.executions("production")[-1])
    return commit


def test_the_whole_chain_of_a_commit_in_its_order(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    order = [line["step"] for line in cli.steps(commit)]
    expected = ["received", "verified", "push", "recorded", "matched", "admitted", "build", "complete", "rendered"]
    expected += ["claimed", "triggered", "ended", "outcome", "matched", "admitted", "triggered", "waits"]
    position = 0
    for step in expected:
        position = order.index(step, position) + 1
    assert order[-1] == "waits"


def test_each_line_names_an_object_that_stands_there(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    stores = {"acme-ledger": shop.memory.ledger, "acme-catalog": shop.memory.catalog}
    lines = cli.steps(commit)
    for line in lines:
        if line["step"] == "waits":
            assert (line["object"], line["time"]) == (None, None)
            continue
        bucket, _, name = line["object"].removeprefix("gs://").partition("/")
        name, _, generation = name.partition("#")
        assert stores[bucket].read(name, int(generation) if generation else None) is not None, line
    objects = [line["object"] for line in lines if line["object"]]
    shown = cli.run("why", commit, "--objects").stdout
    assert all(each in shown for each in objects if "/announced." not in each)


def test_the_rule_and_the_generation_of_the_catalog_are_named(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    generation = cli.json("app", "show", "shop")["generation"]
    assert cli.told(commit, "matched") == [
        f"environments[0].refs has refs/heads/main (catalog generation {generation})",
        f"environments[1].after is staging, promotion is automatic (catalog generation {generation})",
    ]


def test_an_entry_of_a_catalog_that_is_gone_says_so(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    old = cli.json("app", "show", "shop")["generation"]
    shop.apply(shop.catalog + "# changed\n")
    assert cli.told(commit, "matched")[0] == f"catalog generation {old}, which the catalog does not hold any more"


@pytest.mark.parametrize("kind", ["commit", "digest", "build", "execution"])
@pytest.mark.parametrize("whole", [True, False])
def test_every_name_leads_to_the_same_release_also_abbreviated(cli: Any, shop: Any, kind: str, whole: bool) -> None:
    commit = shop.push()
    build = shop.build(commit)
    execution = shop.executions("staging")[-1]["id"]
    shop.finish(shop.executions("staging")[-1])
    images = shop.facts(names.release("shop", commit))["completed"]["images"]
    name = {"commit": commit, "digest": images[IMAGE], "build": build, "execution": execution}[kind]
    asked = name if whole else name[: {"commit": 7, "digest": 14, "build": 8, "execution": 26}[kind] or None]
    document = cli.json("why", asked)
    assert {"kind": kind, "id": name} in document["subjects"]
    assert [(chain["application"], chain["commit"]) for chain in document["chains"]] == [("shop", commit)]


def test_an_image_may_be_named_with_its_name(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    digest = shop.facts(names.release("shop", commit))["completed"]["images"][IMAGE]
    assert cli.json("why", f"{IMAGE}@{digest}")["chains"][0]["commit"] == commit


@pytest.mark.parametrize("source", ["message", "delivery"])
def test_an_event_leads_to_what_it_said(cli: Any, shop: Any, source: str) -> None:
    before, after = shop.commit()
    if source == "message":
        shop.announce(before, after, id="m-0001")
        asked = "m-0001"
    else:
        body = {
            "ref": "refs/heads/main",
            "before": "0" * 40,
            "after": after,
            "repository": {"clone_url": "https://github.com/acme/shop.git", "full_name": "acme/shop"},
        }
        asked = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
        shop.send("push", body, {"source": "github", "event": "push", "delivery": asked})
    assert cli.json("why", asked)["chains"][0]["commit"] == after
    (verified,) = cli.told(asked, "verified")
    assert ("GitHub's signature of delivery" in verified) == (source == "delivery")
    event = cli.json("why", asked)["subjects"][0]["id"]
    assert cli.json("why", event[:12])["chains"][0]["commit"] == after


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (True, "Pub/Sub's ID token was checked"),
        (False, "it came by hand without a token, which this local world allows"),
        (None, "Pub/Sub's ID token was checked"),
    ],
)
def test_a_call_by_hand_is_not_said_to_have_had_a_token(cli: Any, shop: Any, token: bool | None, said: str) -> None:
    before, after = shop.commit()
    shop.announce(before, after, id="m-0001")
    _, message = shop.sent[-1]
    shop.deliver("push", replace(message, id="by-hand-1", token=token))
    (verified,) = [text for text in cli.told("by-hand-1", "verified") if "by-hand-1" in text]
    assert verified == f"message by-hand-1: {said}"


def test_an_execution_event_leads_to_its_release(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    kind, message = next(each for each in shop.sent if each[0] == "execution")
    assert kind == "execution"
    assert cli.json("why", message.id)["chains"][0]["commit"] == commit


def test_a_push_that_no_environment_takes_is_explained(cli: Any, shop: Any) -> None:
    before, after = shop.commit("refs/heads/feature")
    shop.announce(before, after, "refs/heads/feature", id="m-feature")
    for asked in ("m-feature", after, after[:8]):
        document = cli.json("why", asked)
        assert document["chains"] == []
        said = [line["text"] for line in document["events"] if line["step"] == "ignored"]
        assert said == ["message m-feature: ignored: no environment of shop is fed by refs/heads/feature"]
    assert "ignored: no environment" in cli.run("why", after).stdout


def test_a_parked_request_is_found_by_its_id_and_its_commit(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.apply(shop.catalog.replace("requests: topic", "requests: operators"))
    body = {"id": "r-0001", "verb": "deploy", "application": "shop", "environment": "production", "commit": commit}
    assert shop.send("request", body) == "parked"
    said = [line["text"] for line in cli.json("why", "r-0001")["events"] if line["step"] == "parked"]
    assert said == ["message m2: parked: shop/production takes no orders from the topic"]
    assert "parked: shop/production takes no orders from the topic" in cli.run("why", commit).stdout


def test_a_request_leads_to_the_entry_that_it_became(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    body = {"id": "r-0002", "verb": "promote", "application": "shop", "environment": "production", "who": "ci"}
    shop.send("request", body)
    assert cli.json("why", "r-0002")["chains"][0]["commit"] == commit
    assert "request r-0002 of ci (as claimed) asks to promote into shop/production" in cli.told("r-0002", "ordered")
    assert "the order was carried out: production 2" in cli.told("r-0002", "ordered")


def test_a_request_that_was_refused_says_why(cli: Any, shop: Any) -> None:
    commit = shop.push()
    body = {"id": "r-0003", "verb": "promote", "application": "shop", "environment": "production", "commit": commit}
    shop.send("request", body)
    lines = cli.json("why", "r-0003")["chains"][0]["steps"]
    assert [line["step"] for line in lines if line["step"] in ("ordered", "refused")] == ["ordered", "refused"]


def test_an_image_without_commit_is_explained(cli: Any, shop: Any) -> None:
    digest = "sha256:" + "d" * 64
    shop.send("image", {"action": "INSERT", "digest": f"{IMAGE}@{digest}"})
    document = cli.json("why", digest)
    assert document["chains"] == []
    assert any("no commit known for this image yet" in line["text"] for line in document["events"])


@pytest.mark.parametrize("thing", ["nothing-at-all", "abcdef0123", "abc", "sha256:" + "e" * 64, "12"])
def test_an_unknown_thing_says_where_we_looked(cli: Any, shop: Any, thing: str) -> None:
    done = cli.run("why", thing)
    assert done.exit_code == 1
    assert f"nothing is known of {thing!r}: looked for an event" in done.stderr
    assert "downwind events read" in done.stderr


def test_a_short_beginning_of_two_commits_is_refused(cli: Any, shop: Any) -> None:
    event = names.event("repo-pushes", "x").split("/")[1]
    for commit in ("abcdef0" + "1" * 33, "abcdef0" + "2" * 33):
        ledger.create(shop.memory.ledger, [NewFact(name=names.commit_events(commit) + event, body={"kind": "pointer"})])
    done = cli.run("why", "abcdef0")
    assert done.exit_code == 1
    assert "'abcdef0' is short for 2: abcdef011" in done.stderr


def test_a_release_of_an_application_that_left_the_catalog(cli: Any, shop: Any) -> None:
    commit = shop.push()
    assert cli.run("app", "delete", "shop", "--yes").exit_code == 0
    done = cli.run("why", commit)
    assert done.exit_code == 0
    assert "recorded for shop: 1 fact" in done.stdout


def test_where_spinnaker_is_silent_the_chain_says_so(cli: Any, shop: Any) -> None:
    commit = to_production(shop)
    shop.memory.pipelines.fail(TransientError("Gate did not answer"), verb="execution")
    assert "Spinnaker did not say how open executions are: Gate did not answer" in cli.run("why", commit).stdout


def test_every_source_of_events_is_known_to_why() -> None:
    """Whoever may stand in the name of an event."""
    assert {*TOPICS.values(), "request", "github", "dead-letters"} <= set(SOURCES)


def test_json_has_no_other_names_than_the_reference(cli: Any, shop: Any) -> None:
    document = cli.json("why", to_production(shop))
    assert set(document) == {"asked", "subjects", "events", "chains"}
    assert set(document["chains"][0]) == {"application", "commit", "spinnaker", "steps"}
    assert set(document["chains"][0]["steps"][0]) == {"time", "step", "environment", "sequence", "text", "object"}
    json.dumps(document)


def test_a_build_of_an_application_that_left_the_catalog_belongs_to_nobody(cli: Any, shop: Any) -> None:
    build = shop.build(shop.push())
    assert cli.run("app", "delete", "shop", "--yes").exit_code == 0
    done = cli.run("why", build)
    assert done.exit_code == 1
    assert f"{build} belongs to no application of today's catalog" in done.stderr


def test_a_promotion_that_waits_for_its_time_says_until_when(shop: Any, cli: Any) -> None:
    shop.apply(shop.catalog.replace("    after: staging\n", "    after: staging\n    for: 30m\n"))
    commit = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    said = "production waits for staging 1 to have been live for 30m, at 2026-11-24 09:30:0"
    assert [text.startswith(said) for text in cli.told(commit, "waits")] == [True]
    assert said in cli.run("status", "shop").output
    shop.memory.clock.advance(1800)
    shop.tick()
    assert shop.log("production") == [commit]


def test_an_order_that_brings_no_release_leads_to_its_entry(cli: Any, shop: Any) -> None:
    shop.order("hold", "staging", who="ann@acme.example", why="audit", id="o-hold")
    document = cli.json("why", "o-hold")
    assert document["chains"] == []
    said = {line["step"]: line["text"] for line in document["events"]}
    assert said["admitted"] == "staging 1 holds: ordered by ann@acme.example, because: audit"
    assert said["verified"] == (
        "message o-hold: operate checked whose ID token it was, and that the catalog or the installation lists this person"
    )
    assert said["received"].startswith("order o-hold came to operate")


def test_a_hold_over_everything_is_found_by_its_id(cli: Any, shop: Any) -> None:
    hold_everything(shop.world, "hold", "INC-7", "boss@acme.example", "outage", shop.memory.clock(), dry_run=False)
    document = cli.json("why", "INC-7")
    assert document["subjects"] == [{"kind": "order", "id": "INC-7"}]
    (line,) = document["events"]
    assert (line["step"], line["text"]) == ("ordered", "boss@acme.example holds everything, because: outage")
    assert line["object"].endswith(names.all_hold(1))


def test_orders_about_a_rollout_stand_in_its_chain_and_were_never_to_be_triggered(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    shop.order("cancel", "staging", who="ann@acme.example", why="wrong")
    shop.tick(2)
    shop.order("retry", "staging", why="right after all")
    shop.build(shop.push())
    ordered = cli.told(commit, "ordered")
    assert "staging 1 is to end: cancel ordered by ann@acme.example: wrong" in ordered
    assert "staging 1 is to be tried again: retry ordered by sre@acme.example: right after all" in ordered
    assert cli.told(commit, "passed over") == []
