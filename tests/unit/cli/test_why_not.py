"""`downwind why` for a commit that did not go where somebody expected it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.application import CATALOG, DEPLOYMENT
from tests.charts import chart, dependency

from downwind.adapters.engine_programs import Programs
from downwind.adapters.engine_renderer import EngineRenderer
from downwind.errors import TransientError
from downwind.reconcile import names


def test_a_blocked_release_says_by_what(cli: Any, shop: Any) -> None:
    commit = shop.push()
    build = shop.build(commit, "FAILURE")
    assert cli.told(commit, "blocked") == [
        f"release {commit[:7]} is blocked: build {build} ended FAILURE",
        f"staging 1: build {build} ended FAILURE",
    ]


def test_an_entry_that_a_newer_one_overtook_is_passed_over(cli: Any, shop: Any) -> None:
    older, newer = shop.push(), shop.push()
    shop.build(newer)
    assert cli.told(older, "passed over") == [
        "staging 1 was never triggered: staging 2 went first, and an environment never goes back"
    ]
    assert cli.told(newer, "passed over") == []


def test_a_push_that_lags_behind_the_tip_is_explained(cli: Any, shop: Any) -> None:
    before, older = shop.commit()
    shop.commit()
    shop.announce(before, older)
    newest = shop.memory.repository.tips("https://github.com/acme/shop.git")["refs/heads/main"].commit
    assert cli.told(older, "ignored") == [
        f"refs/heads/main is at {newest[:7]} now: an older tip is not rolled out any more, the newest wins"
    ]


def test_a_branch_that_is_gone_is_explained(cli: Any, shop: Any) -> None:
    before, commit = shop.commit()
    shop.memory.repository.delete("https://github.com/acme/shop.git", "refs/heads/main")
    shop.announce(before, commit)
    assert cli.told(commit, "ignored") == [
        "refs/heads/main is gone from the repository: nothing is rolled out, nothing undeployed"
    ]


def test_a_repository_that_does_not_answer_is_named(cli: Any, shop: Any) -> None:
    before, commit = shop.commit()
    shop.memory.repository.fail(TransientError("no route"), times=2, verb="tips")
    shop.announce(before, commit)
    assert cli.told(commit, "waits") == ["the repository did not say where refs/heads/main is: no route"]
    assert cli.told(commit, "waits") == [f"to be appended: staging 1 is {commit[:7]}: the tip of refs/heads/main"]


def test_an_unlinked_tip_waits_for_its_second_tick(cli: Any, shop: Any) -> None:
    first = shop.push()
    assert first
    unseen, _ = shop.commit()
    _, commit = shop.commit()
    shop.announce(shop.commit("refs/heads/other")[1], commit)
    waits = cli.told(commit, "waits")
    assert waits == [
        "staging waits for two ticks on which refs/heads/main answers the same: no recorded push leads there"
    ]
    shop.tick(3)
    assert len([text for text in cli.told(commit, "tip") if "the repository answered" in text]) == 1
    assert unseen == first


def test_what_stood_there_when_the_catalog_came_is_the_baseline(cli: Any, memory: Any, shop: Any) -> None:
    shop.apply(shop.catalog.replace("refs/heads/main", "refs/heads/other"))
    before, commit = shop.commit()
    shop.apply(shop.catalog)
    shop.announce(before, commit)
    assert cli.told(commit, "ignored") == [
        "staging: refs/heads/main stood here already when the catalog was applied: that is the baseline, and no release"
    ]


def test_a_commit_that_changes_none_of_the_paths_makes_no_release(cli: Any, shop: Any) -> None:
    shop.apply(shop.catalog.replace("name: shop\n", 'name: shop\npaths: ["deploy/**"]\n', 1))
    shop.push()
    commit = shop.push()
    assert cli.told(commit, "ignored") == [
        "staging: nothing under deploy/** changed since the entry before: no release"
    ]


def test_an_annotated_tag_leads_to_its_commit_and_back(cli: Any, shop: Any) -> None:
    shop.apply(shop.catalog.replace("refs: [refs/heads/main]", 'refs: ["refs/tags/v*"]'))
    _, commit = shop.commit()
    tag = shop.memory.repository.tag("https://github.com/acme/shop.git", "refs/tags/v1", commit)
    shop.announce(None, tag, "refs/tags/v1")
    for asked in (tag, commit):
        assert f"staging 1 is {commit[:7]}: the tip of refs/tags/v1" in cli.told(asked, "admitted")
        assert any("was created at" in text for text in cli.told(asked, "push"))


def test_a_tip_that_nobody_announced_is_found_at_the_repository(cli: Any, shop: Any) -> None:
    _, commit = shop.commit()
    document = cli.json("why", commit[:9])
    assert document["subjects"] == [{"kind": "commit", "id": commit}]
    assert cli.run("why", commit).exit_code == 0


def test_an_entry_without_any_event_is_found_in_the_logs(cli: Any, shop: Any) -> None:
    _, commit = shop.commit()
    slot = int(names.h8("shop"), 16) % 60
    while int(shop.memory.clock().timestamp()) // 60 % 60 != slot:
        shop.memory.clock.advance(60)
    shop.tick()
    for _ in range(61):
        shop.tick()
    assert shop.log("staging") == [commit]
    assert cli.told(commit[:8], "admitted") == [f"staging 1 is {commit[:7]}: the tip of refs/heads/main"]


def test_a_release_that_the_policy_blocks_says_so_with_the_place(cli: Any, shop: Any) -> None:
    shop.apply(CATALOG.replace("\nenvironments:", "\npolicy: {deny: [hostNetwork]}\nenvironments:"))
    host = DEPLOYMENT.replace("    spec:\n      containers", "    spec:\n      hostNetwork: true\n      containers")
    commit = shop.push(deployment=host)
    shop.build(commit)
    told = cli.told(commit, "blocked")
    assert any(
        "blocked by policy: shop.yaml:2: Deployment shop: spec.template.spec.hostNetwork: is set" in each
        for each in told
    )


def test_a_chart_that_the_catalog_does_not_pin_says_what_to_add(cli: Any, shop: Any, tmp_path: Path) -> None:
    shop.world = replace(shop.world, renderer=EngineRenderer(Programs([tmp_path])))
    needs = dependency("redis", "https://charts.acme.example", "~1.2")
    commit = shop.push(**{"deploy/staging/Chart.yaml": chart("shop", needs)})
    shop.build(commit)
    told = " ".join(cli.told(commit, "blocked"))
    assert (
        "deploy/staging/Chart.yaml: dependencies[0]: 'redis' (~1.2) of 'https://charts.acme.example' is not among"
        in told
    )
    assert 'add {repository: "https://charts.acme.example", name: redis, version: "<the one to use of ~1.2>"' in told
