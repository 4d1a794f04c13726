"""An object that knows where it was read, so that an error can say so."""

from typing import Any


class Sourced(dict[str, Any]):
    """A mapping like any other. `where`: the file, with the line if it is known, such as `deploy/web.yaml:12`. Engines that don't
    know the file of an object give plain mappings."""

    __slots__ = ("where",)

    def __init__(self, value: dict[str, Any], where: str) -> None:
        super().__init__(value)
        self.where = where


def where_of(value: Any) -> str | None:
    return value.where if isinstance(value, Sourced) else None
