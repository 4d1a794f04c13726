"""The bill of materials: by CycloneDX's own validator, complete against the lock, and the same bytes for the same package."""

import hashlib
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from downwind.cli.engine_source import SOURCES
from downwind.cli.package_sbom import bill
from downwind.errors import Refused
from downwind.render.engine import ENGINES

ROOT = Path(__file__).parents[2]
REQUIREMENTS = (ROOT / "functions" / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts of a package that matter here."""
    made = tmp_path_factory.mktemp("sbom") / "package.zip"
    record = {name: {"version": version, "sha256": "0" * 64, "source": "x"} for name, version in ENGINES.items()}
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("main.py", "")
        archive.writestr("requirements.txt", REQUIREMENTS)
        archive.writestr("engines/engines.json", json.dumps(record))
    return made


@pytest.fixture(scope="module")
def document(package: Path) -> dict[str, Any]:
    return bill(package)


def test_it_is_sound_to_cyclonedx_itself(document: dict[str, Any]) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(document)) is None
    assert validator.validate_str(json.dumps({**document, "components": [{"type": "library"}]})) is not None


def test_every_locked_distribution_is_in_it_with_its_hashes(document: dict[str, Any]) -> None:
    locked = re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", REQUIREMENTS, re.MULTILINE)
    assert len(locked) > 20
    found = {(each["name"], each["version"]): each for each in document["components"] if each["type"] == "library"}
    assert set(found) == set(locked)
    for each in found.values():
        (reference,) = each["externalReferences"]
        assert reference["hashes"]
        assert all(one["alg"] == "SHA-256" and one["content"] in REQUIREMENTS for one in reference["hashes"])


def test_the_engines_and_the_package_itself_are_named_by_digest(document: dict[str, Any], package: Path) -> None:
    engines = {each["name"]: each for each in document["components"] if each["type"] == "application"}
    assert {name: each["version"] for name, each in engines.items()} == ENGINES
    assert engines["helm"]["purl"] == f"pkg:golang/{SOURCES['helm'].module}@v{ENGINES['helm']}"
    assert engines["helm"]["hashes"][0]["content"] == "0" * 64
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert document["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": digest}]


def test_nothing_of_the_moment_or_the_machine_is_in_it(document: dict[str, Any], package: Path) -> None:
    """So the same package gives the same bytes."""
    assert "serialNumber" not in document
    assert "timestamp" not in document["metadata"]
    assert str(package.parent) not in json.dumps(document)
    assert "/tmp" not in json.dumps(document)


def test_what_is_no_package_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(b"no zip")
    with pytest.raises(Refused, match="no package"):
        bill(file)
