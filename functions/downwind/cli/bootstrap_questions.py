"""What `downwind bootstrap init` asks: each answer is checked as it is given, by what holds for the whole configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from downwind.bootstrap.config import complete
from downwind.errors import Refused
from downwind.model.fields import Invalid, Problem


class Answers:
    """`config`: what options gave; None where a question is open. Answers go into it."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._asking = False

    def ask(self, path: tuple[str, ...], question: str, default: str | None = None) -> None:
        """Where no option gave it, until the answer is one that may stand there. Before the first question what options gave is
        looked at: Refused with every problem of it."""
        if self._at(path) is not None:
            return
        if not self._asking:
            self._asking = True
            problems = _problems(_given(self._config))
            wrong = [each for each in problems if self._at(each.path) is not None]
            if wrong:
                raise Refused("; ".join(map(str, wrong)))
        *above, name = path
        place = self._at(above)
        while True:
            try:
                place[name] = str(click.prompt(question, default=default, err=True)).strip()
            except click.Abort:
                raise click.UsageError(f"nobody answered; give it as an option: {question}") from None
            wrong = [each for each in _problems(_given(self._config)) if each.path[: len(path)] == path]
            if not wrong:
                return
            for each in wrong:
                click.echo(f"Error: {each}", err=True)

    def _at(self, path: Sequence[str | int]) -> Any:
        found: Any = self._config
        for step in path:
            found = found.get(step) if isinstance(found, Mapping) else None
        return found


def _given(value: Any) -> Any:
    """Without what is open."""
    if isinstance(value, Mapping):
        return {key: _given(each) for key, each in value.items() if each is not None}
    return value


def _problems(config: Mapping[str, Any]) -> Sequence[Problem]:
    try:
        complete(config)
    except Invalid as error:
        return error.problems
    return ()
