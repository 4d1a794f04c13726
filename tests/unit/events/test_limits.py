"""What a body may cost, and that everything beyond is Refused before it does any harm."""

import json
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.events.limits import PUBSUB_LIMIT, WEBHOOK_LIMIT, check_size, load_json


def load(data: bytes, limit: int = PUBSUB_LIMIT) -> Any:
    return load_json(data, limit=limit)


def test_the_limits_are_14_and_4_mebibytes() -> None:
    assert (PUBSUB_LIMIT, WEBHOOK_LIMIT) == (14_680_064, 4_194_304)


def test_a_length_may_reach_the_limit_but_not_pass_it() -> None:
    check_size(5, 5)
    with pytest.raises(Refused, match="more than 5 bytes"):
        check_size(6, 5)


def test_a_body_over_the_limit_is_not_parsed() -> None:
    assert load(b"[1]", 3) == [1]
    with pytest.raises(Refused, match="more than 2 bytes"):
        load(b"[1]", 2)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_64_levels_are_read_and_65_are_refused(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    assert load(opening * 63 + b"[]" + closing * 63) is not None
    with pytest.raises(Refused, match="deeper than 64 levels"):
        load(opening * 64 + b"[]" + closing * 64)


def test_a_hundred_thousand_levels_are_refused_without_recursion() -> None:
    with pytest.raises(Refused, match="deeper"):
        load(b"[" * 100_000)


def test_brackets_inside_strings_are_no_levels() -> None:
    text = '[[["\\"' * 100
    assert load(json.dumps({"a": text, "b": "\\"}).encode()) == {"a": text, "b": "\\"}


@pytest.mark.parametrize("data", [b'"' + b'\\"' * 2_000_000, b'"' * 2_000_001, b"\\" * 2_000_000])
def test_unfinished_strings_take_one_scan(data: bytes) -> None:
    """A scan that began again at each escape would take hours for these."""
    with pytest.raises(Refused, match="not JSON"):
        load(data)


def test_more_than_half_a_million_values_are_refused() -> None:
    assert len(load(b"[" + b"0," * 499_999 + b"0]")) == 500_000
    with pytest.raises(Refused, match="500000 values"):
        load(b"[" + b"{}," * 400_000 + b"{}]")


@pytest.mark.parametrize("number", [b"1" * 65, b"-" + b"1" * 64, b"0." + b"1" * 63, b"1" * 5000])
def test_a_number_of_65_characters_is_refused(number: bytes) -> None:
    with pytest.raises(Refused, match="more than 64 digits"):
        load(b"[" + number + b"]")


def test_a_number_of_64_digits_is_read() -> None:
    assert load(b"1" * 64) == int("1" * 64)
    assert load(b"1.5") == 1.5


@pytest.mark.parametrize("data", [b"NaN", b"[Infinity]", b'{"a": -Infinity}'])
def test_nan_and_infinity_are_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="which is not JSON"):
        load(data)


def test_a_number_beyond_floats_is_refused() -> None:
    with pytest.raises(Refused, match="too large"):
        load(b"1e999")


@pytest.mark.parametrize("data", [b'"\xff"', '{"a": 1}'.encode("utf-16"), b'"\xed\xa0\x80"'])
def test_text_that_is_not_utf_8_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="not UTF-8 at byte"):
        load(data)


@pytest.mark.parametrize("data", [b'"\\ud800"', b'{"\\uDFFF": 1}', b'["\\ude00\\ud83d"]'])
def test_half_a_surrogate_pair_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="surrogate"):
        load(data)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert load(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_a_byte_order_mark_is_skipped() -> None:
    assert load(b"\xef\xbb\xbf{}") == {}


def test_of_a_repeated_key_the_last_counts() -> None:
    assert load(b'{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize("data", [b" ", b"]", b"{]", b"[1,]", b"secret-text", b'{"secret-text"', b"[1] [2]"])
def test_what_is_not_json_is_refused_without_quoting_it(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        load(data)
    assert "not JSON" in caught.value.reason
    assert "secret" not in caught.value.reason
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
