"""`downwind diff`: two bundles, and a bundle against a cluster."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.application import DEPLOYMENT

from downwind.adapters.memory_cluster import MemoryCluster
from downwind.errors import TransientError
from downwind.render.serialise import split

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: words}}\ndata: {{word: {}}}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{key: {}}}\n"


@pytest.fixture
def cluster(cli: Any, monkeypatch: pytest.MonkeyPatch) -> MemoryCluster:
    found = MemoryCluster(name="lab", namespaces={"shop-staging": {}})
    make: Callable[..., Any] = cli.session

    def session() -> Any:
        made = make()
        made.make_cluster = lambda _settings, _context: found
        return made

    monkeypatch.setattr(cli, "session", session)
    return found


def push(shop: Any, word: str, **more: bytes) -> str:
    files = {
        "deploy/staging/words.yaml": CONFIG.format(word).encode(),
        "deploy/staging/key.yaml": SECRET.format(word).encode(),
    }
    commit = str(shop.push(**files, **more))
    shop.build(commit)
    return commit


def succeeded(shop: Any, word: str, **more: bytes) -> str:
    commit = push(shop, word, **more)
    shop.finish(shop.executions("staging")[-1])
    return commit


def test_two_entries_differ_by_what_was_pushed_and_secrets_are_masked(cli: Any, shop: Any) -> None:
    first, second = succeeded(shop, "hello"), push(shop, "goodbye")
    done = cli.run("diff", "shop", "staging", "live", "2")
    assert done.exit_code == 1, done.output
    assert f"--- staging 1 ({first[:7]}) ConfigMap shop-staging/words" in done.stdout
    assert f"+++ staging 2 ({second[:7]}) ConfigMap shop-staging/words" in done.stdout
    assert "-  word: hello" in done.stdout
    assert "+  word: goodbye" in done.stdout
    assert "*** (after)" in done.stdout
    assert "key: goodbye" not in done.stdout
    assert done.stdout.splitlines()[-1] == "3 changed"  # the Deployment has another digest
    assert "\x1b" not in done.stdout, "no colour where nobody looks"


def test_colour_on_a_terminal(cli: Any, shop: Any) -> None:
    from click.testing import CliRunner

    from downwind.cli.main import main

    succeeded(shop, "hello")
    push(shop, "goodbye")
    done = CliRunner().invoke(main, ["diff", "shop", "staging", "1", "2"], obj=cli.session(), color=True)
    assert "\x1b[32m+  word: goodbye" in done.stdout


def test_the_same_bundle_does_not_differ(cli: Any, shop: Any) -> None:
    commit = succeeded(shop, "hello")
    done = cli.run("diff", "shop", "staging", "1", commit[:8])
    assert (done.exit_code, done.stdout) == (
        0,
        f"nothing differs between staging 1 ({commit[:7]}) and staging 1 ({commit[:7]})\n",
    )


def test_json_has_the_objects_and_their_lines(cli: Any, shop: Any) -> None:
    import json

    succeeded(shop, "hello")
    push(shop, "goodbye")
    done = cli.run("diff", "shop", "staging", "1", "2", "-o", "json")
    found = {each["name"]: each for each in json.loads(done.stdout)["changes"]}
    assert {name: found["words"][name] for name in ("what", "group", "kind", "namespace")} == {
        "what": "changed",
        "group": "",
        "kind": "ConfigMap",
        "namespace": "shop-staging",
    }
    assert "+  word: goodbye" in found["words"]["diff"]
    assert found["shop"]["group"] == "apps"


def live_objects(shop: Any, n: int) -> list[dict[str, Any]]:
    """What entry n has deployed, as an API server gives it back."""
    found = split(shop.memory.bundles.read(f"shop/staging/rollout/{n}.yaml").data)
    for each in found:
        each["metadata"] |= {"uid": "1", "resourceVersion": "5", "managedFields": []}
        each["status"] = {"ready": True}
    return found


def test_a_bundle_against_the_cluster_that_has_it_differs_in_nothing(
    cli: Any, shop: Any, cluster: MemoryCluster
) -> None:
    succeeded(shop, "hello")
    cluster.objects = live_objects(shop, 1)
    done = cli.run("diff", "shop", "staging", "--cluster")
    assert done.exit_code == 0, done.output


def test_the_cluster_is_asked_with_the_number_that_stands_there(cli: Any, shop: Any, cluster: MemoryCluster) -> None:
    """The admission policy would refuse an object without one."""
    succeeded(shop, "hello")
    cluster.objects = live_objects(shop, 1)
    asked: list[Any] = []

    def review(new: Any, _old: Any) -> None:
        asked.append(new["metadata"]["annotations"]["downwind.dev/sequence"])

    cluster.review = review
    assert cli.run("diff", "shop", "staging", "--cluster").exit_code == 0
    assert asked == ["1"] * 3


def test_what_somebody_changed_by_hand_and_what_is_missing_is_shown(
    cli: Any, shop: Any, cluster: MemoryCluster
) -> None:
    succeeded(shop, "hello")
    cluster.objects = [each for each in live_objects(shop, 1) if each["kind"] != "Secret"]
    before = copy.deepcopy(cluster.objects)
    next(each for each in cluster.objects if each["metadata"]["name"] == "words")["data"]["word"] = "by hand"
    done = cli.run("diff", "shop", "staging", "live", "--cluster")
    assert done.exit_code == 1
    assert "-  word: by hand" in done.stdout
    assert "+  word: hello" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 added, 1 changed"
    assert len(cluster.objects) == len(before), "nothing was written"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["live"], "give one of TO, --cluster and --directory"),
        (["live", "2", "--cluster"], "give one of TO, --cluster and --directory"),
        (["live", "--directory", ".", "--cluster"], "give one of TO, --cluster and --directory"),
        (["live", "1"], "no rollout has succeeded in shop/staging"),
        (["1", "2"], "shop/staging has no bundle of 1"),
        (["1", "abcdef0"], "has no bundle of 1"),
        (["abcdef0", "1"], "no entry of shop/staging that is read is of 'abcdef0'"),
    ],
)
def test_what_cannot_be_told_is_exit_2_with_what_to_do(cli: Any, shop: Any, arguments: list[str], says: str) -> None:
    done = cli.run("diff", "shop", "staging", *arguments)
    assert done.exit_code == 2
    assert says in done.output


def test_a_cluster_that_is_silent_is_exit_3(cli: Any, shop: Any, cluster: MemoryCluster, monkeypatch: Any) -> None:
    succeeded(shop, "hello")

    def silent(_self: Any, _manifest: Any) -> Any:
        raise TransientError("cluster lab did not answer")

    monkeypatch.setattr(MemoryCluster, "preview", silent)
    assert cli.run("diff", "shop", "staging", "--cluster").exit_code == 3


def test_a_namespace_that_is_not_there_is_told(cli: Any, shop: Any, cluster: MemoryCluster) -> None:
    succeeded(shop, "hello")
    cluster.namespaces = {}
    done = cli.run("diff", "shop", "staging", "--cluster")
    assert (done.exit_code, 'namespaces "shop-staging" not found' in done.output) == (2, True)


def test_a_working_copy_against_what_is_deployed_shows_what_was_edited(cli: Any, shop: Any, tmp_path: Any) -> None:
    succeeded(shop, "hello")
    folder = tmp_path / "shop" / "deploy" / "staging"
    folder.mkdir(parents=True)
    (folder / "shop.yaml").write_text(DEPLOYMENT)
    (folder / "words.yaml").write_text(CONFIG.format("hello"))
    (folder / "key.yaml").write_text(SECRET.format("hello"))
    same = cli.run("diff", "shop", "staging", "--directory", str(tmp_path / "shop"))
    assert same.exit_code == 0, same.output
    (folder / "words.yaml").write_text(CONFIG.format("edited"))
    (folder / "key.yaml").unlink()
    done = cli.run("diff", "shop", "staging", "--directory", str(tmp_path / "shop"))
    assert done.exit_code == 1
    assert "+  word: edited" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 changed, 1 removed"


def test_a_working_copy_that_cannot_be_rendered_is_exit_2(cli: Any, shop: Any, tmp_path: Any) -> None:
    succeeded(shop, "hello")
    done = cli.run("diff", "shop", "staging", "--directory", str(tmp_path))
    assert done.exit_code == 2
