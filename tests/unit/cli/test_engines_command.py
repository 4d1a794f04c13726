"""Where Kustomize and Helm come from: an archive by its checksum, else Go, else a word on what to do. No network here."""

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from downwind.adapters.engine_programs import Programs
from downwind.cli.engine_source import SOURCES, Source, get, this_platform
from downwind.errors import Refused
from downwind.render.engine import ENGINES

PLATFORM = this_platform()
SAID: list[str] = []


def archive(member: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        about = tarfile.TarInfo(member)
        about.size = len(data)
        made.addfile(about, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def mirror(tmp_path: Path) -> tuple[str, dict[str, Source]]:
    """A folder of archives as the projects name them, and sources that pin just these."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    system, _, machine = PLATFORM.partition("-")
    sources = {}
    for name, source in SOURCES.items():
        words = {"version": ENGINES[name], "os": system, "arch": machine}
        data = archive(source.member.format(**words), f"the program {name}".encode())
        (folder / source.archive.format(**words)).write_bytes(data)
        sources[name] = replace(source, archives={PLATFORM: hashlib.sha256(data).hexdigest()})
    return folder.as_uri(), sources


def test_archives_of_a_mirror_are_taken_by_their_checksum_and_only_once(
    tmp_path: Path, mirror: tuple[str, dict[str, Source]]
) -> None:
    where, sources = mirror
    folder, said = tmp_path / "engines", list[str]()
    record = get(folder, PLATFORM, where, said.append, sources)
    assert {name: about["version"] for name, about in record.items()} == ENGINES
    for name in ENGINES:
        program = Programs([folder]).find(name)
        assert program.path.read_bytes() == f"the program {name}".encode()
        assert record[name]["source"].startswith(where)
    assert len(said) == 2
    assert get(folder, PLATFORM, "file:///nowhere", said.append, sources) == record
    assert len(said) == 2
    (folder / "helm").write_bytes(b"other")
    get(folder, PLATFORM, where, said.append, sources)
    assert (folder / "helm").read_bytes() == b"the program helm"


def test_an_archive_that_is_not_the_pinned_one_is_never_unpacked(
    tmp_path: Path, mirror: tuple[str, dict[str, Source]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    where, _ = mirror
    with pytest.raises(Refused, match=r"its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}") as caught:
        get(tmp_path / "engines", "linux-amd64" if PLATFORM == "linux-amd64" else PLATFORM, where, SAID.append)
    assert caught.value.fix == "name a mirror of the release archives with --mirror, or install Go"
    assert list((tmp_path / "engines").iterdir()) == []


def test_a_mirror_is_https_or_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="is neither https nor file"):
        get(tmp_path / "engines", "linux-amd64", "http://mirror.example", SAID.append)


def test_a_platform_without_a_pinned_archive_needs_go(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no checksum is pinned for plan9-arm"):
        get(tmp_path / "engines", "plan9-arm", None, SAID.append)


GO = """#!/bin/sh
if [ "$1" = mod ]; then echo '{"Sum": "%s"}'; exit 0; fi
echo built > "$GOBIN/program"
"""


def test_go_builds_the_pinned_module_where_no_archive_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    go = tmp_path / "bin" / "go"
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    sources = {name: replace(source, hash="h1:right", archives={}) for name, source in SOURCES.items()}
    go.write_text(GO % "h1:wrong")
    go.chmod(0o755)
    with pytest.raises(Refused, match="is h1:wrong, not h1:right"):
        get(tmp_path / "engines", PLATFORM, None, SAID.append, sources)
    go.write_text(GO % "h1:right")
    record = get(tmp_path / "engines", PLATFORM, None, SAID.append, sources)
    assert record["kustomize"]["source"] == "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2 h1:right"
    assert (tmp_path / "engines" / "helm").read_bytes() == b"built\n"


def test_the_pins_are_whole() -> None:
    for name, source in SOURCES.items():
        assert name in ENGINES
        assert source.hash.startswith("h1:")
        assert {"linux-amd64", "linux-arm64"} <= set(source.archives)
        assert all(len(each) == 64 and set(each) <= set("0123456789abcdef") for each in source.archives.values())
