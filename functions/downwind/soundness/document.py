"""Steps into a pipeline that may be malformed: what is not of the wanted kind counts as not there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from downwind.model.fields import Path, Problem

Document = Mapping[str, Any]


def mapping(value: Any) -> Document:
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def texts(value: Any) -> list[str]:
    return [str(each) for each in items(value)]


def stages(document: Document) -> list[tuple[int, Document]]:
    """(place in the file, stage)."""
    return [(index, each) for index, each in enumerate(items(document.get("stages"))) if isinstance(each, Mapping)]


def kind_of(stage: Document) -> str:
    """Its type, "" where that is no text."""
    kind = stage.get("type")
    return kind if isinstance(kind, str) else ""


def is_true(value: Any) -> bool:
    """As Spinnaker reads a flag: text counts too."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def is_false(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.lower() == "false")


def label(stage: Document) -> str:
    return f"stage {stage.get('refId')} ({stage.get('name') or stage.get('type')})"


def strings(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in it, with its path; keys are none."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*path, index))
    elif isinstance(value, str):
        yield path, value


def problem(path: Path, message: str, fix: str) -> Problem:
    return Problem(path=path, message=message, fix=fix)


def behind(document: Document) -> dict[str, set[str]]:
    """refId to the refIds of all stages that come before it, however far. Circles do no harm."""
    before = {str(stage.get("refId")): set(texts(stage.get("requisiteStageRefIds"))) for _, stage in stages(document)}
    found: dict[str, set[str]] = {}
    for reference, direct in before.items():
        seen: set[str] = set()
        following = list(direct)
        while following:
            at = following.pop()
            if at not in seen:
                seen.add(at)
                following.extend(before.get(at, ()))
        found[reference] = seen
    return found
