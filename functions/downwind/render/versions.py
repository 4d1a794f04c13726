"""Which versions a range means, as Helm reads one. Source: github.com/Masterminds/semver/v3 constraints.go, 3.5.0, whose own
answers are in tests/unit/render/corpus/versions.jsonl."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_TAIL = rf"(?:-(?P<pre>{_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_VERSION = re.compile(rf"v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?(?:\.(?P<patch>{_NUMBER}))?{_TAIL}")
_PART = r"(?:[0-9]{1,18}|[xX*])"
_ANY = rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?{_TAIL}"
_ONE = re.compile(rf"(?P<sign>!=|>=|=>|<=|=<|~>|=|>|<|~|\^|)\s*{_ANY}")
_UNNAMED = re.sub(r"\?P<\w+>", "?:", _ANY)
_BETWEEN = re.compile(rf"({_UNNAMED})\s+-\s+({_UNNAMED})")
_LONGEST = 200

Key = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


@dataclass(frozen=True, slots=True)
class Version:
    """`pre` is what stands behind the first `-`; what stands behind `+` counts for nothing."""

    major: int
    minor: int
    patch: int
    pre: str = ""

    @property
    def key(self) -> Key:
        """Sorts as semver.org has it: a version before its own release, and there a number before a word."""
        parts = tuple(
            (False, int(each), "") if each.isdigit() else (True, 0, each) for each in self.pre.split(".") if each
        )
        return self.major, self.minor, self.patch, not self.pre, parts


def read_version(text: str) -> Version | None:
    """None: it is none. What is left out of `1.2` is 0."""
    found = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    return Version(int(found["major"]), int(found["minor"] or 0), int(found["patch"] or 0), found["pre"] or "")


def satisfies(version: Version, text: str) -> bool | None:
    """Is it one of those that the range means? None: the text is no range."""
    if len(text) > _LONGEST:
        return None
    groups = [_group(each) for each in _BETWEEN.sub(r">=\1, <=\2 ", text).split("||")]
    if any(group is None for group in groups):
        return None
    return any(_meets(version, group) for group in groups if group is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """`fixed`: how many of its numbers were given, 0 to 3; the others are 0 here."""

    sign: str
    version: Version
    fixed: int


def _group(text: str) -> list[_Bound] | None:
    """The bounds of one side of `||`, divided by commas or spaces; a sign may stand away from its version."""
    bounds = []
    rest = text.strip()
    while found := _ONE.match(rest):
        bounds.append(_bound(found))
        after = rest[found.end() :]
        if not after:
            return bounds
        rest = re.sub(r"^(\s*,)?\s*", "", after)
        if rest == after:
            return None
    return None


def _bound(found: re.Match[str]) -> _Bound:
    fixed = 0
    numbers = [0, 0, 0]
    for each in (found["major"], found["minor"], found["patch"]):
        if each is None or not each.isdigit():
            break
        numbers[fixed] = int(each)
        fixed += 1
    return _Bound(
        sign=found["sign"], version=Version(numbers[0], numbers[1], numbers[2], found["pre"] or ""), fixed=fixed
    )


def _meets(version: Version, group: list[_Bound]) -> bool:
    """A version before a release is meant only by a range that names such a one itself."""
    if version.pre and not any(bound.version.pre for bound in group):
        return False
    return all(_SIGNS[bound.sign](version, bound) for bound in group)


def _same(version: Version, bound: _Bound) -> bool:
    return version.key == bound.version.key if bound.fixed == 3 else _tilde(version, bound)


def _other(version: Version, bound: _Bound) -> bool:
    own, given = version, bound.version
    if bound.fixed == 3:
        return own.key != given.key
    if own.major != given.major:
        return True
    if bound.fixed == 1:
        return False
    if own.minor != given.minor:
        return True
    return own.pre != given.pre if bound.fixed == 2 else own.key != given.key


def _above(version: Version, bound: _Bound) -> bool:
    if bound.fixed in {1, 2}:
        return (version.major, version.minor)[: bound.fixed] > (bound.version.major, bound.version.minor)[: bound.fixed]
    return version.key > bound.version.key


def _at_most(version: Version, bound: _Bound) -> bool:
    if bound.fixed == 3:
        return version.key <= bound.version.key
    numbers = 1 if bound.fixed == 1 else 2
    return (version.major, version.minor)[:numbers] <= (bound.version.major, bound.version.minor)[:numbers]


def _tilde(version: Version, bound: _Bound) -> bool:
    given = bound.version
    if version.key < given.key:
        return False
    if (given.major, given.minor, given.patch) == (0, 0, 0) and bound.fixed in {0, 3}:
        return True
    return version.major == given.major and (bound.fixed == 1 or version.minor == given.minor)


def _caret(version: Version, bound: _Bound) -> bool:
    given = bound.version
    if version.key < given.key or version.major != given.major:
        return False
    if given.major > 0 or bound.fixed == 1:
        return True
    if version.minor != given.minor:
        return False
    return given.minor > 0 or bound.fixed == 2 or version.patch == given.patch


_SIGNS: dict[str, Callable[[Version, _Bound], bool]] = {
    "": _same,
    "=": _same,
    "!=": _other,
    ">": _above,
    "<": lambda version, bound: version.key < bound.version.key,
    ">=": lambda version, bound: version.key >= bound.version.key,
    "=>": lambda version, bound: version.key >= bound.version.key,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
