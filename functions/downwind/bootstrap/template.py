"""The configuration that `bootstrap init` writes: what was given, and every other field as a comment with its default."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from downwind.bootstrap.config import schema

_HEAD = """# What this installation of Downwind decides. `downwind bootstrap plan --offline` says what comes of it.
# yaml-language-server: $schema=infra/downwind.config.schema.json
"""


def render(given: Mapping[str, Any]) -> str:
    return _HEAD + "\n".join(_fields(given, schema(), "")) + "\n"


def _fields(given: Mapping[str, Any], form: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, about in form["properties"].items():
        inner = about.get("properties")
        if name in given and isinstance(given[name], Mapping):
            yield f"{indent}{name}:"
            yield from _fields(given[name], about, indent + "  ")
        elif name in given:
            yield f"{indent}{name}: {json.dumps(given[name])}{_remark(about)}"
        elif inner:
            yield f"{indent}# {name}:"
            for key, each in inner.items():
                if key not in each.get("properties", {}):
                    default = json.dumps(each["default"]) if "default" in each else "…"
                    yield f"{indent}#   {key}: {default}{_remark(each)}"
        else:
            yield f"{indent}# {name}: {json.dumps(about.get('default'))}{_remark(about)}"


def _remark(about: Mapping[str, Any]) -> str:
    return f"   # {about['description']}" if "description" in about and "const" not in about else ""
