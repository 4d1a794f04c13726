"""Trees that mean harm, with the real Kustomize and Helm: what the walk refuses, and what the limits end."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from downwind.adapters.engine_programs import Programs
from downwind.adapters.engine_renderer import EngineRenderer
from downwind.adapters.memory_tree import MemoryTree
from downwind.adapters.sandbox import RunLimits, isolation, run, walls
from downwind.errors import Refused, TransientError
from downwind.model.engines import EngineOptions

pytestmark = pytest.mark.engines
CHART = b"apiVersion: v2\nname: a\nversion: 1.0.0\n"


def chart(template: bytes, helpers: bytes = b"") -> MemoryTree:
    return MemoryTree({"Chart.yaml": CHART, "templates/a.yaml": template, "templates/_h.tpl": helpers})


def test_an_address_that_ran_a_command_in_kustomize_runs_none(engines: Any, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    address = f"git::file:///tmp?ref=--upload-pack=touch%20{trace}"
    with pytest.raises(Refused, match="is an address outside this repository"):
        engines.render(MemoryTree({"kustomization.yaml": f"resources: ['{address}']".encode()}), "", EngineOptions())
    assert not trace.exists()


def test_even_unwalked_kustomize_finds_neither_git_nor_network(tmp_path: Path) -> None:
    """The second wall: as if the walk had missed the address."""
    kustomize = Programs([Path(os.environ["WITH_ENGINES"])]).find("kustomize").path
    home = tmp_path / "home"
    (tmp_path / "tree").mkdir()
    home.mkdir()
    for address, said in (
        ("git::file:///tmp?ref=x", "git"),
        ("https://127.0.0.1:1/a.yaml", "network is unreachable|connection refused|permission denied"),
    ):
        (tmp_path / "tree" / "kustomization.yaml").write_text(f"resources: ['{address}']")
        with pytest.raises(Refused, match=f"(?i){said}"):
            run("kustomize", [str(kustomize), "build", "."], tmp_path / "tree", home)


def test_a_template_without_end_is_ended_by_its_processor_time(engines: Any) -> None:
    quick = EngineRenderer(engines._programs)
    quick._limits = RunLimits(processor=1, wall=60)
    endless = b"{{- range $i := until 100000 }}{{ range $j := until 100000 }}{{ end }}{{ end }}"
    with pytest.raises(Refused, match="more than 1 s of processor time"):
        quick.render(chart(endless), "", EngineOptions())


def test_a_template_that_eats_memory_is_ended(engines: Any) -> None:
    small = EngineRenderer(engines._programs)
    small._limits = RunLimits(memory=200 << 20, wall=60)
    hungry = (
        b'{{- $x := repeat 1000000 "0123456789" }}{{ range $i := until 50 }}{{ $x = printf "%s%s" $x $x }}{{ end }}'
    )
    with pytest.raises(Refused, match=r"needs more than 200 MiB of memory"):
        small.render(chart(hungry), "", EngineOptions())


def test_more_output_than_a_bundle_may_have_is_ended(engines: Any) -> None:
    loud = b'a: {{ repeat 9000000 "x" }}\n'
    with pytest.raises(Refused, match="printed more than 8 MiB"):
        engines.render(chart(loud), "", EngineOptions())


def test_a_machine_that_is_too_slow_is_no_verdict_on_the_tree(engines: Any) -> None:
    with pytest.raises(TransientError, match=r"did not end within 0\.001 s"):
        EngineRenderer(engines._programs, wall=0.001).render(chart(b"kind: A"), "", EngineOptions())


def test_nothing_of_our_environment_reaches_a_template(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOWNWIND_CANARY", "canary-7f3a")
    monkeypatch.setenv("HELM_NAMESPACE", "canary-7f3a")
    found = engines.render(chart(b"a: {{ .Release.Namespace }}\n"), "", EngineOptions())
    assert b"canary" not in found.texts[0].data


def test_a_program_in_here_sees_neither_environment_nor_network_nor_other_programs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    seen = run("env", ["/usr/bin/env"], tmp_path, home).decode().splitlines()
    assert sorted(line.partition("=")[0] for line in seen) == [
        "GOGC",
        "GOMAXPROCS",
        "GOMEMLIMIT",
        "HOME",
        "PATH",
        "TMPDIR",
        "TZ",
    ], seen
    if isolation():
        done = subprocess.run([*isolation(), "/bin/cat", "/proc/net/dev"], capture_output=True, check=True)
        devices = done.stdout.decode().splitlines()[2:]
        assert [line.partition(":")[0].strip() for line in devices] == ["lo"]
    with pytest.raises(Refused, match=r"no-such: (command )?not found"):
        run("sh", ["/bin/sh", "-c", "no-such || cat /dev/null"], tmp_path, home)


SECRET = Path("/etc/hostname")


@pytest.mark.parametrize("engine", ["kustomize", "helm"])
def test_even_unwalked_an_engine_reads_no_file_of_the_machine(engine: str, tmp_path: Path) -> None:
    """The second wall: as if the walk had missed a symlink, or a path out of the tree. Without the wall both print it."""
    if "files" not in walls():
        pytest.skip("NOT TESTED: this kernel has no Landlock")
    program = Programs([Path(os.environ["WITH_ENGINES"])]).find(engine).path
    copy, home = tmp_path / "copy", tmp_path / "home"
    home.mkdir()
    (copy / "templates").mkdir(parents=True)
    (copy / "Chart.yaml").write_bytes(CHART)
    (copy / "stolen").symlink_to(SECRET)
    (copy / "templates" / "a.yaml").write_text('kind: A\nstolen: {{ .Files.Get "stolen" | quote }}\n')
    (copy / "kustomization.yaml").write_text(f"configMapGenerator: [{{name: a, files: [{SECRET}]}}]\n")
    arguments = {
        "kustomize": ["build", "--load-restrictor", "LoadRestrictionsNone", "."],
        "helm": ["template", "."],
    }
    command = [str(program), *arguments[engine]]
    unconfined = subprocess.run(command, cwd=copy, capture_output=True, check=True, env={"HOME": str(home)})
    assert SECRET.read_bytes().strip() in unconfined.stdout
    with pytest.raises(Refused, match="permission denied"):
        run(engine, command, copy, home)
