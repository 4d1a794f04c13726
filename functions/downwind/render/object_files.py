"""The objects of a bundle as files of their own, for people to read. Nothing of Downwind reads them back."""

import json
import re

from downwind.render.bundle import Bundle
from downwind.render.serialise import split

MOST = 200
"""Objects of a bundle that get files in the bucket: each is a write of its own."""
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.-]")


def object_files(bundle: Bundle) -> dict[str, bytes]:
    """`<number>-<kind>-<name>.json` to indented JSON, in the bundle's order. The number keeps two of a kind and name apart; what
    is no letter, digit, '.' or '-' in a name becomes '-'. Only the content decides."""
    files = {}
    for number, value in enumerate(split(bundle.documents), 1):
        name = _NOT_IN_NAMES.sub("-", f"{value['kind']}-{value['metadata']['name']}".lower())[:200]
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        # Half of a surrogate pair has no UTF-8; with a backslash it is JSON again.
        files[f"{number:04d}-{name}.json"] = text.encode(errors="backslashreplace")
    return files
