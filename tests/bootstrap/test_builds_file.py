"""Cloud Build files: this repository's and the example's, and each rule that nobody else holds."""

from pathlib import Path
from typing import Any

import check_jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from click.testing import CliRunner

from downwind.bootstrap.builds_file import problems
from downwind.bootstrap.config import read_config
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.values import Values

ROOT = Path(__file__).parents[2]
CONFIGS = Path(__file__).parent / "configs"
FILES = sorted(path for pattern in ("cloudbuild.yaml", "examples/**/cloudbuild.yaml") for path in ROOT.glob(pattern))


@pytest.mark.parametrize("file", FILES, ids=lambda each: str(each.relative_to(ROOT)))
def test_our_own_files_are_sound(file: Path) -> None:
    assert problems(yaml.safe_load(file.read_text())) == []


def test_this_repositorys_own_file_names_images_by_digest_and_deploys_what_it_packaged() -> None:
    build = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
    assert problems(build, pinned=True) == []
    steps = {each["id"]: " ".join(each["args"]) for each in build["steps"]}
    assert list(steps) == ["check", "test", "package", "attested", "deploy"]
    assert [name for name, text in steps.items() if "scripts/package" in text] == ["package"], "the zip is made once"
    assert "scripts/sbom dist/*.zip" in steps["package"]
    assert "--package dist/*.zip --smoke" in steps["deploy"]
    assert build["options"]["requestedVerifyOption"] == "VERIFIED"
    (image,) = build["images"]
    assert image in steps["attested"], "only what goes to Artifact Registry is attested"
    standard = CONFIGS / "standard.yaml"
    plan = Plan(Values(read_config(standard.name, standard.read_bytes()), "0" * 64))
    trigger = next(each for each in plan.resources if each.key == "trigger/deploy")
    assert set(trigger.body["substitutions"]) < set(build["substitutions"])
    registry = next(each for each in plan.resources if each.key == "registry/functions")
    assert f"/{registry.name}/" in image.replace("${_NAME}", plan.values.name)


def test_cloud_builds_schema_takes_our_own_files_and_refuses_a_bad_one(tmp_path: Path) -> None:
    """The schema that check-jsonschema brings, offline."""
    schema = ["--builtin-schema", "vendor.cloudbuild", "--verbose"]
    good = CliRunner().invoke(check_jsonschema.main, [*schema, *map(str, FILES)])
    assert good.exit_code == 0, good.output
    assert len(FILES) == 2
    bad = tmp_path / "cloudbuild.yaml"
    bad.write_text(FILES[0].read_text().replace("logging: CLOUD_LOGGING_ONLY", "logging: SOMEWHERE"))
    refused = CliRunner().invoke(check_jsonschema.main, [*schema, str(bad)])
    assert refused.exit_code == 1
    assert "SOMEWHERE" in refused.stdout


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown substitution": ({"steps": [{"name": "a", "args": ["${_TAG}"]}]}, "${_TAG} is neither given"),
    "one in an environment": ({"steps": [{"name": "a", "env": ["A=$COMIT_SHA"]}]}, "${COMIT_SHA} is neither given"),
    "one that nobody uses": ({"substitutions": {"_A": "1"}, "steps": [{"name": "a"}]}, "_A is used nowhere"),
    "a name in small letters": ({"substitutions": {"_a": "1"}, "steps": [{"name": "$_a"}]}, "substitutions._a"),
    "an id twice": ({"steps": [{"name": "a", "id": "x"}, {"name": "b", "id": "x"}]}, "steps[1].id: 'x' stands twice"),
    "waiting for nobody": ({"steps": [{"name": "a", "waitFor": ["y"]}]}, "steps[0].waitFor"),
    "waiting for a later one": (
        {"steps": [{"name": "a", "waitFor": ["y"]}, {"name": "b", "id": "y"}]},
        "no step before it is called 'y'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_one_is_found(name: str) -> None:
    build, what = BAD[name]
    assert any(what in each for each in problems(build)), problems(build)


def test_what_is_right_is_left_alone() -> None:
    build = {
        "substitutions": {"_TAG": "${COMMIT_SHA}"},
        "steps": [
            {"name": "a", "id": "x", "waitFor": ["-"], "args": ["$_TAG", "$$HOME", "${PROJECT_ID}"]},
            {"name": "b", "waitFor": ["x"]},
        ],
    }
    assert problems(build) == []
    loose = {"options": {"substitutionOption": "ALLOW_LOOSE"}, "steps": [{"name": "a", "args": ["$_ANY"]}]}
    assert problems(loose) == []


def test_images_can_be_asked_for_by_digest() -> None:
    pinned = {"steps": [{"name": "python@sha256:" + "0" * 64}]}
    assert problems(pinned, pinned=True) == []
    (found,) = problems({"steps": [{"name": "python:3.12"}]}, pinned=True)
    assert "not named by digest" in found
