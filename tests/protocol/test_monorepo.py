"""Several applications in one repository, and manifests in another one."""

from typing import Any

import pytest

REPOSITORY = "https://github.com/acme/shop.git"
CONFIG = "https://github.com/acme/config.git"
BY_PATHS = ("manifests: {path", 'paths: ["services/shop/**"]\nmanifests: {path')
ELSEWHERE = (
    'manifests: {path: "deploy/{environment}"}',
    f'manifests: {{path: "deploy/{{environment}}", repository: {{address: {CONFIG}}}, ref: refs/heads/main}}',
)


@pytest.fixture
def two(new_shop: Any) -> Any:
    """Shop lives under services/shop, cart under services/cart; one trigger builds both."""
    shop = new_shop(BY_PATHS)
    mine, shop.catalog = shop.catalog, shop.catalog.replace("services/shop", "services/cart")
    shop.second("cart")
    shop.catalog = mine
    return shop


def commit_config(shop: Any, word: str) -> str:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shop}}\ndata: {{word: {word}}}\n".encode()
    files = {"deploy/staging/shop.yaml": text, "deploy/production/shop.yaml": text}
    return str(shop.memory.repository.commit(CONFIG, "refs/heads/main", files))


def log(shop: Any, application: str) -> list[str]:
    return [entry["commit"] for entry in shop.entries("staging", application)]


def test_a_push_rolls_out_only_the_application_whose_paths_it_touched(two: Any) -> None:
    first = two.push(**{"services/shop/a": b"1", "services/cart/a": b"1"})
    assert (log(two, "shop"), log(two, "cart")) == ([first], [first])
    second = two.push(**{"services/shop/a": b"2", "services/cart/a": b"1"})
    assert (log(two, "shop"), log(two, "cart")) == ([first, second], [first])
    two.build(second)
    assert [each["application"] for each in two.executions("staging")] == ["shop"]


def test_what_is_outside_of_all_paths_appends_nothing_and_the_next_change_still_links(two: Any) -> None:
    first = two.push(**{"services/shop/a": b"1", "services/cart/a": b"1"})
    two.push(**{"services/shop/a": b"1", "services/cart/a": b"1", "README": b"new"})
    two.tick(2)
    assert (log(two, "shop"), log(two, "cart")) == ([first], [first])
    third = two.push(**{"services/shop/a": b"1", "services/cart/a": b"3"})
    assert (log(two, "shop"), log(two, "cart")) == ([first], [first, third])


def test_a_push_outside_of_the_paths_leaves_nothing_open(two: Any) -> None:
    two.build(two.push(**{"services/shop/a": b"1", "services/cart/a": b"1"}))
    for environment in ("staging", "production"):
        for execution in two.executions(environment):
            two.finish(execution)
            if environment == "production":
                two.judge(execution)
    two.push(**{"services/shop/a": b"1", "services/cart/a": b"1", "README": b"new"})
    two.tick(2)
    assert two.open() == []


def test_where_the_older_commit_is_gone_the_paths_count_as_changed(two: Any) -> None:
    first = two.push(**{"services/shop/a": b"1"})
    del two.memory.repository._hosts[REPOSITORY].commits[first]  # as a forced push and git's own cleaning do
    second = two.push(**{"services/shop/a": b"1"})
    assert log(two, "shop") == [first, second]


def test_manifests_of_another_repository_are_pinned_when_the_entry_is_made(new_shop: Any) -> None:
    shop = new_shop(ELSEWHERE)
    pinned = commit_config(shop, "one")
    commit = shop.push()
    commit_config(shop, "two")
    shop.build(commit)
    (entry,) = shop.entries("staging")
    assert entry["manifests_commit"] == pinned
    (name,) = [each.name for each in shop.memory.bundles.list("shop/staging/rollout/")]
    assert b'"one"' in shop.memory.bundles.read(name).data


def test_a_manifest_repository_that_is_down_stops_the_entry_and_nothing_else(new_shop: Any) -> None:
    shop = new_shop(ELSEWHERE)
    commit_config(shop, "one")
    shop.build(shop.push())
    (staging,) = shop.executions("staging")
    shop.memory.pipelines.advance(staging["id"])
    shop.memory.repository.delete(CONFIG, "refs/heads/main")
    second = shop.push()
    shop.tick(4)
    assert len(shop.entries("staging")) == 1
    assert shop.outcomes("staging") == [(1, "succeeded")], "the end of the older one is recorded all the same"
    commit_config(shop, "two")
    shop.tick(2)
    assert [entry["commit"] for entry in shop.entries("staging")][-1] == second
