"""The docker step without an engine: what of a Dockerfile is real, what is recorded, what is refused."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from downwind.adapters.registry import OciRegistry
from downwind.local.builds.docker import Docker
from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.image import Image, digest_of
from downwind.local.builds.upload import full_reference, upload
from downwind.local.http import Handler, HttpPart

TAG = "127.0.0.1:5000/shop:v1"


class Bench:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.docker = Docker(folder)
        self.lines: list[str] = []

    def build(self, dockerfile: str, files: Mapping[str, str] | None = None, *options: str) -> Image:
        for name, text in {"Dockerfile": dockerfile, **(files or {})}.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.docker.run(["build", "-t", TAG, *options, "."], self.folder, self.lines.append)
        return self.docker.images[TAG]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "source")


def _config(image: Image) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(image.blobs[json.loads(image.manifest)["config"]["digest"]])
    return found


def _files(image: Image) -> dict[str, str]:
    """The root file system's regular files, all layers on top of each other."""
    found: dict[str, str] = {}
    for part in json.loads(image.manifest)["layers"]:
        with tarfile.open(fileobj=io.BytesIO(image.blobs[part["digest"]])) as tar:
            for entry in tar:
                assert (entry.mtime, entry.uid, entry.gid, entry.uname) == (0, 0, 0, "")
                file = tar.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    found[entry.name] = file.read().decode()
    return {name: text for name, text in found.items() if not name.startswith(".downwind/")}


def test_every_digest_is_that_of_its_content(bench: Bench) -> None:
    image = bench.build("FROM scratch\nCOPY . /\n", {"a": "1"})
    manifest = json.loads(image.manifest)
    for part in (manifest["config"], *manifest["layers"]):
        assert digest_of(image.blobs[part["digest"]]) == part["digest"]
        assert len(image.blobs[part["digest"]]) == part["size"]
    layers = [gzip.decompress(image.blobs[part["digest"]]) for part in manifest["layers"]]
    assert _config(image)["rootfs"]["diff_ids"] == [digest_of(layer) for layer in layers]


def test_the_same_files_make_the_same_digest_whatever_their_times(tmp_path: Path) -> None:
    digests = set()
    for number, name in enumerate(("one", "two")):
        bench = Bench(tmp_path / name)
        bench.build("FROM scratch\nCOPY . /\n", {"a": "1", ".git/index": name})
        os.utime(tmp_path / name / "a", (number, number))
        digests.add(bench.build("FROM scratch\nCOPY . /\n").digest)
    assert len(digests) == 1


def test_settings_are_those_of_the_dockerfile(bench: Bench) -> None:
    image = bench.build(
        'FROM scratch\nARG PORT=80\nENV A=1 B="two words"\nENV OLD form\nWORKDIR /srv\nWORKDIR app\n'
        'LABEL x="y z" \\\n  # a comment between\n  n=$A\nUSER 10:10\nEXPOSE $PORT 53/udp\nVOLUME /data\n'
        'STOPSIGNAL SIGINT\nENTRYPOINT ["/bin/x"]\nCMD echo hi\n',
        None,
        "--build-arg",
        "PORT=8080",
        "--label=given=1",
    )
    assert _config(image)["config"] == {
        "Env": ["A=1", "B=two words", "OLD=form"],
        "WorkingDir": "/srv/app",
        "Labels": {"x": "y z", "n": "1", "given": "1"},
        "User": "10:10",
        "ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGINT",
        "Entrypoint": ["/bin/x"],
        "Cmd": ["/bin/sh", "-c", "echo hi"],
    }


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("COPY a /x", {"x"}),
        ("COPY a /x/", {"x/a"}),
        ("COPY a b /x/", {"x/a", "x/b"}),
        ("COPY dir /x", {"x/c", "x/deep/d"}),
        ("COPY dir/deep .", {"w/d"}),
        ('COPY ["a", "./y"]', {"w/y"}),
        ("COPY ? /x/", {"x/a", "x/b"}),
        ("COPY dir/* /x/", {"x/c", "x/d"}),
        ("ADD --chmod=0755 a .", {"w/a"}),
    ],
)
def test_copy_puts_files_where_docker_puts_them(bench: Bench, line: str, found: set[str]) -> None:
    files = {"a": "1", "b": "2", "dir/c": "3", "dir/deep/d": "4"}
    assert set(_files(bench.build(f"FROM scratch\nWORKDIR /w\n{line}\n", files))) == found


