"""How much a directory of manifests may ask of us. What is over a limit is refused, never cut."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes are bytes of UTF-8. `bytes_out` bounds what a file becomes with aliases written out, and a whole bundle.

    `document_characters` stays below SnakeYAML's own 3,145,728 code points a document (measured on Orca 2026.2.3).
    """

    bytes_in: int = 1024 * 1024
    bytes_out: int = 8 * 1024 * 1024
    depth: int = 64
    documents: int = 2_000
    aliases: int = 100
    merge_keys: int = 16
    document_characters: int = 3_000_000


LIMITS = Limits()
