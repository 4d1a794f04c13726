"""What the walk finds for Helm, and what it refuses before Helm sees it."""

import contextlib
import gzip
import io
import json
import random
import tarfile

import pytest
from tests.charts import chart, dependency

from downwind.adapters.memory_tree import MemoryTree
from downwind.errors import Refused
from downwind.model.engines import HelmOptions
from downwind.render.helm import ChartFiles, chart_files
from downwind.render.tree import TreeReader


def archive(*members: tarfile.TarInfo, data: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        for member in members:
            member.size = len(data) if member.isfile() else 0
            made.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def find(files: dict[str, bytes], path: str = "shop", *values: str) -> ChartFiles:
    return chart_files(TreeReader(MemoryTree(files)), path, HelmOptions(values=values))


def test_a_chart_is_its_directory_and_the_charts_beside_it_that_it_names() -> None:
    files = {
        "shop/Chart.yaml": chart("shop", dependency("common", "file://../common")),
        "shop/templates/a.yaml": b"a",
        "common/Chart.yaml": chart("common", dependency("deep", "file://../deep")),
        "common/templates/b.yaml": b"b",
        "deep/Chart.yaml": chart("deep"),
        "other/Chart.yaml": chart("other"),
    }
    assert set(find(files).chart) == {
        "Chart.yaml",
        "templates/a.yaml",
        "charts/common/Chart.yaml",
        "charts/common/templates/b.yaml",
        "charts/common/charts/deep/Chart.yaml",
    }


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("https://charts.example", "is not among the catalog's manifests.helm.charts, and nothing else is fetched"),
        ("oci://registry.example/x", "is not among the catalog's manifests.helm.charts, and nothing else is fetched"),
        ("http://charts.example", "comes from .*, and nothing is fetched from there"),
        ("@alias", "comes from .*, and nothing is fetched from there"),
        ("alias:x", "comes from .*, and nothing is fetched from there"),
        ("", "is not in charts/, and nothing is fetched from there"),
    ],
)
def test_a_dependency_that_is_not_in_the_tree_is_refused_with_what_to_do(repository: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        find({"shop/Chart.yaml": chart("shop", dependency("redis", repository))})
    assert caught.value.field == "shop/Chart.yaml: dependencies[0]"
    assert "helm dependency build" in str(caught.value.fix)
    old = json.dumps({"dependencies": [dependency("redis", repository)]}).encode()
    with pytest.raises(Refused, match=r"shop/requirements\.yaml"):
        find({"shop/Chart.yaml": chart("shop"), "shop/requirements.yaml": old})


def test_a_dependency_that_was_committed_counts_wherever_it_once_came_from() -> None:
    needs = chart("shop", dependency("redis", "https://charts.example"), dependency("packed", "oci://x"))
    packed = archive(tarfile.TarInfo("packed/Chart.yaml"))
    brought = {"shop/charts/redis/Chart.yaml": chart("redis"), "shop/charts/packed-1.0.0.tgz": packed}
    assert len(find({"shop/Chart.yaml": needs, **brought}).chart) == 3


def test_what_a_chart_in_charts_needs_has_to_be_there_too() -> None:
    inner = {"shop/charts/a/Chart.yaml": chart("a", dependency("b", "https://charts.example"))}
    with pytest.raises(Refused, match=r"shop/charts/a/Chart\.yaml: dependencies\[0\]"):
        find({"shop/Chart.yaml": chart("shop"), **inner})


@pytest.mark.parametrize("where", ["file://../../outside", "file:///etc"])
def test_a_chart_beside_it_has_to_be_in_the_repository(where: str) -> None:
    with pytest.raises(Refused, match=r"leaves the repository|no chart at"):
        find({"shop/Chart.yaml": chart("shop", dependency("x", where))})


def test_charts_that_need_each_other_are_refused() -> None:
    files = {
        "shop/Chart.yaml": chart("shop", dependency("b", "file://../b")),
        "b/Chart.yaml": chart("b", dependency("shop", "file://../shop")),
    }
    with pytest.raises(Refused, match="depends on itself"):
        find(files)


def test_a_dependencys_name_is_no_path() -> None:
    files = {
        "shop/Chart.yaml": chart("shop", dependency("../../x", "file://../b")),
        "b/Chart.yaml": chart("b"),
    }
    with pytest.raises(Refused, match="is no name of a chart"):
        find(files)


def link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (archive(link("a/x")), "is no file inside"),
        (archive(tarfile.TarInfo("/etc/x")), "is no file inside"),
        (archive(tarfile.TarInfo("a/../../x")), "is no file inside"),
        (archive(*(tarfile.TarInfo(f"a/{number}") for number in range(5_001))), "unpacks to too much"),
        (archive(tarfile.TarInfo("a/zeros"), data=bytes(33 << 20)), "unpacks to too much"),
        (b"not a tar", "is no .tgz"),
        (gzip.compress(b"not a tar" * 200), "is no .tgz"),
        (archive(tarfile.TarInfo("a/x"), data=b"x" * 90_000)[:80], "is no .tgz"),
    ],
    ids=["link", "absolute", "above", "many", "large", "no tar", "no tar inside", "cut"],
)
def test_an_archive_in_charts_is_looked_through_before_helm_unpacks_it(data: bytes, said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        find({"shop/Chart.yaml": chart("shop"), "shop/charts/a-1.tgz": data})
    assert caught.value.field == "shop/charts/a-1.tgz"


VALUES = {
    "shop/Chart.yaml": chart("shop"),
    "shop/values/b.yaml": b"b",
    "shop/values/a.yaml": b"a",
    "shop/values/deep/c.yaml": b"c",
    "environments/staging.yaml": b"s",
    "environments/all.yaml": b"l",
}


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["values/b.yaml", "values/a.yaml"], [b"b", b"a"]),
        (["values/*.yaml"], [b"a", b"b"]),
        (["values/**/*.yaml"], [b"a", b"b", b"c"]),
        (["/environments/staging.yaml", "values/b*"], [b"s", b"b"]),
        (["/environments/*"], [b"l", b"s"]),
        (["/shop/values/a.yaml"], [b"a"]),
        ([], []),
    ],
)
def test_values_files_in_their_order_and_by_pattern(patterns: list[str], found: list[bytes]) -> None:
    assert list(find(VALUES, "shop", *patterns).values) == found


