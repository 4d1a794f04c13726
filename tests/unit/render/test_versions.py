"""Ranges of versions mean what they mean to Helm: the corpus holds the answers of the library that it asks.

corpus/versions.jsonl: `{"range", "means"}`, by github.com/Masterminds/semver/v3 3.5.0 (the one in Helm 4.3.0), 2026-11-30: the
versions of VERSIONS for which NewConstraint(range).Check says yes, null where the range is none.
"""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind.render.versions import Version, read_version, satisfies

CORPUS = [json.loads(line) for line in (Path(__file__).parent / "corpus/versions.jsonl").read_text().splitlines()]
VERSIONS = """0.0.0 0.0.1 0.0.3 0.0.4 0.1.0 0.2.0 0.2.3 0.2.9 0.3.0 1.0.0 1.1.9 1.2.0 1.2.2 1.2.3 1.2.4 1.3.0 1.4.0 1.4.9 1.5.0
1.11.0 2.0.0 2.1.0 3.1.4 4.0.0 10.0.0 1.2.3-alpha 1.2.3-alpha.1 1.2.3-alpha.2 1.2.3-alpha.10 1.2.3-beta 1.2.3-0 1.2.0-rc.1
1.3.0-alpha 2.0.0-0 2.0.0-rc.1 0.0.1-beta.2 0.0.1-beta.11 1.2.3+build 1.2.3-alpha+x v1.2.3 1.2 1""".split()  # noqa: SIM905 - as a list it is forty lines


def version(text: str) -> Version:
    found = read_version(text)
    assert found is not None, text
    return found


@pytest.mark.parametrize("line", CORPUS, ids=[repr(line["range"]) for line in CORPUS])
def test_a_range_means_what_helm_takes_it_to_mean(line: dict[str, object]) -> None:
    answers = [satisfies(version(each), str(line["range"])) for each in VERSIONS]
    if line["means"] is None:
        assert set(answers) == {None}
    else:
        assert [each for each, answer in zip(VERSIONS, answers, strict=True) if answer] == line["means"]


@pytest.mark.parametrize("text", ["", "1.2.3.4", "01.2.3", "1.2.3-", "x", "1.x", "latest", "1." * 200, "-1", "1.2.3 "])
def test_what_is_no_version_is_none(text: str) -> None:
    assert read_version(text) is None


def test_a_range_longer_than_anybody_writes_is_none() -> None:
    assert satisfies(version("1.0.0"), ">=1 " * 100) is None


@given(st.text(alphabet=string.digits + ".xX*v=!<>~^|-+, ab", max_size=30))
def test_every_text_has_an_answer(text: str) -> None:
    assert satisfies(Version(1, 2, 3), text) in {True, False, None}
