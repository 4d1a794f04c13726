"""Every file in `bad` holds one planted mistake, or two that belong together; its first lines say all that the check finds."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from downwind.cli.pipeline_file import Catalog, application_of, beside, read
from downwind.model.read_catalog import read_application
from downwind.soundness.check import check
from downwind.soundness.schema import schema
from downwind.soundness.served import Served

ROOT = Path(__file__).parents[3]
BAD = Path(__file__).parent / "bad"
FILES = sorted(path for path in BAD.glob("*.yaml") if path.name != "downwind.yaml")
SHIPPED = sorted((ROOT / "pipelines").glob("*.yaml"))
EXPECTED = "# expected: "
CATALOG = Catalog(applications=[application_of(BAD / "downwind.yaml")])
STRATEGY = {
    "rolling": {"path": "deploy/{environment}"},
    "judgment": {"path": "deploy/{environment}"},
    "blue-green": {"path": "deploy/{environment}"},
    "canary": {"parts": {"canary": "deploy/canary", "full": "deploy/production"}},
    "job-first": {"parts": {"job": "deploy/job", "full": "deploy/production"}},
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_mistake_is_found_at_its_line_with_its_fix(file: Path) -> None:
    expected = [
        line.removeprefix(EXPECTED) for line in file.read_text().splitlines() if line.startswith(EXPECTED.strip())
    ]
    found = [str(each).removeprefix(f"{file}:") for each in read(file, CATALOG).problems]
    assert expected
    assert found == expected


def test_there_are_as_many_as_promised() -> None:
    assert len(FILES) >= 100


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_pipeline_is_right_for_any_environment(file: Path) -> None:
    found = read(file, Catalog())
    assert (found.problems, found.template, found.place) == ((), True, None)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_pipeline_is_right_for_an_environment_of_the_catalog(file: Path) -> None:
    document: dict[str, Any] = yaml.safe_load((BAD / "downwind.yaml").read_text())
    document["environments"][0]["manifests"] = STRATEGY[file.stem]
    catalog = Catalog(applications=[read_application(document)], environment="shop/staging", bundles="acme-bundles")
    found = read(file, catalog)
    assert found.problems == ()
    assert found.document is not None
    assert (found.document["application"], found.document["name"]) == ("shop", "deploy-staging")
    assert "{{" not in str(found.document).replace("{{account}}", "")  # this environment names no account


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_schema_takes_what_is_shipped(file: Path) -> None:
    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(file.read_text()))


@pytest.mark.parametrize(
    "name", ["stage-unknown", "field-missing", "field-unknown", "field-unknown-at-the-top", "no-stages"]
)
def test_the_schema_knows_the_same_fields(name: str) -> None:
    """But an unknown stage: it may be a plugin's."""
    problems = list(
        jsonschema.Draft202012Validator(schema()).iter_errors(yaml.safe_load((BAD / f"{name}.yaml").read_text()))
    )
    assert bool(problems) is (name != "stage-unknown")


def test_the_published_schema_is_this_one() -> None:
    published = yaml.safe_load((ROOT / "docs" / "reference" / "schemas" / "pipeline.schema.json").read_text())
    assert published == schema(), (
        "run: .venv/bin/downwind pipelines schema > docs/reference/schemas/pipeline.schema.json"
    )


def test_the_catalog_file_beside_or_above_a_pipeline_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert beside(tmp_path / "pipelines" / "deploy-staging.yaml") == []
    (tmp_path / "downwind.yaml").write_text((BAD / "downwind.yaml").read_text())
    assert [each.name for each in beside(tmp_path / "pipelines" / "deploy-staging.yaml")] == ["shop"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["${", "${trigger.get('a')}", "1", "{{application}}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "name", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_stands_in_a_file_is_a_problem_and_no_crash(data: st.DataObject) -> None:
    """One value anywhere in a right pipeline is replaced by any other."""
    document: Any = yaml.safe_load(data.draw(st.sampled_from(SHIPPED)).read_text())
    holder, key = document, data.draw(st.sampled_from(sorted(document)))
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))))
    holder[key] = data.draw(JSON)
    served = Served(application="shop", environment="staging", namespace="shop", bundles="b", parts=("canary", "full"))
    for each in (*check(document, served), *check(document, None)):
        assert each.message
        assert each.fix
