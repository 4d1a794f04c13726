"""Names and patterns of the catalog, each against a model that does it the slow and plain way."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.model.patterns import COMMIT, DIGEST, NAME, commit_of, path_matches, ref_matches, repository_key, tag_for

SEGMENT = st.text(alphabet="ab.", min_size=1, max_size=3)
PATH = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)
GLOB = st.text(alphabet="ab.*?", min_size=1, max_size=3).filter(lambda text: "**" not in text)
PATTERN = st.lists(GLOB | st.just("**"), min_size=1, max_size=4).map("/".join)
COMMITS = st.text(alphabet="0123456789abcdef", min_size=40, max_size=40) | st.text(
    alphabet="0123456789abcdef", min_size=64, max_size=64
)
AROUND = st.text(alphabet=string.ascii_letters + string.digits + "_.-+()[]\\", max_size=8)


def segment_matches(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(segment_matches(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in {"?", text[0]} and segment_matches(pattern[1:], text[1:])


def segments_match(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern == ["**"]:
        return bool(path)
    if pattern[0] == "**":
        return any(segments_match(pattern[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and segment_matches(pattern[0], path[0]) and segments_match(pattern[1:], path[1:])


@given(PATTERN, PATH)
def test_a_path_pattern_matches_by_segment_and_two_stars_any_number_of_them(pattern: str, path: str) -> None:
    assert path_matches([pattern], path) is segments_match(pattern.split("/"), path.split("/"))


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("**", "README.md", True),
        ("services/shop/**", "services/shop/src/app.py", True),
        ("services/shop/**", "services/shop", False),
        ("services/shop/**", "services/shopping/app.py", False),
        ("docs/v**", "docs/v1", True),
        ("docs/v**", "docs/v1/index.md", False),
        ("**/go.mod", "go.mod", True),
        ("**/go.mod", "a/b/go.mod", True),
        ("*.md", "docs/index.md", False),
        ("a.b", "axb", False),
    ],
)
def test_paths(pattern: str, path: str, wanted: bool) -> None:
    assert path_matches([pattern], path) is wanted


def test_one_of_several_path_patterns_is_enough_and_none_matches_nothing() -> None:
    assert path_matches(["a/**", "b/**"], "b/c")
    assert not path_matches([], "b/c")


@given(PATTERN.filter(lambda text: "**" not in text), PATH)
def test_a_ref_pattern_matches_segment_by_segment(pattern: str, name: str) -> None:
    wanted, found = ("refs/heads/" + pattern).split("/"), ("refs/heads/" + name).split("/")
    model = len(wanted) == len(found) and all(map(segment_matches, wanted, found))
    assert ref_matches(["refs/heads/" + pattern], "refs/heads/" + name) is model


@pytest.mark.parametrize(
    ("pattern", "ref", "wanted"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/heads/Main", False),
        ("refs/heads/main", "refs/tags/main", False),
        ("refs/tags/v*", "refs/tags/v1.2", True),
        ("refs/tags/v*", "refs/tags/v1/rc", False),
        ("refs/heads/*", "refs/heads/a/b", False),
        ("refs/heads/*/b", "refs/heads/a/b", True),
        ("refs/tags/v[0-9]", "refs/tags/v1", True),
        ("refs/tags/v[0-9]", "refs/tags/va", False),
    ],
)
def test_refs(pattern: str, ref: str, wanted: bool) -> None:
    assert ref_matches(["refs/heads/other", pattern], ref) is wanted


@given(AROUND, AROUND, COMMITS)
def test_a_tag_made_from_a_commit_names_that_commit(before: str, after: str, commit: str) -> None:
    template = before + "{commit}" + after
    assert commit_of(template, tag_for(template, commit)) == commit


@given(AROUND, AROUND, st.text(max_size=70))
def test_only_a_tag_that_the_template_makes_names_a_commit(before: str, after: str, tag: str) -> None:
    template = before + "{commit}" + after
    found = commit_of(template, tag)
    assert found is None or (COMMIT.fullmatch(found) and tag_for(template, found) == tag)


@given(AROUND, COMMITS)
def test_seven_digits_name_no_commit(before: str, commit: str) -> None:
    template = before + "{short_commit}"
    assert tag_for(template, commit) == before + commit[:7]
    assert commit_of(template, tag_for(template, commit)) is None


def test_a_template_is_no_regular_expression() -> None:
    assert commit_of("v.{commit}", "vx" + "a" * 40) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/acme/shop",
        "https://github.com/acme/shop.git",
        "https://github.com/acme/shop.git/",
        "https://user:secret@GitHub.com/acme/shop",
        "HTTPS://github.com/acme/shop/",
        "ssh://git@github.com/acme/shop.git",
        "git+ssh://git@github.com/acme/shop.git",
        " github.com/acme/shop ",
    ],
)
def test_one_repository_has_one_key_however_it_is_spelt(address: str) -> None:
    assert repository_key(address) == "github.com/acme/shop"


def test_other_names_of_a_repository_stay_apart() -> None:
    keys = [
        repository_key(each)
        for each in (
            "https://github.com/acme/Shop",
            "https://github.com/acme/shop",
            "https://github.com:8443/acme/shop",
            "https://github.com/acme@2/shop",
            "projects/acme/repos/shop",
            "shop",
        )
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == "github.com/acme/Shop", "hosts are the same in any case, paths may differ"


def test_names_have_no_dot_so_that_no_two_share_a_fence() -> None:
    good, bad = ("a", "shop", "a-b", "a" * 63, "0"), ("", "-a", "a-", "A", "a.b", "a_b", "a" * 64, "shop\n", "ä")
    assert [bool(NAME.fullmatch(text)) for text in (*good, *bad)] == [True] * len(good) + [False] * len(bad)


def test_commits_are_40_or_64_digits_and_digests_64() -> None:
    assert [bool(COMMIT.fullmatch("a" * length)) for length in (39, 40, 41, 63, 64, 65)] == [0, 1, 0, 0, 1, 0]
    assert not COMMIT.fullmatch("A" * 40)
    assert DIGEST.fullmatch("sha256:" + "0" * 64)
    assert not DIGEST.fullmatch("0" * 64)


def test_a_directory_with_its_final_slash_means_everything_below_it() -> None:
    assert path_matches(["services/shop/"], "services/shop/app/main.py")
    assert not path_matches(["services/shop/"], "services/shopping/main.py")