@pytest.mark.parametrize("pattern", ["nothing.yaml", "nothing/*.yaml", "/nothing.yaml", "values"])
def test_values_that_are_not_there_are_an_error(pattern: str) -> None:
    with pytest.raises(Refused, match=r"no file (matches )?'") as caught:
        find(VALUES, "shop", pattern)
    assert caught.value.field == "manifests.helm.values[0]"


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.REGTYPE], ids=["folder", "file"])
def test_a_size_below_nothing_in_an_archive_makes_no_room_for_a_bomb(kind: bytes) -> None:
    """The limits are of sums: what was taken off could be unpacked on top, charts packed inside it too."""
    below = tarfile.TarInfo("a/x")
    below.type, below.size = kind, -(1 << 40)
    block = below.tobuf(tarfile.GNU_FORMAT)
    bomb = tarfile.TarInfo("a/zeros")
    bomb.size = 33 << 20
    packed = gzip.compress(block + bomb.tobuf(tarfile.GNU_FORMAT) + bytes(bomb.size), 1)
    with pytest.raises(Refused, match=r"is no (file inside|\.tgz)"):
        find({"shop/Chart.yaml": chart("shop"), "shop/charts/x.tgz": packed})


def headers(*blocks: tuple[bytes, int]) -> bytes:
    """Nothing but pax headers of these sizes, with zeros in them: the tar format of their bodies, not a chart."""
    made = b""
    for kind, size in blocks:
        member = tarfile.TarInfo("x")
        member.type, member.size = kind, size
        made += member.tobuf(tarfile.USTAR_FORMAT) + bytes(-(-size // 512) * 512)
    return gzip.compress(made, 1)


def test_a_header_in_an_archive_asks_for_no_more_memory_than_the_limits() -> None:
    """A reader of the stream would take the whole header first, and then find that it is none."""
    large = headers((tarfile.XHDTYPE, 60 << 20))
    with pytest.raises(Refused, match="unpacks to too much"):
        find({"shop/Chart.yaml": chart("shop"), "shop/charts/x.tgz": large})


def test_headers_of_headers_without_end_are_no_archive() -> None:
    chain = headers(*[(tarfile.XHDTYPE, 0)] * 2_000)
    with pytest.raises(Refused, match=r"is no \.tgz"):
        find({"shop/Chart.yaml": chart("shop"), "shop/charts/x.tgz": chain})


def test_an_archive_with_any_bytes_changed_is_read_or_refused() -> None:
    whole = gzip.decompress(archive(tarfile.TarInfo("a/Chart.yaml"), tarfile.TarInfo("a/b"), data=b"name: a\n"))
    chance = random.Random(8)
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(1536)] = chance.randrange(256)
        with contextlib.suppress(Refused):
            find({"shop/Chart.yaml": chart("shop"), "shop/charts/x.tgz": gzip.compress(bytes(changed), 1)})
