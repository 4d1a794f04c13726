"""Which engine a directory of manifests asks for, as Argo CD reads it; what an engine gives back; and the objects in that."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from downwind.errors import Refused
from downwind.render.limits import LIMITS, OUTPUT_LIMITS
from downwind.render.tree import TreeReader
from downwind.render.yaml_reader import read_documents

Engine = Literal["kustomize", "helm", "plain"]
ENGINES = {"kustomize": "5.8.2", "helm": "4.3.0"}
"""The versions that render; part of a bundle's inputs."""
CHART = "Chart.yaml"
KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """YAML, or JSON where `name` ends in `.json`. `name`: the file's path below the directory; of what an engine printed, its
    command and the directory."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUsed:
    """`version` and `sha256` are of the program that ran; None for plain manifests, which need none. `isolated`: what of the
    machine was kept from it."""

    name: Engine
    version: str | None = None
    sha256: str | None = None
    isolated: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "version": self.version,
            "sha256": self.sha256,
            "isolated": list(self.isolated),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What did not come out of the tree: the archive of a chart by its SHA-256, or another repository by its commit."""

    address: str
    sha256: str | None = None
    commit: str | None = None

    def as_json(self) -> dict[str, str]:
        pins = {"sha256": self.sha256, "commit": self.commit}
        return {"address": self.address, **{key: value for key, value in pins.items() if value is not None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What came out of a directory, in the engine's order."""

    engine: EngineUsed
    texts: tuple[Text, ...]
    fetched: tuple[Fetched, ...] = ()


def engine_of(files: Iterable[str]) -> Engine:
    """`files`: names of the files that lie directly in the directory. Kustomize goes before Helm, since a Kustomize directory
    may bring charts along."""
    names = set(files)
    if names & KUSTOMIZATIONS:
        return "kustomize"
    return "helm" if CHART in names else "plain"


def engine_for(reader: TreeReader, path: str) -> Engine:
    """Of a directory of a tree. Refused: there is none."""
    return engine_of(name for name in (*KUSTOMIZATIONS, CHART) if reader.has(path, name))


def read_objects(rendered: Rendered) -> list[dict[str, Any]]:
    """The objects, in the engine's order. Refused with file, line and fix: what can't be read, and no object at all."""
    plain = rendered.engine.name == "plain"
    if sum(len(text.data) for text in rendered.texts) > LIMITS.bytes_out:
        raise Refused("the manifests are too large", fix=f"use at most {LIMITS.bytes_out} bytes a directory")
    limits = LIMITS if plain else OUTPUT_LIMITS
    objects = [value for text in rendered.texts for value in read_documents(text.name, text.data, limits)]
    if not objects:
        where = f"in the {len(rendered.texts)} manifest files of this directory" if plain else "came out of the engine"
        fix = "put *.yaml, *.yml or *.json directly into it" if plain else "look at what it renders"
        raise Refused(f"no object {where}", fix=f"{fix}, or correct `manifests` in the catalog")
    return objects
