"""What stands in files beside the configuration: Helm values, pipelines; and the sample's catalog. Read before a plan is made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPipeline:
    """A pipeline as it is to stand in Spinnaker. `file` as people name it; `environment`: which one it serves, where its names
    do not say so (`shop/production`)."""

    file: str
    document: Mapping[str, Any]
    environment: str | None = None

    @property
    def key(self) -> str:
        return f"{self.document['application']}/{self.document['name']}"

    @property
    def body(self) -> Mapping[str, Any]:
        return {"file": self.file, "document": self.document, "environment": self.environment}


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmValues:
    """`name` as the configuration has it, `path` where it is. `values` None: there is no such file yet; `missing` says what
    writes it."""

    name: str
    path: Path
    values: Mapping[str, Any] | None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    values: tuple[HelmValues, ...] = ()
    pipelines: tuple[SavedPipeline, ...] = ()
    catalog: str = ""
    """The sample's catalog file, as it goes into the catalog."""
