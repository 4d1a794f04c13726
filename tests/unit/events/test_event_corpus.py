"""Every file of tests/events means what tests/events/expected says: the parsers' contract, in the exact wire shape."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from downwind.cli.events_command import events_group

CORPUS = Path(__file__).parents[2] / "events"
SOURCES = ("push", "webhook", "build", "image", "request", "execution")
FILES = sorted(path.relative_to(CORPUS).as_posix() for source in SOURCES for path in (CORPUS / source).glob("*.json"))


@pytest.mark.parametrize("name", FILES)
def test_file_means_what_is_expected(name: str) -> None:
    path = CORPUS / name
    headers = path.with_suffix(".headers")
    options = ["--headers", str(headers)] if headers.exists() else []
    result = CliRunner().invoke(events_group, ["read", str(path), "--source", path.parent.name, *options, "-o", "json"])
    answer = json.loads(result.output)
    assert answer == json.loads((CORPUS / "expected" / name).read_bytes())
    assert result.exit_code == (1 if "refused" in answer else 0)


def test_every_file_has_an_expectation_and_its_source_noted() -> None:
    expected = {path.relative_to(CORPUS / "expected").as_posix() for path in (CORPUS / "expected").glob("*/*.json")}
    assert expected == set(FILES)
    noted = (CORPUS / "README.md").read_text()
    assert [name for name in FILES if f"`{name}`" not in noted] == []
