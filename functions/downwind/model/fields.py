"""Reads plain data field by field and collects every problem with its place and its fix, instead of stopping at the first."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from downwind.errors import PermanentError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`path` leads to the field from the top of the document."""

    path: Path
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}; {self.fix}"


class Invalid(PermanentError):  # noqa: N818 - reads as a statement about the document
    """All problems of one document."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def dotted(path: Path) -> str:
    """`environments[1].pipeline.name`; the document itself is `(document)`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or "(document)"


class Fields:
    """One mapping of the document. Every read names its field; `done` reports the ones that nobody asked for."""

    def __init__(self, value: Any, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        self._read: set[str] = set()
        self._values: Mapping[str, Any] = {}
        if isinstance(value, Mapping):
            self._values = {str(key): item for key, item in value.items()}
        else:
            self.problem(None, "is not a mapping", "write it as `key: value` lines")

    def problem(self, name: str | int | None, message: str, fix: str) -> None:
        path = self.path if name is None else (*self.path, name)
        self.problems.append(Problem(path=path, message=message, fix=fix))

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def value(self, name: str) -> Any:
        self._read.add(name)
        return self._values.get(name)

    def text(self, name: str, *, pattern: re.Pattern[str] | None = None, form: str = "a text") -> str:
        """A required text; "" after a problem."""
        if not self.has(name):
            self._read.add(name)
            self.problem(name, "is missing", f"give {form}")
            return ""
        return self.optional(name, pattern=pattern, form=form) or ""

    def optional(self, name: str, *, pattern: re.Pattern[str] | None = None, form: str = "a text") -> str | None:
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > 1024:
            self.problem(name, "is not a text of 1 to 1024 characters", f"give {form}, in quotes if in doubt")
            return None
        if pattern is not None and not pattern.fullmatch(value):
            self.problem(name, f"{value!r} does not have the right form", f"give {form}")
            return None
        return value

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        value = self.value(name)
        if value is None:
            return default
        if value not in options:
            self.problem(name, f"{value!r} is not known", f"use one of: {', '.join(options)}")
            return default
        return str(value)

    def boolean(self, name: str) -> bool:
        value = self.value(name)
        if value is not None and not isinstance(value, bool):
            self.problem(name, "is neither true nor false", "write true or false")
        return value is True

    def texts(self, name: str, *, pattern: re.Pattern[str] | None = None, form: str = "a text") -> tuple[str, ...]:
        found = []
        for index, value in enumerate(self.items(name)):
            if not isinstance(value, str) or not value or (pattern is not None and not pattern.fullmatch(value)):
                self.problems.append(
                    Problem(path=(*self.path, name, index), message=f"{value!r} is not right", fix=f"give {form}")
                )
            else:
                found.append(value)
        return tuple(found)

    def items(self, name: str) -> Sequence[Any]:
        value = self.value(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.problem(name, "is not a list", "write one `- item` a line")
            return ()
        return value

    def child(self, name: str) -> "Fields | None":
        """The mapping under `name`; None where there is none."""
        value = self.value(name)
        return None if value is None else Fields(value, (*self.path, name), self.problems)

    def children(self, name: str) -> "list[Fields]":
        return [Fields(value, (*self.path, name, index), self.problems) for index, value in enumerate(self.items(name))]

    def done(self) -> None:
        """Reports every key that was not read, with the nearest known one."""
        for name in sorted(set(self._values) - self._read):
            near = difflib.get_close_matches(name, self._read, 1)
            fix = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(self._read))}"
            self.problem(name, "is not a field", fix)
