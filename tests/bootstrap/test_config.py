"""downwind.config.yaml: every problem with file, line, field and fix; `init` writes what `plan` reads."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from downwind.bootstrap.config import complete
from downwind.cli.main import main
from downwind.model.fields import Invalid

LEAST = {
    "apiVersion": "downwind.dev/v1",
    "kind": "Installation",
    "project": "acme-delivery",
    "number": "123456789012",
    "region": "europe-west1",
    "spinnaker": {"gate": "http://gate:8084"},
}
INIT = [
    *("bootstrap", "init", "--project", "acme-delivery", "--number", "123456789012", "--region", "europe-west1"),
    *("--gate", "http://gate:8084", "--cluster", "none", "--existing-spinnaker"),
]


def problems(**change: object) -> list[str]:
    with pytest.raises(Invalid) as caught:
        complete({**LEAST, **change})
    return [str(each) for each in caught.value.problems]


def test_defaults_come_from_the_schema_at_every_depth() -> None:
    repositories = [{"name": "shop", "address": "https://github.com/acme/shop.git"}]
    config = complete(
        {**LEAST, "builds": {"connection": {"installation": "1", "tokenSecret": "t"}, "repositories": repositories}}
    )
    assert config["retention"] == {"ledgerDays": 365, "bundlesDays": 90}
    assert config["builds"]["repositories"][0]["branch"] == "^main$"
    assert config["hear"] == {"spinnaker": True, "webhooks": False}


def test_the_defaults_themselves_fit_the_schema() -> None:
    assert complete(complete(LEAST)) == complete(LEAST)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"number": 123456789012}, "number: 123456789012 is not right; give the project's number in quotes"),
        ({"regoin": "x"}, "regoin: is not a field; did you mean 'region'?"),
        ({"spinnaker": {}}, "spinnaker.gate: is missing; give the address of Gate"),
        ({"cluster": {"create": "gke"}}, 'cluster.create: "gke" is not right; use none'),
        ({"operate": {"callers": ["allUsers"]}}, 'operate.callers[0]: "allUsers" is not right; give user:ADDRESS'),
        ({"cluster": {"minNodes": 5}}, "cluster.minNodes: is more than maxNodes"),
        (
            {"builds": {"repositories": [{"name": "a", "address": "https://x.example/a"}]}},
            "builds.connection: is missing",
        ),
        ({"spinnaker": {"gate": "http://g", "install": True}}, "cluster.location: is missing"),
        ({"deploy": {"address": "https://github.com/acme/downwind.git"}}, "builds.connection: is missing"),
        ({"deploy": {"address": "git@github.com:acme/downwind.git"}}, "deploy.address: "),
        ({"verify": {"application": "canary"}}, "verify.environment: is missing"),
        ({"verify": {"application": "canary", "environment": "staging", "file": "/etc/x"}}, "verify.file: "),
        (
            {
                "deploy": {"address": "https://github.com/acme/downwind.git"},
                "builds": {
                    "connection": {"installation": "1", "tokenSecret": "t"},
                    "repositories": [{"name": "deploy", "address": "https://github.com/acme/x.git"}],
                },
            },
            "builds.repositories[0].name: 'deploy' is the name",
        ),
        ({"namespaces": [{"name": "shop"}]}, "cluster.location: is missing"),
        (
            {"cluster": {"context": "lab"}, "namespaces": [{"name": "shop"}, {"name": "shop"}]},
            "namespaces[1].name: 'shop' is taken already",
        ),
        (
            {
                "cluster": {"context": "lab"},
                "namespaces": [{"name": "spinnaker"}],
                "spinnaker": {"gate": "http://g", "install": True},
            },
            "namespaces[0].name: 'spinnaker' is taken already",
        ),
        ({"admission": {"breakGlass": ["domain:acme.example"]}}, "admission.breakGlass[0]: is a whole domain"),
        ({"cluster": {"context": "lab", "create": "autopilot"}}, "cluster.context: is beside create or location"),
        ({"sample": "shop"}, "sample: 'shop' is not under builds.repositories"),
        ({"sample": "shop", "registry": {"images": None}}, "registry.images: is null"),
        ({"sample": "shop", "cluster": {"context": "lab"}}, "namespaces: lacks shop-staging and shop"),
        ({"spinnaker": {"gate": "http://g", "pipelines": ["a.yaml"]}}, "spinnaker.email: is missing"),
        ({"spinnaker": {"gate": "http://g", "images": "/etc/passwd"}}, 'spinnaker.images: "/etc/passwd" is not right'),
    ],
)
def test_a_problem_names_field_and_fix(change: dict[str, object], expected: str) -> None:
    assert any(each.startswith(expected) for each in problems(**change)), problems(**change)


def test_all_problems_come_at_once() -> None:
    assert len(problems(number=1, region="mars", hear={"spinaker": True})) == 3


def test_the_command_says_file_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(yaml.safe_dump(LEAST, sort_keys=False) + "retention:\n  ledgerDays: 0\n")
    result = CliRunner().invoke(main, ["bootstrap", "plan", "--offline", "--config", str(file)])
    assert result.exit_code == 1
    assert f"{file}:9:15: retention.ledgerDays: 0 is not right; give 1 to 3650" in result.output


def test_what_is_no_yaml_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    assert "cannot be read" in CliRunner().invoke(main, ["bootstrap", "plan", "--config", str(file)]).output
    file.write_text("a: [")
    assert CliRunner().invoke(main, ["bootstrap", "plan", "--offline", "--config", str(file)]).exit_code == 1


def test_init_checks_each_answer_as_it_is_given_and_asks_again(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    answers = [
        "Acme!",
        "acme-small",
        "many",
        "210987654321",
        "mars",
        "europe-west1",
        "some",
        "none",
        "n",
        "gate",
        "http://g:8084",
    ]
    done = CliRunner().invoke(main, ["bootstrap", "init", "--file", str(file)], input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    for field in ("project", "number", "region", "cluster.create", "spinnaker.gate"):
        assert done.stderr.count(f"Error: {field}: ") == 1, field
    assert complete(yaml.safe_load(file.read_text()))["project"] == "acme-small"


def test_init_looks_at_what_options_gave_before_it_asks(tmp_path: Path) -> None:
    line = ["bootstrap", "init", "--project", "Acme!", "--number", "many", "--file", str(tmp_path / "c.yaml")]
    refused = CliRunner().invoke(main, line, input="europe-west1\n")
    assert refused.exit_code == 1
    assert "project: " in refused.output
    assert "number: " in refused.output
    assert "Region" not in refused.output
    assert not (tmp_path / "c.yaml").exists()


def test_init_writes_what_plan_reads_with_every_field_as_a_comment(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    more = ["--webhooks", "--caller", "user:ann@acme.example", "--file", str(file)]
    assert CliRunner().invoke(main, [*INIT, *more]).exit_code == 0
    text = file.read_text()
    assert complete(yaml.safe_load(text))["hear"]["webhooks"] is True
    for field in ("topicPrefix", "ledgerDays", "connector", "requesters"):
        assert f"{field}: " in text
    again = CliRunner().invoke(main, [*INIT, "--file", str(file)])
    assert again.exit_code == 1
    assert "--force" in again.output
    nowhere = CliRunner().invoke(main, [*INIT, "--file", str(tmp_path / "no" / "c.yaml")])
    assert nowhere.exit_code == 1
    assert "cannot be written: No such file or directory" in nowhere.output


def test_init_takes_a_context_and_namespaces(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    line = [each for each in INIT if each not in {"--cluster", "none"}]
    more = ["--context", "lab", "--namespace", "shop", "--namespace", "web", "--file", str(file)]
    done = CliRunner().invoke(main, [*line, *more])
    assert done.exit_code == 0, done.output
    config = complete(yaml.safe_load(file.read_text()))
    assert config["cluster"]["context"] == "lab"
    assert [each["name"] for each in config["namespaces"]] == ["shop", "web"]


def test_init_that_nobody_answers_says_to_give_options(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    refused = CliRunner().invoke(main, ["bootstrap", "init", "--file", str(file)], input="")
    assert refused.exit_code == 2
    assert "nobody answered; give it as an option: Project id" in refused.stderr
    assert not file.exists()


def test_init_asks_for_what_no_option_gives(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    answers = "acme-delivery\n123456789012\n\nautopilot\ny\n\n"
    result = CliRunner().invoke(main, ["bootstrap", "init", "--file", str(file)], input=answers)
    assert result.exit_code == 0, result.output
    config = complete(yaml.safe_load(file.read_text()))
    assert (config["region"], config["cluster"]["create"], config["spinnaker"]["install"]) == (
        "europe-west1",
        "autopilot",
        True,
    )
    assert config["spinnaker"]["gate"] == f"http://{config['network']['gateAddress']}:8084", "the doctor wants that one"


def test_init_knows_no_address_of_a_gate_that_it_does_not_make(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    line = ["bootstrap", "init", "--file", str(file), "--existing-spinnaker"]
    answers = "acme-delivery\n123456789012\n\n\n\nhttp://gate.acme.example:8084\n"
    result = CliRunner().invoke(main, line, input=answers)
    assert result.exit_code == 0, result.output
    assert complete(yaml.safe_load(file.read_text()))["spinnaker"]["gate"] == "http://gate.acme.example:8084"


def test_a_wrong_answer_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    line = ["acme delivery" if each == "acme-delivery" else each for each in INIT]
    assert CliRunner().invoke(main, [*line, "--file", str(file)]).exit_code == 1
    assert not file.exists()
