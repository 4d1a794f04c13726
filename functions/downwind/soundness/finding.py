"""What a check has found, and how two documents differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`where`: the cluster or pipeline, and the object or field in it; `what` is wrong; `fix`: what to do about it."""

    where: str
    what: str
    fix: str


def differences(wanted: Any, found: Any, path: str, *, whole: bool = True) -> Iterator[str]:
    """Paths at which `found` says something else. Without `whole`, what it has beside the wanted fields is its own affair."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key in sorted({*wanted, *(found if whole else ())}):
            if key not in found:
                yield f"{path}.{key} is missing"
            elif key not in wanted:
                yield f"{path}.{key} is not ours"
            else:
                yield from differences(wanted[key], found[key], f"{path}.{key}", whole=whole)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (ours, theirs) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(ours, theirs, f"{path}[{index}]", whole=whole)
    elif isinstance(wanted, list) and isinstance(found, list):
        yield f"{path} has {len(found)} items, not {len(wanted)}"
    elif wanted != found:
        yield f"{path} is not ours"
