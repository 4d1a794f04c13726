"""What six installations come to, object by object, is in `golden/`. GOLDEN=write writes them anew: read the difference."""

import os
from pathlib import Path

import pytest
from tests.contract.chart.helm import (
    CHART,
    GOLDEN,
    SETS,
    Helm,
    objects,
    secrets,
    value_arguments,
    without_secrets,
    written,
)


@pytest.mark.parametrize("name", SETS)
def test_the_chart_renders_what_the_golden_file_says(helm: Helm, name: str) -> None:
    path = GOLDEN / f"{name}.yaml"
    found = written(without_secrets(objects(helm.template(SETS[name]))))
    if os.environ.get("GOLDEN") == "write":
        path.write_text(found)
    assert found == path.read_text(), f"if that is as meant: GOLDEN=write scripts/test {Path(__file__).name}"


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_helm_finds_nothing_to_warn_of(helm: Helm, name: str) -> None:
    helm.run("lint", "--strict", CHART, *value_arguments(SETS[name]))


def test_every_generated_secret_is_long_and_another_each_time(helm: Helm) -> None:
    first, second = (secrets(objects(helm.template(SETS["trial"]))) for _ in range(2))
    assert set(first) == {
        "spinnaker-gate/password",
        "spinnaker-postgresql/administrator",
        "spinnaker-postgresql/password",
        "spinnaker-redis/auth.conf",
        "spinnaker-redis/connection",
        "spinnaker-redis/password",
    }
    passwords = {key: text for key, text in first.items() if key.endswith(("/password", "/administrator"))}
    assert all(len(text) == 40 and text.isalnum() for text in passwords.values())
    assert len(set(passwords.values())) == len(passwords)
    assert first["spinnaker-redis/password"] in first["spinnaker-redis/connection"]
    assert not set(first.values()) & set(second.values())
