"""Unquoted scalars. The expected values are what kubectl 1.32.4 made of them (`kubectl annotate --local -f FILE a=b -o json`)."""

import math

import pytest

from downwind.render.scalars import resolve

TEXTS = (
    "12:30 1:30:45 2026-11-23 2026-11-23T10:00:00Z nul tRUE = . .. + _1 ._5 1__x 0xG 0x 0b 0o 0b12 0o8 1,000 1e 1e+ --1 +-1 "
    "1.2.3 1e5e5 1e400 -1e400 -.inf_ 1.5.0 foo"
)


@pytest.mark.parametrize("text", TEXTS.split())
def test_what_only_looks_like_a_number_a_date_or_a_word_is_a_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0o17", 15),
        ("012", 10),
        ("-012", -10),
        ("089", 89.0),
        ("0123e4", 1230000.0),
        ("1e3", 1000.0),
        ("22e5", 2200000.0),
        ("12e4567", "12e4567"),
        ("0x1F", 31),
        ("0X1F", 31),
        ("-0x1f", -31),
        ("+0x1f", 31),
        ("0b11", 3),
        ("-0b11", -3),
        ("0", 0),
        ("00", 0),
        ("-0", 0),
        ("+5", 5),
        ("1_000", 1000),
        ("0_8", 8.0),
        ("0x_1f", 31),
        (".5", 0.5),
        ("-.5", -0.5),
        (".5_0", 0.5),
        ("1.", 1.0),
        ("1.e5", 100000.0),
        ("1e-7", 1e-7),
        ("1e-400", 0.0),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615", 2**64 - 1),
        ("+9223372036854775808", float(2**63)),
        ("18446744073709551616", float(2**64)),
        ("-0x8000000000000001", "-0x8000000000000001"),
        ("0x10000000000000000", "0x10000000000000000"),
    ],
)
def test_numbers_are_read_as_go_reads_them(text: str, value: object) -> None:
    found = resolve(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
def test_words_for_true(text: str) -> None:
    assert resolve(text) is True


@pytest.mark.parametrize("text", ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
def test_words_for_false(text: str) -> None:
    assert resolve(text) is False


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_words_for_nothing(text: str) -> None:
    assert resolve(text) is None


def test_infinity_and_not_a_number_are_numbers() -> None:
    assert resolve(".inf") == resolve("+.Inf") == math.inf
    assert resolve("-.INF") == -math.inf
    assert math.isnan(float(str(resolve(".nan"))))


def test_a_number_of_a_thousand_digits_is_a_text_and_costs_no_time() -> None:
    assert resolve("1" * 1_000) == "1" * 1_000