def test_dockerignore_is_honoured(bench: Bench) -> None:
    rules = "# no\n*.log\n**/cache\nsecret\n!keep.log\nDockerfile\n.dockerignore\n"
    files = {
        "a": "",
        "x.log": "",
        "keep.log": "",
        "d/x.log": "",
        "d/cache/y": "",
        "secret/z": "",
        ".dockerignore": rules,
    }
    assert set(_files(bench.build("FROM scratch\nCOPY . /\n", files))) == {"a", "keep.log", "d/x.log"}


def test_links_and_modes_are_kept_as_git_keeps_them(bench: Bench) -> None:
    (bench.folder / "link").symlink_to("run")
    (bench.folder / "run").write_text("#!/bin/sh")
    (bench.folder / "run").chmod(0o740)
    image = bench.build("FROM scratch\nCOPY link run /\n")
    blob = image.blobs[json.loads(image.manifest)["layers"][0]["digest"]]
    with tarfile.open(fileobj=io.BytesIO(blob)) as tar:
        assert (tar.getmember("link").linkname, tar.getmember("run").mode) == ("run", 0o755)


def test_stages_can_be_copied_from_built_upon_and_chosen(bench: Bench) -> None:
    text = "FROM scratch AS one\nCOPY a /a\nENV E=1\nFROM one AS two\nCOPY b /b\nFROM scratch\nCOPY --from=two /a /b /out/\n"
    assert _files(bench.build(text, {"a": "1", "b": "2"})) == {"out/a": "1", "out/b": "2"}
    two = bench.build(text, None, "--target", "two")
    assert _files(two) == {"a": "1", "b": "2"}
    assert _config(two)["config"] == {"Env": ["E=1"]}


def test_run_and_from_outside_are_recorded_with_a_warning_and_change_the_digest(bench: Bench) -> None:
    text = "FROM python:3.12\nRUN pip install x\nCOPY a /\n"
    one = bench.build(text, {"a": "1"})
    warnings = [line for line in bench.lines if line.startswith("warning")]
    assert ["FROM python:3.12 is recorded" in warnings[0], "RUN is recorded, not executed" in warnings[1]] == [True] * 2
    assert len(warnings) == 2
    assert bench.build(text).digest == one.digest
    assert bench.build(text.replace("install x", "install y")).digest != one.digest
    assert bench.build(text.replace("3.12", "3.13")).digest != one.digest


def test_a_here_document_of_run_is_part_of_what_is_recorded(bench: Bench) -> None:
    text = "FROM scratch\nRUN <<EOF\nFROM nothing\nEOF\nCOPY a /\n"
    one = bench.build(text, {"a": "1"})
    assert bench.build(text.replace("nothing", "else")).digest != one.digest


