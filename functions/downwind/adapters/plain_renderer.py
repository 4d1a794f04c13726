"""The plain YAML engine: the manifests directly in the directory, as `kubectl apply -f DIRECTORY` takes them."""

from collections.abc import Mapping
from typing import Any

from downwind.errors import Refused
from downwind.render.engine import engine_of
from downwind.render.limits import LIMITS
from downwind.render.yaml_reader import read_documents

_ENDINGS = (".yaml", ".yml", ".json")


class PlainRenderer:
    """Implements `ports.Renderer`. It reads bytes and runs nothing, so it needs no trust in them."""

    def render(self, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
        """`files`: content by path below the directory. Directories below it are left out, as kubectl does.

        Refused: a directory for another engine, no manifests, or one that can't be read (file, line and fix).
        """
        engine = engine_of(files)
        if engine != "plain":
            raise Refused(
                f"this directory is for {engine.capitalize()}, and only plain YAML is rendered so far",
                fix="commit the rendered manifests, and point `manifests` in the catalog to their directory",
            )
        names = sorted(name for name in files if "/" not in name and name.endswith(_ENDINGS))
        if sum(len(files[name]) for name in names) > LIMITS.bytes_out:
            raise Refused("the manifests are too large", fix=f"use at most {LIMITS.bytes_out} bytes a directory")
        objects = [value for name in names for value in read_documents(name, files[name])]
        if not objects:
            raise Refused(
                f"no object in the {len(names)} manifest files of this directory",
                fix="put *.yaml, *.yml or *.json directly into it, or correct `manifests` in the catalog",
            )
        return objects
