"""How much a directory of manifests may ask of us. What is over a limit is refused, never cut."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes are bytes of UTF-8. `bytes_out` bounds what a file becomes with aliases written out, and a whole bundle; `values`
    how many texts, numbers, lists and mappings a file becomes, so that none costs more than a tenth of a second.

    `document_characters` stays below SnakeYAML's own 3,145,728 code points a document (measured on Orca 2026.2.3).
    """

    bytes_in: int = 1024 * 1024
    bytes_out: int = 8 * 1024 * 1024
    values: int = 32_000
    depth: int = 64
    documents: int = 2_000
    aliases: int = 100
    merge_keys: int = 16
    directives: int = 16
    document_characters: int = 3_000_000


LIMITS = Limits()
"""Of one file that people write."""
OUTPUT_LIMITS = Limits(bytes_in=LIMITS.bytes_out, values=500_000)
"""Of what an engine prints: as much as a bundle may hold, in one stream."""
