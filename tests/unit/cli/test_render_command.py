"""`downwind render`: a release byte for byte as the function wrote it, and a folder with nothing but the folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.application import CATALOG, IMAGE, digest_for

from downwind.reconcile import names

DIGEST = "sha256:" + "a" * 64
MANIFEST = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: a, image: {IMAGE}}}]}}\n"


def released(shop: Any) -> str:
    commit: str = shop.push()
    shop.build(commit)
    return commit


def written(shop: Any, commit: str, environment: str = "staging") -> dict[str, bytes]:
    facts = shop.facts(names.release("shop", commit)).values()
    (fact,) = [body for body in facts if body["kind"] == "bundle" and body["environment"] == environment]
    prefix = names.bundle("shop", environment, fact["bundle"])
    return {part: shop.memory.bundles.read(f"{prefix}{part}.yaml").data for part in fact["parts"]}


def test_a_release_renders_to_the_very_bytes_that_the_function_wrote_and_nothing_is_written(
    cli: Any, shop: Any
) -> None:
    first = released(shop)
    second = released(shop)
    before = [each.name for each in shop.memory.bundles.list("")]
    newest = cli.run("render", "shop", "--environment", "staging")
    assert (newest.exit_code, newest.stdout_bytes) == (0, written(shop, second)["manifests"])
    assert f"shop staging at {second}: bundle " in newest.stderr
    older = cli.run("render", "shop", "-e", "staging", "--commit", first[:8])
    assert older.stdout_bytes == written(shop, first)["manifests"]
    assert [each.name for each in shop.memory.bundles.list("")] == before


def test_json_is_one_array_in_the_bundles_order_and_the_table_names_them(cli: Any, shop: Any) -> None:
    commit = released(shop)
    (deployment,) = cli.json("render", "shop", "-e", "staging")
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"{IMAGE}@{digest_for(commit)}"
    lines = cli.run("render", "shop", "-e", "staging", "-o", "table").stdout.splitlines()
    assert lines[1].split() == ["manifests", "Deployment", "shop-staging", "shop"]


def test_a_commit_that_nobody_built_takes_its_images_from_the_command_line(cli: Any, shop: Any) -> None:
    _, commit = shop.commit()
    refused = cli.run("render", "shop", "-e", "staging", "--commit", commit)
    assert refused.exit_code == 1
    assert f"no digest of {IMAGE} is known for {commit[:7]}; give it: --image {IMAGE}@sha256:…" in refused.stderr
    done = cli.run("render", "shop", "-e", "staging", "--commit", commit, "--image", f"{IMAGE}@{DIGEST}")
    assert f"{IMAGE}@{DIGEST}".encode() in done.stdout_bytes


def test_manifests_elsewhere_come_as_their_entry_pinned_them(cli: Any, shop: Any) -> None:
    address = "https://github.com/acme/manifests.git"
    host = shop.memory.repository
    host.commit(address, "refs/heads/main", {"staging/a.yaml": MANIFEST.encode()})
    document = yaml.safe_load(CATALOG)
    document["manifests"] = {"path": "{environment}", "repository": {"address": address}, "ref": "refs/heads/main"}
    shop.apply(yaml.safe_dump(document))
    commit = released(shop)
    host.commit(address, "refs/heads/main", {"staging/a.yaml": MANIFEST.replace("name: a}\n", "name: b}\n").encode()})
    assert cli.run("render", "shop", "-e", "staging").stdout_bytes == written(shop, commit)["manifests"]
    _, other = shop.commit()
    more = cli.json("render", "shop", "-e", "staging", "--commit", other, "--image", f"{IMAGE}@{DIGEST}")
    assert more[0]["metadata"]["name"] == "b"


def test_parts_one_by_one_or_all(cli: Any, shop: Any) -> None:
    document = yaml.safe_load(CATALOG)
    document["manifests"] = {"parts": {"canary": "deploy/staging", "full": "deploy/production"}}
    shop.apply(yaml.safe_dump(document))
    released(shop)
    assert len(cli.json("render", "shop", "-e", "staging")) == 2
    assert len(cli.json("render", "shop", "-e", "staging", "--part", "full")) == 1
    refused = cli.run("render", "shop", "-e", "staging", "--part", "half")
    assert "shop has no part 'half'; its parts are: canary, full" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["shop"], "shop has several environments; name one with --environment: staging, production", 1),
        (["nothing"], "the catalog has no application 'nothing'", 1),
        (
            ["shop", "-e", "staging"],
            "nothing was released to shop staging yet; give a whole commit id with --commit",
            1,
        ),
        (["shop", "-e", "staging", "--commit", "abc"], "no release abc in the log of shop staging", 1),
        (["shop", "-e", "staging", "--image", "x"], "--image x is not NAME@sha256:<64 hex>", 2),
        (["shop", "-e", "staging", "--recursive"], "--recursive is of a folder", 2),
        (["./nothing"], "nothing is not a folder", 1),
        (["./folder", "--commit", "abc"], "--commit is of an application", 2),
        (["shop", "-e", "staging", "--charts", "x"], "--charts is of a folder", 2),
        (["./folder", "--charts", "nothing.yaml"], "nothing.yaml cannot be read: No such file or directory", 1),
        (["shop", "-o", "dir"], "-o dir and --to FOLDER belong together", 2),
    ],
)
def test_what_cannot_be_says_what_to_do(
    cli: Any, shop: Any, arguments: list[str], said: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    done = cli.run("render", *arguments)
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr
    assert shop.log("staging") == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository on this machine, with nothing of Downwind's in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    place = tmp_path / "deploy"
    (place / "more").mkdir(parents=True)
    (place / "a.yaml").write_text(MANIFEST)
    (place / "more" / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n")
    return place


def test_a_folder_gets_no_annotations_and_a_namespace_only_where_one_is_named(cli: Any, folder: Path) -> None:
    (pod,) = cli.json("render", "deploy")
    assert pod["metadata"] == {"name": "a"}
    (pod,) = cli.json("render", str(folder), "--namespace", "x", "--image", f"{IMAGE}@{DIGEST}")
    assert pod["metadata"] == {"name": "a", "namespace": "x"}
    assert pod["spec"]["containers"][0]["image"] == f"{IMAGE}@{DIGEST}"
    assert [each["kind"] for each in cli.json("render", "deploy", "--recursive")] == ["ConfigMap", "Pod"]


def test_a_folder_for_people_holds_one_file_an_object(cli: Any, folder: Path, tmp_path: Path) -> None:
    done = cli.run("render", "deploy", "-R", "-o", "dir", "--to", "out")
    assert done.stdout == "2 objects in out\n"
    names = sorted(path.name for path in (tmp_path / "out" / "manifests").iterdir())
    assert names == ["0001-configmap-b.json", "0002-pod-a.json"]
    assert json.loads((tmp_path / "out" / "manifests" / names[0]).read_text())["kind"] == "ConfigMap"
    assert cli.run("render", "deploy", "-o", "dir", "--to", "one").stdout == "1 object in one\n"
    again = cli.run("render", "deploy", "-o", "dir", "--to", "out")
    assert "out cannot be written: File exists; name a folder that is not there yet" in again.stderr


def test_links_in_a_folder_are_followed_inside_its_repository_only(cli: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\n")
    (folder / "shared.yaml").symlink_to("../shared.yaml")
    assert [each["metadata"]["name"] for each in cli.json("render", "deploy")] == ["shared", "a"]
    (folder / "shared.yaml").unlink()
    (folder / "shared.yaml").symlink_to("/etc/hostname")
    refused = cli.run("render", "deploy")
    assert "the symlink deploy/shared.yaml leaves the repository" in refused.stderr


PINS = "charts: [{repository: https://charts.acme.example, name: redis, version: 2.0.0, sha256: %s}]\n" % ("a" * 64)


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        (PINS, "'redis' (~1.2) of 'https://charts.acme.example' is not among the catalog's manifests.helm.charts"),
        (PINS.replace("2.0.0", '"~2"'), "pins.yaml:1:74: charts[0].version: '~2' does not have the right form"),
        ("helm: {charts: []}\n", "pins.yaml:1:1: helm: is not a field; known here: charts, redirects"),
        ("a: 1\n---\na: 1\n", "pins.yaml holds 2 documents"),
    ],
    ids=["another version", "a range", "another place", "two"],
)
def test_a_charts_dependencies_elsewhere_are_those_of_a_file_and_no_others(
    cli: Any, folder: Path, pins: str, said: str
) -> None:
    needs = "[{name: redis, version: ~1.2, repository: 'https://charts.acme.example'}]"
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies: {needs}\n")
    (folder.parent / "pins.yaml").write_text(pins)
    refused = cli.run("render", "deploy", "--charts", "pins.yaml")
    assert (refused.exit_code, said in refused.stderr) == (1, True), refused.stderr


@pytest.mark.engines
def test_a_chart_takes_values_files_from_anywhere_in_their_order(
    cli: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    chart = tmp_path / "charts" / "Shop 1"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "templates" / "a.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}\n"
        "data: {a: {{ .Values.a | quote }}, b: {{ .Values.b | quote }}}\n"
    )
    outside = tmp_path_factory.mktemp("values")
    (outside / "1.yaml").write_text("a: 1\nb: 1\n")
    (outside / "2.yaml").write_text("b: 2\n")
    values = ["-f", str(outside / "1.yaml"), "-f", str(outside / "2.yaml")]
    (found,) = cli.json("render", "charts/Shop 1", *values, "-n", "x")
    assert found["metadata"] == {"name": "shop-1", "namespace": "x"}
    assert found["data"] == {"a": "1", "b": "2"}
    (named,) = cli.json("render", "charts/Shop 1", "--release", "own")
    assert named["metadata"]["name"] == "own"
