"""`pip install downwind` brings all that `downwind local` needs: no checkout beside it."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
LOOK = """
from downwind.local import add, demo, functions_server
print(functions_server.source(), demo.example(), add.shipped_pipelines())
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def files(folder: Path) -> set[str]:
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.name != ".gcloudignore"
    }


def test_a_wheel_holds_the_package_whole_with_schemas_and_types(unpacked: Path) -> None:
    package = files(unpacked / "downwind")
    assert files(ROOT / "functions" / "downwind") <= package
    assert "py.typed" in package
    assert {name for name in package if name.endswith(".schema.json")}


def test_a_wheel_s_local_world_finds_entry_points_example_and_pipelines_in_itself(unpacked: Path, reused: Any) -> None:
    path = os.pathsep.join([str(unpacked), reused.environment["PYTHONPATH"]])
    found = type(reused)(reused.python, reused.framework, {"PYTHONPATH": path}).run("-c", LOOK, folder=unpacked)
    main, example, pipelines = map(Path, found.split())
    assert all(each.is_relative_to(unpacked) for each in (main, example, pipelines)), found
    assert main.read_bytes() == (ROOT / "functions" / "main.py").read_bytes()
    assert files(example) == files(ROOT / "examples" / "shop")
    assert files(pipelines) == files(ROOT / "pipelines")
