"""`downwind app`: files checked offline, the catalog changed and shown."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from downwind.cli.app_template import scalar
from downwind.cli.strategies import STRATEGIES
from downwind.model.read_catalog import read_application
from downwind.reconcile import names

FLAGS = {
    "--name": "shop",
    "--repository": "https://github.com/acme/shop.git",
    "--image": "us-central1-docker.pkg.dev/acme/apps/shop",
    "--trigger": "projects/acme/locations/us-central1/triggers/shop",
    "--namespace": "shop",
}
GOOD = """\
apiVersion: downwind.dev/v1
kind: Application
name: cart
repository: {address: https://github.com/acme/shop.git}
images:
  - name: gcr.io/acme/cart
    tag: "{commit}"
manifests: {path: deploy}
environments:
  - name: staging
    refs: [refs/heads/main]
    namespace: cart
    pipeline: {application: cart, name: deploy}
"""


def flags(**changed: str) -> list[str]:
    given = FLAGS | {f"--{name}": value for name, value in changed.items()}
    return [part for pair in given.items() for part in pair]


def write(folder: Path, text: str, name: str = "downwind.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize("trigger", ["", FLAGS["--trigger"]])
def test_init_writes_a_file_that_check_finds_right(cli: Any, tmp_path: Path, trigger: str) -> None:
    file = str(tmp_path / "new.yaml")
    done = cli.run("app", "init", "--file", file, *flags(trigger=trigger))
    assert done.exit_code == 0, done.output
    checked = cli.run("app", "check", file)
    assert (checked.exit_code, checked.output) == (0, f"{file}: application shop, 2 environments: right\n")
    application = read_application(yaml.safe_load(Path(file).read_text()))
    assert (application.build is not None) == bool(trigger)
    assert [each.namespace for each in application.environments] == ["shop-staging", "shop"]


def test_init_asks_for_what_no_flag_gives(cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    answers = "shop\nhttps://github.com/acme/shop.git\ngcr.io/acme/shop\n\n\n"
    done = cli.run("app", "init", "--file", str(file), answers=answers)
    assert done.exit_code == 0, done.output
    assert "namespace: shop-staging" in file.read_text()


def test_init_without_anybody_to_ask_names_the_flag(cli: Any, tmp_path: Path) -> None:
    done = cli.run("app", "init", "--file", str(tmp_path / "new.yaml"))
    assert done.exit_code == 2
    assert "give --name" in done.stderr


def test_init_does_not_overwrite_without_force(cli: Any, tmp_path: Path) -> None:
    file = write(tmp_path, "mine\n")
    done = cli.run("app", "init", "--file", file, *flags())
    assert done.exit_code == 1
    assert "--force" in done.stderr
    assert Path(file).read_text() == "mine\n"
    assert cli.run("app", "init", "--file", file, "--force", *flags()).exit_code == 0
    assert "name: shop" in Path(file).read_text()


def test_init_refuses_answers_that_no_catalog_could_hold(cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    done = cli.run("app", "init", "--file", str(file), *flags(name="Shop!", repository="git@github.com:acme/shop"))
    assert done.exit_code == 1
    assert "name: 'Shop!' does not have the right form" in done.stderr
    assert "repository.address" in done.stderr
    assert not file.exists()


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_init_writes_the_pipelines_of_a_strategy_too(cli: Any, tmp_path: Path, strategy: str) -> None:
    file = tmp_path / "downwind.yaml"
    done = cli.run("app", "init", "--file", str(file), *flags(), "--strategy", strategy)
    assert done.exit_code == 0, done.output
    (application,) = [read_application(yaml.safe_load(file.read_text()))]
    production = application.environments[1]
    parts = STRATEGIES[strategy].parts
    assert dict(application.manifests_of(production).paths("production")) == parts or not parts
    found = sorted((tmp_path / "pipelines").iterdir())
    assert [each.name for each in found] == ["deploy-production.yaml", "deploy-staging.yaml"]
    checked = cli.run("pipelines", "check", *map(str, found))
    assert checked.exit_code == 0, checked.output
    assert checked.output.count("serves shop/") == 2
    text = found[0].read_text()
    assert "# " in text
    assert set(re.findall(r"{{.*?}}", text)) == {"{{account}}", "{{artifact_account}}", "{{bundles}}"}
    assert all(part in done.output for part in parts.values())


def test_init_says_where_manifests_are_missing_and_where_they_are_there(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "deploy" / "production").mkdir(parents=True)
    (tmp_path / "deploy" / "production" / "web.yaml").write_text("kind: Deployment\n")
    done = cli.run("app", "init", "--file", str(tmp_path / "downwind.yaml"), *flags(), "--strategy", "canary")
    assert "is deploy/production/: what is there is its manifests" in done.output
    assert "is deploy/production-canary/: put its manifests there" in done.output


def test_init_overwrites_no_pipeline_without_force(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "pipelines").mkdir()
    kept = tmp_path / "pipelines" / "deploy-staging.yaml"
    kept.write_text("mine\n")
    init = ("app", "init", "--file", str(tmp_path / "downwind.yaml"), *flags(), "--strategy", "canary")
    done = cli.run(*init)
    assert (done.exit_code, f"{kept} is there already" in done.stderr) == (1, True)
    assert (kept.read_text(), (tmp_path / "downwind.yaml").exists()) == ("mine\n", False)
    assert cli.run(*init, "--force").exit_code == 0


def test_init_says_when_it_cannot_write(cli: Any, tmp_path: Path) -> None:
    done = cli.run("app", "init", "--file", str(tmp_path / "no" / "new.yaml"), *flags())
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


@pytest.mark.parametrize("text", ["shop", "123", "1e3", "true", "null", "", "a: b", "x #y", "{a}", "- a", "0x1f", "é"])
def test_what_init_is_given_is_what_yaml_reads(text: str) -> None:
    assert yaml.safe_load(f"value: {scalar(text)}") == {"value": text}


@pytest.mark.parametrize(
    ("before", "after", "problems"),
    [
        ("name: cart\n", "name: Cart\n", ["3:7: name: 'Cart' does not have the right form"]),
        ("name: cart\n", "", ["1:1: name: is missing"]),
        ("manifests: {path", "manifest: {path", ["8:1: manifest: is not a field; did you mean", "[0].manifests: is missing"]),
        ("    namespace: cart\n", "", ["10:5: environments[0].namespace: is missing"]),
        ("refs: [refs/heads/main]", "refs: [refs/heads/main, main]", ["11:29: environments[0].refs[1]: 'main' is not right"]),
        ("refs: [refs/heads/main]", "refs: main", ["11:11: environments[0].refs: is not a list"]),
        (", name: deploy}", "}", ["13:5: environments[0].pipeline.name: is missing"]),
        ("images:\n", "images: []\nimage:\n", ["5:1: images: is missing", "6:1: image: is not a field"]),
        ("  - name: gcr.io", "  - names: gcr.io", ["6:5: images[0].name: is missing", "6:5: images[0].names: is not a field"]),
        ("tag: ", "tag: &a\n      x: ", ["7:5: images[0].tag: is not a text"]),
        ("repository: {", "repository: {also: 5, ", ["4:20: repository.also: is not a list"]),
        ("kind: Application\n", "kind: Application\nkind: x\n", ["3:1: the key 'kind' is there twice"]),
        ("name: cart\n", "name: [cart\n", ["4:11: not YAML"]),
        ("name: cart\n", "name: cart\n---\n", ["1:1: holds 2 documents"]),
        (GOOD, "just text\n", ["1:1: this document is not a mapping"]),
        (GOOD, "", ["1:1: holds 0 documents"]),
    ],
)  # fmt: skip
def test_check_names_line_column_field_and_fix(
    cli: Any, tmp_path: Path, before: str, after: str, problems: list[str]
) -> None:
    assert before in GOOD
    file = write(tmp_path, GOOD.replace(before, after, 1))
    done = cli.run("app", "check", file)
    assert done.exit_code == 1
    for problem in problems:
        assert problem in done.stdout, done.stdout
    assert all(line.startswith(f"{file}:") for line in done.stdout.splitlines())


def test_check_reads_values_that_an_anchor_brings(cli: Any, tmp_path: Path) -> None:
    text = GOOD + "  - <<: &base {namespace: cart, after: staging, pipeline: 5}\n    name: production\n"
    done = cli.run("app", "check", write(tmp_path, text))
    assert "14:5: environments[1].pipeline: is not a mapping" in done.stdout


def test_a_file_that_is_not_utf_8_or_not_there_is_a_problem_not_a_traceback(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    done = cli.run("app", "check", str(tmp_path / "latin.yaml"))
    assert (done.exit_code, ":1:1: not UTF-8" in done.stdout) == (1, True)
    done = cli.run("app", "check", str(tmp_path / "none.yaml"))
    assert (done.exit_code, "cannot be read: No such file" in done.stderr) == (1, True)


def test_check_in_json_names_every_file(cli: Any, tmp_path: Path) -> None:
    good, bad = write(tmp_path, GOOD), write(tmp_path, GOOD.replace("cart", "C", 1), "bad.yaml")
    done = cli.run("app", "check", good, bad, "-o", "yaml")
    assert done.exit_code == 1
    first, second = yaml.safe_load(done.stdout)["files"]
    assert first == {"file": good, "application": "cart", "problems": []}
    assert second["application"] is None
    (problem,) = second["problems"]
    assert (problem["line"], problem["column"], problem["field"]) == (3, 7, "name")
    assert problem["fix"].startswith("give ")


def test_two_files_of_one_application_are_refused(cli: Any, tmp_path: Path) -> None:
    done = cli.run("app", "check", write(tmp_path, GOOD), write(tmp_path, GOOD, "again.yaml"))
    assert done.exit_code == 1
    assert "both of application cart" in done.stderr


def test_apply_puts_it_into_the_catalog_and_says_what_it_did(cli: Any, shop: Any, tmp_path: Path) -> None:
    shop.commit()
    done = cli.run("app", "apply", write(tmp_path, GOOD))
    assert done.exit_code == 0, done.output
    assert "1 refs recorded as they are now\napplication cart created (generation " in done.stdout
    assert shop.memory.catalog.read(names.application("cart")).data == GOOD.encode()
    assert "application cart changed" in cli.run("app", "apply", write(tmp_path, GOOD)).stdout


def test_apply_applies_nothing_when_one_file_has_a_problem(cli: Any, shop: Any, tmp_path: Path) -> None:
    bad = write(tmp_path, GOOD.replace("cart", "C", 1), "bad.yaml")
    done = cli.run("app", "apply", write(tmp_path, GOOD), bad)
    assert done.exit_code == 1
    assert f"{bad}:3:7: name" in done.stderr
    assert "nothing was applied: 1 problem;" in done.stderr
    assert shop.memory.catalog.read(names.application("cart")) is None


def test_apply_says_which_trigger_is_missing(cli: Any, shop: Any, tmp_path: Path) -> None:
    trigger = "build: {trigger: projects/acme/locations/global/triggers/none}\n"
    done = cli.run("app", "apply", write(tmp_path, GOOD + trigger))
    assert (done.exit_code, done.stderr) == (1, "Error: no trigger projects/acme/locations/global/triggers/none\n")


def test_apply_into_a_local_world_leads_to_what_makes_a_trigger_there(cli: Any, shop: Any, tmp_path: Path) -> None:
    cli.settings["DOWNWIND_LOCAL"] = "1"
    trigger = "build: {trigger: projects/acme/locations/global/triggers/none}\n"
    done = cli.run("app", "apply", write(tmp_path, GOOD + trigger))
    assert done.exit_code == 1
    assert "downwind local add DIRECTORY" in done.stderr


def test_list_and_show_tell_what_stands_in_the_catalog(cli: Any, shop: Any) -> None:
    listed = cli.run("app", "list").stdout
    assert listed.splitlines()[0].split() == ["NAME", "REPOSITORY", "ENVIRONMENTS"]
    assert "staging(refs/heads/main) production(after staging)" in listed
    (found,) = cli.json("app", "list")["applications"]
    shown = cli.json("app", "show", "shop")
    assert {key: shown[key] for key in found} == found
    assert shown["object"].startswith("gs://acme-catalog/application/shop.yaml#")
    assert found["trigger_id"] == shop.trigger.id
    text = cli.run("app", "show", "shop").stdout
    assert text.startswith("# gs://acme-catalog/application/shop.yaml#")
    assert "\nkind: Application\n" in text


def test_an_empty_catalog_says_how_to_begin(cli: Any) -> None:
    assert "downwind app init" in cli.run("app", "list").stdout


def test_show_and_delete_of_an_unknown_application_are_refused(cli: Any) -> None:
    for command in (["show", "none"], ["delete", "none"]):
        done = cli.run("app", *command)
        assert (done.exit_code, "the catalog has no application 'none'" in done.stderr) == (1, True)


def test_delete_asks_and_keeps_the_ledger(cli: Any, shop: Any) -> None:
    shop.push()
    facts = len(shop.memory.ledger.list(""))
    assert cli.run("app", "delete", "shop", answers="n\n").exit_code == 1
    assert shop.memory.catalog.read(names.application("shop")) is not None
    done = cli.run("app", "delete", "shop", answers="y\n")
    assert (done.exit_code, "the ledger keeps its history" in done.stdout) == (0, True)
    assert shop.memory.catalog.list("") == []
    assert len(shop.memory.ledger.list("")) == facts


def test_delete_with_yes_does_not_ask(cli: Any, shop: Any) -> None:
    assert cli.run("app", "delete", "shop", "--yes").exit_code == 0
