"""One JSON line for each thing, which no text from outside can break or blow up."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downwind import logs


def test_a_line_holds_what_cloud_logging_reads_and_the_fields_that_were_named() -> None:
    assert json.loads(logs.line("INFO", "recorded", application="shop", count=2)) == {
        "severity": "INFO",
        "message": "recorded",
        "application": "shop",
        "count": 2,
    }


@given(st.text(), st.text())
def test_no_text_starts_a_second_record(message: str, value: str) -> None:
    line = logs.line("INFO", message, field=value)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == message[: logs.LIMIT]


def test_long_texts_are_cut() -> None:
    found = json.loads(logs.line("INFO", "x" * 5000, field="y" * 5000))
    assert (len(found["message"]), len(found["field"])) == (logs.LIMIT, logs.LIMIT)


def test_a_value_that_json_does_not_know_is_written_as_text() -> None:
    assert (
        json.loads(logs.line("INFO", "m", at=datetime(2026, 11, 24, tzinfo=UTC)))["at"] == "2026-11-24 00:00:00+00:00"
    )


@pytest.mark.parametrize(("write", "severity"), [(logs.info, "INFO"), (logs.warning, "WARNING"), (logs.error, "ERROR")])
def test_each_word_has_its_severity_on_standard_output(
    write: Callable[..., None], severity: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("something", application="shop")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"severity": severity, "message": "something", "application": "shop"}
    assert out.endswith("}\n")
    assert err == ""


def test_a_stream_may_be_given() -> None:
    stream = io.StringIO()
    logs.write("INFO", "something", stream=stream)
    assert json.loads(stream.getvalue())["message"] == "something"