@pytest.mark.parametrize(
    ("dockerfile", "said"),
    [
        ("", "no FROM"),
        ("COPY a /\nFROM scratch\n", "line 1: COPY: comes before FROM"),
        ("FROM scratch\nCOPY none /\n", "nothing of that name in the build context"),
        ("FROM scratch\nCOPY ../a /\n", "can't leave"),
        ("FROM scratch\nCOPY --from=alpine /a /\n", "only stages of this Dockerfile"),
        ("FROM x AS b\nRUN make\nFROM scratch\nCOPY --from=b /out /\n", "recorded, not executed"),
        ("FROM scratch\nADD https://example.com/a /\n", "only plain local files"),
        ("FROM scratch\nADD a.tar.gz /\n", "only plain local files"),
        ("FROM scratch\nCOPY --parents a /\n", "parents is not supported"),
        ("FROM scratch\nCOPY <<EOF /a\nx\nEOF\n", "here-document"),
        ("FROM scratch\nONBUILD RUN x\n", "line 2: ONBUILD: is not supported"),
        ("FROM a b\n", "write FROM image"),
        ("FROM scratch\nENV A=1 B\n", "write KEY=value"),
        ("FROM scratch\nCOPY a\n", "write COPY source"),
        ("# escape=`\nFROM scratch\n", "another escape character"),
    ],
)
def test_what_is_not_supported_says_so_with_its_line(bench: Bench, dockerfile: str, said: str) -> None:
    with pytest.raises(BuildFailure, match=said):
        bench.build(dockerfile, {"a": "1"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "x"], "knows build, tag and push"),
        (["build"], "exactly one context"),
        (["build", ".", "--squash"], "--squash : not supported"),
        (["build", ".", "--platform", "linux/arm64"], "not supported"),
        (["build", ".", "-t"], "-t needs a value"),
        (["build", ".."], "outside the workspace"),
        (["build", "-f", "none", "."], "no none"),
        (["build", "--target", "none", "."], "no stage none"),
        (["push", TAG], "no image"),
        (["push", "-a", "127.0.0.1:5000/shop"], "no image"),
        (["tag", "shop", TAG], "no image name with a registry's host"),
    ],
)
def test_commands_that_cannot_be_done_fail_by_name(bench: Bench, arguments: list[str], said: str) -> None:
    (bench.folder / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(BuildFailure, match=said):
        bench.docker.run(arguments, bench.folder, bench.lines.append)


def test_nothing_is_pushed_off_this_machine(bench: Bench) -> None:
    image = bench.build("FROM scratch\nCOPY . /\n")
    with pytest.raises(BuildFailure, match="registries on this machine only"):
        upload(image, "us-central1-docker.pkg.dev/acme/apps/shop:v1")
    assert full_reference("localhost/shop") == "localhost/shop:latest"


@pytest.mark.parametrize("host", ["us-central1-docker.pkg.dev", "docker.io"])
def test_a_mirror_plays_every_other_registry_under_the_whole_name(bench: Bench, workshop: Any, host: str) -> None:
    name, mirror = f"{host}/acme/shop", f"127.0.0.1:{workshop.registry.port}"
    image = bench.build("FROM scratch\nCOPY . /\n")
    upload(image, f"{name}:v1", mirror=mirror)
    registry = OciRegistry(mirror=mirror)
    assert registry.digest(name, "v1") == image.digest
    registry.close()
    message = {"action": "INSERT", "digest": f"{name}@{image.digest}", "tag": f"{name}:v1"}
    assert workshop.inbox.wait("gcr", 1) == [(message, {})]


def test_tag_push_and_push_all_reach_the_registry(bench: Bench, workshop: Any) -> None:
    image = bench.build("FROM scratch\nCOPY . /\n", {"a": "1"})
    for number in (1, 2):
        bench.docker.run(["tag", TAG, f"{workshop.image}:{number}"], bench.folder, bench.lines.append)
    bench.docker.run(["push", f"{workshop.image}:1"], bench.folder, bench.lines.append)
    assert workshop.images.digest(workshop.image, "1") == image.digest
    bench.docker.run(["push", "--all-tags", workshop.image], bench.folder, bench.lines.append)
    assert workshop.images.digest(workshop.image, "2") == image.digest
    bench.docker.run(["buildx", "build", "--push", "-t", f"{workshop.image}:3", "."], bench.folder, bench.lines.append)
    assert workshop.images.digest(workshop.image, "3") == image.digest


class Picky(HttpPart):
    """A registry with a state of its own in the upload's address, as docker-registry has one."""

    name = "picky"

    def __init__(self) -> None:
        super().__init__()
        self.states: list[bytes] = []

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        yield ("GET",), "/v2/shop/blobs/<digest>", lambda _request, digest: Response(status=404)
        yield (
            ("POST",),
            "/v2/shop/blobs/uploads/",
            lambda _request: Response(status=202, headers={"Location": "/v2/shop/blobs/uploads/1?_state=a%2Bb%3D%3D"}),
        )
        yield ("PUT",), "/v2/shop/blobs/uploads/1", self._put
        yield ("PUT",), "/v2/shop/manifests/v1", lambda _request: Response(status=201)

    def _put(self, request: Request) -> Response:
        self.states.append(request.query_string.partition(b"&")[0])
        return Response(status=201)


def test_an_uploads_address_is_used_exactly_as_the_registry_gave_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("downwind.local.builds.upload.PATIENCE", 1)
    part = Picky()
    part.start()
    upload(bench.build("FROM scratch\nCOPY . /\n"), f"127.0.0.1:{part.port}/shop:v1")
    part.stop()
    assert set(part.states) == {b"_state=a%2Bb%3D%3D"}
    with pytest.raises(BuildFailure, match="did not answer"):
        upload(bench.docker.images[TAG], f"127.0.0.1:{part.port}/shop:v1")
