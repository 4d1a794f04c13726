"""The published schemas of docs/reference/schemas say what the parsers do."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from downwind.cli.events_command import events_group
from downwind.events import cloud_build, image, source_repositories
from downwind.events.envelope import read_message
from downwind.model.event import Message

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests/events"
SCHEMAS = {path.name: json.loads(path.read_bytes()) for path in (ROOT / "docs/reference/schemas").glob("*.json")}


def valid(schema: str, document: Any) -> bool:
    return Draft202012Validator(SCHEMAS[schema]).is_valid(document)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_one_and_is_linked(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    page = "pipelines.md" if name == "pipeline.schema.json" else "events.md"
    assert f"schemas/{name})" in (ROOT / "docs/reference" / page).read_text()


@pytest.mark.parametrize(
    "path", sorted((CORPUS / "expected").glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_what_the_command_prints_has_its_schema(path: Path) -> None:
    assert valid("events-read.schema.json", json.loads(path.read_bytes()))


@pytest.mark.parametrize(
    ("folder", "parser", "schema"),
    [
        ("push", source_repositories.parse, "source-repositories-notification.schema.json"),
        ("build", cloud_build.parse, "build-notification.schema.json"),
        ("image", image.parse, "registry-notification.schema.json"),
    ],
)
def test_what_a_parser_takes_its_schema_takes(folder: str, parser: Any, schema: str) -> None:
    taken = 0
    for path in sorted((CORPUS / folder).glob("*.json")):
        expected = json.loads((CORPUS / "expected" / folder / path.name).read_bytes())
        document = json.loads(path.read_bytes())
        enveloped = "message" in document or "specversion" in document or "context" in document
        if "refused" in expected or enveloped or path.with_suffix(".headers").exists():
            continue
        parser(Message(id="1", data=path.read_bytes(), attributes={}))
        assert valid(schema, document), path.name
        taken += 1
    assert taken >= 8


def test_the_data_of_a_push_has_the_schema_too() -> None:
    message = read_message({}, (CORPUS / "build/push.json").read_bytes())
    assert valid("build-notification.schema.json", json.loads(message.data))
    assert base64.b64encode(message.data).decode() in (CORPUS / "build/push.json").read_text()


def test_the_example_of_the_page_is_what_the_command_prints() -> None:
    page = (ROOT / "docs/reference/events.md").read_text()
    command, _, output = page.split("```console\n$ downwind events ")[1].split("```")[0].partition("\n")
    arguments = [str(ROOT / word) if "/" in word else word for word in command.split()]
    assert CliRunner().invoke(events_group, arguments).output == output


def test_the_request_of_the_page_is_valid() -> None:
    page = (ROOT / "docs/reference/events.md").read_text()
    schema = json.loads((ROOT / "functions/downwind/events/schemas/rollout-request.schema.json").read_bytes())
    example = page.split("```json\n")[1].split("```")[0]
    assert Draft202012Validator(schema).is_valid(json.loads(example))


def test_every_announced_type_has_its_schema_and_stands_on_the_page() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "functions/downwind").rglob("*.py"))
    announced = set(re.findall(r"dev\.downwind\.[a-z]+\.[a-z]+\.v1", sources))
    assert announced == set(SCHEMAS["deliveries.schema.json"]["properties"])
    page = (ROOT / "docs/reference/events.md").read_text()
    assert announced == set(re.findall(r"dev\.downwind\.[a-z]+\.[a-z]+\.v1", page))
