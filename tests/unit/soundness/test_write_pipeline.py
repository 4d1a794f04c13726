"""What is written reads back as it was, whatever texts stand in it; and what Spinnaker adds by itself makes no difference."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from downwind.soundness.read_pipeline import read_pipeline
from downwind.soundness.write_pipeline import comparable, of_file, write_pipeline

SHIPPED = sorted((Path(__file__).parents[3] / "pipelines").glob("*.yaml"))
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Co", "Cn"), blacklist_characters="\ufeff\u2028\u2029"), max_size=12
) | st.sampled_from(
    [
        "on",
        "yes",
        "null",
        "~",
        "012",
        "1e3",
        "1_000",
        "2026-11-30",
        "12:30:45",
        "0x1f",
        "",
        " a ",
        "a: b",
        "# no",
        "a\nb",
        "a\nb\n",
        "- x",
        "${a['b']}",
        "{{x}}",
        "=",
        "<<",
        "*a",
        "&a",
        "!t",
        "é\u00a0",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(lambda key: key != "<<"), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(["name", "application", "stages", "on", "012", "other"]), JSON, min_size=1))
def test_what_is_written_reads_back_as_it_was(document: dict[str, Any]) -> None:
    assert read_pipeline("p.yaml", write_pipeline(document).encode()) == document


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_file_keeps_its_meaning(file: Path) -> None:
    document = read_pipeline(str(file), file.read_bytes())
    assert read_pipeline("p.yaml", write_pipeline(of_file(document)).encode()) == document


def test_a_file_begins_with_what_people_look_for() -> None:
    saved = {
        "stages": [{"account": "a", "type": "wait", "refId": "1", "name": "W"}],
        "id": "x",
        "name": "nightly",
        "application": "a",
    }
    text = write_pipeline(of_file({**saved, "updateTs": "1", "lastModifiedBy": "me", "index": 3, "disabled": None}))
    assert (
        text == 'application: a\nname: nightly\nstages:\n  - type: wait\n    name: W\n    refId: "1"\n    account: a\n'
    )


def test_what_spinnaker_adds_makes_no_difference() -> None:
    mine = {"application": "a", "name": "n", "stages": [{"type": "wait", "waitTime": 1}]}
    theirs = {
        **mine,
        "id": "x",
        "schema": "1",
        "triggers": [],
        "notifications": [],
        "updateTs": "1",
        "index": 0,
        "locked": None,
    }
    assert comparable(theirs) == comparable(mine)
    assert comparable({**theirs, "limitConcurrent": True}) != comparable(mine)
    assert comparable({**theirs, "stages": [{"type": "wait", "waitTime": 2}]}) != comparable(mine)
