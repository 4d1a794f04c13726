"""How large a pack becomes, before anything of it is kept: a few hundred KiB may inflate to many hundred MiB.

Source: gitformat-pack(5). Each object's header declares its size, a delta's first bytes that of its result. Streams are
inflated piece by piece and thrown away; one that holds more than it declares is broken.
"""

import zlib

from downwind.errors import Refused, TransientError

MAX_UNPACKED = 256 << 20
_PIECE = 1 << 16
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7


def unpacked_size(pack: bytes, id_length: int) -> int:
    """Bytes of all objects together, deltas resolved. Refused over MAX_UNPACKED, TransientError for a broken pack."""
    total = 0
    try:
        position = 12
        for _ in range(int.from_bytes(pack[8:12], "big")):
            kind = pack[position] >> 4 & 7
            declared, position = _number(pack, position, first=4)
            if kind == _OFFSET_DELTA:
                _, position = _number(pack, position)
            elif kind == _REFERENCE_DELTA:
                position += id_length
            if total + declared > MAX_UNPACKED:
                raise _too_large()
            head, position = _skip(pack, position, declared)
            total += declared
            if kind in {_OFFSET_DELTA, _REFERENCE_DELTA}:
                _, after = _number(head, 0)
                total += _number(head, after)[0]
            if total > MAX_UNPACKED:
                raise _too_large()
    except (IndexError, zlib.error) as error:
        raise TransientError("the repository sent a broken pack") from error
    return total


def _too_large() -> Refused:
    return Refused(f"the commit is too large: over {MAX_UNPACKED >> 20} MiB when unpacked", field="repository")


def _number(data: bytes, position: int, first: int = 7) -> tuple[int, int]:
    """A little-endian number of 7 bits a byte (the first byte has `first`), and the position after it."""
    byte = data[position]
    found, shift = byte & (1 << first) - 1, first
    while byte & 0x80:
        position += 1
        byte = data[position]
        found |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63:
            raise zlib.error("a number without end")
    return found, position + 1


def _skip(pack: bytes, position: int, declared: int) -> tuple[bytes, int]:
    """The first bytes of one zlib stream, and the position after it."""
    inflate = zlib.decompressobj()
    head, seen, step = b"", 0, 256
    while not inflate.eof:
        piece = pack[position : position + step]
        position += len(piece)
        found = inflate.decompress(piece, _PIECE)
        position -= len(
            inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        )  # at the end both may hold the rest
        head = head or found[:32]
        seen += len(found)
        if seen > declared or not (piece or inflate.eof):
            raise zlib.error("longer or shorter than declared")
        step = _PIECE
    return head, position
