"""What no manifest may hold: what Kubernetes or Spinnaker would stumble over, and what is Downwind's to write."""

import re
from collections.abc import Mapping
from typing import Any

from downwind.errors import Refused

MARKS = "downwind.dev/"
ADOPT = "downwind.dev/adopt"
_OURS = re.compile(r"downwind\.[a-z0-9-]+\.[a-z0-9-]+(\.guard)?")


def place_of(value: Any, number: int) -> str:
    """How a person finds the object: kind, namespace and name, as far as they are there."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    kind = value.get("kind") if isinstance(value, dict) else None
    name = "/".join(str(part) for part in (metadata.get("namespace"), metadata.get("name")) if part)
    return f"{kind} {name}" if kind and name else f"object {number}" + (f" ({kind})" if kind else "")


def check_object(value: Any, place: str) -> None:
    """Refused, with the fix, for an object that may not be part of a bundle."""
    if not isinstance(value, dict):
        raise Refused(f"{place} is not a Kubernetes object", fix="write one object a document, `---` between them")
    for key in ("apiVersion", "kind"):
        _text(value, key, place)
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        raise Refused(f"{place} has no metadata", fix="add metadata with a name")
    if "generateName" in metadata:
        raise Refused(
            f"{place} has generateName: every attempt would make another object", fix="give it a fixed metadata.name"
        )
    _text(metadata, "name", place)
    if not isinstance(metadata.get("namespace", ""), str):
        raise Refused(f"{place}: metadata.namespace is not a text", fix="put it in quotes")
    for key in ("annotations", "labels"):
        _check_marks(metadata.get(key, {}), key, place)
    if _OURS.fullmatch(metadata["name"]):
        raise Refused(
            f"{place} has the name of a fence or a guard, which Downwind writes itself",
            fix="choose a name that does not follow downwind.<application>.<environment>",
        )


def _text(value: Mapping[str, Any], key: str, place: str) -> None:
    text = value.get(key)
    if text is None or text == "":
        raise Refused(f"{place} has no {key}", fix=f"add {key}")
    if not isinstance(text, str):
        raise Refused(f"{place}: {key} is {text!r}, not a text", fix="put it in quotes")


def _check_marks(marks: Any, key: str, place: str) -> None:
    """Annotations and labels are texts, and those of Downwind are its own but `adopt`."""
    if not isinstance(marks, dict):
        raise Refused(f"{place}: metadata.{key} is not a mapping", fix="write `name: value` lines")
    for name, text in marks.items():
        if not isinstance(text, str):
            raise Refused(
                f"{place}: the value of {name} in metadata.{key} is {text!r}, and Kubernetes takes only texts there",
                fix=f'write {name}: "{text}"' if isinstance(text, int | float) else "put it in quotes",
            )
        if name.startswith(MARKS) and (key, name) != ("annotations", ADOPT):
            raise Refused(f"{place} carries {name}, which Downwind writes itself", fix="take it out of the manifest")
