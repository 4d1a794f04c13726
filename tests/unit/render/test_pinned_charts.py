"""Charts elsewhere: which of those that the catalog pins stands for a dependency, and what is refused before Helm sees it."""

import tarfile
from collections.abc import Sequence
from typing import Any

import pytest
from tests.charts import chart, dependency, lock, packed, packed_chart

from downwind.adapters.memory_charts import MemoryCharts
from downwind.adapters.memory_tree import MemoryTree
from downwind.errors import Refused
from downwind.model.engines import HelmOptions, PinnedChart
from downwind.render.engine import Fetched
from downwind.render.helm import ChartFiles, chart_files
from downwind.render.tree import TreeReader

HERE, THERE = "https://charts.acme.example", "oci://registry.acme.example/charts"
REDIS = packed_chart("redis")


class Repositories(MemoryCharts):
    """Charts of `HERE`, and what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def pin(self, name: str, version: str = "1.0.0", data: bytes | None = None, at: str = HERE) -> PinnedChart:
        return self.keep(at, name, version, packed_chart(name, version=version) if data is None else data)

    def archive(self, chart: PinnedChart, redirects: Sequence[str]) -> bytes:
        self.asked.append(chart.address)
        return super().archive(chart, redirects)


@pytest.fixture
def elsewhere() -> Repositories:
    return Repositories()


def find(
    elsewhere: Repositories, pins: Sequence[PinnedChart], *dependencies: Any, files: dict[str, bytes] | None = None
) -> ChartFiles:
    tree = {"shop/Chart.yaml": chart("shop", *dependencies), **(files or {})}
    options = HelmOptions(charts=tuple(pins), redirects=("cdn.acme.example",))
    return chart_files(TreeReader(MemoryTree(tree)), "shop", options, elsewhere.archive)


def placed(found: ChartFiles) -> list[str]:
    return sorted(name.removeprefix("charts/") for name in found.chart if name.startswith("charts/"))


@pytest.mark.parametrize("repository", [HERE, f"{HERE}/", THERE])
def test_a_dependency_that_the_catalog_pins_lies_in_charts_and_is_told(
    elsewhere: Repositories, repository: str
) -> None:
    pin = elsewhere.pin("redis", data=REDIS, at=repository.rstrip("/"))
    found = find(elsewhere, [pin], dependency("redis", repository))
    assert found.chart["charts/redis-1.0.0.tgz"] == REDIS
    assert found.fetched == (Fetched(address=pin.address, sha256=pin.sha256),)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("~1.2", "1.2.9"),
        ("^1", "1.4.0"),
        (">=1.2.0 <1.4.0", "1.2.9"),
        ("1.2.0", "1.2.0"),
        ("*", "2.0.0"),
        ("v1.2.0", "1.2.0"),
    ],
)
def test_of_the_versions_that_are_pinned_the_highest_that_the_range_means(
    elsewhere: Repositories, wanted: str, chosen: str
) -> None:
    pins = [elsewhere.pin("redis", version) for version in ("1.2.0", "1.4.0", "1.2.9", "2.0.0", "2.1.0-rc.1")]
    assert placed(find(elsewhere, pins, dependency("redis", HERE, wanted))) == [f"redis-{chosen}.tgz"]


def test_a_lock_file_chooses(elsewhere: Repositories) -> None:
    pins = [elsewhere.pin("redis", version) for version in ("1.2.0", "1.2.9")]
    locked = {"shop/Chart.lock": lock(dependency("redis", HERE, "1.2.0"))}
    assert placed(find(elsewhere, pins, dependency("redis", HERE, "~1.2"), files=locked)) == ["redis-1.2.0.tgz"]


@pytest.mark.parametrize(
    ("locked", "said"),
    [
        (dependency("redis", HERE, "2.0.0"), r"shop/Chart\.lock has redis 2\.0\.0, and '~1\.2' is wanted"),
        (
            dependency("redis", "https://other.example", "1.2.0"),
            r"shop/Chart\.lock has no redis of https://charts\.acme",
        ),
        (dependency("other", HERE, "1.2.0"), r"shop/Chart\.lock has no redis"),
        (
            dependency("redis", HERE, "1.2.1"),
            r"'redis' \(1\.2\.1\) of .* is not among the catalog's manifests.helm.charts",
        ),
    ],
    ids=["another version", "another repository", "another chart", "not pinned"],
)
def test_a_lock_file_that_disagrees_is_an_error(elsewhere: Repositories, locked: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        find(
            elsewhere,
            [elsewhere.pin("redis", "1.2.0")],
            dependency("redis", HERE, "~1.2"),
            files={"shop/Chart.lock": lock(locked)},
        )
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("name", "repository", "wanted"),
    [
        ("redis", HERE, "2.0.0"),
        ("redis", "https://evil.example", "1.0.0"),
        ("redis-ha", HERE, "1.0.0"),
        ("redis", THERE, "1"),
    ],
)
def test_any_other_name_version_or_repository_is_refused_and_nobody_is_asked(
    elsewhere: Repositories, name: str, repository: str, wanted: str
) -> None:
    with pytest.raises(Refused, match=r"shop/Chart\.yaml: dependencies\[0\]: .* is not among"):
        find(elsewhere, [elsewhere.pin("redis")], dependency(name, repository, wanted))
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("repository", "pull"), [(HERE, f"redis --repo {HERE}"), (THERE, f"{THERE}/redis")], ids=["https", "oci"]
)
def test_the_error_says_what_to_add_and_makes_no_hash_up(elsewhere: Repositories, repository: str, pull: str) -> None:
    with pytest.raises(Refused) as caught:
        find(elsewhere, [], dependency("redis", repository, "~1.2"))
    assert caught.value.fix == (
        "commit it: helm dependency build, then git add --force charts; or add "
        f'{{repository: "{repository}", name: redis, version: "<the one to use of ~1.2>", sha256: <of its .tgz>}} there: '
        f"helm pull {pull} --version '~1.2' && sha256sum redis-*.tgz"
    )


def test_a_password_in_a_repositorys_address_stays_where_it_is(elsewhere: Repositories) -> None:
    with pytest.raises(Refused) as caught:
        find(elsewhere, [], dependency("redis", "https://ann:s3cret@charts.acme.example"))
    assert "s3cret" not in f"{caught.value} {caught.value.fix}"


@pytest.mark.parametrize("wanted", ["latest", "1.2.3.4", "~~1", ""])
def test_what_is_no_range_is_an_error(elsewhere: Repositories, wanted: str) -> None:
    with pytest.raises(Refused, match="is no version or range"):
        find(elsewhere, [elsewhere.pin("redis")], dependency("redis", HERE, wanted))


def test_one_chart_under_two_aliases_is_fetched_once(elsewhere: Repositories) -> None:
    pin = elsewhere.pin("redis")
    found = find(elsewhere, [pin], dependency("redis", HERE, alias="a"), dependency("redis", HERE, "^1", alias="b"))
    assert placed(found) == ["redis-1.0.0.tgz"]
    assert elsewhere.asked == [pin.address]


def test_two_versions_of_one_chart_lie_side_by_side(elsewhere: Repositories) -> None:
    pins = [elsewhere.pin("redis", version) for version in ("1.0.0", "2.0.0")]
    needs = dependency("redis", HERE, "~1", alias="a"), dependency("redis", HERE, "~2", alias="b")
    assert placed(find(elsewhere, pins, *needs)) == ["redis-1.0.0.tgz", "redis-2.0.0.tgz"]


@pytest.mark.parametrize("second", ["1.0.0", "2.0.0"])
def test_two_charts_of_one_name_that_helm_would_mix_up_are_refused(elsewhere: Repositories, second: str) -> None:
    other = elsewhere.pin("redis", second, packed_chart("redis", version=second, more={"x": b"x"}), at=THERE)
    needs = dependency("redis", HERE, ">=1 <3"), dependency("redis", THERE, second, alias="b")
    with pytest.raises(Refused, match=rf"Helm cannot tell redis {second} from redis 1\.0\.0 of shop/Chart\.yaml: dep"):
        find(elsewhere, [elsewhere.pin("redis"), other], *needs)


def test_a_name_that_begins_another_is_not_taken_for_it(elsewhere: Repositories) -> None:
    pins = [elsewhere.pin("redis"), elsewhere.pin("redis-ha")]
    brought = {"shop/charts/redis-cluster-1.0.0.tgz": packed_chart("redis-cluster")}
    found = find(elsewhere, pins, dependency("redis-ha", HERE), dependency("redis", HERE), files=brought)
    assert placed(found) == ["redis-1.0.0.tgz", "redis-cluster-1.0.0.tgz", "redis-ha-1.0.0.tgz"]


def test_what_is_committed_goes_before_what_could_be_fetched(elsewhere: Repositories) -> None:
    brought = {"shop/charts/redis-1.0.0.tgz": REDIS}
    found = find(elsewhere, [elsewhere.pin("redis")], dependency("redis", HERE), files=brought)
    assert (placed(found), found.fetched, elsewhere.asked) == (["redis-1.0.0.tgz"], (), [])


def test_a_chart_beside_it_may_need_one_from_elsewhere(elsewhere: Repositories) -> None:
    beside = {"common/Chart.yaml": chart("common", dependency("redis", HERE))}
    found = find(elsewhere, [elsewhere.pin("redis")], dependency("common", "file://../common"), files=beside)
    assert placed(found) == ["common/Chart.yaml", "common/charts/redis-1.0.0.tgz"]


def test_a_fetched_chart_has_to_bring_what_it_depends_on(elsewhere: Repositories) -> None:
    needs = dependency("deep", "https://charts.acme.example/other")
    bare = elsewhere.pin("redis", data=packed_chart("redis", needs))
    with pytest.raises(Refused, match=r"redis 1\.0\.0 needs 'deep' and does not bring it"):
        find(elsewhere, [bare], dependency("redis", HERE))
    for inside in (
        {"charts/deep/Chart.yaml": chart("deep")},
        {"charts/deep-1.0.0.tgz": packed_chart("deep")},
    ):
        whole = elsewhere.pin("redis", data=packed_chart("redis", needs, more=inside))
        assert placed(find(elsewhere, [whole], dependency("redis", HERE))) == ["redis-1.0.0.tgz"]
    deeper = {"charts/deep-1.0.0.tgz": packed_chart("deep", dependency("deepest", HERE))}
    lacking = elsewhere.pin("redis", data=packed_chart("redis", needs, more=deeper))
    with pytest.raises(Refused, match=r"redis/charts/deep/Chart\.yaml: dependencies\[0\]: .* needs 'deepest'"):
        find(elsewhere, [lacking], dependency("redis", HERE))


def link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (packed({"redis/Chart.yaml": chart("other")}), r"is other 1\.0\.0, not redis 1\.0\.0"),
        (packed_chart("redis", version="1.0.1"), r"is redis 1\.0\.1, not redis 1\.0\.0"),
        (packed({"redis/values.yaml": b""}), r"is no chart, not redis 1\.0\.0"),
        (packed({"Chart.yaml": chart("redis")}), r"holds 'Chart\.yaml', which is not in redis/"),
        (packed({"redis/Chart.yaml": chart("redis"), "x/Chart.yaml": chart("evil")}), "which is not in redis/"),
        (packed({"redis/Chart.yaml": chart("redis"), "redis/./Chart.yaml": chart("evil")}), "stands in it twice"),
        (packed({"redis/Chart.yaml": chart("redis"), "redis/../x": b""}), "is no file inside"),
        (packed({"redis/Chart.yaml": chart("redis")}, link("redis/x")), "is no file inside"),
        (packed_chart("redis", more={"zeros": bytes(33 << 20)}), "unpacks to too much"),
        (packed_chart("redis", more={"charts/a-1.tgz": packed({"a/b": bytes(33 << 20)})}), "unpacks to too much"),
        (b"<html>not found</html>", r"is no \.tgz"),
    ],
    ids=["name", "version", "none", "flat", "two", "twice", "above", "link", "bomb", "inner bomb", "html"],
)
def test_an_archive_that_is_not_the_chart_that_was_pinned_is_refused(
    elsewhere: Repositories, data: bytes, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        find(elsewhere, [elsewhere.pin("redis", data=data)], dependency("redis", HERE))


def test_bytes_that_are_not_those_of_the_pin_are_refused_whoever_gives_them() -> None:
    pin = PinnedChart(repository=HERE, name="redis", version="1.0.0", sha256="0" * 64)
    tree = MemoryTree({"shop/Chart.yaml": chart("shop", dependency("redis", HERE))})
    options = HelmOptions(charts=(pin,))
    with pytest.raises(Refused, match="is not the archive that the catalog pins"):
        chart_files(TreeReader(tree), "shop", options, lambda _chart, _redirects: REDIS)
    with pytest.raises(Refused, match="charts are not fetched here"):
        chart_files(TreeReader(tree), "shop", options)


def test_charts_without_number_are_not_fetched(elsewhere: Repositories) -> None:
    names = [f"chart-{chr(97 + number)}" for number in range(21)]
    pins = [elsewhere.pin(name) for name in names]
    with pytest.raises(Refused, match="more than 20 charts"):
        find(elsewhere, pins, *(dependency(name, HERE) for name in names))


def test_charts_of_more_than_the_limit_together_are_refused(elsewhere: Repositories) -> None:
    large = {"zeros": bytes(17 << 20)}
    pins = [elsewhere.pin(name, data=packed_chart(name, more=large, level=0)) for name in ("redis", "queue")]
    with pytest.raises(Refused, match=r"dependencies\[1\]: charts of more than 32 MiB"):
        find(elsewhere, pins, dependency("redis", HERE), dependency("queue", HERE))


def test_charts_packed_in_charts_end_somewhere(elsewhere: Repositories) -> None:
    inner = packed_chart("redis")
    for _ in range(9):
        inner = packed_chart("redis", more={"charts/redis-1.0.0.tgz": inner})
    with pytest.raises(Refused, match="charts packed in charts, 9 deep"):
        find(elsewhere, [elsewhere.pin("redis", data=inner)], dependency("redis", HERE))
