"""The offline plan: three golden ones (UPDATE_GOLDEN=1 writes them anew), their order, and the script of them."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.bootstrap.conftest import CONFIGS, NAMES, make_plan

from downwind.bootstrap.package import digest, make_package
from downwind.bootstrap.plan import Plan, document, said
from downwind.bootstrap.shell import script
from downwind.cli.main import main
from downwind.settings import read_settings

GOLDEN = Path(__file__).parent / "golden"


def told(plan: Plan) -> Iterator[str]:
    for step in plan.offline():
        yield f"{step.action} {step.resource.key}   # {step.why}"
        for write in step.writes:
            entry = said(write, {})
            if entry["command"]:
                yield f"  $ {shlex.join(entry['command'])}"
            else:
                yield f"  {entry['request']['method']} {entry['request']['url']} {json.dumps(entry['request']['body'])}"


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_the_golden_one(name: str) -> None:
    text = "\n".join(told(make_plan(name))) + "\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        file.write_text(text)
    assert text == file.read_text()


def test_each_resource_comes_after_what_it_waits_for(plan: Plan) -> None:
    there: set[str] = set()
    for resource in plan.resources:
        assert resource.after <= there, resource.key
        assert resource.key not in there
        there.add(resource.key)


def test_no_place_is_left_unfilled(plan: Plan) -> None:
    """Spinnaker's own expressions in a pipeline begin alike."""
    steps = document(plan.offline())["steps"]
    assert "${" not in json.dumps([each for each in steps if each["kind"] != "pipeline"])
    assert "{{" not in json.dumps(steps)


def test_the_json_has_exactly_one_way_for_each_step(plan: Plan) -> None:
    steps = document(plan.offline())["steps"]
    for step in steps:
        assert set(step) == {"resource", "kind", "action", "command", "request", "why"}
        assert (step["command"] is None) != (step["request"] is None)
        assert step["why"]
        if step["request"]:
            assert set(step["request"]) == {"method", "url", "body"}


def test_every_function_gets_settings_that_it_can_start_with(plan: Plan) -> None:
    functions = [each for each in plan.resources if each.kind == "function"]
    for function in functions:
        variables = function.body["serviceConfig"]["environmentVariables"]
        assert all(isinstance(value, str) for value in variables.values())
        read_settings({**variables, "K_SERVICE": function.name})
    entries = {each.body["buildConfig"]["entryPoint"] for each in functions}
    assert entries >= {"on_push", "on_build", "on_image", "on_request", "on_execution", "on_tick"}


def test_each_push_carries_a_token_for_the_one_function_that_it_goes_to(plan: Plan) -> None:
    audiences = {
        each.body["serviceConfig"]["environmentVariables"]["DOWNWIND_PUSH_AUDIENCE"]
        for each in plan.resources
        if each.kind == "function"
    }
    pushed = [
        each.body["pushConfig"] for each in plan.resources if each.kind == "subscription" and "pushConfig" in each.body
    ]
    assert len(pushed) == 6
    for push in pushed:
        assert push["oidcToken"]["audience"] in audiences
        assert push["pushEndpoint"] == f"{push['oidcToken']['audience']}/"
    assert len({push["oidcToken"]["audience"] for push in pushed}) == 6


def test_a_second_installation_of_a_project_shares_googles_topics_and_no_other_name() -> None:
    names = {kind: {each.name for each in make_plan("existing").resources if each.kind == kind} for kind in NAMED}
    assert {each for each in names["topic"] if not each.startswith("second-")} == {"gcr", "cloud-builds"}
    assert all(each.startswith("second-") for kind in ("subscription", "function", "job") for each in names[kind])
    assert all(each.startswith("second-") for each in names["account"])
    assert all(each.startswith("acme-shared-second-") for each in names["bucket"])


NAMED = ("topic", "subscription", "function", "job", "account", "bucket")


def test_the_standard_configuration_has_no_door_to_the_internet(standard: Plan) -> None:
    for function in standard.resources:
        if function.kind == "function":
            assert function.body["serviceConfig"]["ingressSettings"] == "ALLOW_INTERNAL_ONLY", function.key


@pytest.mark.parametrize("name", NAMES)
def test_the_script_is_a_script(name: str, tmp_path: Path) -> None:
    plan = make_plan(name)
    file = tmp_path / "install.sh"
    file.write_text("\n".join(script(plan, plan.offline())))
    subprocess.run(["bash", "-n", str(file)], check=True)
    text = file.read_text()
    assert ":setIamPolicy" not in text, "a script cannot merge a policy"
    assert "add-iam-policy-binding" in text
    for secret in (each for each in plan.resources if each.kind == "secret"):
        line = f"gcloud secrets versions add {secret.name} --data-file=-"
        assert text.index(line) < text.find(f"{secret.name}/versions/1") or f"{secret.name}/versions/1" not in text


def test_the_command_needs_no_access_and_ends_with_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no gcloud there
    package = tmp_path / "functions.zip"
    package.write_bytes(b"zip")
    line = ["bootstrap", "plan", "--offline", "--config", str(CONFIGS / "standard.yaml"), "--package", str(package)]
    result = CliRunner().invoke(main, [*line, "-o", "json"])
    assert result.exit_code == 2
    steps = json.loads(result.output)["steps"]
    assert any(digest(b"zip") in json.dumps(step) for step in steps)
    table = CliRunner().invoke(main, line)
    assert table.exit_code == 2
    assert "OPEN INSIDE THE NETWORK" in table.output
    assert table.output.splitlines()[-1] == f"{len(make_plan('standard').resources)} to create"


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_script_is_no_document(output: str) -> None:
    line = ["bootstrap", "plan", "--offline", "--config", str(CONFIGS / "smallest.yaml"), "--shell", "-o", output]
    refused = CliRunner().invoke(main, line)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert f"--shell prints a script, and -o {output} a document: leave one of them out" in refused.stderr


def test_the_package_depends_on_the_files_alone(tmp_path: Path) -> None:
    functions = Path(__file__).parents[2] / "functions"
    one, two = make_package(functions), make_package(functions)
    assert digest(one) == digest(two)
    import io
    import zipfile

    names = zipfile.ZipFile(io.BytesIO(one)).namelist()
    assert "main.py" in names
    assert "downwind/entry.py" in names
    assert not [each for each in names if each.startswith(("downwind/cli/", "downwind/local/", "downwind/bootstrap/"))]
