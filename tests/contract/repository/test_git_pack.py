"""A pack is measured before it is unpacked."""

import zlib

import pytest

from downwind.adapters.git_pack import MAX_UNPACKED, unpacked_size
from downwind.errors import Refused, TransientError


def number(value: int, lead: int = 0, first: int = 7) -> bytes:
    head, value = lead | value & (1 << first) - 1, value >> first
    found = bytearray([head])
    while value:
        found[-1] |= 0x80
        found.append(value & 0x7F)
        value >>= 7
    return bytes(found)


def blob(data: bytes, declared: int | None = None) -> bytes:
    return number(len(data) if declared is None else declared, 3 << 4, 4) + zlib.compress(data)


def delta(result: int) -> bytes:
    data = number(1) + number(result) + b"\x01x"
    return number(len(data), 7 << 4, 4) + b"i" * 20 + zlib.compress(data)


def pack(*objects: bytes) -> bytes:
    return b"PACK\0\0\0\2" + len(objects).to_bytes(4, "big") + b"".join(objects) + b"h" * 20


def test_objects_are_added_up_over_every_size_of_piece() -> None:
    sizes = [0, 1, 15, 16, 65_536, 300_000]
    assert unpacked_size(pack(*(blob(b"a" * size) for size in sizes)), 20) == sum(sizes)


def test_a_delta_counts_as_what_it_makes() -> None:
    assert unpacked_size(pack(blob(b"x"), delta(5_000)), 20) > 5_000
    with pytest.raises(Refused, match="too large"):
        unpacked_size(pack(blob(b"x"), *[delta(MAX_UNPACKED // 4)] * 4), 20)


def test_a_declared_size_over_the_limit_is_refused_before_it_is_inflated() -> None:
    with pytest.raises(Refused, match="256 MiB"):
        unpacked_size(pack(blob(b"", MAX_UNPACKED + 1)), 20)


@pytest.mark.parametrize("broken", [pack(blob(b"a" * 99, 9)), pack(b"\xb0" + b"\xff" * 40), pack(blob(b"a"))[:15]])
def test_a_pack_that_lies_or_ends_early_is_broken(broken: bytes) -> None:
    with pytest.raises(TransientError, match="broken"):
        unpacked_size(broken, 20)
