"""The small part of Spring's expression language that our pipelines use, without any way to call anything.

Property paths (`trigger['downwind']['sequence']`, `trigger.downwind.sequence`, `?.`), `== != && || !`, ternary, null, true,
false, numbers, 'strings', parentheses. Whatever else stands in an expression fails, and then, as Orca does it, the whole
string stays as it was written and the failure is put down in a summary.
"""

import re
import time
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?)|'((?:[^']|'')*)'|\"([^\"]*)\"|([A-Za-z_]\w*)|(\?\.|[=!]=|&&|\|\||[!?:().\[\]]))"
)
_EXPRESSION = re.compile(r"\$\{(.*?)\}", re.DOTALL)
_WORDS: dict[str, Any] = {"null": None, "true": True, "false": False}

Summary = dict[str, list[dict[str, Any]]]


class SpelError(Exception):
    """`level` is Orca's: INFO for a value that is not there, ERROR for the rest."""

    def __init__(self, message: str, level: str = "ERROR") -> None:
        super().__init__(message)
        self.level = level


def evaluate(expression: str, roots: Mapping[str, Any]) -> Any:
    """The value of one expression (without `${}`). SpelError: not understood, or a step into null."""
    parser = _Parser(_tokens(expression), roots)
    value = parser.ternary()
    parser.expect_end()
    return value


def evaluate_all(value: Any, roots: Mapping[str, Any], summary: Summary, key: str = "") -> Any:
    """`value` (any JSON) with every `${}` in its strings evaluated. A string that is one expression takes its value's type.
    What fails stays literal and is put into `summary`, which Orca stores as `expressionEvaluationSummary`."""
    if isinstance(value, Mapping):
        return {name: evaluate_all(item, roots, summary, name) for name, item in value.items()}
    if isinstance(value, list):
        return [evaluate_all(item, roots, summary, key) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        return _evaluate_text(value, roots)
    except SpelError as error:
        expression = next(iter(_EXPRESSION.findall(value)), value)
        summary.setdefault(expression, []).append(
            {
                "description": f"Failed to evaluate [{key}] {error}",
                "exceptionType": "org.springframework.expression.spel.SpelEvaluationException",
                "level": error.level,
                "timestamp": int(time.time() * 1000),
            }
        )
        return value


def _evaluate_text(text: str, roots: Mapping[str, Any]) -> Any:
    whole = _EXPRESSION.fullmatch(text)
    if whole and "${" not in whole[1]:
        return _present(evaluate(whole[1], roots), whole[1])
    return _EXPRESSION.sub(lambda found: _as_text(_present(evaluate(found[1], roots), found[1])), text)


def _present(value: Any, expression: str) -> Any:
    if value is None:
        raise SpelError(f"{expression} not found", "INFO")
    return value


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tokens(expression: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    position = 0
    text = expression.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SpelError(f"EL1065E: unexpected character at {position} in {text}")
        number, single, double, word, sign = match.groups()
        if number is not None:
            found.append(("value", float(number) if "." in number else int(number)))
        elif single is not None or double is not None:
            found.append(("value", single.replace("''", "'") if single is not None else double))
        else:
            found.append(("word", word) if word is not None else ("sign", sign))
        position = match.end()
    return found


class _Parser:
    """Recursive descent that evaluates as it goes; both branches of a ternary are parsed, one is evaluated."""

    def __init__(self, tokens: list[tuple[str, Any]], roots: Mapping[str, Any]) -> None:
        self._tokens = tokens
        self._at = 0
        self._roots = roots
        self._dry = 0

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise SpelError(f"EL1041E: more input after a whole expression: {self._tokens[self._at][1]}")

    def ternary(self) -> Any:
        condition = self._or()
        if not self._take("?"):
            return condition
        yes = self._only_if(bool(condition), self.ternary)
        self._need(":")
        no = self._only_if(not condition, self.ternary)
        return yes if condition else no

    def _or(self) -> Any:
        value = self._and()
        while self._take("||"):
            right = self._only_if(not value, self._and)
            value = bool(value) or bool(right)
        return value

    def _and(self) -> Any:
        value = self._equality()
        while self._take("&&"):
            right = self._only_if(bool(value), self._equality)
            value = bool(value) and bool(right)
        return value

    def _equality(self) -> Any:
        value = self._unary()
        while (sign := self._take("==", "!=")) is not None:
            other = self._unary()
            same = type(value) is type(other) and value == other
            value = same if sign == "==" else not same
        return value

    def _unary(self) -> Any:
        return not self._unary() if self._take("!") else self._path()

    def _path(self) -> Any:
        value = self._primary()
        while (sign := self._take(".", "?.", "[")) is not None:
            if sign == "[":
                key = self.ternary()
                self._need("]")
                value = self._index(value, key)
            else:
                value = self._property(value, self._word(), safe=sign == "?.")
        return value

    def _primary(self) -> Any:
        if self._take("("):
            value = self.ternary()
            self._need(")")
            return value
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "value":
            self._at += 1
            return self._tokens[self._at - 1][1]
        word = self._word()
        return _WORDS[word] if word in _WORDS else self._property(self._roots, word, safe=False)

    def _index(self, value: Any, key: Any) -> Any:
        if self._dry:
            return None
        if value is None:
            raise SpelError("EL1012E: Cannot index into a null value")
        if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
            return value[key]
        return value.get(key) if isinstance(value, Mapping) else None

    def _property(self, value: Any, name: str, *, safe: bool) -> Any:
        if self._dry or (safe and value is None):
            return None
        if value is None:
            raise SpelError(f"EL1007E: Property or field '{name}' cannot be found on null")
        if not isinstance(value, Mapping) or name not in value:
            raise SpelError(f"EL1008E: Property or field '{name}' not found", "INFO")
        return value[name]

    def _only_if(self, wanted: bool, parse: Any) -> Any:
        self._dry += not wanted
        try:
            return parse()
        finally:
            self._dry -= not wanted

    def _word(self) -> str:
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "word":
            self._at += 1
            word = str(self._tokens[self._at - 1][1])
            if self._tokens[self._at : self._at + 1] == [("sign", "(")]:
                raise SpelError(f"EL1004E: Method call: Method {word}() cannot be found")
            return word
        raise SpelError("EL1043E: a name is missing")

    def _take(self, *signs: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at][0] == "sign" and self._tokens[self._at][1] in signs:
            self._at += 1
            return str(self._tokens[self._at - 1][1])
        return None

    def _need(self, sign: str) -> None:
        if self._take(sign) is None:
            raise SpelError(f"EL1043E: '{sign}' is missing")
