"""The upload that scripts/package makes: its name, its bytes, and that the functions in it find their engines."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import FUNCTIONS

from downwind.adapters.engine_programs import Programs
from downwind.cli.package_upload import package
from downwind.errors import Misconfigured


def engines(folder: Path, **programs: bytes) -> Path:
    folder.mkdir()
    record = {}
    for name, data in programs.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o755)
        version = {"kustomize": "5.8.2", "helm": "4.3.0"}[name]
        record[name] = {"version": version, "sha256": hashlib.sha256(data).hexdigest(), "source": "here"}
    (folder / "engines.json").write_text(json.dumps(record))
    return folder


def unpack(upload: Path, folder: Path) -> Path:
    with zipfile.ZipFile(upload) as opened:
        for about in opened.infolist():
            path = Path(opened.extract(about, folder))
            path.chmod(about.external_attr >> 16 & 0o777)
    return folder


def test_the_same_content_is_the_same_bytes_and_their_digest_is_the_name(tmp_path: Path) -> None:
    programs = engines(tmp_path / "engines", kustomize=b"k", helm=b"h")
    first = package(FUNCTIONS, programs, tmp_path / "a")
    copy = tmp_path / "functions"
    shutil.copytree(FUNCTIONS, copy)
    for file in copy.rglob("*"):
        os.utime(file, (0, 0))
    second = package(copy, programs, tmp_path / "b")
    assert first.name == second.name == f"{hashlib.sha256(first.read_bytes()).hexdigest()}.zip"
    (programs / "helm").write_bytes(b"H")
    assert package(copy, programs, tmp_path / "b").name != first.name


def test_it_holds_what_is_deployed_and_the_engines_that_may_run(tmp_path: Path, uploaded: Path) -> None:
    upload = package(FUNCTIONS, engines(tmp_path / "engines", kustomize=b"k", helm=b"h"), tmp_path)
    found = unpack(upload, tmp_path / "unpacked")
    files = {path.relative_to(found).as_posix() for path in found.rglob("*") if path.is_file()}
    # Other tests run the upload where it lies, and Python writes what it has compiled beside it.
    deployed = {path.relative_to(uploaded).as_posix() for path in uploaded.rglob("*") if path.is_file()}
    deployed = {name for name in deployed if "__pycache__/" not in name}
    assert files - deployed == {"engines/kustomize", "engines/helm", "engines/engines.json"}
    assert deployed <= files
    assert Programs([found / "engines"]).find("helm").version == "4.3.0"


def test_a_program_that_is_missing_old_changed_or_may_not_run_says_the_fix(tmp_path: Path) -> None:
    folder = engines(tmp_path / "engines", kustomize=b"k")
    with pytest.raises(Misconfigured, match=r"Helm 4\.3\.0 is not on this machine; run: downwind engines get"):
        Programs([folder]).find("helm")
    (folder / "kustomize").write_bytes(b"other")
    with pytest.raises(Misconfigured, match="is not what was put there"):
        Programs([folder]).find("kustomize")
    (folder / "kustomize").write_bytes(b"k")
    (folder / "kustomize").chmod(0o644)
    with pytest.raises(Misconfigured, match=r"may not be executed; chmod \+x"):
        Programs([folder]).find("kustomize")
    record = json.loads((folder / "engines.json").read_text())
    record["kustomize"]["version"] = "5.8.1"
    (folder / "engines.json").write_text(json.dumps(record))
    with pytest.raises(Misconfigured, match=r"Kustomize 5\.8\.2 is not on this machine"):
        Programs([folder, tmp_path]).find("kustomize")
    (folder / "engines.json").write_text("{")
    with pytest.raises(Misconfigured, match="says nothing of kustomize"):
        Programs([folder]).find("kustomize")


@pytest.mark.engines
def test_unpacked_it_renders_without_a_cache(tmp_path: Path, reused: Any) -> None:
    folder = unpack(package(FUNCTIONS, Path(os.environ["WITH_ENGINES"]), tmp_path), tmp_path / "unpacked")
    script = (
        "from downwind.adapters.memory_tree import MemoryTree\n"
        "from downwind.model.engines import EngineOptions\n"
        "from downwind.wiring import make_renderer\n"
        "files = {'kustomization.yaml': b'configMapGenerator: [{name: a, literals: [b=c]}]'}\n"
        "print(make_renderer(60).render(MemoryTree(files), '', EngineOptions()).texts[0].data.decode())\n"
    )
    (folder / "try.py").write_text(script)
    environment = {
        **reused.environment,
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{folder}:{reused.environment['PYTHONPATH']}",
    }
    printed = replace(reused, environment=environment).run("try.py", folder=folder)
    assert "kind: ConfigMap" in printed


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("dist", 2)])
def test_the_script_asked_anything_says_what_it_does_and_makes_nothing(argument: str, code: int) -> None:
    script = Path(__file__).parent.parent.parent / "scripts" / "package"
    done = subprocess.run([str(script), argument], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[0][:25]) == (code, "Makes the one upload of t")
    assert "ENGINES_MIRROR=URL scripts/package" in done.stdout.splitlines()[-1]
