"""The reference says what the code does: every command, every name in JSON, every field of the catalog, every kind of fact."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from downwind.cli.main import COMMANDS, main
from downwind.reconcile import words

ROOT = Path(__file__).parents[3]
CLI, CATALOG, LEDGER = ((ROOT / f"docs/reference/{name}.md").read_text() for name in ("cli", "catalog", "ledger"))


def test_every_command_is_in_the_reference() -> None:
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        if name == "local":
            assert "`downwind local …`" in CLI
        elif isinstance(command, click.Group):
            for inner in command.list_commands(context):
                assert f"`downwind {name} {inner}" in CLI
        else:
            assert f"`downwind {name}" in CLI


def keys(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            if key != "attributes":  # a sender's own names
                yield from keys(value)
    elif isinstance(document, list):
        for value in document:
            yield from keys(value)


@pytest.mark.parametrize(
    "command",
    ["app list", "app show shop", "status", "history shop", "queue", "why m1", "parked list", "parked show bad"],
)
def test_every_name_in_json_is_in_the_reference(cli: Any, shop: Any, command: str) -> None:
    commit = shop.push()
    shop.build(commit)
    shop.send("request", b"{", id="bad")
    found = set(keys(cli.json(*command.split())))
    assert {key for key in found if f'"{key}"' not in CLI and f"`{key}`" not in CLI} == set()


def test_every_step_of_why_is_in_the_reference(cli: Any, shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    steps = {line["step"] for line in cli.json("why", commit)["chains"][0]["steps"]}
    assert {step for step in steps if f"`{step}`" not in CLI} == set()


def fields(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                yield from value
            yield from fields(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from fields(value)


def test_every_field_of_the_catalog_is_in_the_reference(cli: Any) -> None:
    schema = json.loads(cli.run("app", "schema").stdout)
    assert {field for field in fields(schema) if f"`{field}`" not in CATALOG} == set()


def test_the_example_of_the_reference_is_right(cli: Any, tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", CATALOG, re.DOTALL)
    assert example
    (tmp_path / "shop.yaml").write_text(example[1])
    assert cli.run("app", "check", str(tmp_path / "shop.yaml")).exit_code == 0


def test_every_kind_of_fact_is_in_the_reference() -> None:
    assert {kind for kind in words.KINDS if f"| `{kind}` |" not in LEDGER} == set()


def test_every_object_of_a_whole_day_has_a_row_in_the_reference(shop: Any) -> None:
    commit = shop.push()
    shop.build(commit)
    shop.finish(shop.executions("staging")[-1])
    shop.finish(shop.executions("production")[-1])
    shop.send("request", b"{", id="bad")
    order = {"id": "r1", "verb": "deploy", "application": "shop", "environment": "staging", "commit": commit}
    shop.send("request", order)
    rows = [each.split("`")[1] for each in LEDGER.splitlines() if each.startswith("| `")]
    begins = {
        "release/…": "release/<h8>/<application>/<commit>",
        "build/…": "build/<h8>/<repository>/<commit>/<definition>",
    }
    begins |= {"environment/…": "environment/<h8>/<application>/<environment>"}
    for short, whole in begins.items():
        rows = [row.replace(short, whole, 1) if row.startswith(short) else row for row in rows]
    patterns = [re.compile(re.sub(r"\\?<[^>]*>", r"[^/]+", re.escape(row).replace(r"\ ", " "))) for row in rows]
    memory = shop.memory
    for store in (memory.ledger, memory.work, memory.catalog, memory.bundles):
        for each in store.list(""):
            known = any(pattern.fullmatch(each.name) for pattern in patterns)
            assert known or "/announced." in each.name, each.name
