"""A problem of a YAML file, at its line and column."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused
from downwind.model.fields import Problem, dotted


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """`field` is None where the file is not even YAML; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    field: str | None
    message: str
    fix: str | None

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{self.file}:{self.line}:{self.column}: {field}{self.message}{fix}"


def unreadable(file: str, text: bytes, error: Refused) -> FileProblem:
    """The reader says file and line; the column is known where the file is not YAML."""
    match = re.match(re.escape(file) + r":(?:(\d+):)? ?", error.reason)
    line, column = int((match and match[1]) or 1), 1
    try:
        list(_nodes(text))
    except Exception as other:  # whatever PyYAML says; the reader has refused the file already
        mark = getattr(other, "problem_mark", None)
        if mark is not None and mark.line + 1 == line:
            column = mark.column + 1
    message = error.reason[match.end() :] if match else error.reason
    return FileProblem(file=file, line=line, column=column, field=None, message=message, fix=error.fix)


def placed(file: str, text: bytes, problems: Iterable[Problem]) -> tuple[FileProblem, ...]:
    """In the file's order."""
    top = next(iter(_nodes(text)), None)
    return tuple(sorted((_placed(file, top, each) for each in problems), key=lambda each: (each.line, each.column)))


def _nodes(text: bytes) -> Iterator[Any]:
    import yaml

    return yaml.compose_all(text.decode("utf-8-sig", "replace"), Loader=yaml.SafeLoader)


def _placed(file: str, top: Any, problem: Problem) -> FileProblem:
    mark = _mark(top, problem)
    return FileProblem(
        file=file,
        line=mark.line + 1 if mark else 1,
        column=mark.column + 1 if mark else 1,
        field=dotted(problem.path),
        message=problem.message,
        fix=problem.fix,
    )


def _mark(node: Any, problem: Problem) -> Any:
    """Of the wrong value; of the key where that is wrong or the value is a block; for a missing field, of what lacks it."""
    mark = node.start_mark if node is not None else None
    for step in problem.path:
        key, node = _child(node, step)
        if node is None:
            break
        is_value = isinstance(node.value, str) and problem.message != "is not a field"
        mark = node.start_mark if key is None or is_value else key.start_mark
    return mark


def _child(node: Any, step: str | int) -> tuple[Any, Any]:
    """(key node, value node); (None, None) where the step leads nowhere, as into what an alias has merged."""
    if isinstance(step, int):
        items = node.value if node.id == "sequence" else []
        return (None, items[step]) if step < len(items) else (None, None)
    pairs = node.value if node.id == "mapping" else []
    return next(((key, value) for key, value in pairs if key.value == step), (None, None))
