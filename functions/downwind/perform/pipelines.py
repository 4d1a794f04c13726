"""Saved pipelines against files: what differs, and saving over exactly what was shown."""

import difflib
from collections.abc import Mapping
from typing import Any

from downwind.errors import Refused
from downwind.ports import PipelineConfig, Pipelines
from downwind.soundness.write_pipeline import comparable, write_pipeline


def difference(standing: PipelineConfig | None, wanted: Mapping[str, Any], file: str) -> list[str]:
    """A unified diff from what Spinnaker has to what the file says; empty where Spinnaker would treat both alike."""
    before = comparable(standing.document) if standing is not None else {}
    after = comparable(wanted)
    if before == after:
        return []
    old = write_pipeline(before).splitlines() if standing is not None else []
    name = f"{wanted.get('application')}/{wanted.get('name')}"
    label = f"Spinnaker {name}" if standing is not None else "nothing"
    return list(difflib.unified_diff(old, write_pipeline(after).splitlines(), label, file, lineterm=""))


def save(pipelines: Pipelines, document: Mapping[str, Any], standing: PipelineConfig | None, file: str) -> None:
    """Saves and reads back: a proxy may answer 200 to anything. Refused: somebody was faster, or Spinnaker has kept
    something else."""
    pipelines.replace(document, standing)
    now = pipelines.config(str(document["application"]), str(document["name"]))
    if now is None or difference(now, document, file):
        raise Refused(
            f"Spinnaker took {file} and does not have it as it is",
            fix=f"look at it: downwind pipelines diff {file}",
        )


def stale(application: str, name: str) -> Refused:
    return Refused(
        f"somebody else has changed pipeline {application}/{name} meanwhile",
        fix="nothing was saved; look at the difference again",
    )
