"""The values themselves: the schema knows all of them and nothing else, the page names them, and no name is taken for granted."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.contract.chart.helm import CHART, ROOT, SETS, Helm, objects

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())


def test_the_schema_is_one_and_takes_the_defaults() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(VALUES)


def objects_of(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield where, schema
        for key, inner in schema.items():
            yield from objects_of(inner, f"{where}/{key}")


def test_a_misspelt_value_is_refused_wherever_the_chart_knows_the_names() -> None:
    for where, schema in objects_of(SCHEMA):
        if "properties" in schema and "items" not in where:
            assert schema["additionalProperties"] is False, where


def paths(value: Any, prefix: str = "") -> Iterator[str]:
    for key, inner in value.items():
        yield f"{prefix}{key}"
        if isinstance(inner, dict):
            yield from paths(inner, f"{prefix}{key}.")


def test_every_default_is_a_value_of_the_schema_and_the_other_way_round() -> None:
    def named(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for key, inner in schema.get("properties", {}).items():
            yield f"{prefix}{key}"
            yield from named(inner, f"{prefix}{key}.")

    open_ended = ("components.", "networkPolicy.egress.", "global")
    wanted = {path for path in named(SCHEMA) if not path.startswith(open_ended)}
    assert wanted == {path for path in paths(VALUES) if not path.startswith(open_ended)}


def test_the_page_names_every_value() -> None:
    page = (ROOT / "docs/reference/chart.md").read_text()
    rows = set(re.findall(r"`([a-zA-Z0-9]+(?:\.[a-zA-Z0-9<>]+)*)`", page))
    missing = [
        path
        for path in paths(VALUES)
        if path.count(".") < 2
        and not any(path == row or path.startswith(f"{row}.") or row.startswith(f"{path}.") for row in rows)
        and not path.startswith("images.")
    ]
    assert missing == []


@pytest.mark.parametrize("release", ["cd", "a-name-of-forty-characters-and-not-more"])
def test_another_release_name_is_as_good(helm: Helm, release: str) -> None:
    text = helm.template(SETS["trial-for-downwind"], "--namespace", "elsewhere", release=release)
    assert "spinnaker-" not in re.sub(r"helm\.sh/chart: spinnaker-\S+", "", text)
    found = objects(text)
    assert all(len(each["metadata"]["name"]) <= 63 for each in found if not each["kind"].startswith("Role"))
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in found]
    assert len(names) == len(set(names))
    assert {each["metadata"]["namespace"] for each in found} == {"elsewhere", "shop", "shop-staging"}
