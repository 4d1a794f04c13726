"""Builds plain values from a YAML stream's events, counting as it goes.

From events and not with PyYAML's constructors: those follow YAML 1.1, read 424 bytes of nested merge keys for seconds,
raise RecursionError, and answer bad scalars with errors of every kind. Every value has a weight, its size once its
aliases are written out; an alias adds the weight of its anchor, so a bomb is refused at the line where it goes off.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused
from downwind.render.limits import Limits
from downwind.render.scalars import resolve

_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    _TAG + "bool": (bool,),
    _TAG + "int": (int,),
    _TAG + "float": (int, float),
    _TAG + "null": (type(None),),
}


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come. `start` and `values`: weight and count before it. `key` waits for its value;
    `merged` holds what `<<` brought."""

    value: dict[str, Any] | list[Any]
    start: int
    values: int
    anchor: str | None
    line: int
    key: str | None = None
    merging: bool = False
    merged: Sequence[Any] = ()


class Builder:
    """Reads one file's events. `name` is the file's, for errors."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._weight = 0
        self._values = 0
        self._aliases = 0
        self._merges = 0
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._stack: list[_Open] = []
        self._root: Any = None

    def documents(self, events: Iterator[Any]) -> Iterator[tuple[Any, int]]:
        """Every document's value with the line it starts on."""
        import yaml

        count = 0
        # Nearly all events are scalars, so they are asked for first, and by their exact class.
        scalar, mapping, sequence = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
        for event in events:
            kind = type(event)
            if kind is scalar:
                self._scalar(event, event.start_mark.line + 1)
            elif kind is mapping or kind is sequence:
                self._open({} if kind is mapping else [], event, event.start_mark.line + 1)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
            elif kind is yaml.AliasEvent:
                self._alias(str(event.anchor), event.start_mark.line + 1)
            elif kind is yaml.DocumentStartEvent:
                count += 1
                start = event.start_mark.line + 1
                if count > self._limits.documents:
                    raise self._refused(start, f"more than {self._limits.documents} documents", "split the file")
                self._anchors.clear()
                self._root = None
            elif kind is yaml.DocumentEndEvent:
                yield self._root, start

    def _scalar(self, event: Any, line: int) -> None:
        value: Any = event.value
        self._weigh(1 + len(value), 1, line)
        if event.tag is None:
            plain = not event.style  # None from the Python parser, "" from the C one
            if plain and value == "<<" and self._is_key():
                self._merge_key(line)
                return
            if plain:
                value = resolve(value)
        elif event.tag not in {"!", _TAG + "str"}:  # a lone `!` makes a text of anything, as for kubectl
            value = resolve(value)
            if type(value) not in _SCALAR_TAGS.get(event.tag, ()):
                raise self._refused(line, f"the tag {event.tag} does not fit here", "write the value without a tag")
        if isinstance(value, str) and not value.isascii():
            self._check_text(value, line)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, 1 + len(event.value), 1
        self._add(value, line)

    def _alias(self, anchor: str, line: int) -> None:
        self._aliases += 1
        if self._aliases > self._limits.aliases:
            raise self._refused(line, f"more than {self._limits.aliases} aliases", "write the values out")
        if anchor not in self._anchors:
            raise self._refused(line, f"no anchor &{anchor} ends before *{anchor}", "define the anchor first")
        value, weight, values = self._anchors[anchor]
        self._weigh(weight, values, line)
        self._add(value, line)

    def _open(self, value: dict[str, Any] | list[Any], event: Any, line: int) -> None:
        if event.tag is not None and event.tag not in ("!", _TAG + ("map" if isinstance(value, dict) else "seq")):
            raise self._refused(line, f"the tag {event.tag} is not allowed", "write the value without a tag")
        if len(self._stack) >= self._limits.depth:
            raise self._refused(line, f"nested deeper than {self._limits.depth} levels", "flatten it")
        if self._is_key():
            raise self._refused(line, "a list or mapping can't be a key", "put the key in quotes")
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)  # an alias inside means this value, not an older one of that name
        self._stack.append(_Open(value, self._weight, self._values, event.anchor, line))
        self._weigh(1, 1, line)

    def _close(self) -> None:
        ended = self._stack.pop()
        for merged in ended.merged:
            for key, value in merged.items():
                ended.value.setdefault(key, value)  # type: ignore[union-attr]  # only a mapping has something merged
        if ended.anchor is not None:
            self._anchors[ended.anchor] = ended.value, self._weight - ended.start, self._values - ended.values
        self._add(ended.value, ended.line)

    def _add(self, value: Any, line: int) -> None:
        """Puts a whole value where it belongs: the document, a list, a mapping's key, or that key's value."""
        if not self._stack:
            self._root = value
            return
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.merging:
            self._merge(parent, value, line)
        elif parent.key is None:
            parent.key = self._key(parent.value, value, line)
        else:
            parent.value[parent.key] = value
            parent.key = None

    def _key(self, mapping: dict[str, Any], value: Any, line: int) -> str:
        """Keys are texts in JSON: whole numbers and booleans become theirs, as for Kubernetes."""
        key = (
            ("true" if value else "false")
            if isinstance(value, bool)
            else str(value)
            if isinstance(value, int)
            else value
        )
        if not isinstance(key, str):
            raise self._refused(line, f"the key {value!r} is not a text", "put it in quotes")
        if key in mapping:
            fix = "put y, n, yes, no, on and off in quotes" if isinstance(value, bool) else "take one of them out"
            raise self._refused(line, f"the key {key!r} is there twice", fix)
        return key

    def _is_key(self) -> bool:
        parent = self._stack[-1] if self._stack else None
        return parent is not None and isinstance(parent.value, dict) and parent.key is None and not parent.merging

    def _merge_key(self, line: int) -> None:
        self._merges += 1
        parent = self._stack[-1]
        if self._merges > self._limits.merge_keys:
            raise self._refused(line, f"more than {self._limits.merge_keys} merge keys", "write the values out")
        if parent.merged:
            raise self._refused(line, "the key '<<' is there twice", "merge a list: `<<: [*a, *b]`")
        parent.merging = True

    def _merge(self, parent: _Open, value: Any, line: int) -> None:
        """The mapping's own keys, which come later, win over merged ones; the first merged one wins over others."""
        merged = value if isinstance(value, list) else [value]
        if not merged or not all(isinstance(each, dict) for each in merged):
            raise self._refused(line, "'<<' merges mappings only", "give it an alias of a mapping")
        if any(key in parent.value for each in merged for key in each):
            # The mapping's own key wins for YAML 1.1 and Kustomize, the merged one for kubectl and Helm.
            raise self._refused(line, "'<<' comes after a key that it brings too", "put '<<' first")
        parent.merged = merged
        parent.merging = False

    def _weigh(self, weight: int, values: int, line: int) -> None:
        self._weight += weight
        self._values += values
        if self._weight > self._limits.bytes_out:
            raise self._refused(
                line, f"its aliases make more than {self._limits.bytes_out} bytes", "write the values out"
            )
        if self._values > self._limits.values:
            raise self._refused(line, f"more than {self._limits.values} values", "split the file")

    def _check_text(self, text: str, line: int) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self._refused(line, "half a surrogate pair is no character", "write the character itself") from None

    def _refused(self, line: int, reason: str, fix: str) -> Refused:
        return Refused(f"{self._name}:{line}: {reason}", fix=fix)
