"""The filter language of subscriptions: attributes only, fixed at creation, at most 256 bytes.

    attributes:k    attributes.k = "v"    attributes.k != "v"    hasPrefix(attributes.k, "p")    AND  OR  NOT  ( )

Keys other than letters, digits, `_` and `-` are quoted. AND and OR may be mixed only with parentheses. `!=` is the
negation of `=`: it matches messages without the attribute too. Source: Google's page "Filter messages from a subscription".
"""

import re
from collections.abc import Callable, Mapping

from downwind.local.pubsub.wire import invalid

Match = Callable[[Mapping[str, str]], bool]

_TOKEN = re.compile(r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<word>[A-Za-z0-9_-]+)|(?P<sign>!=|[=:.,()]))')
_ESCAPE = re.compile(r"\\(?:(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_MAX_BYTES = 256


def compile_filter(text: str) -> Match:
    """A predicate on attributes; "" matches all. Rejected (INVALID_ARGUMENT) for anything outside the grammar."""
    if len(text.encode()) > _MAX_BYTES:
        raise invalid(f"The filter is longer than {_MAX_BYTES} bytes.")
    if not text.strip():
        return lambda _attributes: True
    parser = _Parser(text)
    match = parser.expression()
    parser.end()
    return match


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        self._next = 0
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None:
                raise invalid(f"Invalid filter at character {position + 1}: {text!r}")
            self._tokens.append(found.group(found.lastgroup or 0))
            position = found.end()

    def expression(self) -> Match:
        terms = [self._term()]
        joint = self._peek()
        while self._peek() in {"AND", "OR"}:
            if self._take() != joint:
                raise invalid(f"AND and OR can be combined only with parentheses: {self._text!r}")
            terms.append(self._term())
        if joint == "OR":
            return lambda attributes: any(term(attributes) for term in terms)
        return lambda attributes: all(term(attributes) for term in terms)

    def end(self) -> None:
        if self._peek():
            raise self._wrong()

    def _term(self) -> Match:
        token = self._take()
        if token == "NOT":
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if token == "(":
            inner = self.expression()
            self._expect(")")
            return inner
        if token == "hasPrefix":
            self._expect("(")
            self._expect("attributes")
            key = self._key(".")
            self._expect(",")
            prefix = self._string()
            self._expect(")")
            return lambda attributes: attributes.get(key, "").startswith(prefix) and key in attributes
        if token == "attributes":
            return self._comparison()
        raise self._wrong()

    def _comparison(self) -> Match:
        if self._peek() == ":":
            key = self._key(":")
            return lambda attributes: key in attributes
        key = self._key(".")
        sign = self._take()
        if sign not in {"=", "!="}:
            raise self._wrong()
        value = self._string()
        if sign == "=":
            return lambda attributes: attributes.get(key) == value
        return lambda attributes: attributes.get(key) != value

    def _key(self, sign: str) -> str:
        self._expect(sign)
        token = self._take()
        if token.startswith('"'):
            return _unquote(token)
        if not token or not (token[0].isalnum() or token[0] in "_-"):
            raise self._wrong()
        return token

    def _string(self) -> str:
        token = self._take()
        if not token.startswith('"'):
            raise self._wrong()
        return _unquote(token)

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._next += 1
        return token

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise self._wrong()

    def _wrong(self) -> Exception:
        last = self._tokens[self._next - 1] if 0 < self._next <= len(self._tokens) else "the end"
        return invalid(f"Invalid filter near {last}: {self._text!r}")


def _unquote(literal: str) -> str:
    return _ESCAPE.sub(_unescape, literal[1:-1])


def _unescape(found: re.Match[str]) -> str:
    code, octal, simple = found.groups()
    if simple is not None:
        return _ESCAPES.get(simple, simple)
    try:
        return chr(int(octal, 8) if octal else int(code[1:], 16))
    except (ValueError, OverflowError):
        raise invalid(f"Invalid escape in a filter: {found.group()}") from None
