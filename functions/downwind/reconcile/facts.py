"""One recorded fact, and the snapshot of facts and observations that one decision reads."""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any, TypeVar, cast

from downwind.errors import PermanentError
from downwind.model.execution import Execution

VERSION = 1
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFact:
    """To be created, never changed. `body` is small JSON; `v` is added."""

    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """As it stands in the ledger. `created` is the store's clock."""

    name: str
    body: Mapping[str, Any]
    created: datetime


def encode_body(body: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode({"v": VERSION, **body}).encode()


@lru_cache(maxsize=4096)
def _load(data: bytes | str) -> Any:
    """Facts never change, and are read again and again. Nobody writes into what this gives."""
    return json.loads(data)


def decode_body(name: str, data: bytes | str) -> Mapping[str, Any]:
    """Raises PermanentError for what no revision of ours has written; every older `v` is accepted."""
    try:
        body = _load(data)
    except ValueError as error:
        raise PermanentError(f"ledger object {name} is not JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("v"), int):
        raise PermanentError(f"ledger object {name} is not a fact")
    return body


@lru_cache(maxsize=8192)
def _group(name: str) -> str:
    """Kind and hash: all facts of one environment, release, build or event stand in one group."""
    return "/".join(name.split("/", 2)[:2])


@dataclass(frozen=True, slots=True, kw_only=True)
class RefTip:
    """`object` is what the ref holds (a tag's own object, for an annotated one), `commit` the commit behind it."""

    object: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What an event, a marker or the patrol says may be due. Never more than that."""

    refs: frozenset[str] = frozenset()
    commits: frozenset[str] = frozenset()
    requests: frozenset[tuple[str, str]] = frozenset()
    """(environment, request id)"""
    executions: frozenset[str] = frozenset()
    """Of which something was heard that is not written down yet."""
    notices: frozenset[tuple[str, int]] = frozenset()
    """(environment, sequence) of which a channel is still to be told"""

    def __or__(self, other: "Hints") -> "Hints":
        return Hints(
            refs=self.refs | other.refs,
            commits=self.commits | other.commits,
            requests=self.requests | other.requests,
            executions=self.executions | other.executions,
            notices=self.notices | other.notices,
        )


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """Filled by the reconciler's loop, only read by the rules.

    `loaded` maps a listed prefix to whether the list was cut at its limit. `tips`: what the repository answered; a ref
    that is absent from a non-None answer is deleted. `tick` is the tick's own id, None in a handler. `changed`: did any
    path of the application change between two commits.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    loaded: dict[str, bool] = field(default_factory=dict)
    hints: Hints = field(default_factory=Hints)
    tips: Mapping[str, RefTip] | None = None
    executions: dict[str, Execution] = field(default_factory=dict)
    changed: dict[tuple[str, str], bool] = field(default_factory=dict)
    searched: set[tuple[str, int, int]] = field(default_factory=set)
    """(environment, sequence, attempt) for which Gate said a moment ago what was started; it stands in `executions`"""
    cancelled: set[str] = field(default_factory=set)
    """executions that this very call has cancelled"""
    gone: set[str] = field(default_factory=set)
    """executions that Spinnaker says it does not have"""
    verified: dict[str, str | None] = field(default_factory=dict)
    """bundle to the image of it that is gone; None for a bundle that is whole"""
    missing_images: set[tuple[str, str]] = field(default_factory=set)
    """(commit, image name) that the registry did not have a moment ago"""
    tick: int | None = None
    rounds: int = 0
    """rounds of lists so far"""

    groups: dict[str, list[str]] = field(default_factory=dict)
    """names in order, by what they are about: the first two segments, or more, of each"""
    versions: dict[str, int] = field(default_factory=dict)
    """changes with the facts of a group"""
    memory: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.add(list(self.facts.values()))

    def add(self, facts: Iterable[Fact]) -> None:
        for fact in facts:
            group = _group(fact.name)
            names = self.groups.setdefault(group, [])
            index = bisect_left(names, fact.name)
            if index == len(names) or names[index] != fact.name:
                names.insert(index, fact.name)
            self.facts[fact.name] = fact
            self.versions[group] = self.versions.get(group, 0) + 1

    def remember(self, key: str, prefix: str, make: Callable[[], T]) -> T:
        """What `make` made of these very facts under `prefix`: the rules ask the same again and again."""
        version = self.versions.get(_group(prefix), 0)
        known = self.memory.get(key)
        if known is None or known[0] != version:
            known = self.memory[key] = (version, make())
        return cast(T, known[1])

    def under(self, prefix: str) -> list[Fact]:
        """Facts whose names begin with `prefix`, ascending. It holds two segments or more: `event/<hash>/`."""
        ordered = self.groups.get(_group(prefix), [])
        start = bisect_left(ordered, prefix)
        return [
            self.facts[name] for name in takewhile(lambda name: name.startswith(prefix), islice(ordered, start, None))
        ]

    def forget(self, prefix: str) -> None:
        """Another worker wrote there: the next round lists it again."""
        # Several steps may be under way side by side: no iteration over what another thread changes.
        for loaded in [each for each in list(self.loaded) if each.startswith(prefix) or prefix.startswith(each)]:
            self.loaded.pop(loaded, None)
